"""Average precision and operating thresholds, by hand."""

import pytest
import torch

from model.calibrate import HIGHEST_THRESHOLD, LOWEST_THRESHOLD, average_precision, choose_threshold


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
    assert choose_threshold(torch.tensor([0.72, 0.9, 0.3]), torch.tensor([1.0, 1.0, 0.0])) == LOWEST_THRESHOLD


def test_a_threshold_rises_above_what_is_wrong() -> None:
    """Wrong at .805 and below: the first step above it is .81."""
    probs, labels = torch.tensor([0.95, 0.9, 0.805, 0.75]), torch.tensor([1.0, 1.0, 0.0, 0.0])
    assert choose_threshold(probs, labels) == pytest.approx(0.81)


def test_a_predicate_that_never_gets_precise_keeps_the_highest_threshold() -> None:
    assert choose_threshold(torch.tensor([0.99, 0.98]), torch.tensor([0.0, 1.0])) == HIGHEST_THRESHOLD
