"""Poses one anatomy: palms, feet and gaze are given, limbs follow by two-bone geometry, the mesh by linear skinning. Pure numpy.

Rotations are of rest axes into the body's axes; a bone that is not set keeps its parent's. Everything is in the body's own frame
(y up, looks along +z, left is +x); `Key.turn` at last lays the body down (pitch) after a roll about its length.
Legend: V vertices, B bones, H hands (left, right).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from model.synth.body_anatomy import NUM_BODY, Anatomy

Floats = npt.NDArray[np.float64]
SIDES = ("L", "R")
SPINE = ("spine05", "spine04", "spine03", "spine02", "spine01")
NECK = ("neck01", "neck02", "neck03", "head")
MAX_WRIST_BEND = np.deg2rad(60.0)
MAX_FOREARM_TWIST = np.deg2rad(110.0)


@dataclass(frozen=True, slots=True)
class HandKey:
    """Where a palm's centre is, where its fingers and its inner side point, where the elbow tends to, how far fingers are closed (0..1)."""

    palm: Floats
    fingers: Floats
    inside: Floats
    elbow: Floats
    curl: float = 0.2
    grips: bool = False


@dataclass(frozen=True, slots=True)
class FootKey:
    """Where an ankle is, where the knee tends to, and the foot's yaw and pitch in degrees (pitch > 0: toes down)."""

    ankle: Floats
    knee: Floats
    yaw: float = 0.0
    pitch: float = 0.0


@dataclass(frozen=True, slots=True)
class Key:
    """One key frame: pelvis shift and tilt, spine bend and head direction in degrees (pitch > 0: forward or down, yaw > 0: to the left)."""

    pelvis: Floats
    tilt: float
    bend: Floats
    head: Floats
    hands: tuple[HandKey, HandKey]
    feet: tuple[FootKey, FootKey]
    turn: Floats


@dataclass(frozen=True, slots=True)
class Landmarks:
    """Where the mouth, eyes' middle, ears and shoulders (left, right), breastbone and hips' middle are before the body is laid down."""

    mouth: Floats
    eyes: Floats
    ears_H3: Floats
    shoulders_H3: Floats
    chest: Floats
    hips: Floats


@dataclass(frozen=True, slots=True)
class Posed:
    """All vertices (helpers too), palms' centres, the eyes' middle and the unit direction of the head."""

    vertices_V3: Floats
    palms_H3: Floats
    eyes_3: Floats
    gaze_3: Floats
    pelvis_3: Floats


def between(a: Key, b: Key, share: float) -> Key:
    """What lies between two keys: numbers are mixed, a hand grips where the nearer one does."""
    left, right = (_hand_between(x, y, share) for x, y in zip(a.hands, b.hands, strict=True))
    feet = [_foot_between(x, y, share) for x, y in zip(a.feet, b.feet, strict=True)]
    return Key(
        _mix(a.pelvis, b.pelvis, share),
        a.tilt + (b.tilt - a.tilt) * share,
        _mix(a.bend, b.bend, share),
        _mix(a.head, b.head, share),
        (left, right),
        (feet[0], feet[1]),
        _mix(a.turn, b.turn, share),
    )


def _hand_between(a: HandKey, b: HandKey, share: float) -> HandKey:
    ways = [_mix(x, y, share) for x, y in ((a.palm, b.palm), (a.fingers, b.fingers), (a.inside, b.inside), (a.elbow, b.elbow))]
    return HandKey(ways[0], ways[1], ways[2], ways[3], a.curl + (b.curl - a.curl) * share, a.grips if share < 0.5 else b.grips)


def _foot_between(a: FootKey, b: FootKey, share: float) -> FootKey:
    yaw, pitch = a.yaw + (b.yaw - a.yaw) * share, a.pitch + (b.pitch - a.pitch) * share
    return FootKey(_mix(a.ankle, b.ankle, share), _mix(a.knee, b.knee, share), yaw, pitch)


def _mix(a: Floats, b: Floats, share: float) -> Floats:
    return a + (b - a) * share


class Skeleton:
    """The bones of one anatomy with what limbs need of the rest pose."""

    def __init__(self, anatomy: Anatomy) -> None:
        self.anatomy = anatomy
        self.rig = anatomy.rig
        self.number = {name: i for i, name in enumerate(self.rig.bones)}
        self.order = _parents_first(self.rig.parents_B)
        self.scale = float(np.ptp(anatomy.rest_V3[:NUM_BODY, 1])) / 1.75
        self.hand_rest = {side: self._hand_rest(side) for side in SIDES}

    def rest(self, bone: str) -> Floats:
        """A joint's place at rest."""
        return np.asarray(self.anatomy.heads_B3[self.number[bone]])

    def landmarks(self, key: Key) -> Landmarks:
        """Of the trunk and head of a key; its hands and feet do not matter."""
        turns: dict[str, Floats] = {"root": _euler(0.0, key.tilt)}
        local = self._spine(key)
        worlds, _ = self._forward(turns, local, key.pelvis)
        self._set_head(turns, worlds, key)
        worlds, places = self._forward(turns, local, key.pelvis)
        head, chest, s = worlds[self.number["head"]], worlds[self.number["spine01"]], self.scale
        eyes = (places[self.number["eye.L"]] + places[self.number["eye.R"]]) / 2
        ears = np.array([eyes + head @ (np.array([x, -0.02, -0.085]) * s) for x in (0.08, -0.08)])
        shoulders = np.array([places[self.number[f"upperarm01.{side}"]] for side in SIDES])
        hips = (places[self.number["upperleg01.L"]] + places[self.number["upperleg01.R"]]) / 2
        breast = shoulders.mean(0) + chest @ (np.array([0.0, -0.1, 0.1]) * s)
        return Landmarks(eyes + head @ (np.array([0.0, -0.075, 0.025]) * s), eyes, ears, shoulders, breast, hips)

    def pose(self, key: Key) -> Posed:
        """Skin the body at one key frame."""
        turns: dict[str, Floats] = {"root": _euler(0.0, key.tilt)}
        local = self._spine(key)
        worlds, places = self._forward(turns, local, key.pelvis)
        self._set_head(turns, worlds, key)
        for side, hand, foot in zip(SIDES, key.hands, key.feet, strict=True):
            self._set_leg(turns, places, side, foot)
            self._lift_shoulder(turns, worlds, places, side, hand)
        worlds, places = self._forward(turns, local, key.pelvis)
        for side, hand in zip(SIDES, key.hands, strict=True):
            self._set_arm(turns, places, side, hand)
            self._set_fingers(local, side, hand.curl)
        worlds, places = self._forward(turns, local, key.pelvis)
        return self._posed(worlds, places, key)

    def _posed(self, worlds: Floats, places: Floats, key: Key) -> Posed:
        turn = _euler(0.0, key.turn[0]) @ _euler(key.turn[1], 0.0)
        palms = []
        for side in SIDES:
            wrist = self.number[f"wrist.{side}"]
            palms.append(places[wrist] + worlds[wrist] @ (self.hand_rest[side][2] - self.rest(f"wrist.{side}")))
        eyes = (places[self.number["eye.L"]] + places[self.number["eye.R"]]) / 2
        gaze = worlds[self.number["head"]] @ np.array([0.0, 0.0, 1.0])
        vertices_V3 = self._skin(worlds, places)
        return Posed(vertices_V3 @ turn.T, np.array(palms) @ turn.T, turn @ eyes, turn @ gaze, turn @ places[0])

    def _skin(self, worlds: Floats, places: Floats) -> Floats:
        shift_B3 = places - np.einsum("bij,bj->bi", worlds, self.anatomy.heads_B3)
        matrix_B34 = np.concatenate([worlds, shift_B3[:, :, None]], 2)
        vertices_V3 = np.zeros_like(self.anatomy.rest_V3)
        rest_V4 = np.concatenate([self.anatomy.rest_V3, np.ones((len(vertices_V3), 1))], 1)
        weights_VW, bone_VW = self.rig.weights_VW, self.rig.bone_of_VW
        for slot in range(weights_VW.shape[1]):
            used_V = np.flatnonzero(weights_VW[:, slot] > 1e-4)
            if len(used_V):
                moved = np.einsum("vij,vj->vi", matrix_B34[bone_VW[used_V, slot]], rest_V4[used_V])
                vertices_V3[used_V] += weights_VW[used_V, slot, None] * moved
        return np.asarray(vertices_V3 / np.maximum(weights_VW.sum(1, keepdims=True), 1e-6))

    def _forward(self, turns: dict[str, Floats], local: dict[str, Floats], pelvis: Floats) -> tuple[Floats, Floats]:
        worlds, places = np.tile(np.eye(3), (len(self.order), 1, 1)), np.zeros_like(self.anatomy.heads_B3)
        for bone in self.order:
            parent, name = self.rig.parents_B[bone], self.rig.bones[bone]
            if parent < 0 or parent == bone:
                worlds[bone], places[bone] = turns[name], self.anatomy.heads_B3[bone] + pelvis
                continue
            places[bone] = places[parent] + worlds[parent] @ (self.anatomy.heads_B3[bone] - self.anatomy.heads_B3[parent])
            worlds[bone] = turns[name] if name in turns else worlds[parent] @ local.get(name, _EYE)
        return worlds, places

    def _spine(self, key: Key) -> dict[str, Floats]:
        share = key.bend / len(SPINE)
        return {bone: _euler(share[1], share[0], share[2]) for bone in SPINE}

    def _set_head(self, turns: dict[str, Floats], worlds: Floats, key: Key) -> None:
        chest = worlds[self.number["spine01"]]
        wanted = Rotation.from_matrix(chest.T @ _euler(key.head[1], key.head[0], key.head[2])).as_rotvec()
        for i, bone in enumerate(NECK):
            turns[bone] = chest @ Rotation.from_rotvec(wanted * (i + 1) / len(NECK)).as_matrix()

    def _set_leg(self, turns: dict[str, Floats], places: Floats, side: str, foot: FootKey) -> None:
        hip0, knee0, ankle0 = (self.rest(f"{bone}.{side}") for bone in ("upperleg01", "lowerleg01", "foot"))
        hip = places[self.number[f"upperleg01.{side}"]]
        plane0 = np.cross([0.0, 0.0, 1.0], ankle0 - hip0)
        upper, lower = _two_bones(hip0, knee0, ankle0, hip, foot.ankle, foot.knee, plane0)
        turns |= {f"upperleg01.{side}": upper, f"lowerleg01.{side}": lower, f"foot.{side}": _euler(foot.yaw, foot.pitch)}

    def _lift_shoulder(self, turns: dict[str, Floats], worlds: Floats, places: Floats, side: str, hand: HandKey) -> None:
        """Shoulders rise and come forward with arms that go up and forward."""
        out = 1.0 if side == "L" else -1.0
        chest = worlds[self.number["spine01"]]
        towards = chest.T @ (hand.palm - places[self.number[f"upperarm01.{side}"]]) / (0.6 * self.scale)
        up, ahead = float(np.clip(towards[1], 0.0, 1.0)), float(np.clip(towards[2], -0.3, 1.0))
        turns[f"clavicle.{side}"] = chest @ _euler(-out * 12.0 * ahead, 0.0, out * 26.0 * up)

    def _set_arm(self, turns: dict[str, Floats], places: Floats, side: str, hand: HandKey) -> None:
        shoulder0, elbow0, wrist0 = (self.rest(f"{bone}.{side}") for bone in ("upperarm01", "lowerarm01", "wrist"))
        fingers0, inside0, palm0 = self.hand_rest[side]
        shoulder = places[self.number[f"upperarm01.{side}"]]
        plane0, along0 = np.cross(elbow0 - shoulder0, wrist0 - elbow0), _unit(wrist0 - elbow0)
        wanted = _frame(hand.fingers, hand.inside) @ _frame(fingers0, inside0).T
        world = wanted
        for _ in range(4):
            upper, lower = _two_bones(shoulder0, elbow0, wrist0, shoulder, hand.palm - world @ (palm0 - wrist0), hand.elbow, plane0)
            twist, swing = _twist_swing(lower.T @ wanted, along0)
            world = lower @ Rotation.from_rotvec(twist).as_matrix() @ Rotation.from_rotvec(swing).as_matrix()
        half = lower @ Rotation.from_rotvec(twist * 0.65).as_matrix()
        quarter = lower @ Rotation.from_rotvec(twist * 0.2).as_matrix()
        turns |= {f"upperarm01.{side}": upper, f"lowerarm01.{side}": quarter, f"lowerarm02.{side}": half, f"wrist.{side}": world}

    def _set_fingers(self, local: dict[str, Floats], side: str, curl: float) -> None:
        fingers0, inside0, _ = self.hand_rest[side]
        hinge = _unit(np.cross(fingers0, inside0))
        for finger in range(2, 6):
            for joint, degrees in ((1, 62.0), (2, 75.0), (3, 50.0)):
                local[f"finger{finger}-{joint}.{side}"] = Rotation.from_rotvec(hinge * np.deg2rad(degrees) * curl).as_matrix()
        thumb = _unit(self.rest(f"finger1-3.{side}") - self.rest(f"finger1-1.{side}"))
        across = _unit(np.cross(thumb, inside0))
        for joint, degrees in ((1, 18.0), (2, 25.0), (3, 25.0)):
            local[f"finger1-{joint}.{side}"] = Rotation.from_rotvec(across * np.deg2rad(degrees) * curl).as_matrix()

    def _hand_rest(self, side: str) -> tuple[Floats, Floats, Floats]:
        """Unit direction of the fingers, unit direction out of the palm, the palm's centre."""
        wrist, index, middle, little = (self.rest(f"{bone}.{side}") for bone in ("wrist", "finger2-1", "finger3-1", "finger5-1"))
        fingers = _unit(middle - wrist)
        inside = _unit(np.cross(fingers, index - little))
        if (self.rest(f"finger1-3.{side}") - (index + little) / 2) @ inside < 0:
            inside = -inside
        return fingers, inside, wrist * 0.3 + middle * 0.7 + inside * 0.03 * self.scale


_EYE = np.eye(3)


def _euler(yaw: float, pitch: float, roll: float = 0.0) -> Floats:
    return np.asarray(Rotation.from_euler("YXZ", [yaw, pitch, roll], degrees=True).as_matrix())


def _unit(vector: npt.ArrayLike) -> Floats:
    array = np.asarray(vector, np.float64)
    return array / max(float(np.linalg.norm(array)), 1e-9)


def _frame(first: Floats, second: Floats) -> Floats:
    a = _unit(first)
    b = _unit(second - a * (second @ a))
    return np.stack([a, b, np.cross(a, b)], 1)


def _two_bones(
    root0: Floats, joint0: Floats, end0: Floats, root: Floats, end: Floats, pole: Floats, plane0: Floats
) -> tuple[Floats, Floats]:
    """Rotations of both bones so that the end is at `end` (or as near as the limb reaches), the joint towards `pole`."""
    first, second = float(np.linalg.norm(joint0 - root0)), float(np.linalg.norm(end0 - joint0))
    reach = float(np.clip(np.linalg.norm(end - root), abs(first - second) + 0.02, (first + second) * 0.995))
    along = _unit(end - root)
    aside = _unit(pole - along * (pole @ along))
    cos = np.clip((first**2 + reach**2 - second**2) / (2 * first * reach), -1.0, 1.0)
    joint = root + first * (cos * along + np.sqrt(1 - cos**2) * aside)
    plane = np.cross(aside, along)
    upper = _frame(joint - root, plane) @ _frame(joint0 - root0, plane0).T
    return upper, _frame(root + reach * along - joint, plane) @ _frame(end0 - joint0, plane0).T


def _twist_swing(turn: Floats, axis: Floats) -> tuple[Floats, Floats]:
    """A rotation as a turn about the axis, then a bend, each as a rotation vector within what a forearm and a wrist can do."""
    x, y, z, w = Rotation.from_matrix(turn).as_quat()
    about = float(np.array([x, y, z]) @ axis)
    angle = 2 * np.arctan2(about, w)
    angle = (angle + np.pi) % (2 * np.pi) - np.pi
    twist = axis * angle
    swing = (Rotation.from_rotvec(-twist) * Rotation.from_matrix(turn)).as_rotvec()
    size = float(np.linalg.norm(swing))
    kept = float(np.clip(angle, -MAX_FOREARM_TWIST, MAX_FOREARM_TWIST))
    return axis * kept, swing * min(1.0, MAX_WRIST_BEND / max(size, 1e-9))


def _parents_first(parents_B: npt.NDArray[np.int32]) -> list[int]:
    depth = []
    for bone in range(len(parents_B)):
        steps, at = 0, bone
        while parents_B[at] >= 0 and parents_B[at] != at:
            at, steps = int(parents_B[at]), steps + 1
        depth.append(steps)
    return [int(bone) for bone in np.argsort(depth, kind="stable")]
