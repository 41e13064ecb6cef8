"""Relations from 3-D, on scenes small enough to know by hand."""

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from model.synth.truth import Subject, Target

pytest.importorskip("pyrender", reason="the extra `render` is not installed", exc_type=ImportError)
pytest.importorskip("trimesh", reason="the extra `render` is not installed", exc_type=ImportError)
PERSON, THING = 1, 2


class Cube:
    """A mesh as a renderer's: one primitive with positions and indices."""

    def __init__(self, width: float, height: float, depth: float) -> None:
        import trimesh

        box = trimesh.creation.box((width, height, depth))
        box.apply_translation((0, height / 2, 0))
        self.bounds = np.asarray(box.bounds)
        self.primitives = [type("Part", (), {"positions": np.asarray(box.vertices), "indices": np.asarray(box.faces)})]


def thing(
    label: str, size: tuple[float, float, float], at: tuple[float, float, float], *, rests: bool = False, yaw: float = 0.0
) -> "Target":
    from model.render.room import pose
    from model.synth.stock import Form
    from model.synth.truth import Target

    mesh: Any = Cube(*size)
    return Target(THING, label, Form(label, mesh), pose(*at, yaw), rests)


def person(posture: str = "standing", **ties: Any) -> "Subject":
    """At the origin, looks along +z; the palms hang."""
    from model.synth.truth import Subject, Ties

    return Subject(
        id=PERSON,
        posture=posture,
        facing_rad=0.0,
        pelvis_3=np.array([0.0, 0.9, 0.0]),
        eyes_3=np.array([0.0, 1.6, 0.05]),
        gaze_3=np.array([0.0, 0.0, 1.0]),
        palms_H3=np.array([[0.25, 0.8, 0.05], [-0.25, 0.8, 0.05]]),
        top_m=1.7,
        ties=Ties(**{"support": 0, **ties}),
    )


def holds(subject: "Subject", target: "Target") -> set[str]:
    from model.synth.truth import facts

    return {name for _, name, _ in facts([subject], [target]).relations}


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ((0.0, 0.6, 1.0), {"in_front_of"}),
        ((0.0, 0.6, -1.0), {"behind"}),
        ((1.0, 0.6, 0.0), {"on_the_side_of"}),
        ((0.9, 0.6, 0.7), {"in_front_of", "on_the_side_of"}),
        ((0.0, 2.0, 0.3), {"above"}),
        ((0.0, 0.0, 0.1), {"beneath"}),
    ],
)
def test_where_a_thing_is_follows_the_persons_own_frame(at: tuple[float, float, float], expected: set[str]) -> None:
    from model.vocabulary import SPATIAL

    assert holds(person(), thing("box", (0.2, 0.2, 0.2), at)) & set(SPATIAL) == expected


def test_the_frame_turns_with_the_person() -> None:
    turned = replace(person(), facing_rad=math.pi)
    assert "behind" in holds(turned, thing("box", (0.2, 0.2, 0.2), (0.0, 0.6, 1.0)))


def test_a_palm_within_five_centimetres_of_a_surface_touches_it_and_one_at_eight_does_not() -> None:
    near, far = thing("dining table", (1.0, 0.77, 1.0), (0.75, 0.0, 0.0)), thing("dining table", (1.0, 0.72, 1.0), (0.75, 0.0, 0.0))
    assert "touching" in holds(person(), near)
    assert "not_contacting" in holds(person(), far)


def test_what_is_held_is_held_and_not_touched() -> None:
    found = holds(person(held=(THING, -1)), thing("cup", (0.08, 0.1, 0.08), (0.25, 0.75, 0.05)))
    assert "holding" in found
    assert not found & {"touching", "not_contacting", "carrying", "drinking_from"}


def test_a_held_cup_at_the_mouth_is_drunk_from_and_a_loose_one_there_is_not() -> None:
    cup = thing("cup", (0.08, 0.1, 0.08), (0.0, 1.45, 0.12))
    assert "drinking_from" in holds(person(held=(THING, -1)), cup)
    assert "drinking_from" not in holds(person(), cup)


def test_a_box_in_the_hands_of_one_who_stands_is_carried() -> None:
    assert {"carrying", "holding"} <= holds(person(held=(THING, THING)), thing("box", (0.4, 0.3, 0.3), (0.0, 0.7, 0.3)))


@pytest.mark.parametrize(("posture", "expected"), [("standing", "standing_on"), ("sitting", "sitting_on"), ("lying", "lying_on")])
def test_what_carries_a_body_is_beneath_it(posture: str, expected: str) -> None:
    found = holds(person(posture, support=THING), thing("bed", (1.4, 0.5, 2.0), (0.0, 0.0, 0.0)))
    assert {expected, "beneath"} <= found
    assert "touching" not in found


def test_looking_is_a_cone_as_wide_as_the_thing() -> None:
    ahead, aside = thing("book", (0.2, 0.2, 0.05), (0.0, 1.5, 1.0)), thing("book", (0.2, 0.2, 0.05), (1.0, 1.5, 0.3))
    wide = thing("tv", (1.2, 0.8, 0.1), (0.3, 1.2, 1.0))
    assert "looking_at" in holds(person(), ahead)
    assert "not_looking_at" in holds(person(), aside)
    assert "looking_at" in holds(person(), wide)


def test_every_pair_has_one_attention_a_place_and_a_contact() -> None:
    from model.vocabulary import ATTENTION, CONTACTING, SPATIAL

    rng = np.random.default_rng(5)
    for _ in range(40):
        at = (float(rng.uniform(-2, 2)), float(rng.uniform(0, 2)), float(rng.uniform(-2, 2)))
        found = holds(person(), thing("box", (0.3, 0.3, 0.3), at, yaw=float(rng.uniform(-3, 3))))
        assert len(found & set(ATTENTION)) == 1
        assert found & set(SPATIAL)
        assert found & set(CONTACTING)


def test_things_across_a_large_room_are_left_out_unless_they_belong() -> None:
    far = thing("box", (0.3, 0.3, 0.3), (0.0, 0.0, 6.0))
    assert not holds(person(), far)
    assert "holding" in holds(person(held=(THING, -1)), far)


def test_distance_is_to_the_surface_not_to_the_box_of_a_thing() -> None:
    from model.render.room import pose
    from model.synth.stock import Form, distance

    mesh: Any = Cube(1.0, 1.0, 1.0)
    points = np.array([[0.0, 1.1, 0.0], [0.7, 0.5, 0.0], [0.0, 0.9, 0.0], [3.0, 0.5, 0.0]])
    assert distance(points, Form("cube", mesh), np.eye(4)) == pytest.approx([0.1, 0.2, 0.1, 2.5])
    assert distance(points[:1] * 2, Form("cube", mesh), pose(0, 0, 0, 0.5, 2.0)) == pytest.approx([0.2])
