"""Worlds are made so that their relations are true: checked in 3-D, apart from the code that labels them."""

import dataclasses

import numpy as np
import pytest

from model.vocabulary import CONTACTING, SPATIAL
from model.world.body import pose_body
from model.world.camera import Camera, in_frame, project
from model.world.clips import draw_clips, draw_frames
from model.world.detections import NUM_GHOSTS, NUM_SLOTS
from model.world.hands import HOLD, MISS, REACH, Posed, draw_hands, place
from model.world.room import draw_scene
from model.world.scene import HELD_RIGHT, NUM_PEOPLE, NUM_THINGS, SIT, STAND
from model.world.sight import Habits, body_spheres, grid_points, see
from model.world.space import axes, distance_to_box, heading, in_box_frame
from model.world.things import CLASSES, CONFUSED, GROUPS, INDEX, SIZE_C3, pool


@pytest.fixture(scope="module")
def posed() -> Posed:
    rng = np.random.default_rng(5)
    scene = draw_scene(rng, 400)
    return place(scene, draw_hands(rng, scene, pose_body(scene.people)))


def test_every_class_has_a_size_and_a_group_and_only_known_names_are_confused() -> None:
    assert {name for names in GROUPS.values() for name in names} == set(CLASSES)
    assert all((SIZE_C3[INDEX[name]] > 0).all() for name in CLASSES)
    assert all(len(pool(others)) > 0 and name in INDEX for name, others in CONFUSED.items())


def test_a_pool_repeats_names_and_opens_groups() -> None:
    assert pool("cup*2, @phone").tolist() == [INDEX["cup"], INDEX["cup"], INDEX["cell phone"]]


def test_turning_into_a_box_frame_and_measuring_its_distance() -> None:
    """A box 2 x 1 x 1 at (1, 0, 0), turned by 90 degrees: its long side lies along y."""
    point = np.array([[[1.0, 1.5, 0.0]]])
    local = in_box_frame(point, np.array([[[1.0, 0.0, 0.0]]]), np.array([[np.pi / 2]]))
    np.testing.assert_allclose(local[0, 0, 0], [1.5, 0.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(distance_to_box(local[0, 0, 0], np.array([2.0, 1.0, 1.0])), 0.5)


def test_axes_and_headings_agree() -> None:
    np.testing.assert_allclose(axes(np.array(0.7))[0], heading(np.array(0.7)))


def test_bodies_are_as_tall_as_drawn_when_they_stand(posed: Posed) -> None:
    joints, radii = body_spheres(posed)
    upright = (posed.people.pose_SQ == STAND) & (np.abs(posed.people.tilt_SQ) < 0.1)
    top = (joints[..., :3, 2] + radii[..., :3]).max(-1) - posed.people.base_SQ
    np.testing.assert_allclose((top / posed.people.height_SQ)[upright], 1.0, atol=0.05)


def test_who_sits_on_something_has_the_pelvis_just_above_it(posed: Posed) -> None:
    sits = (posed.people.pose_SQ == SIT) & posed.people.supported_SQ
    gap = posed.body.pelvis_SQ3[..., 2] - posed.people.base_SQ
    assert (gap[sits] > 0).all()
    assert (gap[sits] < 0.15).all()


def test_no_hand_is_further_than_an_arm(posed: Posed) -> None:
    free = posed.doing.action_SQA[..., :1] != HOLD
    length = np.linalg.norm(posed.hands_SQA3 - posed.body.shoulders_SQA3, axis=-1)
    assert (length <= 0.4301 * posed.people.height_SQ[..., None])[np.broadcast_to(free, length.shape)].all()


def test_held_things_are_at_the_hand(posed: Posed) -> None:
    held = posed.things.present_ST[:, HELD_RIGHT]
    middle = posed.things.centre_ST3[:, HELD_RIGHT]
    size = posed.things.size_ST3[:, HELD_RIGHT]
    gap = np.linalg.norm(posed.hands_SQA3[:, :, 0] - middle, axis=-1) - np.linalg.norm(size, axis=-1)
    assert (gap[held] < 0.1).all()


def test_a_near_miss_stops_short_of_what_a_reach_touches(posed: Posed) -> None:
    row = np.arange(len(posed.people.pose_SQ))[:, None, None]
    target = posed.doing.target_SQA
    away = posed.hands_SQA3 - posed.things.centre_ST3[row, target]
    local = np.einsum("sqaij,sqaj->sqai", axes(posed.things.yaw_ST[row, target]), away)
    gap = distance_to_box(local, posed.things.size_ST3[row, target])
    close = np.linalg.norm(posed.hands_SQA3 - posed.body.shoulders_SQA3, axis=-1) < 0.42 * posed.people.height_SQ[..., None]
    assert np.median(gap[(posed.doing.action_SQA == REACH) & close]) < 0.03
    assert np.median(gap[(posed.doing.action_SQA == MISS) & close]) > 0.08


def camera_at(x: float, z: float, count: int = 1) -> Camera:
    """At (x, 0, z), looking along -x, one frame height per metre and metre of depth."""
    ones = np.ones(count)
    return Camera(np.tile([x, 0.0, z], (count, 1)), np.tile([x - 1, 0.0, z], (count, 1)), ones, 0 * ones, 1.5 * ones)


def test_a_camera_projects_by_depth_with_right_to_the_right_and_up_to_the_top() -> None:
    seen = project(camera_at(2.0, 1.0), np.array([[[0.0, 0.0, 1.0], [0.0, 1.0, 1.0], [0.0, 0.0, 1.9], [3.0, 0.0, 1.0]]]))
    np.testing.assert_allclose(seen.x[0, :3], [0.75, 1.25, 0.75])
    np.testing.assert_allclose(seen.y[0, :3], [0.5, 0.5, 0.05], atol=1e-6)
    np.testing.assert_allclose(seen.depth[0], [2.0, 2.0, 2.0, -1.0], atol=1e-6)
    assert in_frame(camera_at(2.0, 1.0), seen)[0].tolist() == [True, True, True, False]


def test_a_fridge_hides_what_is_behind_it(posed: Posed) -> None:
    """Camera at x = 4, fridge at x = 2, person 0 at the origin: unseen; with the fridge taken away: seen."""
    things = posed.things
    size, centre = things.size_ST3[:1].copy(), things.centre_ST3[:1].copy()
    class_, present = things.class_ST[:1].copy(), np.zeros_like(things.present_ST[:1])
    class_[:, 13], size[:, 13], centre[:, 13] = INDEX["refrigerator"], [1.0, 3.0, 4.0], [2.0, 0.0, 2.0]
    alone = np.zeros((1, NUM_PEOPLE), bool)
    people = dataclasses.replace(posed.people, present_SQ=np.where([[True, False]], True, alone).repeat(len(posed.people.pose_SQ), 0))
    habits = Habits(np.zeros((1, NUM_THINGS)), np.zeros((1, NUM_THINGS), bool), np.zeros((1, NUM_PEOPLE, 27), bool))
    for hidden in (True, False):
        present[:, 13] = hidden
        one = dataclasses.replace(things, present_ST=present, class_ST=class_, size_ST3=size, centre_ST3=centre, yaw_ST=things.yaw_ST[:1])
        sight = see(_first(posed, people, one), camera_at(4.0, 1.0), habits)
        assert (float(sight.person_seen_SQ[0, 0]) < 0.05) == hidden


def _first(posed: Posed, people: object, things: object) -> Posed:
    """The first scene of a posed world with its people and things replaced."""

    def cut(value: object) -> object:
        return dataclasses.replace(value, **{f.name: getattr(value, f.name)[:1] for f in dataclasses.fields(value)})  # type: ignore[type-var,arg-type]

    return Posed(cut(people), cut(posed.body), posed.elbows_SQA3[:1], posed.hands_SQA3[:1], cut(posed.doing), things)  # type: ignore[arg-type]


def test_a_box_has_27_points_up_to_its_corners(posed: Posed) -> None:
    grid = grid_points(posed.things)
    reach = np.linalg.norm(grid - posed.things.centre_ST3[:, :, None], axis=-1).max(-1)
    np.testing.assert_allclose(reach, np.linalg.norm(posed.things.size_ST3, axis=-1) / 2)


def test_the_same_seed_draws_the_same_frames() -> None:
    first, second = (draw_frames(np.random.default_rng(3), 20) for _ in range(2))
    for field in dataclasses.fields(first):
        np.testing.assert_array_equal(getattr(first, field.name), getattr(second, field.name))


def test_boxes_lie_on_the_canvas_and_unreported_slots_are_empty() -> None:
    frames = draw_frames(np.random.default_rng(4), 200)
    used = frames.scores_SN > 0
    assert frames.boxes_SN4.min() >= 0
    assert frames.boxes_SN4.max() <= 1
    assert (frames.boxes_SN4[~used] == 0).all()
    assert (frames.boxes_SN4[used][:, 2:] > frames.boxes_SN4[used][:, :2]).all()


def test_relations_exclude_each_other_where_they_must() -> None:
    frames = draw_frames(np.random.default_rng(6), 500)
    contact = {name: frames.contacting_SQNG[..., index] for index, name in enumerate(CONTACTING)}
    spatial = {name: frames.spatial_SQNG[..., index] for index, name in enumerate(SPATIAL)}
    others = np.stack([contact[name] for name in CONTACTING if name != "not_contacting"]).any(0)
    assert (contact["not_contacting"] == ~others).all()
    support = np.stack([contact[name] for name in ("sitting_on", "standing_on", "lying_on")]).astype(int).sum(0)
    assert support.max() == 1
    assert not (spatial["above"] & spatial["beneath"]).any()
    assert spatial["beneath"][support > 0].all()
    assert not (contact["holding"] & contact["touching"]).any()


def test_nothing_holds_with_a_ghost_or_between_people() -> None:
    frames = draw_frames(np.random.default_rng(7), 100)
    empty = [*range(NUM_PEOPLE), *range(NUM_SLOTS - NUM_GHOSTS, NUM_SLOTS)]
    assert not frames.spatial_SQNG[:, :, empty].any()
    assert frames.contacting_SQNG[:, :, empty, CONTACTING.index("not_contacting")].all()


def test_clips_move_smoothly_and_frames_of_one_clip_resemble_each_other() -> None:
    frames = draw_clips(np.random.default_rng(8), 60, 8)
    boxes = frames.boxes_SN4.reshape(60, 8, NUM_SLOTS, 4)[:, :, 0]
    seen = (frames.scores_SN.reshape(60, 8, NUM_SLOTS)[:, :, 0] > 0)[..., None]
    within = np.nanmedian(np.abs(np.diff(np.where(seen, boxes, np.nan), axis=1)))
    between = np.nanmedian(np.abs(np.diff(np.where(seen, boxes, np.nan), axis=0)))
    assert 0.002 < within < between / 4
    assert (frames.dt_S > 0).all()
