"""Recall at K against tables computed by hand."""

import numpy as np
import pytest

from model.evaluation.frames import Constraint, PredictedFrame, TruthFrame, class_groups
from model.evaluation.recall import MISSED, Case, Hits, find, mean_recall_gain, recall_at
from tests.model.evaluation.made import BED_BOX, CUP_BOX, FAR_BOX, HOLDING, PERSON_BOX, predicted, truth

GROUP_C = class_groups()
RIGHT = [(0, 1, {"looking_at": 0.9, "holding": 0.8}), (1, 0, {"in_front_of": 0.7})]


def hits(*frames: tuple[TruthFrame, PredictedFrame], constraint: Constraint = "with") -> Hits:
    return find([Case(clip, *frame) for clip, frame in enumerate(frames)], constraint, GROUP_C)


def test_all_found_is_one_everywhere() -> None:
    figures = recall_at(hits((truth(HOLDING), predicted(RIGHT))), 10)
    assert figures.recall.value == figures.mean_recall.value == figures.mean_recall_per_frame == figures.f1 == figures.median_recall == 1.0


def test_the_rank_of_the_first_that_finds_a_triplet_is_kept() -> None:
    """Sorted truth: looking_at, holding, in_front_of; ranked by score: looking_at, holding, in_front_of."""
    found = hits((truth(HOLDING), predicted(RIGHT)))
    assert found.rank_T.tolist() == [0, 1, 2]
    assert recall_at(found, 1).recall.value == pytest.approx(1 / 3)
    assert recall_at(found, 2).recall.value == pytest.approx(2 / 3)


def test_k_beyond_the_predictions_changes_nothing() -> None:
    found = hits((truth(HOLDING), predicted(RIGHT[:1])))
    assert recall_at(found, 50).recall == recall_at(found, 10).recall == recall_at(found, 2).recall
    assert recall_at(found, 50).recall.value == pytest.approx(2 / 3)


def test_a_frame_without_detections_scores_zero_and_counts() -> None:
    figures = recall_at(hits((truth(HOLDING), predicted(RIGHT)), (truth(HOLDING), predicted([], ()))), 10)
    assert figures.recall.value == 0.5
    assert figures.mean_recall.value == 0.5
    assert figures.median_recall == 0.5


def test_a_frame_without_true_relations_does_not_count() -> None:
    figures = recall_at(hits((truth([]), predicted(RIGHT)), (truth(HOLDING), predicted(RIGHT))), 10)
    assert figures.recall.value == 1.0


def test_nothing_true_at_all_is_said() -> None:
    with pytest.raises(ValueError, match="no frame has a true relation"):
        hits((truth([]), predicted(RIGHT)))


def test_a_pair_that_is_predicted_twice_takes_two_places_but_finds_once() -> None:
    """The duplicate of rank 1 pushes in_front_of from rank 1 to rank 2."""
    rows = [(0, 1, {"holding": 0.9}), (0, 1, {"holding": 0.85}), (1, 0, {"in_front_of": 0.8})]
    found = hits((truth(HOLDING[1:]), predicted(rows)))
    assert sorted(found.rank_T.tolist()) == [0, 2]


def test_a_spatial_relation_counts_only_from_the_thing_to_the_person() -> None:
    wrong_way = [(0, 1, {"in_front_of": 0.9})]
    assert hits((truth(HOLDING[1:2]), predicted(wrong_way))).rank_T.tolist() == [MISSED]
    assert hits((truth(HOLDING[1:2]), predicted([(1, 0, {"in_front_of": 0.9})]))).rank_T.tolist() == [0]


def test_attention_given_as_a_list_of_one_is_one_triplet() -> None:
    found = hits((truth([HOLDING[0]]), predicted([(0, 1, {"looking_at": 0.5, "not_looking_at": 0.3, "unsure": 0.2})])))
    assert found.rank_T.tolist() == [0]
    assert recall_at(found, 10).recall.value == 1.0


def test_both_boxes_must_overlap_and_both_classes_agree() -> None:
    row = [(0, 1, {"holding": 0.9})]
    away = predicted(row, (("person", PERSON_BOX, 1.0), ("cup", FAR_BOX, 1.0)))
    other = predicted(row, (("person", PERSON_BOX, 1.0), ("bed", CUP_BOX, 1.0)))
    bottle = predicted(row, (("person", PERSON_BOX, 1.0), ("bottle", CUP_BOX, 1.0)))
    assert [hits((truth([HOLDING[2]]), frame)).rank_T[0] for frame in (away, other, bottle)] == [MISSED, MISSED, 0]


def test_one_prediction_may_find_two_true_triplets() -> None:
    """Two cups at nearly one place, both held: one predicted holding finds both (many to many)."""
    base = truth([HOLDING[2]])
    boxes_N4 = np.array([PERSON_BOX, CUP_BOX, CUP_BOX])
    two = TruthFrame(boxes_N4, base.classes_N[[0, 1, 1]], base.ids_N, np.array([[0, 14, 1], [0, 14, 2]]))
    assert base.triplets_T3[0, 1] == 14
    assert hits((two, predicted([(0, 1, {"holding": 0.9})]))).rank_T.tolist() == [0, 0]


def test_mean_recall_pooled_and_per_frame_by_hand() -> None:
    """Frame 1: holding x1 found, beneath found. Frame 2: holding x2 (cup, bed), cup's found; beneath missed. Frame 3: holding missed.

    R: (2/2 + 1/3 + 0/1) / 3. Pooled: holding 2 of 4, beneath 1 of 2. Per frame: holding (1 + 1/2 + 0) / 3, beneath (1 + 0) / 2.
    """
    beneath, held_bed = (2, "beneath", 0), (0, "holding", 2)
    rows = [(0, 1, {"holding": 0.9})]
    figures = recall_at(
        hits(
            (truth([HOLDING[2], beneath]), predicted([*rows, (2, 0, {"beneath": 0.8})])),
            (truth([HOLDING[2], held_bed, beneath]), predicted(rows)),
            (truth([HOLDING[2]]), predicted([(0, 1, {"touching": 0.9})])),
        ),
        10,
    )
    assert figures.recall.value == pytest.approx((1 + 1 / 3) / 3)
    assert figures.mean_recall.value == pytest.approx((2 / 4 + 1 / 2) / 2)
    assert figures.mean_recall_per_frame == pytest.approx((1.5 / 3 + 1 / 2) / 2)
    assert figures.median_recall == pytest.approx(1 / 3)
    r, m = (1 + 1 / 3) / 3, 0.5
    assert figures.f1 == pytest.approx(2 * r * m / (r + m))


def test_intervals_hold_the_figure_and_vanish_where_all_clips_agree() -> None:
    both = recall_at(hits(*[(truth(HOLDING), predicted(RIGHT if row % 2 else [])) for row in range(20)]), 10).recall
    assert both.low < both.value == 0.5 < both.high
    same = recall_at(hits(*[(truth(HOLDING), predicted(RIGHT))] * 5), 10).recall
    assert (same.low, same.high) == (1.0, 1.0)


def test_no_constraint_finds_the_second_best_of_a_group() -> None:
    rows = [(0, 2, {"sitting_on": 0.6, "touching": 0.5})]
    frame = (truth([(0, "touching", 2)]), predicted(rows, (("person", PERSON_BOX, 1.0), ("cup", CUP_BOX, 1.0), ("bed", BED_BOX, 1.0))))
    assert hits(frame).rank_T.tolist() == [MISSED]
    assert hits(frame, constraint="no").rank_T.tolist() == [1]
    assert hits(frame, constraint="semi").rank_T.tolist() == [MISSED]


def test_the_gain_in_mean_recall_is_of_the_same_clips() -> None:
    """Two clips with holding: one finds both, the other one of them; drawn twice over, a clip gives a gain of 0 or 1."""
    right, nothing = predicted([(0, 1, {"holding": 0.9})]), predicted([], ())
    new, old = (hits(*((truth([HOLDING[2]]), frame) for frame in frames)) for frames in ((right, right), (right, nothing)))
    gain = mean_recall_gain(new, old, 10)
    assert (gain.value, gain.low, gain.high) == (0.5, 0.0, 1.0)
