"""Poses, dresses and stands one person for one action: from anatomy to BodyModel.

Legend: K key frames, V vertices, H hands (left, right).
"""

import zlib

import numpy as np
import numpy.typing as npt

from model.synth.body_actions import ACTIONS
from model.synth.body_anatomy import NUM_BODY, Anatomy
from model.synth.body_dress import Wardrobe
from model.synth.body_people import Person
from model.synth.body_poses import Poser, Take
from model.synth.body_skeleton import Posed, Skeleton
from model.synth.moment import BodyModel

Floats = npt.NDArray[np.float64]
LYING_SINKS_M = 0.015


def bake_body(person: Person, action: str, anatomy: Anatomy) -> BodyModel:
    """Key frames of one action, dressed."""
    skeleton = Skeleton(anatomy)
    rng = np.random.default_rng([person.seed, zlib.crc32(action.encode())])
    take = ACTIONS[action](Poser(skeleton, rng))
    posed = [skeleton.pose(key) for key in take.keys]
    shift_3 = _to_ground(take, posed)
    wardrobe = Wardrobe(person, anatomy)
    worn = [wardrobe.put_on(one.vertices_V3 + shift_3) for one in posed]
    return BodyModel(
        identity=person.name,
        split=person.split,
        posture=take.posture,
        action=take.action,
        key_vertices_KV3=np.stack([vertices_V3 for vertices_V3, _ in worn]),
        normals_KV3=np.stack([normals_V3 for _, normals_V3 in worn]),
        parts=wardrobe.parts,
        palms_KH3=np.stack([one.palms_H3 + shift_3 for one in posed]).astype(np.float32),
        eyes_K3=np.stack([one.eyes_3 + shift_3 for one in posed]).astype(np.float32),
        gaze_K3=np.stack([one.gaze_3 for one in posed]).astype(np.float32),
        grip_KH=np.array([[hand.grips for hand in key.hands] for key in take.keys]),
        seat_m=take.seat_m,
        pelvis_z_m=float(posed[0].pelvis_3[2] + shift_3[2]),
    )


def _to_ground(take: Take, posed: list[Posed]) -> Floats:
    """What to move all key frames by so that the lowest point is on the ground and a lying body about the origin; chair sitters stay."""
    if take.seat_m:
        return np.zeros(3)
    lowest = min(float(one.vertices_V3[:NUM_BODY, 1].min()) for one in posed)
    if take.posture != "lying":
        return np.array([0.0, -lowest, 0.0])
    low, high = posed[0].vertices_V3[:NUM_BODY].min(0), posed[0].vertices_V3[:NUM_BODY].max(0)
    return np.array([-(low[0] + high[0]) / 2, -lowest - LYING_SINKS_M, -(low[2] + high[2]) / 2])
