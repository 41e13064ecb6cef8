"""Gaps in training labels: the same for everyone, and background rather than unknown."""

import pytest
import torch

from model.rivals.hidden import UNSURE, HiddenLabels, is_background
from model.samples import Plan, Samples
from model.train import DIM


@pytest.fixture(scope="module")
def world() -> Samples:
    return Samples(Plan(8, 2, 3), 1, DIM, "drawing")


def _labels(source: HiddenLabels | Samples, index: int = 1) -> torch.Tensor:
    return source.frame(torch.arange(8), index, torch.Generator().manual_seed(0)).targets.labels_BNNK


def test_the_stated_share_of_pairs_becomes_background_and_the_rest_stays(world: Samples) -> None:
    whole, gaps = _labels(world), _labels(HiddenLabels(world, 0.5, seed=1))
    changed_BNN = (whole != gaps).any(3)
    background_K = torch.zeros(whole.shape[3])
    background_K[UNSURE] = 1.0
    assert (gaps[changed_BNN] == background_K).all()
    assert is_background(gaps[changed_BNN]).all()
    assert 0.4 < float((gaps == background_K).all(3).float().mean()) - float((whole == background_K).all(3).float().mean()) < 0.6


def test_every_method_and_epoch_meets_the_same_gaps_and_another_seed_others(world: Samples) -> None:
    first, again, other = (_labels(HiddenLabels(world, 0.5, seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    reordered = HiddenLabels(world, 0.5, 1).frame(torch.arange(8).flip(0), 1, torch.Generator().manual_seed(0))
    assert torch.equal(reordered.targets.labels_BNNK.flip(0), first)


def test_no_share_hides_nothing_and_an_impossible_one_is_refused(world: Samples) -> None:
    assert torch.equal(_labels(HiddenLabels(world, 0.0, 1)), _labels(world))
    with pytest.raises(ValueError, match=r"a share of hidden labels is 0\.\.1, got 1\.5"):
        HiddenLabels(world, 1.5, 1)
