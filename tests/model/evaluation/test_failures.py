"""Which triplets are shown as right, false and missed, and the words beside them, against cases by hand."""

import numpy as np
import pytest

from model.evaluation.failures import End, Outcomes, Shown, chosen, one_a_pair, outcomes
from model.evaluation.frames import NUM_PREDICATES, PREDICATE_INDEX, Float, PredictedFrame, TruthFrame, class_groups
from model.evaluation.recall import Case
from tests.model.evaluation.made import BED_BOX, CUP_BOX, FAR_BOX, HOLDING, PERSON_BOX, predicted, truth

PERSON, CUP, BED = ("person", PERSON_BOX, 1.0), ("cup", CUP_BOX, 1.0), ("bed", BED_BOX, 1.0)
HELD = [HOLDING[2]]
HOLDS_CUP = [(0, 1, {"holding": 0.9})]


def sorted_out(*frames: tuple[TruthFrame, PredictedFrame]) -> Outcomes:
    """Frames of one clip; holding is said from .5, touching from .6, nothing else."""
    threshold_K: Float = np.full(NUM_PREDICATES, np.inf)
    threshold_K[PREDICATE_INDEX["holding"]], threshold_K[PREDICATE_INDEX["touching"]] = 0.5, 0.6
    return outcomes([Case(4, *frame) for frame in frames], threshold_K, class_groups())


def spoken(shown: list[Shown]) -> list[tuple[str, str, str, str, str]]:
    return [(one.subject.word, one.predicate, one.object.word, one.fault, one.why) for one in shown]


def test_right_false_and_missed_by_hand() -> None:
    """Of three said two are false; touching the bed is true and said with .55 of .6; looking_at is published nowhere."""
    rows = [(0, 1, {"holding": 0.9, "touching": 0.7, "looking_at": 1.0}), (0, 2, {"holding": 0.8, "touching": 0.55})]
    found = sorted_out((truth([*HOLDING, (0, "touching", 2)]), predicted(rows)))
    assert spoken(found.right) == [("person", "holding", "cup", "none", "")]
    assert spoken(found.false) == [
        ("person", "holding", "bed", "relation", "true is touching"),
        ("person", "touching", "cup", "relation", "true is holding"),
    ]
    assert spoken(found.missed) == [("person", "touching", "bed", "relation", "both found; relation only 0.55, needs 0.60")]


def test_frames_are_numbered_within_their_clip_and_keep_scores_and_boxes() -> None:
    frame = (truth(HELD), predicted(HOLDS_CUP, (("person", PERSON_BOX, 0.8), ("cup", CUP_BOX, 0.5))))
    first, second = sorted_out(frame, frame).right
    assert (first.clip, first.frame, second.frame) == (4, 0, 1)
    assert (first.subject, first.object) == (End("person", PERSON_BOX, 0.8), End("cup", CUP_BOX, 0.5))
    assert first.prob == 0.9
    assert first.weight == pytest.approx(0.9 * 0.8 * 0.5)


def test_missed_ones_weigh_as_much_as_their_smaller_end() -> None:
    (one,) = sorted_out((truth(HELD), predicted([], ()))).missed
    assert one.weight == pytest.approx(0.01)
    assert (one.prob, one.object) == (0.0, End("cup", CUP_BOX, 1.0))


@pytest.mark.parametrize(
    ("entities", "why"),
    [
        ((PERSON, ("cup", FAR_BOX, 1.0)), "no cup there"),
        ((PERSON, ("cup", (0.55, 0.55, 0.65, 0.65), 1.0)), "the box of cup is off"),
        ((PERSON, ("book", CUP_BOX, 1.0)), "not book but cup"),
        ((("person", FAR_BOX, 1.0), ("cup", FAR_BOX, 1.0)), "no person there, no cup there"),
    ],
)
def test_a_false_triplet_says_which_end_is_wrong(
    entities: tuple[tuple[str, tuple[float, float, float, float], float], ...], why: str
) -> None:
    (false,) = sorted_out((truth(HELD), predicted(HOLDS_CUP, entities))).false
    assert (false.fault, false.why) == ("ends", why)


@pytest.mark.parametrize(
    ("relations", "why"),
    [
        ([], "nothing of the kind is true"),
        ([(0, "not_contacting", 1), (0, "looking_at", 1)], "nothing of the kind is true"),
        ([(0, "touching", 1)], "true is touching"),
        ([(0, "holding", 3)], "true of another cup"),
        ([(0, "holding", 2)], "nothing of the kind is true"),
    ],
)
def test_a_false_relation_between_true_things_says_what_is_true(relations: list[tuple[int, str, int]], why: str) -> None:
    """Entity 3 is a second cup, far away."""
    base = truth([one for one in relations if one[2] < 3])
    boxes_N4, classes_N = np.vstack([base.boxes_N4, FAR_BOX]), np.append(base.classes_N, base.classes_N[1])
    extra = [(0, PREDICATE_INDEX["holding"], 3)] if any(one[2] == 3 for one in relations) else []
    triplets_T3 = np.vstack([base.triplets_T3, np.array(extra, np.int64).reshape(-1, 3)])
    (false,) = sorted_out((TruthFrame(boxes_N4, classes_N, np.arange(4), triplets_T3), predicted(HOLDS_CUP))).false
    assert (false.fault, false.why) == ("relation", why)


def test_a_second_box_of_one_thing_is_said_twice() -> None:
    frame = (truth(HELD), predicted([*HOLDS_CUP, (0, 2, {"holding": 0.8})], (PERSON, CUP, CUP)))
    found = sorted_out(frame)
    assert len(found.right) == 1
    assert spoken(found.false) == [("person", "holding", "cup", "ends", "true, but said twice: two boxes of one thing")]


@pytest.mark.parametrize(
    ("entities", "fault", "why"),
    [
        ((PERSON,), "ends", "cup not found"),
        ((PERSON, ("cup", CUP_BOX, 0.31)), "ends", "cup found, but unsure 0.31"),
        ((PERSON, ("book", CUP_BOX, 0.6)), "ends", "cup taken for book"),
        ((PERSON, ("book", CUP_BOX, 0.3)), "ends", "cup not found"),
        ((), "ends", "person not found, cup not found"),
        ((PERSON, CUP), "relation", "both found; relation only 0.00, needs 0.50"),
    ],
)
def test_a_missed_triplet_says_whether_an_end_or_the_relation_was_lost(
    entities: tuple[tuple[str, tuple[float, float, float, float], float], ...], fault: str, why: str
) -> None:
    assert spoken(sorted_out((truth(HELD), predicted([], entities))).missed) == [("person", "holding", "cup", fault, why)]


def made(clip: int, predicate: str, weight: float) -> Shown:
    person, cup = End("person", PERSON_BOX, 1.0), End("cup", CUP_BOX, 1.0)
    return Shown(clip, 0, person, predicate, cup, 0.5, weight, "ends", "")


def test_the_weightiest_come_first_two_of_a_predicate_and_one_of_a_clip_with_it() -> None:
    shown = [
        made(0, "holding", 0.1),
        made(1, "holding", 0.9),
        made(1, "holding", 0.8),
        made(2, "holding", 0.7),
        made(3, "holding", 0.6),
        made(1, "touching", 0.2),
    ]
    assert [(one.clip, one.predicate, one.weight) for one in chosen(shown, 12)] == [
        (1, "holding", 0.9),
        (2, "holding", 0.7),
        (1, "touching", 0.2),
    ]
    assert [one.weight for one in chosen(shown, 1)] == [0.9]


def test_two_things_of_a_clip_are_one_pair_whichever_way_round() -> None:
    there = made(0, "holding", 0.5)
    back = there._replace(subject=there.object, object=there.subject, predicate="in_front_of", weight=0.4, frame=1)
    elsewhere, other = back._replace(clip=1), there._replace(object=End("bed", BED_BOX, 1.0), weight=0.1)
    assert one_a_pair([back, there, elsewhere, other]) == [there, elsewhere, other]
