"""Cues without some of their parts, and which person is the same in the next frame, by hand."""

import pytest
import torch

from model.cue_parts import FIELDS, PARTS, followed, keep, without
from model.entities import Cues, Entities

LEFT, RIGHT, NEAR_LEFT = (0.0, 0.0, 0.4, 1.0), (0.5, 0.0, 0.9, 1.0), (0.1, 0.0, 0.5, 1.0)
FAR = (0.9, 0.0, 1.0, 0.1)


def ones(slots: int = 2) -> Cues:
    return Cues(*(torch.ones(1, slots, *shape) for shape in ((2, 2), (2,), (2,), (3,), (), (4,), ())))


def entities(*boxes: tuple[float, float, float, float]) -> Entities:
    nothing = torch.zeros(1, len(boxes), 1)
    return Entities(torch.tensor([boxes]), torch.ones(1, len(boxes)), nothing, nothing, ones(len(boxes)))


def test_the_parts_are_all_cues_but_whether_anybody_looked() -> None:
    named = [name for part in PARTS for name in FIELDS[part]]
    assert {*named, "known_BN"} == set(Cues._fields)
    assert len(named) == len(set(named)) == len(Cues._fields) - 1


@pytest.mark.parametrize("part", PARTS)
def test_without_a_part_it_is_all_zeros_and_the_rest_is_untouched(part: str) -> None:
    for name, values in without(ones(), {part})._asdict().items():
        assert torch.equal(values, torch.zeros_like(values) if name in FIELDS[part] else torch.ones_like(values))


def test_without_all_parts_nobody_has_looked() -> None:
    assert all(float(values.abs().max()) == 0.0 for values in without(ones(), PARTS))


def test_without_nothing_all_is_as_it_was() -> None:
    assert all(torch.equal(mine, yours) for mine, yours in zip(without(ones(), ()), ones(), strict=True))


def test_an_unknown_part_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no part feet, known: hands, gaze, posture"):
        without(ones(), ("feet", "gaze"))


def test_each_person_keeps_their_own_parts() -> None:
    """The first without hands, the second without anything."""
    kept = keep(ones(), torch.tensor([[[0.0, 1.0, 1.0], [0.0, 0.0, 0.0]]]))
    assert kept.hand_seen_BNH.tolist() == [[[0.0, 0.0], [0.0, 0.0]]]
    assert kept.face_BN.tolist() == kept.known_BN.tolist() == [[1.0, 0.0]]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ((LEFT, RIGHT), [0, 1]),
        ((RIGHT, LEFT), [1, 0]),  # they changed slots
        ((RIGHT, NEAR_LEFT), [1, 0]),  # IoU .3 / .5
        ((FAR, FAR), [0, 1]),  # nobody stood there: the slots stay as they were
    ],
)
def test_what_is_missing_follows_the_person_and_not_the_slot(
    now: tuple[tuple[float, float, float, float], ...], expected: list[int]
) -> None:
    kept = torch.tensor([[[0.0, 1.0, 1.0], [1.0, 0.0, 1.0]]])
    assert torch.equal(followed(kept, entities(LEFT, RIGHT), entities(*now)), kept[:, expected])


def test_nobody_takes_over_from_a_thing_that_stood_there() -> None:
    before = entities(LEFT, RIGHT)
    before = before._replace(cues=before.cues._replace(known_BN=torch.tensor([[1.0, 0.0]])))
    kept = torch.tensor([[[0.0, 1.0, 1.0], [1.0, 0.0, 1.0]]])
    assert torch.equal(followed(kept, before, entities(RIGHT, LEFT)), kept[:, [0, 0]])
