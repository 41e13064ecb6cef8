"""The memory study: torn clips, bad views, the banks that are compared, and the table by numbers by hand."""

import msgspec
import pytest
import torch
from torch import Tensor

from model.entities import Entities, no_cues
from model.losses import Targets
from model.memory_study.clips import clips_at, worse_than_before
from model.memory_study.measure import GROUPS, Group
from model.memory_study.report import headline, table
from model.memory_study.study import Run
from model.memory_study.variants import GAIN, VARIANTS, FixedGain, NoBank, NoReliability, head_of
from model.samples import Clip

P, L, D = 5, 3, 8


class Three:
    """One clip of three frames with one thing: sure and whole, then faint, then sure but cut; cues in the first frame alone."""

    num_clips, num_frames = 1, 3

    def batches(self, size: int, generator: torch.Generator | None) -> list[Tensor]:  # noqa: ARG002
        return [torch.zeros(1, dtype=torch.int64)]

    def frame(self, clips_B: Tensor, index: int, generator: torch.Generator) -> Clip:  # noqa: ARG002
        boxes = torch.tensor([[[0.3, 0.3, 0.6, 0.6], [0.0, 0.3, 0.6, 0.6]][index == 2]]).view(1, 1, 4)
        scores = torch.tensor([[[0.9, 0.4, 0.9][index]]])
        cues = no_cues(boxes)._replace(known_BN=torch.full((1, 1), float(index == 0)))
        entities = Entities(boxes, scores, torch.zeros(1, 1, 2), torch.zeros(1, 1, D), cues)
        targets = Targets(torch.zeros(1, 1, 1, 26), torch.zeros(1, 1, dtype=torch.int64))
        return Clip(entities, torch.ones(1), torch.ones(1), torch.zeros(1, dtype=torch.bool), targets)

    def pair_frequencies(self) -> Tensor:
        return torch.zeros(2, 26)


def test_a_view_is_worse_only_than_an_earlier_one() -> None:
    worse = worse_than_before(Three())
    assert worse.faint_SFN.flatten().tolist() == [False, True, False]
    assert worse.cut_SFN.flatten().tolist() == [False, False, True]
    assert worse.cueless_SFN.flatten().tolist() == [False, True, True]


def test_torn_clips_hold_every_frame_once_and_never_two_of_one_clip() -> None:
    clips = torch.arange(400)
    at = torch.stack([clips_at(clips, index, 400, torn=True) for index in range(8)], 1)
    assert all(len(set(row)) == 8 for row in at.tolist())
    assert all(sorted(column) == clips.tolist() for column in at.T.tolist())
    assert clips_at(clips, 5, 400, torn=False).tolist() == clips.tolist()


@torch.no_grad()
def test_without_a_bank_every_frame_starts_empty() -> None:
    memory, counts = NoBank(D, P).write(
        torch.ones(1, L, D), torch.ones(1, L, P), torch.ones(1, L), torch.ones(1, P, D), torch.ones(1, P), torch.ones(1)
    )
    assert float(memory.abs().sum() + counts.abs().sum()) == 0.0


@torch.no_grad()
def test_a_fixed_gain_goes_a_tenth_of_the_way_whatever_the_clock_says() -> None:
    bank, old, new = FixedGain(D, P), torch.zeros(1, P, D), torch.ones(1, L, D)
    for dt_s in (0.01, 10.0):
        memory, counts = bank.write(new, torch.ones(1, L, P), torch.ones(1, L), old, torch.ones(1, P), torch.tensor([dt_s]))
        torch.testing.assert_close(memory, torch.full((1, P, D), GAIN), rtol=1e-4, atol=1e-5)
        assert counts.tolist() == [[1.0] * P]


@torch.no_grad()
def test_a_fixed_gain_starts_with_what_it_sees_first_and_stays_where_nothing_is_shown() -> None:
    bank, empty = FixedGain(D, P), (torch.zeros(1, P, D), torch.zeros(1, P))
    first, _ = bank.write(torch.ones(1, L, D), torch.ones(1, L, P), torch.ones(1, L), *empty, torch.ones(1))
    torch.testing.assert_close(first, torch.ones(1, P, D), rtol=1e-4, atol=1e-5)
    still, _ = bank.write(torch.ones(1, L, D), torch.ones(1, L, P), torch.zeros(1, L), first, torch.ones(1, P), torch.ones(1))
    torch.testing.assert_close(still, first)


@torch.no_grad()
def test_without_reliability_the_given_weight_is_the_evidence() -> None:
    weights = torch.rand(1, L)
    torch.testing.assert_close(NoReliability(D, P).weigh(torch.randn(1, L, D), weights), weights)


def test_every_variant_goes_on_from_the_same_base() -> None:
    base = head_of(VARIANTS["none"], 4)
    for variant in VARIANTS.values():
        head = head_of(variant, 4, base)
        torch.testing.assert_close(head.weight_delta, base.weight_delta)
        torch.testing.assert_close(head.memory.query.weight, base.memory.query.weight)
        assert (head.episodes is not None) == variant.episodes


def test_a_gain_is_taken_seed_by_seed() -> None:
    """mAP .4 and .6 without memory, .5 and .8 with: gains .1 and .2, mean .15, standard deviation .0707."""
    one = Group(10, 0.4, 3.0, 5, 0.9, 0.8)
    rows = [("none", 0, 0.4), ("none", 1, 0.6), ("prox", 0, 0.5), ("prox", 1, 0.8)]
    runs = [
        Run(name, seed, dict.fromkeys(GROUPS, msgspec.structs.replace(one, mean_average_precision=value)), [], 0.0)
        for name, seed, value in rows
    ]
    found = next(line for line in table(runs) if line.variant == "prox" and line.group == "all" and line.name == "mAP")
    assert found.seeds == 2
    assert found.mean == pytest.approx(0.65)
    assert found.gain == pytest.approx(0.15)
    assert found.gain_spread == pytest.approx(0.0707, abs=1e-4)
    assert "prox: mAP +0.1500, beyond its spread" in headline(table(runs))
