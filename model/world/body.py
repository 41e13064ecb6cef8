"""From a person's pose to joints: a skeleton without arms (those follow the hands). Deterministic; draws nothing."""

from dataclasses import dataclass

import numpy as np

from model.world.scene import CROUCH, FLOOR, JUMP, LEAN, LIE, SIT, STAND, People
from model.world.space import UP, heading, spread, unit
from model.world.things import Bool, Float

SIDE_A: Float = np.array([-1.0, 1.0])
"""Right, left: the sign along `left`."""

PELVIS_SHARE = {STAND: 0.52, SIT: 0.06, LIE: 0.07, CROUCH: 0.22, LEAN: 0.52, FLOOR: 0.06, JUMP: 0.5}
"""Height of the pelvis above what carries it, as a share of body height."""


@dataclass(frozen=True, slots=True)
class Body:
    """Joints and trunk axes of two people a scene: `up` along the spine, `chest` out of it, `left` across."""

    pelvis_SQ3: Float
    neck_SQ3: Float
    head_SQ3: Float
    up_SQ3: Float
    chest_SQ3: Float
    left_SQ3: Float
    crown_SQ3: Float
    shoulders_SQA3: Float
    hips_SQA3: Float
    knees_SQA3: Float
    ankles_SQA3: Float
    toes_SQA3: Float


def pose_body(people: People) -> Body:
    """Joints of every person."""
    height = spread(people.height_SQ)
    forward, left = heading(people.facing_SQ), heading(people.facing_SQ + np.pi / 2)
    lean, upright = spread(np.sin(people.tilt_SQ)), spread(np.cos(people.tilt_SQ))
    up, chest = upright * UP + lean * forward, upright * forward - lean * UP
    roll_cos, roll_sin = spread(np.cos(people.roll_SQ)), spread(np.sin(people.roll_SQ))
    across, chest = roll_cos * left + roll_sin * chest, roll_cos * chest - roll_sin * left
    share = np.vectorize(PELVIS_SHARE.__getitem__)(people.pose_SQ) * people.height_SQ
    pelvis = people.root_SQ3 + spread(people.base_SQ + share) * UP
    neck = pelvis + 0.3 * height * up
    crown = unit(up + 0.6 * UP * spread(people.pose_SQ != LIE))
    sides = SIDE_A[:, None] * across[:, :, None]
    reach = height[:, :, None]
    hips = pelvis[:, :, None] + 0.06 * reach * sides
    knees = hips + 0.245 * reach * unit(_thighs(people, forward, left))
    ankles = knees + 0.24 * reach * unit(_shins(people, forward, left))
    ankles[..., 2] = np.maximum(ankles[..., 2], 0.04)
    return Body(
        pelvis_SQ3=pelvis,
        neck_SQ3=neck,
        head_SQ3=neck + 0.095 * height * crown,
        up_SQ3=up,
        chest_SQ3=chest,
        left_SQ3=across,
        crown_SQ3=crown,
        shoulders_SQA3=(neck - 0.03 * height * up)[:, :, None] + 0.112 * reach * sides,
        hips_SQA3=hips,
        knees_SQA3=knees,
        ankles_SQA3=ankles,
        toes_SQA3=ankles + 0.1 * reach * forward[:, :, None] - 0.02 * UP,
    )


def _posed(people: People, *poses: int) -> Bool:
    return np.isin(people.pose_SQ, poses)[..., None, None]


def _thighs(people: People, forward: Float, left: Float) -> Float:
    """Direction from hip to knee, by pose."""
    ahead, out, lift = (people.limbs_SQA4[..., part, None] for part in (0, 1, 2))
    front, side = forward[:, :, None], SIDE_A[:, None] * left[:, :, None]
    return np.select(
        [_posed(people, STAND, LEAN), _posed(people, SIT), _posed(people, LIE), _posed(people, CROUCH), _posed(people, FLOOR)],
        [
            -UP + front * np.abs(ahead) * 0.12,
            front + side * np.abs(out) * 0.25 + UP * lift * 0.08,
            front + UP * np.abs(lift) * 0.25,
            front + 0.4 * UP + side * 0.4,
            front + UP * np.abs(lift) * 0.6 + side * 0.4,
        ],
        -UP + front * np.abs(ahead) * 0.4,
    )


def _shins(people: People, forward: Float, left: Float) -> Float:
    """Direction from knee to ankle, by pose."""
    swing = people.limbs_SQA4[..., 3, None]
    front, side = forward[:, :, None], SIDE_A[:, None] * left[:, :, None]
    return np.select(
        [_posed(people, STAND, LEAN), _posed(people, SIT), _posed(people, LIE), _posed(people, CROUCH), _posed(people, FLOOR)],
        [
            -UP - front * np.abs(swing) * 0.08,
            -UP + front * swing * 0.3,
            front - UP * np.abs(swing) * 0.15,
            -UP - front,
            front * 0.6 - UP * 0.4 - side * 0.5,
        ],
        -UP - front * np.abs(swing) * 0.4,
    )
