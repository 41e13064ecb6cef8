"""Episodes: every thing finds itself again, whatever the order, the frame rate and the gaps. B batch, L tokens, E rows, D width."""

import math
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from model.episodes import NUM_ROWS, Episodes, Recalled, places_of
from model.memory import MAX_EVIDENCE
from model.scene_head import SceneHead

B, L, D = 2, 6, 24
CORNERS = torch.tensor(
    [[0.1, 0.1, 0.3, 0.5], [0.6, 0.1, 0.7, 0.3], [0.2, 0.6, 0.4, 0.9], [0.8, 0.5, 1.1, 0.9], [1.2, 0.1, 1.4, 0.8], [0.5, 0.5, 0.6, 0.6]]
)
PLACES = places_of(CORNERS.expand(B, L, 4))
EMPTY = torch.zeros(B, NUM_ROWS, D), torch.zeros(B, NUM_ROWS)


def episodes(seed: int = 0) -> Episodes:
    torch.manual_seed(seed)
    return Episodes(D, 1).eval()


def looks(seed: int) -> Tensor:
    return F.normalize(torch.randn(B, L, D, generator=torch.Generator().manual_seed(seed)), dim=2)


def see(
    one: Episodes, tokens: Tensor, rows: tuple[Tensor, Tensor], dt_s: float = 0.1, places: Tensor = PLACES, weight: float = 0.8
) -> Recalled:
    found: Recalled = one(tokens, places, torch.full(tokens.shape[:2], weight), *rows, torch.full((B,), dt_s))
    return found


@torch.no_grad()
def test_an_empty_memory_changes_nothing_at_all() -> None:
    assert float(see(episodes(), looks(1), EMPTY).change_BLD.abs().max()) == 0.0


@torch.no_grad()
def test_a_thing_finds_its_own_row_though_it_moved_and_no_other() -> None:
    one = episodes()
    first = see(one, looks(1), EMPTY)
    moved = PLACES + torch.tensor([0.01, -0.01, 0.05, -0.05])
    values = F.normalize(one.value(looks(1)), dim=2)
    found = one.find(values, moved, torch.ones(B, L), first.rows_BED, torch.full((B,), 0.1))
    own = (first.rows_BED[:, None, :, :4] - PLACES[:, :, None]).abs().sum(3) < 1e-6
    assert float(found[own].min()) > 0.95
    assert float(found.sum(1).max()) <= 1.0 + 1e-6


@torch.no_grad()
def test_a_thing_at_another_place_is_a_stranger() -> None:
    one = episodes()
    first = see(one, looks(1), EMPTY)
    far = PLACES + torch.tensor([3.0, 0.0, 0.0, 0.0])
    assert float(see(one, looks(1), (first.rows_BED, first.counts_BE), places=far).change_BLD.abs().max()) < 1e-3


@torch.no_grad()
def test_a_doubtful_look_is_drawn_towards_what_was_seen_before() -> None:
    """Evidence 10 before, next to none now: the change goes nearly all the way back to the old look."""
    one = episodes()
    before = (torch.cat([PLACES, one.value(looks(1))], 2), torch.full((B, L), 10.0))
    rows = F.pad(before[0], (0, 0, 0, NUM_ROWS - L)), F.pad(before[1], (0, NUM_ROWS - L))
    now = F.normalize(looks(1) + 0.3 * looks(2), dim=2)
    changed = F.normalize(one.value(now), dim=2) + see(one, now, rows, weight=1e-3).change_BLD[..., : D - 4]
    assert float((changed - one.value(looks(1))).norm(dim=2).max()) < 0.02


@torch.no_grad()
def test_without_evidence_rows_stay_and_counts_fall_by_exactly_the_half_life() -> None:
    one = episodes()
    first = see(one, looks(1), EMPTY)
    after = see(one, looks(2), (first.rows_BED, first.counts_BE), dt_s=3.0, weight=0.0)
    torch.testing.assert_close(after.rows_BED, first.rows_BED, rtol=0, atol=0)
    torch.testing.assert_close(after.counts_BE, first.counts_BE * torch.exp2(-3.0 / one.half_life_s()))


@torch.no_grad()
def test_what_is_hidden_for_a_while_is_still_known_when_it_comes_back() -> None:
    one = episodes()
    rows = EMPTY
    for _ in range(5):
        rows = see(one, looks(1), rows)[1:]
    weights = torch.full((B, L), 0.8)
    weights[:, 2] = 0.0
    for _ in range(5):
        rows = one(looks(1), PLACES, weights, *rows, torch.full((B,), 0.1))[1:]
    change = see(one, looks(3), rows).change_BLD
    assert float(change[:, 2].norm(dim=1).min()) > 0.2


@torch.no_grad()
@pytest.mark.parametrize("frames", [2, 5, 25])
def test_a_steady_scene_leaves_the_same_memory_at_any_frame_rate(frames: int) -> None:
    one = episodes(3)
    rows = see(one, looks(4), EMPTY, 0.5)[1:]
    once = see(one, looks(4), rows, 2.0)
    for _ in range(frames):
        rows = see(one, looks(4), rows, 2.0 / frames)[1:]
    torch.testing.assert_close(rows[1][:, :L], once.counts_BE[:, :L], rtol=0.02, atol=0.02)
    torch.testing.assert_close(rows[0][:, :L], once.rows_BED[:, :L], rtol=1e-3, atol=1e-3)


@torch.no_grad()
@given(order=st.permutations(list(range(L))), seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_the_order_of_tokens_and_rows_does_not_matter(order: list[int], seed: int) -> None:
    one = episodes(6)
    rows, counts = see(one, looks(seed), EMPTY)[1:]
    straight = see(one, looks(seed + 1), (rows, counts))
    mixed = see(one, looks(seed + 1)[:, order], (rows.flip(1), counts.flip(1)), places=PLACES[:, order])
    torch.testing.assert_close(mixed.change_BLD, straight.change_BLD[:, order], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(mixed.counts_BE, straight.counts_BE, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_day_of_frames_keeps_values_and_counts_bounded() -> None:
    one, rows = episodes(7), EMPTY
    for frame in range(1500):
        rows = see(one, looks(frame % 97), rows, 30.0 if frame % 50 == 0 else 0.04, PLACES + 0.02 * (frame % 7))[1:]
    assert float(rows[0][..., 4:].norm(dim=2).max()) <= 1.0 + 1e-4
    assert float(rows[1].min()) >= 0.0
    assert float(rows[1].max()) <= MAX_EVIDENCE
    assert math.isfinite(float(rows[0].sum()))


def test_a_head_with_episodes_has_rows_for_things_and_pairs_and_one_without_has_none() -> None:
    assert SceneHead(128, 101, 26, episodes=True).num_slots == SceneHead(128, 101, 26).num_slots + 2 * NUM_ROWS


class _Flat(nn.Module):
    """Things and pairs of one stream as one graph."""

    def __init__(self) -> None:
        super().__init__()
        self.one = Episodes(D, 1)

    def forward(self, tokens: Tensor, places: Tensor, weights: Tensor, rows: Tensor, counts: Tensor, dt: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.one(tokens, places, weights, rows, counts, dt))


@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_onnx_runtime_fed_its_own_rows_stays_with_pytorch_for_200_frames(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network, generator = _Flat().eval(), torch.Generator().manual_seed(1)
    path, weights = tmp_path / "episodes.onnx", torch.rand(B, L, generator=generator)
    torch.onnx.export(
        network, (looks(0), PLACES, weights, *EMPTY, torch.full((B,), 0.1)), str(path), dynamo=True, external_data=False, verbose=False
    )
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    rows, theirs = EMPTY, tuple(one.numpy() for one in EMPTY)
    for frame in range(200):
        weights = torch.rand(B, L, generator=generator) * (torch.rand(B, L, generator=generator) > 0.2)
        seen = F.normalize(looks(0) + 0.2 * looks(frame), dim=2), PLACES + 0.1 * math.sin(frame / 9), weights
        with torch.no_grad():
            change, *rows = network(*seen, *rows, torch.full((B,), 0.05))
        feed = [*(one.numpy() for one in seen), *theirs, np.full(B, 0.05, np.float32)]
        found, *theirs = session.run(None, dict(zip(names, feed, strict=True)))
        np.testing.assert_allclose(found, change.numpy(), atol=2e-4)
    np.testing.assert_allclose(theirs[1], rows[1].numpy(), atol=2e-4)
