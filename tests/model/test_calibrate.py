"""Average precision and operating thresholds, by hand."""

from dataclasses import replace

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


def observed(name: str, probs: list[float], labels: list[float], *, sure: list[bool] | None = None) -> Observed:
    """Pairs of which only one predicate is said, rightly named."""
    row, all_X = MODERATION_V1.predicates.index(name), torch.ones(len(probs), dtype=torch.bool)
    probs_XK, labels_XK = torch.zeros(len(probs), 26), torch.zeros(len(probs), 26)
    probs_XK[:, row], labels_XK[:, row] = torch.tensor(probs), torch.tensor(labels)
    return Observed(probs_XK, labels_XK, ~all_X, all_X if sure is None else torch.tensor(sure), all_X, 1.0, 1.0)


def scored(name: str, **sets: Observed) -> Score:
    return next(one for one in score(sets) if one.name == name)


@pytest.mark.parametrize(
    ("name", "right", "wrong", "published"),
    [("eating", 90, 10, True), ("eating", 80, 20, False), ("eating", FEWEST_FOUND - 1, 0, False), ("not_contacting", 100, 0, False)],
)
def test_a_predicate_is_published_for_its_precision_on_enough_finds_and_nothing_never(
    name: str, right: int, wrong: int, published: bool
) -> None:
    seen = observed(name, [0.9] * (right + wrong), [1.0] * right + [0.0] * wrong)
    assert scored(name, seen=seen).published == published


def test_a_threshold_comes_from_the_first_set_that_proves_it_else_from_the_next() -> None:
    few = observed("eating", [0.9] * 5, [1.0] * 5)
    many = observed("eating", [0.85] * 40 + [0.7] * 40 + [0.2], [1.0] * 40 + [0.0] * 40 + [1.0])
    found = scored("eating", few=few, many=many)
    assert (found.measured_on, found.published, found.precision, found.positives, found.found) == ("many", True, 1.0, 41, 40)
    assert found.threshold == pytest.approx(0.71)
    assert scored("eating", many=many, few=few).measured_on == "many"
    assert scored("eating", few=few, none=few).measured_on == "none"


def test_pairs_with_an_unsure_end_count_neither_for_nor_against() -> None:
    """Twenty sure finds, all right; the wrong ones have an end below the score from which anything is published."""
    found = scored("eating", seen=observed("eating", [0.9] * 40, [1.0] * 20 + [0.0] * 20, sure=[True] * 20 + [False] * 20))
    assert (found.published, found.precision, found.recall, found.positives, found.found) == (True, 1.0, 1.0, 20, 20)


def test_what_is_called_by_a_wrong_name_is_wrong() -> None:
    seen = observed("eating", [0.9] * 40, [1.0] * 40)
    misnamed = replace(seen, named_X=torch.arange(40) < 30)
    assert (scored("eating", seen=misnamed).published, scored("eating", seen=seen).published) == (False, True)


def test_several_sets_are_observed_one_after_the_other() -> None:
    head, prototypes = new_head(12).eval(), load_prototypes(DIM)
    first, second = (Samples(Plan(30, 1, seed), 1, DIM, "drawing") for seed in (1, 2))
    alone, together = observe(head, prototypes, first), observe(head, prototypes, first, second)
    assert len(together.labels_XK) > len(alone.labels_XK) > 0
    torch.testing.assert_close(together.labels_XK[: len(alone.labels_XK)], alone.labels_XK)
