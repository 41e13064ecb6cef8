"""Average precision and operating thresholds, by hand."""

import pytest
import torch

from model.calibrate import (
    FEWEST_FOUND,
    HIGHEST_THRESHOLD,
    LOWEST_THRESHOLD,
    Observed,
    Score,
    average_precision,
    choose_threshold,
    observe,
    score,
)
from model.samples import Plan, Samples
from model.text import load_prototypes
from model.train import DIM, new_head
from model.vocabulary import MODERATION_V1


@pytest.mark.parametrize(
    ("probs", "labels", "expected"),
    [
        ([0.9, 0.8, 0.7], [1, 1, 0], 1.0),
        ([0.9, 0.8, 0.7], [0, 1, 1], (1 / 2 + 2 / 3) / 2),
        ([0.9, 0.8, 0.7, 0.6], [1, 0, 0, 1], (1 + 2 / 4) / 2),
        ([0.9, 0.8], [0, 0], 0.0),
    ],
)
def test_average_precision_is_the_mean_precision_at_the_positives(probs: list[float], labels: list[int], expected: float) -> None:
    assert average_precision(torch.tensor(probs), torch.tensor(labels).float()) == pytest.approx(expected)


def test_the_lowest_allowed_threshold_serves_where_it_is_precise_enough() -> None:
    assert choose_threshold(torch.tensor([0.72, 0.9, 0.3]), torch.tensor([1.0, 1.0, 0.0]), fewest=2) == LOWEST_THRESHOLD


def test_a_threshold_rises_above_what_is_wrong() -> None:
    """Wrong at .805 and below: the first step above it is .81."""
    probs, labels = torch.tensor([0.95, 0.9, 0.805, 0.75]), torch.tensor([1.0, 1.0, 0.0, 0.0])
    assert choose_threshold(probs, labels, fewest=2) == pytest.approx(0.81)


def test_a_predicate_that_never_gets_precise_keeps_the_highest_threshold() -> None:
    assert choose_threshold(torch.tensor([0.99, 0.98]), torch.tensor([0.0, 1.0]), fewest=1) == HIGHEST_THRESHOLD


def test_too_few_finds_prove_nothing() -> None:
    assert choose_threshold(torch.tensor([0.9, 0.8]), torch.tensor([1.0, 1.0]), fewest=3) == HIGHEST_THRESHOLD


def observed(name: str, probs: list[float], labels: list[float]) -> Observed:
    """Pairs of which only one predicate is said."""
    row = MODERATION_V1.predicates.index(name)
    probs_XK, labels_XK = torch.zeros(len(probs), 26), torch.zeros(len(probs), 26)
    probs_XK[:, row], labels_XK[:, row] = torch.tensor(probs), torch.tensor(labels)
    return Observed(probs_XK, labels_XK, torch.zeros(len(probs), dtype=torch.bool), 1.0, 1.0)


def scored(name: str, *seen: Observed) -> Score:
    return next(one for one in score(*seen) if one.name == name)


@pytest.mark.parametrize(
    ("name", "right", "wrong", "published"),
    [("eating", 90, 10, True), ("eating", 80, 20, False), ("eating", FEWEST_FOUND - 1, 0, False), ("not_contacting", 100, 0, False)],
)
def test_a_predicate_is_published_for_its_precision_on_enough_finds_and_nothing_never(
    name: str, right: int, wrong: int, published: bool
) -> None:
    seen = observed(name, [0.9] * (right + wrong), [1.0] * right + [0.0] * wrong)
    assert scored(name, seen).published == published


def test_thresholds_come_from_one_set_and_figures_from_the_other() -> None:
    """Chosen where all above .8 is right and all below wrong; measured where 1 of 4 finds is right and one true pair stays unfound."""
    chosen_on = observed("eating", [0.85] * 40 + [0.7] * 40, [1.0] * 40 + [0.0] * 40)
    measured = observed("eating", [0.9, 0.9, 0.9, 0.9, 0.2], [1.0, 0.0, 0.0, 0.0, 1.0])
    found = scored("eating", measured, chosen_on)
    assert (found.published, found.precision, found.recall, found.positives, found.found) == (True, 0.25, 0.5, 2, 4)
    assert 0.6 < found.threshold <= 0.71


def test_several_sets_are_observed_one_after_the_other() -> None:
    head, prototypes = new_head(12).eval(), load_prototypes(DIM)
    first, second = (Samples(Plan(30, 1, seed), 1, DIM, "drawing") for seed in (1, 2))
    alone, together = observe(head, prototypes, first), observe(head, prototypes, first, second)
    assert len(together.labels_XK) > len(alone.labels_XK) > 0
    torch.testing.assert_close(together.labels_XK[: len(alone.labels_XK)], alone.labels_XK)
