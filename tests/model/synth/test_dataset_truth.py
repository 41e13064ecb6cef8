"""From masks to annotations with numbers by hand: no OpenGL."""

import numpy as np
import pytest

from model.annotations import Frame, Relation
from model.render.room import look_at
from model.render.sight import Sight
from model.synth.look import Lens, frame_of
from model.synth.moment import Actor, Moment, PosedBody

HEIGHT, WIDTH = 20, 40
LENS = Lens(look_at([0.0, 1.0, 4.0], [0.0, 1.0, 0.0]), 2 * np.arctan(0.25))
"""At 4 m the picture is 2 m high and 4 m wide: a metre is 10 pixels."""


def person(gaze: tuple[float, float, float], touches: int = -1) -> Actor:
    palms_H3 = np.array([[-0.5, 1.0, 0.0], [5.0, 1.0, 0.0]])
    return Actor(0, "person", (), PosedBody("standing", np.array([0.0, 1.5, 0.0]), np.array(gaze), palms_H3, (touches, -1)))


def sight(amodal: tuple[int, ...], depth_m: float = 4.0) -> Sight:
    actor_HW = np.zeros((HEIGHT, WIDTH), np.uint8)
    actor_HW[4:16, 10:25] = 1
    actor_HW[10:20, 30:36] = 2
    actor_HW[0:3, 0:20] = 3
    picture_HW3 = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    return Sight(picture_HW3, actor_HW, np.full((HEIGHT, WIDTH), depth_m, np.float32), np.array(amodal))


def frame(gaze: tuple[float, float, float], amodal: tuple[int, ...] = (180, 80, 60), depth_m: float = 4.0) -> Frame:
    actors = (person(gaze, touches=7), Actor(5, "cup", ()), Actor(7, "bed", ()))
    relations = ((0, "looking_at", 5), (0, "holding", 5), (7, "beneath", 0), (0, "not_looking_at", 7))
    return frame_of(sight(amodal, depth_m), Moment(actors, relations), LENS, 3, 0.6)


def test_boxes_are_the_masks_and_slivers_are_left_out_with_their_relations() -> None:
    found = frame((0.0, 0.0, 1.0))
    assert [(entity.id, entity.box, entity.visible) for entity in found.entities] == [
        (0, (0.25, 0.2, 0.625, 0.8), 1.0),
        (5, (0.75, 0.5, 0.9, 1.0), 0.75),
    ]
    assert found.relations == (Relation(0, "looking_at", 5), Relation(0, "holding", 5))
    assert (found.index, found.time_s) == (3, 0.6)


def test_what_shows_less_than_a_seventh_is_left_out() -> None:
    assert {entity.id for entity in frame((0.0, 0.0, 1.0), amodal=(180, 500, 60)).entities} == {0}


def test_points_land_where_geometry_says() -> None:
    body = frame((0.0, 0.0, 1.0)).entities[0].body
    assert body is not None
    assert body.head == pytest.approx((0.5, 0.25))
    assert body.left.point == pytest.approx((0.375, 0.5))
    assert (body.left.seen, body.left.touches) == (True, 7)
    assert (body.right.seen, body.right.touches) == (False, None)  # outside the picture


@pytest.mark.parametrize(
    ("gaze", "face_seen", "attention", "in_image"),
    [
        ((0.0, 0.0, 1.0), True, "looking_at", (0.0, 0.0, -1.0)),
        ((1.0, 0.0, 0.0), False, "looking_at", (1.0, 0.0, 0.0)),
        ((0.0, -0.6, 0.8), True, "looking_at", (0.0, 0.6, -0.8)),
        ((0.0, 0.0, -1.0), False, "unsure", (0.0, 0.0, 1.0)),
    ],
)
def test_from_behind_nobody_can_tell_what_is_looked_at(
    gaze: tuple[float, float, float], face_seen: bool, attention: str, in_image: tuple[float, float, float]
) -> None:
    found = frame(gaze)
    body = found.entities[0].body
    assert body is not None
    assert body.face_seen == face_seen
    assert body.head_seen
    assert body.gaze == pytest.approx(in_image)
    assert found.relations[0] == Relation(0, attention, 5)


def test_a_head_and_a_hand_behind_something_near_are_not_seen() -> None:
    found = frame((0.0, 0.0, 1.0), depth_m=2.0)
    body = found.entities[0].body
    assert body is not None
    assert (body.left.seen, body.face_seen, body.head_seen) == (False, False, False)
    assert found.relations[0].predicate == "unsure"


def test_what_is_behind_the_camera_is_far_outside() -> None:
    image_P3 = LENS.project(np.array([[0.0, 1.0, 5.0], [1.0, 1.0, 0.0]]), WIDTH / HEIGHT)
    assert (image_P3[0, :2] < 0).all()
    assert image_P3[1] == pytest.approx((0.75, 0.5, 4.0))
