"""ProxMemory: what a day-long stream relies on. P slots, L tokens, D width, B batch."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from model.memory import EVIDENCE_PER_S, HALF_TRUST, MAX_EVIDENCE, ProxMemory
from model.text import load_prototypes

P, L, D, B = 7, 5, 16, 2


def memory_of(seed: int) -> ProxMemory:
    torch.manual_seed(seed)
    bank = ProxMemory(D, P).eval()
    for weight in bank.parameters():
        weight.data.add_(0.1 * torch.randn_like(weight))
    return bank


def observation(bank: ProxMemory, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Values, attention and evidence of a frame."""
    generator = torch.Generator().manual_seed(seed)
    tokens_BLD = torch.randn(B, L, D, generator=generator)
    attention_BLP = torch.softmax(3 * torch.randn(B, L, P, generator=generator), 2)
    return bank.values(tokens_BLD), attention_BLP, torch.rand(B, L, generator=generator)


def started(bank: ProxMemory, seed: int) -> tuple[Tensor, Tensor]:
    return bank.write(*observation(bank, seed), torch.zeros(B, P, D), torch.zeros(B, P), torch.full((B,), 0.5))


@torch.no_grad()
def test_without_evidence_means_stay_and_counts_fall_by_exactly_the_half_life() -> None:
    bank = memory_of(0)
    memory, counts = started(bank, 1)
    values, attention, _ = observation(bank, 2)
    after, left = bank.write(values, attention, torch.zeros(B, L), memory, counts, torch.full((B,), 3.0))
    torch.testing.assert_close(after, memory, rtol=0, atol=0)
    torch.testing.assert_close(left, counts * torch.exp2(-3.0 / bank.half_lives_s()))


@torch.no_grad()
def test_counts_halve_after_one_half_life() -> None:
    bank = memory_of(0)
    bank.half_life.fill_(math.log(math.expm1(2.0 - 0.1)))
    counts = torch.full((1, P), 8.0)
    silent = (torch.zeros(1, L, D), torch.zeros(1, L, P), torch.zeros(1, L))
    _, left = bank.write(*silent, torch.zeros(1, P, D), counts, torch.tensor([2.0]))
    torch.testing.assert_close(left, torch.full((1, P), 4.0))


@torch.no_grad()
def test_a_mean_moves_by_the_share_of_new_evidence() -> None:
    """c = 1, hardly any decay, one token of evidence .5 for 1/8 s on one slot: added .5 and a third of the way."""
    bank = memory_of(0)
    bank.half_life.fill_(100.0)
    old, new = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    attention = torch.zeros(1, 1, P)
    attention[0, 0, 3] = 1.0
    state = old.expand(1, P, 2), torch.ones(1, P)
    memory, counts = bank.write(new.view(1, 1, 2), attention, torch.tensor([[0.5]]), *state, torch.tensor([1 / EVIDENCE_PER_S]))
    torch.testing.assert_close(memory[0, 3], torch.tensor([2 / 3, 1 / 3]), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(memory[0, 2], old, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(counts[0], torch.tensor([1, 1, 1, 1.5, 1, 1, 1.0]), rtol=1e-3, atol=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("frames", [2, 5, 25])
def test_a_steady_scene_leaves_the_same_memory_at_any_frame_rate(frames: int) -> None:
    bank = memory_of(3)
    memory, counts = started(bank, 4)
    seen = observation(bank, 5)
    once = bank.write(*seen, memory, counts, torch.full((B,), 2.0))
    for _ in range(frames):
        memory, counts = bank.write(*seen, memory, counts, torch.full((B,), 2.0 / frames))
    torch.testing.assert_close(memory, once[0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(counts, once[1], rtol=1e-4, atol=1e-5)


@torch.no_grad()
@given(order=st.permutations(list(range(L))), seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_the_order_of_tokens_in_a_frame_does_not_matter(order: list[int], seed: int) -> None:
    bank = memory_of(6)
    state = started(bank, seed)
    values, attention, evidence = observation(bank, seed + 1)
    straight = bank.write(values, attention, evidence, *state, torch.full((B,), 0.1))
    mixed = bank.write(values[:, order], attention[:, order], evidence[:, order], *state, torch.full((B,), 0.1))
    torch.testing.assert_close(straight[0], mixed[0], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(straight[1], mixed[1], rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_a_day_of_frames_never_takes_a_mean_beyond_what_was_written_nor_a_count_beyond_its_limit() -> None:
    bank = memory_of(7)
    memory, counts = torch.zeros(B, P, D), torch.zeros(B, P)
    for frame in range(3000):
        dt_s = 30.0 if frame % 50 == 0 else 0.04
        memory, counts = bank.write(*observation(bank, frame % 97), memory, counts, torch.full((B,), dt_s))
    assert float(memory.norm(dim=2).max()) <= 1.0 + 1e-5
    assert float(counts.min()) >= 0.0
    assert float(counts.max()) <= MAX_EVIDENCE


@torch.no_grad()
def test_an_empty_memory_is_exactly_the_text() -> None:
    bank = memory_of(8)
    text = torch.randn(P, D)
    torch.testing.assert_close(bank.effective(text, torch.zeros(B, P, D), torch.zeros(B, P)), text.expand(B, P, D), rtol=0, atol=0)


@torch.no_grad()
def test_memory_and_text_count_equally_at_half_trust() -> None:
    bank = memory_of(8)
    text, seen = torch.randn(P, D), torch.randn(B, P, D)
    torch.testing.assert_close(bank.effective(text, seen, torch.full((B, P), HALF_TRUST)), (text + seen) / 2)


@torch.no_grad()
def test_a_closed_slot_is_neither_read_nor_written() -> None:
    bank = memory_of(9)
    memory, counts = started(bank, 10)
    kind = torch.zeros(P)
    kind[2] = -1e4
    tokens = torch.randn(B, L, D)
    attention = bank.attend(tokens, memory, kind)
    after, _ = bank.write(bank.values(tokens), attention, torch.ones(B, L), memory, counts, torch.full((B,), 0.1))
    assert float(attention[..., 2].max()) == 0.0
    torch.testing.assert_close(after[:, 2], memory[:, 2], rtol=0, atol=0)


def test_the_state_of_a_stream_fits_34_kib_at_half_precision() -> None:
    prototypes = load_prototypes(128)
    num_slots = len(prototypes.objects_CD) + len(prototypes.predicates_KD) + 2
    assert num_slots * 128 * 2 + num_slots * 4 <= 34 * 1024
