"""What cues say of pairs, by hand: a canvas twice as wide as high, a person, a cup at the hand and a lamp."""

import pytest
import torch
from torch import Tensor

from model.cue_geometry import NUM_CUE_COLUMNS, NUM_HAND_VALUES, Others, pair_cues
from model.cue_parts import without
from model.entities import Cues, no_cues
from model.geometry import to_height_units

ASPECT = torch.tensor([2.0])
PERSON, CUP, LAMP = (0.4, 0.1, 0.6, 0.9), (0.5, 0.4, 0.55, 0.5), (0.7, 0.2, 0.8, 0.4)
NEAR, _, INSIDE, CONTACT = range(4)
SMALLER, LARGER, SEEN = 9, 10, 11
GAZE = 2 * NUM_HAND_VALUES + 4
COSINE, RAY = GAZE, GAZE + 3


def cues(left: tuple[float, float], right: tuple[float, float], gaze: tuple[float, float, float] = (1.0, 0.0, 0.0)) -> Cues:
    """A person whose left hand surely touches something, whose right hand does not."""
    return Cues(
        torch.tensor([[[left, right]]]),
        torch.tensor([[[1.0, 1.0]]]),
        torch.tensor([[[1.0, 0.0]]]),
        torch.tensor([[gaze]]),
        torch.tensor([[0.5]]),
        torch.tensor([[[0.0, 1.0, 0.0, 0.0]]]),
        torch.ones(1, 1),
    )


def columns(seen: Cues, thing: tuple[float, ...] = CUP) -> Tensor:
    boxes = to_height_units(torch.tensor([[PERSON, CUP, LAMP]]), ASPECT)
    others = Others(boxes, torch.tensor([[0.0, 0.8, 0.5]]), torch.tensor([[(PERSON, CUP, LAMP).index(thing)]]))
    return pair_cues(seen, ASPECT, boxes[:, :1], boxes[:, others.thing_BQ[0]], others)[0, 0]


def test_without_a_look_every_column_is_0() -> None:
    found = columns(no_cues(torch.tensor([[PERSON]])))
    assert found.shape == (NUM_CUE_COLUMNS,)
    assert float(found.abs().max()) == 0.0


def test_a_palm_in_the_cup_is_inside_and_the_other_hand_follows() -> None:
    """The right palm is at (.9, .8): .1 left of and .3 below the cup (1.0-1.1 x .4-.5), sqrt(.1) of the person's .8 height away."""
    found = columns(cues((0.525, 0.45), (0.45, 0.8)))
    nearer, other = found[:NUM_HAND_VALUES], found[NUM_HAND_VALUES : 2 * NUM_HAND_VALUES]
    assert [float(nearer[at]) for at in (NEAR, INSIDE, CONTACT)] == pytest.approx([1.0, 1.0, 1.0], abs=1e-4)
    assert float(other[NEAR]) == pytest.approx(1 / (1 + 8 * 0.1**0.5 / 0.8), abs=1e-4)
    assert [float(other[at]) for at in (INSIDE, CONTACT)] == [0.0, 0.0]


def test_left_and_right_make_no_difference() -> None:
    seen = cues((0.525, 0.45), (0.45, 0.8))
    mirrored = seen._replace(hands_BNH2=seen.hands_BNH2.flip(2), contact_BNH=seen.contact_BNH.flip(2))
    torch.testing.assert_close(columns(seen), columns(mirrored))


def test_an_unseen_hand_comes_last_and_says_nothing() -> None:
    seen = cues((0.525, 0.45), (0.45, 0.8))
    found = columns(seen._replace(hand_seen_BNH=torch.tensor([[[0.0, 1.0]]])))
    assert float(found[SEEN]) == 1.0
    assert float(found[NUM_HAND_VALUES : 2 * NUM_HAND_VALUES].abs().max()) == 0.0


def test_a_hand_in_the_cup_is_busy_elsewhere_for_the_lamp() -> None:
    """The cup is smaller than the lamp and surely a thing at .8; the lamp is a larger thing for the cup, .5 sure."""
    seen = cues((0.525, 0.45), (0.525, 0.45))
    assert float(columns(seen, LAMP)[SMALLER]) == pytest.approx(0.8, abs=1e-4)
    assert float(columns(seen, LAMP)[LARGER]) == 0.0
    assert float(columns(seen, CUP)[SMALLER]) == 0.0
    assert 0.0 < float(columns(seen, CUP)[LARGER]) < 0.5


@pytest.mark.parametrize(("gaze", "cosine", "hits"), [((0.6, 0.0, 0.8), 1.0, True), ((-0.6, 0.0, 0.8), -1.0, False)])
def test_a_gaze_to_the_right_meets_what_stands_to_the_right_at_the_height_of_the_head(
    gaze: tuple[float, float, float], cosine: float, hits: bool
) -> None:
    """The head is at (1.0, .18), the lamp's middle at (1.5, .3): cosine .5 / hypot(.5, .12); the ray passes .02 below the lamp's size."""
    found = columns(cues((0.5, 0.8), (0.5, 0.8), gaze), LAMP)
    assert float(found[COSINE]) == pytest.approx(cosine * 0.5 / (0.5**2 + 0.12**2) ** 0.5, abs=1e-4)
    assert (float(found[RAY]) > 0.8) == hits


HANDS, HEAD_GAZE, POSTURE = slice(0, 2 * NUM_HAND_VALUES), slice(GAZE, GAZE + 9), slice(GAZE + 9, GAZE + 13)


@pytest.mark.parametrize(("part", "own"), [("hands", HANDS), ("gaze", HEAD_GAZE), ("posture", POSTURE)])
def test_a_missing_part_is_exactly_0_in_its_columns_and_changes_no_other(part: str, own: slice) -> None:
    seen = cues((0.525, 0.45), (0.45, 0.8), (0.6, 0.0, 0.8))
    whole, found = columns(seen), columns(without(seen, (part,)))
    assert float(whole[own].abs().max()) > 0.4
    assert float(found[own].abs().max()) == 0.0
    rest = torch.ones(NUM_CUE_COLUMNS, dtype=torch.bool)
    rest[own] = False
    assert torch.equal(found[rest], whole[rest])


def test_a_gaze_straight_into_the_picture_is_not_a_missing_one() -> None:
    straight = columns(cues((0.5, 0.8), (0.5, 0.8), (0.0, 0.0, 1.0)))
    assert float(straight[GAZE + 5]) == 1.0
