"""Precision, recall and average precision of triplets at thresholds, against tables by hand."""

import numpy as np
import pytest

from model.evaluation.frames import NUM_PREDICATES, PREDICATE_INDEX, Float, PredictedFrame, TruthFrame, class_groups
from model.evaluation.intervals import wilson
from model.evaluation.operating import AtThreshold, Judged, at_thresholds, average_precision, f1_gain, judge, predicate_rows
from model.evaluation.recall import Case
from tests.model.evaluation.made import CUP_BOX, FAR_BOX, HOLDING, PERSON_BOX, predicted, truth


def judged(*frames: tuple[TruthFrame, PredictedFrame]) -> Judged:
    return judge([Case(clip, *frame) for clip, frame in enumerate(frames)], class_groups())


def thresholds(**values: float) -> Float:
    threshold_K = np.full(NUM_PREDICATES, np.inf)
    for name, value in values.items():
        threshold_K[PREDICATE_INDEX[name]] = value
    return threshold_K


def published(all_cells: Judged, threshold_K: Float, min_entity: float) -> AtThreshold:
    """Truth counts for the predicates that have a threshold."""
    return at_thresholds(all_cells, threshold_K, np.isfinite(threshold_K), min_entity)


def test_right_wrong_and_missed_by_hand() -> None:
    """Said: holding cup (right), holding bed (wrong), touching .69 (below). True of those predicates: holding cup, touching bed."""
    rows = [(0, 1, {"holding": 0.9}), (0, 2, {"holding": 0.7, "touching": 0.69})]
    frame = (truth([*HOLDING, (0, "touching", 2)]), predicted(rows))
    figures = published(judged(frame), thresholds(holding=0.7, touching=0.7), 0.0)
    assert (figures.said, figures.right, figures.true, figures.ghosts) == (2, 1, 2, 0)
    assert figures.precision == wilson(1, 2)
    assert figures.recall == wilson(1, 2)
    assert figures.f1.value == 0.5


def test_predicates_without_a_threshold_do_not_count_on_either_side() -> None:
    frame = (truth(HOLDING), predicted([(0, 1, {"looking_at": 1.0, "holding": 0.9})]))
    figures = published(judged(frame), thresholds(holding=0.5), 0.0)
    assert (figures.said, figures.right, figures.true) == (1, 1, 1)


def test_truth_of_predicates_that_are_never_said_may_count_as_missed() -> None:
    frame = (truth(HOLDING), predicted([(0, 1, {"holding": 0.9})]))
    figures = at_thresholds(judged(frame), thresholds(holding=0.5), np.ones(NUM_PREDICATES, bool), 0.0)
    assert (figures.right, figures.true, figures.f1.value) == (1, 3, 0.5)


def test_the_gain_of_one_over_another_is_that_of_their_f1_on_the_same_clips() -> None:
    """Two clips: the new one finds both (F1 1), the old one one of two (F1 2/3); drawn twice over the clip both find, the gain is 0."""
    right, nothing = predicted([(0, 1, {"holding": 0.9})]), predicted([], ())
    new = judged((truth([HOLDING[2]]), right), (truth([HOLDING[2]]), right))
    old = judged((truth([HOLDING[2]]), right), (truth([HOLDING[2]]), nothing))
    threshold_K = thresholds(holding=0.5)
    gain = f1_gain((new, threshold_K), (old, threshold_K), np.isfinite(threshold_K), 0.0)
    assert gain.value == pytest.approx(1 - 2 / 3)
    assert (gain.low, gain.high) == (0.0, 1.0)


def test_a_threshold_that_is_just_met_publishes() -> None:
    frame = (truth(HOLDING), predicted([(0, 1, {"holding": 0.7})], (("person", PERSON_BOX, 0.9), ("cup", CUP_BOX, 0.7))))
    assert published(judged(frame), thresholds(holding=0.7), 0.0).said == 1


def test_the_second_prediction_of_a_true_triplet_is_wrong() -> None:
    frame = (truth([HOLDING[2]]), predicted([(0, 1, {"holding": 0.9}), (0, 1, {"holding": 0.8})]))
    figures = published(judged(frame), thresholds(holding=0.5), 0.0)
    assert (figures.said, figures.right, figures.ghosts) == (2, 1, 0)


def test_a_duplicate_below_the_threshold_takes_nothing_away() -> None:
    """The better scored duplicate has the lower probability: ends .9 x .9 against 1 x .5. Only the second passes .9."""
    entities = (("person", PERSON_BOX, 1.0), ("cup", CUP_BOX, 1.0), ("cup", CUP_BOX, 0.5))
    frame = (truth([HOLDING[2]]), predicted([(0, 1, {"holding": 0.8}), (0, 2, {"holding": 0.95})], entities))
    figures = published(judged(frame), thresholds(holding=0.9), 0.0)
    assert (figures.said, figures.right) == (1, 1)


def test_a_relation_to_a_thing_that_is_not_there_is_wrong_and_a_ghost() -> None:
    frame = (truth([HOLDING[2]]), predicted([(0, 1, {"holding": 0.9})], (("person", PERSON_BOX, 1.0), ("cup", FAR_BOX, 1.0))))
    figures = published(judged(frame), thresholds(holding=0.5), 0.0)
    assert (figures.said, figures.right, figures.ghosts) == (1, 0, 1)
    assert (figures.precision, figures.precision_listed) == (wilson(0, 1), wilson(0, 0))


def test_unsure_entities_carry_no_published_relation() -> None:
    frame = (truth([HOLDING[2]]), predicted([(0, 1, {"holding": 0.9})], (("person", PERSON_BOX, 1.0), ("cup", CUP_BOX, 0.39))))
    assert published(judged(frame), thresholds(holding=0.5), 0.4).said == 0
    assert published(judged(frame), thresholds(holding=0.5), 0.3).said == 1


def test_nothing_said_has_no_precision_and_full_uncertainty() -> None:
    figures = published(judged((truth(HOLDING), predicted([], ()))), thresholds(holding=0.5), 0.0)
    assert (figures.said, figures.precision, figures.f1.value) == (0, wilson(0, 0), 0.0)
    assert (figures.precision.low, figures.precision.high) == (0.0, 1.0)


def test_rows_of_predicates_by_hand() -> None:
    """Holding over two frames, best first: right .9, wrong .8, right .7: AP (1 + 2/3) / 2; at .75 one right of two said, of two true."""
    first = (truth([HOLDING[2]]), predicted([(0, 1, {"holding": 0.9}), (0, 2, {"holding": 0.8})]))
    second = (truth([HOLDING[2]]), predicted([(0, 1, {"holding": 0.7})]))
    (row,) = predicate_rows(judged(first, second), thresholds(holding=0.75), np.ones(NUM_PREDICATES, bool), 0.0)
    assert (row.name, row.true, row.said, row.right) == ("holding", 2, 2, 1)
    assert row.average_precision == pytest.approx((1 + 2 / 3) / 2)
    assert (row.precision, row.recall) == (wilson(1, 2), wilson(1, 2))


@pytest.mark.parametrize(
    ("right", "num_true", "expected"),
    [([True, True], 2, 1.0), ([True, False, True], 2, (1 + 2 / 3) / 2), ([True], 2, 0.5), ([False], 1, 0.0), ([], 3, 0.0), ([], 0, 0.0)],
)
def test_average_precision_counts_what_is_missed(right: list[bool], num_true: int, expected: float) -> None:
    assert average_precision(np.array(right, bool), num_true) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"), [(5, 10, 0.2366, 0.7634), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (90, 100, 0.8256, 0.9448)]
)
def test_wilson_against_published_tables(hits: int, total: int, low: float, high: float) -> None:
    interval = wilson(hits, total)
    assert interval.low == pytest.approx(low, abs=1e-4)
    assert interval.high == pytest.approx(high, abs=1e-4)
