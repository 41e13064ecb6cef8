"""How a thing goes with a hand: its pose from palms and eyes at every moment. Pure numpy.

H hands (left, right); all in the holder's own frame: y up, looks along +z.
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from model.synth.figures import Figure, Stance
from model.synth.moment import Matrix, Vector

BOTH = 2
"""Hand of a thing that is carried between the two palms."""
EPSILON = 1e-3


class Grip(Enum):
    """FIXED keeps its turn; FACES turns its -z side to the eyes; STICK runs through both palms; TO_FLOOR stands."""

    FIXED = "fixed"
    FACES = "faces"
    STICK = "stick"
    TO_FLOOR = "to floor"


@dataclass(frozen=True, slots=True)
class Hold:
    """A thing in a hand (0, 1, BOTH): `offset` leads from the palm to the thing. Between the shares `since` and `until` of the key frames
    the hand has it; before and after it stays where it was taken or put."""

    hand: int
    offset: Matrix
    grip: Grip = Grip.FIXED
    since: float = 0.0
    until: float = 1.0

    def holds(self, share: float) -> bool:
        """Is it in the hand?"""
        return self.since - EPSILON <= share <= self.until + EPSILON

    def pose(self, figure: Figure, share: float) -> Matrix:
        """Of the thing, in the holder's frame."""
        stance = figure.at(min(max(share, self.since), self.until))
        if self.grip is Grip.STICK:
            return _along(stance.palms_H3) @ self.offset
        out = np.eye(4)
        out[:3, 3] = stance.palms_H3.mean(0) if self.hand == BOTH else stance.palms_H3[self.hand]
        if self.grip is Grip.FACES:
            out[:3, :3] = _facing(out[:3, 3], stance, lying=figure.posture == "lying")
        out = out @ self.offset
        if self.grip is Grip.TO_FLOOR:
            out[1, 3] = 0.0
        return np.asarray(out)


def gripping(figure: Figure, hand: int) -> tuple[float, float] | None:
    """From which share of the key frames to which the hand may hold; None if never."""
    keys = np.flatnonzero(figure.grip_KH[:, hand])
    if not len(keys):
        return None
    last = max(figure.num_keys - 1, 1)
    return float(keys[0] / last), 1.0 if figure.num_keys == 1 else float(keys[-1] / last)


def _facing(palm_3: Vector, stance: Stance, *, lying: bool) -> Vector:
    away = palm_3 - stance.eyes_3
    away = away / max(float(np.linalg.norm(away)), 1e-6)
    up = np.array([0.0, 0.0, -1.0]) if lying else np.array([0.0, 1.0, 0.0])
    right = np.cross(up, away)
    right /= max(float(np.linalg.norm(right)), 1e-6)
    return np.stack([right, np.cross(away, right), away], axis=1)


def _along(palms_H3: Vector) -> Matrix:
    """Origin where the line through both palms meets the floor, y along it."""
    upper, lower = sorted(palms_H3, key=lambda palm: -palm[1])
    drop = max(float(upper[1] - lower[1]), 0.1)
    foot = lower + (lower - upper) * float(lower[1]) / drop
    up = (upper - foot) / np.linalg.norm(upper - foot)
    right = np.cross(up, [0.0, 0.0, 1.0])
    right /= max(float(np.linalg.norm(right)), 1e-6)
    out = np.eye(4)
    out[:3, 0], out[:3, 1], out[:3, 2], out[:3, 3] = right, up, np.cross(right, up), foot
    return out
