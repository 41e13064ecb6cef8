"""How predictions are ranked under each constraint, and which words count as the same, by hand."""

import numpy as np
import pytest

from model.annotations import Entity, Frame, Relation
from model.evaluation.frames import (
    MAX_RANKED,
    NUM_PREDICATES,
    OBJECT_INDEX,
    PREDICATE_INDEX,
    Constraint,
    class_groups,
    pairwise_iou,
    predicted_of,
    ranked,
    truth_of,
    without_null_states,
)
from model.vocabulary import MODERATION_V1
from tests.model.evaluation.made import CUP_BOX, PERSON_BOX, predicted

MIXED = (0, 1, {"looking_at": 0.6, "unsure": 0.3, "holding": 0.95, "touching": 0.92, "carrying": 0.2})
SPATIAL = (1, 0, {"in_front_of": 0.91, "above": 0.5})


def named(constraint: Constraint) -> list[tuple[str, float]]:
    found = ranked(predicted([MIXED, SPATIAL]), constraint)
    return [(MODERATION_V1.predicates[row], round(float(score), 3)) for row, score in zip(found.predicate_T, found.score_T, strict=True)]


def test_with_constraint_each_group_of_a_pair_names_its_best() -> None:
    assert named("with") == [("holding", 0.95), ("in_front_of", 0.91), ("looking_at", 0.6)]


def test_without_constraint_every_cell_is_named() -> None:
    assert [name for name, _ in named("no")] == [
        "holding", "touching", "in_front_of", "looking_at", "above", "unsure", "carrying",
    ]  # fmt: skip


def test_semi_constraint_names_what_is_above_nine_tenths_and_the_best_attention() -> None:
    assert named("semi") == [("holding", 0.95), ("touching", 0.92), ("in_front_of", 0.91), ("looking_at", 0.6)]


def test_a_score_is_that_of_both_ends_and_the_predicate_multiplied() -> None:
    frame = predicted([(0, 1, {"holding": 0.5})], (("person", PERSON_BOX, 0.8), ("cup", CUP_BOX, 0.5)))
    assert ranked(frame, "with").score_T.tolist() == pytest.approx([0.2])
    assert ranked(frame, "with").prob_T.tolist() == [0.5]


def test_no_more_than_a_hundred_cells_are_ranked() -> None:
    row = dict.fromkeys(MODERATION_V1.predicates, 0.5)
    assert len(ranked(predicted([(0, 1, row)] * 5), "no").score_T) == MAX_RANKED


def test_a_frame_without_rows_ranks_nothing() -> None:
    for constraint in ("with", "no", "semi"):
        assert len(ranked(predicted([]), constraint).score_T) == 0
    assert len(ranked(predicted([], ()), "with").score_T) == 0


def test_unused_rows_of_a_network_are_left_out() -> None:
    pairs_R2, probs_RK = np.zeros((4, 2), np.int64), np.zeros((4, NUM_PREDICATES))
    assert len(predicted_of(np.zeros((1, 4)), np.zeros(1, np.int64), np.ones(1), pairs_R2, probs_RK).group_R) == 0


def test_without_null_states_the_next_best_of_a_group_is_named() -> None:
    frame = without_null_states(predicted([(0, 1, {"not_contacting": 0.9, "holding": 0.4, "unsure": 1.0})]))
    assert ranked(frame, "with").predicate_T.tolist() == [PREDICATE_INDEX["holding"]]


def test_truth_names_each_triplet_once_and_by_row() -> None:
    entities = (Entity(7, "person", PERSON_BOX), Entity(3, "cup", CUP_BOX))
    frame = truth_of(Frame(0, 0.0, entities, (Relation(7, "holding", 3), Relation(7, "holding", 3), Relation(3, "above", 7))))
    assert frame.triplets_T3.tolist() == [[0, PREDICATE_INDEX["holding"], 1], [1, PREDICATE_INDEX["above"], 0]]
    assert frame.ids_N.tolist() == [7, 3]


def test_cup_and_bottle_are_one_class_of_action_genome_but_not_one_word() -> None:
    cup, bottle, bed = (OBJECT_INDEX[word] for word in ("cup", "bottle", "bed"))
    assert class_groups()[cup] == class_groups()[bottle] != class_groups()[bed]
    assert class_groups(exact_words=True)[cup] != class_groups(exact_words=True)[bottle]


def test_words_outside_action_genome_stand_alone() -> None:
    knife, dog = OBJECT_INDEX["knife"], OBJECT_INDEX["dog"]
    assert (class_groups() == class_groups()[knife]).sum() == (class_groups() == class_groups()[dog]).sum() == 1


@pytest.mark.parametrize(
    ("box", "expected"),
    [((0.0, 0.0, 0.2, 0.2), 1.0), ((0.1, 0.0, 0.3, 0.2), 1 / 3), ((0.0, 0.0, 0.1, 0.2), 0.5), ((0.5, 0.5, 0.6, 0.6), 0.0)],
)
def test_overlap_by_hand(box: tuple[float, float, float, float], expected: float) -> None:
    assert pairwise_iou(np.array([[0.0, 0.0, 0.2, 0.2]]), np.array([box]))[0, 0] == pytest.approx(expected)
