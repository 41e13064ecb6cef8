"""Posed, dressed people: limbs reach what they are sent to, files hold what was baked, train and test people are apart.

A stick rig of few bones stands in for anny, so that nothing here needs it.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.synth.bodies import load_bodies, orders, write_body
from model.synth.body_actions import ACTIONS
from model.synth.body_anatomy import NUM_BODY, Anatomy, Rig
from model.synth.body_people import PEOPLE
from model.synth.body_poses import Poser, Take
from model.synth.body_skeleton import Skeleton, between
from model.synth.mesh import assemble
from model.synth.moment import BodyModel
from model.synth.solids import box

_MIDDLE = {
    "root": (None, 0.0, 0.98, 0.0), "spine05": ("root", 0.0, 0.99, 0.0), "spine04": ("spine05", 0.0, 1.06, 0.0),
    "spine03": ("spine04", 0.0, 1.13, 0.0),
    "spine02": ("spine03", 0.0, 1.2, 0.0), "spine01": ("spine02", 0.0, 1.3, -0.03), "neck01": ("spine01", 0.0, 1.5, 0.0),
    "neck02": ("neck01", 0.0, 1.53, 0.01), "neck03": ("neck02", 0.0, 1.56, 0.02), "head": ("neck03", 0.0, 1.6, 0.03),
}  # fmt: skip
_LEFT = {
    "eye": ("head", 0.03, 1.65, 0.11), "clavicle": ("spine01", 0.02, 1.44, 0.02), "shoulder01": ("clavicle", 0.11, 1.45, 0.02),
    "upperarm01": ("shoulder01", 0.18, 1.41, 0.02), "lowerarm01": ("upperarm01", 0.36, 1.2, 0.03),
    "lowerarm02": ("lowerarm01", 0.42, 1.14, 0.12),
    "wrist": ("lowerarm02", 0.48, 1.08, 0.2), "upperleg01": ("root", 0.11, 0.94, 0.0), "lowerleg01": ("upperleg01", 0.14, 0.5, 0.03),
    "foot": ("lowerleg01", 0.19, 0.08, 0.0),
}  # fmt: skip
_FINGERS = {"1": (-0.03, 0.02), "2": (0.02, 0.03), "3": (0.03, 0.0), "4": (0.03, -0.02), "5": (0.02, -0.04)}


def _bones() -> dict[str, tuple[str | None, float, float, float]]:
    bones: dict[str, tuple[str | None, float, float, float]] = dict(_MIDDLE)
    for side, out in (("L", 1.0), ("R", -1.0)):
        for name, (parent, x, y, z) in _LEFT.items():
            bones[f"{name}.{side}"] = (parent if parent in _MIDDLE else f"{parent}.{side}", out * x, y, z)
        for finger, (dx, dz) in _FINGERS.items():
            for joint in (1, 2, 3):
                parent = f"wrist.{side}" if joint == 1 else f"finger{finger}-{joint - 1}.{side}"
                reach = 0.04 + 0.02 * joint
                bones[f"finger{finger}-{joint}.{side}"] = (parent, out * (0.48 + 0.6 * reach + dx), 1.08 - 0.8 * reach, 0.2 + reach + dz)
    return bones


@pytest.fixture(scope="module")
def skeleton() -> Skeleton:
    bones = _bones()
    names = tuple(bones)
    parents_B = np.array([-1 if parent is None else names.index(parent) for parent, *_ in bones.values()], np.int32)
    heads_B3 = np.array([place for _, *place in bones.values()], np.float64)
    rest_V3 = np.resize(heads_B3, (NUM_BODY, 3))
    rest_V3[0], rest_V3[1] = (0.0, 0.0, 0.0), (0.0, 1.75, 0.0)
    bone_of_VW = np.resize(np.arange(len(names)), NUM_BODY).astype(np.int32)[:, None]
    return Skeleton(Anatomy(Rig(names, parents_B, np.ones((NUM_BODY, 1)), bone_of_VW, {}), rest_V3, heads_B3))


def _take(skeleton: Skeleton, action: str) -> Take:
    return ACTIONS[action](Poser(skeleton, np.random.default_rng(0)))


@pytest.mark.parametrize("action", ["stand_hold", "stand_carry", "stand_drink", "sit_read", "stand_phone_ear"])
def test_palms_come_to_where_they_are_sent(skeleton: Skeleton, action: str) -> None:
    for key in _take(skeleton, action).keys:
        posed = skeleton.pose(key)
        for side, hand in enumerate(key.hands):
            if hand.grips:
                assert np.linalg.norm(posed.palms_H3[side] - hand.palm) < 0.02


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_every_action_keeps_bones_as_long_as_they_are(skeleton: Skeleton, action: str) -> None:
    take = _take(skeleton, action)
    assert 2 <= len(take.keys) <= 5
    rest_B3, number = skeleton.anatomy.heads_B3, skeleton.number
    for key in take.keys:
        posed = skeleton.pose(key)
        for bone, parent in (("wrist.L", "lowerarm01.L"), ("lowerarm01.R", "upperarm01.R"), ("foot.L", "lowerleg01.L")):
            now = _place(posed.vertices_V3, skeleton, bone) - _place(posed.vertices_V3, skeleton, parent)
            assert np.linalg.norm(now) == pytest.approx(np.linalg.norm(rest_B3[number[bone]] - rest_B3[number[parent]]), abs=1e-3)
        np.testing.assert_allclose(np.linalg.norm(posed.gaze_3), 1.0, atol=1e-9)


def _place(vertices_V3: np.ndarray, skeleton: Skeleton, bone: str) -> np.ndarray:
    """A stick rig's vertices are its joints, over and over; the first two are the body's ends."""
    place: np.ndarray = vertices_V3[skeleton.number[bone] + len(skeleton.number)]
    return place


def test_the_head_looks_where_it_is_turned(skeleton: Skeleton) -> None:
    poser = Poser(skeleton, np.random.default_rng(0))
    left = skeleton.pose(poser.turned(poser.stand(), 45.0)).gaze_3
    np.testing.assert_allclose(left, [np.sqrt(0.5), 0.0, np.sqrt(0.5)], atol=1e-6)
    assert skeleton.pose(poser.turned(poser.stand(), 0.0, 30.0)).gaze_3[1] == pytest.approx(-0.5)


def test_a_body_on_its_back_looks_up_with_its_head_towards_minus_z(skeleton: Skeleton) -> None:
    posed = skeleton.pose(_take(skeleton, "lie_back").keys[1])
    assert posed.gaze_3[1] > 0.95
    assert posed.eyes_3[2] < posed.pelvis_3[2] - 0.4


def test_sitters_have_their_hips_over_the_seat(skeleton: Skeleton) -> None:
    take = _take(skeleton, "sit_idle")
    hips = skeleton.landmarks(take.keys[0]).hips
    assert take.seat_m == 0.45
    assert 0.05 < hips[1] - take.seat_m < 0.12


def test_halfway_keys_lie_between(skeleton: Skeleton) -> None:
    keys = _take(skeleton, "stand_reach").keys
    middle = between(keys[0], keys[-1], 0.5)
    np.testing.assert_allclose(middle.hands[0].palm, (keys[0].hands[0].palm + keys[-1].hands[0].palm) / 2)
    assert not between(keys[0], keys[-1], 0.4).hands[0].grips


def test_nobody_is_both_in_train_and_test_and_every_action_is_in_both() -> None:
    todo = orders()
    sides = {split: [order for order in todo if order.person.split == split] for split in ("train", "test")}
    assert not {order.person.name for order in sides["train"]} & {order.person.name for order in sides["test"]}
    for side in sides.values():
        assert {order.action for order in side} == set(ACTIONS)
    assert len({order.file_name for order in todo}) == len(todo)
    looks = [(person.top, person.hair, person.skin, person.pattern) for person in PEOPLE]
    assert len(set(looks)) == len(looks)


def _body() -> BodyModel:
    solid = assemble([box(0.4, 1.7, 0.2).painted(np.full((8, 8, 3), 120, np.uint8))])
    keys_KV3 = np.stack([solid.vertices_V3, solid.vertices_V3 + np.float32(0.5)])
    palms_KH3 = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    one_K3, grip_KH = np.ones((2, 3), np.float32), np.array([[True, False], [False, False]])
    normals_KV3 = np.stack([solid.normals_V3] * 2)
    return BodyModel("x", "test", "sitting", "hold", keys_KV3, normals_KV3, solid.parts, palms_KH3, one_K3, one_K3, grip_KH, 0.45, 0.1)


def test_a_body_comes_back_from_its_file(tmp_path: Path) -> None:
    body = _body()
    write_body(tmp_path / "test-x-hold.npz", body)
    again = load_bodies(tmp_path, "test")[0]
    assert (again.identity, again.posture, again.action, again.seat_m) == ("x", "sitting", "hold", 0.45)
    np.testing.assert_allclose(again.key_vertices_KV3, body.key_vertices_KV3, atol=1e-3)
    np.testing.assert_allclose(again.normals_KV3, body.normals_KV3, atol=2e-2)
    np.testing.assert_array_equal(again.palms_KH3, body.palms_KH3)
    np.testing.assert_array_equal(again.parts[0].faces_F3, body.parts[0].faces_F3)
    np.testing.assert_array_equal(again.grip_KH, body.grip_KH)


def test_a_folder_without_bodies_says_how_to_make_them(tmp_path: Path) -> None:
    write_body(tmp_path / "test-x-hold.npz", _body())
    with pytest.raises(ValueError, match="vigil data bodies"):
        load_bodies(tmp_path, "train")
    with pytest.raises(ValueError, match="a split is train or test"):
        load_bodies(tmp_path, "both")


def test_a_part_without_a_texture_is_not_kept(tmp_path: Path) -> None:
    body = _body()
    bare = replace(body, parts=(replace(body.parts[0], uv_V2=None, texture_HW3=None),))
    with pytest.raises(ValueError, match="has no texture"):
        write_body(tmp_path / "bare.npz", bare)
