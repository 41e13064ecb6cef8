"""What the people do: actions in postures as key frames of palms, feet and gaze, fitted to one skeleton. A table of small functions.

Lengths are of a person of 1.75 m and scale with the body, but tables and chairs are as high as they are.
`o` is +1 for the left hand and -1 for the right one.
Bend and head are (pitch, yaw, roll) in degrees: pitch > 0 is forward or down, yaw > 0 to the left.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from model.synth.body_skeleton import SIDES, FootKey, HandKey, Key, Landmarks, Skeleton, between

Floats = npt.NDArray[np.float64]
TABLE_M = 0.75
CHAIR_M = 0.45
HIPS_ABOVE_SEAT = 0.085


@dataclass(frozen=True, slots=True)
class Take:
    """Key frames of one action; `seat_m` is the height sat on, lying and standing bodies have 0."""

    posture: str
    action: str
    keys: tuple[Key, ...]
    seat_m: float = 0.0


class Poser:
    """Builds keys for one skeleton; `side` (0 left, 1 right) is the hand that acts, chosen by the generator."""

    def __init__(self, skeleton: Skeleton, rng: np.random.Generator) -> None:
        self.skeleton, self.rng, self.s = skeleton, rng, skeleton.scale
        self.side = int(rng.random() < 0.7)

    def v(self, x: float, y: float, z: float) -> Floats:
        """A vector in scaled metres."""
        return np.array([x, y, z]) * self.s

    def stand(
        self, bend: Sequence[float] = (0.0, 0.0, 0.0), head: Sequence[float] = (0.0, 0.0, 0.0), wide: float = 0.0, down: float = 0.0
    ) -> Key:
        """Upright with arms hanging; `wide` moves the feet apart, `down` lowers the pelvis (metres)."""
        feet = []
        for o, name in zip((1.0, -1.0), SIDES, strict=True):
            ankle = self.skeleton.rest(f"foot.{name}") * np.array([0.75, 1.0, 1.0]) + np.array([o * wide / 2, 0.0, 0.0])
            feet.append(FootKey(ankle, np.array([o * 0.25, 0.0, 1.0]), o * 9.0))
        return self._key(np.array([0.0, -down - 0.004, 0.0]), 0.0, bend, head, feet)

    def sit(self, seat_m: float = CHAIR_M, bend: Sequence[float] = (2.0, 0.0, 0.0), head: Sequence[float] = (0.0, 0.0, 0.0)) -> Key:
        """On a chair, thighs level, feet on the floor where legs reach it."""
        hip, knee, ankle = (self.skeleton.rest(f"{bone}.L") for bone in ("upperleg01", "lowerleg01", "foot"))
        thigh, shin = float(np.linalg.norm(knee - hip)), float(np.linalg.norm(ankle - knee))
        hips_y = seat_m + HIPS_ABOVE_SEAT * self.s
        feet = []
        for o in (1.0, -1.0):
            low = max(float(ankle[1]), hips_y - shin - 0.02)
            feet.append(FootKey(np.array([o * 0.12 * self.s, low, hip[2] + thigh * 0.98]), np.array([o * 0.12, 0.6, 1.0]), o * 8.0, 0.0))
        return self._key(np.array([0.0, hips_y - hip[1], 0.0]), -6.0, bend, head, feet)

    def ground(self, stretched: bool, head: Sequence[float] = (0.0, 0.0, 0.0)) -> Key:
        """On the floor, knees up or one leg stretched."""
        hip, ankle = self.skeleton.rest("upperleg01.L"), self.skeleton.rest("foot.L")
        hips_y = HIPS_ABOVE_SEAT * self.s + 0.01
        feet = []
        for i, o in enumerate((1.0, -1.0)):
            ahead = 0.84 if stretched and i == 0 else 0.45
            pitch = -55.0 if stretched and i == 0 else 0.0
            ankle_3 = self.v(o * 0.13, 0.0, ahead) + np.array([0.0, ankle[1], hip[2]])
            feet.append(FootKey(ankle_3, np.array([o * 0.3, 1.0, 0.3]), o * 12.0, pitch))
        return self._key(np.array([0.0, hips_y - hip[1], 0.0]), -14.0, (22.0, 0.0, 0.0), head, feet)

    def crouch(self, head: Sequence[float] = (5.0, 0.0, 0.0)) -> Key:
        """Squats on its toes, trunk bent forward."""
        key = self.stand((22.0, 0.0, 0.0), head, wide=0.12, down=0.52 * self.s)
        feet = tuple(replace(foot, ankle=foot.ankle + self.v(0.0, 0.05, 0.06), pitch=22.0) for foot in key.feet)
        return self._hang(replace(key, tilt=16.0, pelvis=key.pelvis + self.v(0.0, 0.0, -0.12), feet=(feet[0], feet[1])))

    def lie(self, roll: float = 0.0, head: Sequence[float] = (0.0, 0.0, 0.0)) -> Key:
        """On the back with the head at -z; `roll` in degrees turns it to a side (90: on its right side)."""
        key = self.stand((0.0, 0.0, 0.0), head)
        feet = tuple(replace(foot, ankle=foot.ankle + self.v(0.0, 0.02 + 0.05 * i, 0.0), pitch=38.0) for i, foot in enumerate(key.feet))
        if roll:
            feet = tuple(
                replace(foot, ankle=foot.ankle + self.v(0.0, 0.22, -0.12 + 0.06 * i), pitch=30.0) for i, foot in enumerate(key.feet)
            )
        return replace(key, feet=(feet[0], feet[1]), turn=np.array([-90.0, roll, 0.0]))

    def _key(self, pelvis: Floats, tilt: float, bend: Sequence[float], head: Sequence[float], feet: Sequence[FootKey]) -> Key:
        nothing = HandKey(np.zeros(3), np.array([0.0, -1.0, 0.0]), np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, -1.0]))
        bent, turned = np.array(bend, np.float64), np.array(head, np.float64)
        return self._hang(Key(pelvis, tilt, bent, turned, (nothing, nothing), (feet[0], feet[1]), np.zeros(3)))

    def _hang(self, key: Key) -> Key:
        marks = self.marks(key)
        return replace(key, hands=(self.hanging(marks, 0), self.hanging(marks, 1)))

    def marks(self, key: Key) -> Landmarks:
        """Where trunk and head are."""
        return self.skeleton.landmarks(key)

    def hanging(self, marks: Landmarks, side: int) -> HandKey:
        """An arm that hangs beside the body."""
        o = 1.0 if side == 0 else -1.0
        palm = marks.shoulders_H3[side] + self.v(o * 0.11, -0.62, 0.05)
        return HandKey(palm, np.array([0.0, -1.0, 0.15]), np.array([-o, 0.0, -0.15]), np.array([o * 0.5, 0.0, -1.0]), 0.25)

    def hand(
        self,
        side: int,
        palm: Floats,
        fingers: Sequence[float],
        inside: Sequence[float],
        elbow: Sequence[float] = (0.5, -1.0, -0.4),
        curl: float = 0.2,
        grips: bool = False,
    ) -> HandKey:
        """Directions are given for the left hand and mirrored for the right one; the palm is not."""
        mirror = np.array([1.0 if side == 0 else -1.0, 1.0, 1.0])
        return HandKey(palm, np.array(fingers) * mirror, np.array(inside) * mirror, np.array(elbow) * mirror, curl, grips)

    def at(self, side: int, origin: Floats, x: float, y: float, z: float) -> Floats:
        """A point beside `origin`: x outwards to that hand's side."""
        return origin + self.v(x if side == 0 else -x, y, z)

    def with_hands(self, key: Key, *hands: HandKey) -> Key:
        """The key with the acting hand replaced (one given) or both (left, right)."""
        if len(hands) == 2:
            return replace(key, hands=(hands[0], hands[1]))
        both = [key.hands[0], key.hands[1]]
        both[self.side] = hands[0]
        return replace(key, hands=(both[0], both[1]))

    def leaning_to(self, key: Key, palm: Floats) -> Key:
        """Bent forward as much more as the acting hand needs to come to `palm` (30 degrees at most); arms are as they were."""
        name = SIDES[self.side]
        shoulder, elbow, wrist = (self.skeleton.rest(f"{bone}.{name}") for bone in ("upperarm01", "lowerarm01", "wrist"))
        reach = 0.98 * float(np.linalg.norm(elbow - shoulder) + np.linalg.norm(wrist - elbow)) + 0.06 * self.s
        for _ in range(10):
            if float(np.linalg.norm(self.marks(key).shoulders_H3[self.side] - palm)) <= reach:
                break
            key = replace(key, bend=key.bend + np.array([3.0, 0.0, 0.0]))
        return key

    def look_at(self, key: Key, point: Floats, share: float = 1.0) -> Key:
        """Turn the head to a point, as far as a neck does."""
        way = point - self.marks(key).eyes
        yaw = np.degrees(np.arctan2(way[0], way[2]))
        pitch = np.degrees(np.arctan2(-way[1], np.hypot(way[0], way[2])))
        return replace(key, head=np.array([np.clip(pitch, -35, 46), np.clip(yaw, -70, 70), 0.0]) * share)

    def look_at_hand(self, key: Key, share: float = 1.0) -> Key:
        """At the acting hand."""
        return self.look_at(key, key.hands[self.side].palm, share)

    def turned(self, key: Key, yaw: float, pitch: float = 0.0) -> Key:
        """Turn the head by angles."""
        return replace(key, head=np.array([pitch, yaw, 0.0]))


def halfway(*keys: Key) -> tuple[Key, ...]:
    """The keys with the middle of each two put between, so that palms do not cut corners through the body."""
    out = [keys[0]]
    for before, after in pairwise(keys):
        out += [between(before, after, 0.5), after]
    return tuple(out)
