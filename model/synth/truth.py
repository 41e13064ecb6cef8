"""Which relations hold between people and things at one moment, from 3-D contact, support and gaze. Deterministic; knows no renderer.

Conventions of angles are those of the box world (model.world.truth): spatial relations are the thing's, in the frame of the person's body.
H hands (left, right); metres, y up.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from model.synth.moment import Matrix, Vector
from model.synth.stock import Form, distance
from model.vocabulary import CONTACTING, SPATIAL
from model.world.truth import BEHIND_RAD, BESIDE_RAD, IN_FRONT_RAD, NEAR_BODY_M

TOUCH_M = 0.05
LISTED_M = 3.2
MOUTH_M = 0.17
CONE_RAD, OWN_CONE_RAD, DOUBT_RAD = 0.16, 0.3, 0.12
EYES_RAD = 0.15
"""Eyes go further down than the head does, to what is in the hands."""
DRINKS = frozenset({"cup", "wine glass", "bottle"})
FOODS = frozenset({"apple", "banana", "orange", "carrot", "broccoli", "sandwich", "hot dog", "pizza", "donut", "cake"})
BULKY = frozenset(
    {"laptop", "box", "backpack", "handbag", "suitcase", "groceries", "dog", "cat", "potted plant", "vacuum", "chair", "umbrella"}
)
UPRIGHT = ("standing", "other")


@dataclass(frozen=True, slots=True)
class Target:
    """A thing at one moment. Its local box is `bounds_23`; `rests_on_furniture` as a cup on a table does."""

    id: int
    label: str
    form: Form
    pose: Matrix
    rests_on_furniture: bool = False

    @property
    def centre_3(self) -> Vector:
        """Middle of the box, in the world."""
        return np.asarray(self.pose[:3, :3] @ self.form.bounds_23.mean(0) + self.pose[:3, 3])

    @property
    def scale(self) -> float:
        """Poses scale evenly."""
        return float(np.linalg.norm(self.pose[:3, 0]))


@dataclass(frozen=True, slots=True)
class Ties:
    """What a person has to do with things, by construction: ids."""

    support: int
    held: tuple[int, int] = (-1, -1)
    worn: frozenset[int] = frozenset()
    on_back: frozenset[int] = frozenset()
    covered_by: frozenset[int] = frozenset()
    leans_on: frozenset[int] = frozenset()
    wipes: frozenset[int] = frozenset()
    writes_on: frozenset[int] = frozenset()
    inside: frozenset[int] = frozenset()
    feet_on: int = -1


@dataclass(frozen=True, slots=True)
class Subject:
    """A person at one moment, in the world. `facing_rad` is the yaw of the body."""

    id: int
    posture: str
    facing_rad: float
    pelvis_3: Vector
    eyes_3: Vector
    gaze_3: Vector
    palms_H3: Vector
    top_m: float
    ties: Ties


@dataclass(frozen=True, slots=True)
class Facts:
    """Relations of one moment, and which thing each hand (left, right) of each person touches."""

    relations: list[tuple[int, str, int]] = field(default_factory=list)
    touches: dict[int, tuple[int, int]] = field(default_factory=dict)


def facts(subjects: Iterable[Subject], targets: Sequence[Target]) -> Facts:
    """All relations of each person with every thing within reach of eye or tie."""
    out = Facts()
    for subject in subjects:
        gaps_TH = [_palm_gaps(subject, target) for target in targets]
        out.touches[subject.id] = _touched(subject, targets, gaps_TH)
        for target, gaps_H in zip(targets, gaps_TH, strict=True):
            if not _is_tied(subject.ties, target.id) and _ground_gap(subject, target)[1] > LISTED_M:
                continue
            palm_touch = bool((gaps_H < TOUCH_M).any())
            out.relations.append((subject.id, attention(subject, target), target.id))
            out.relations.extend((target.id, name, subject.id) for name in spatial(subject, target))
            out.relations.extend((subject.id, name, target.id) for name in contacting(subject, target, palm_touch))
    return out


def attention(subject: Subject, target: Target) -> str:
    """Looking within a cone as wide as the thing; unsure just outside it."""
    if target.label == "floor":
        return "looking_at" if subject.gaze_3[1] < -0.8 and not any(held >= 0 for held in subject.ties.held) else "not_looking_at"
    away = target.centre_3 - subject.eyes_3
    far = float(np.linalg.norm(away))
    angle = math.acos(float(np.clip(away @ subject.gaze_3 / max(far, 1e-6), -1, 1)))
    cone = CONE_RAD + 0.7 * math.atan(float(np.sort(target.form.size_3)[1]) * target.scale / 2 / max(far, 1e-6))
    if target.id in subject.ties.held or target.id in subject.ties.writes_on:
        cone += EYES_RAD
    if target.id == subject.ties.support:
        cone = min(cone, OWN_CONE_RAD)
    if angle < cone:
        return "looking_at"
    return "unsure" if angle < cone + DOUBT_RAD else "not_looking_at"


def spatial(subject: Subject, target: Target) -> Iterator[str]:
    """Where the thing is, seen from the person's body, in the vocabulary's order."""
    holds = _spatial(subject, target)
    yield from (name for name in SPATIAL if name in holds)


def contacting(subject: Subject, target: Target, palm_touch: bool) -> Iterator[str]:
    """Every contact that holds, or not_contacting."""
    holds = {name for name, held in _contacts(subject, target, palm_touch) if held}
    yield from (name for name in CONTACTING if name in holds) if holds else ("not_contacting",)


def _spatial(subject: Subject, target: Target) -> set[str]:
    ties = subject.ties
    if target.label == "floor" or target.id == ties.support:
        return {"beneath"} | ({"in"} if target.id in ties.inside else set())
    if target.id in ties.inside:
        return {"in"}
    if target.id in ties.covered_by:
        return {"above"}
    nearest, gap = _ground_gap(subject, target)
    bottom, top = _span(target)
    small_on_table = target.rests_on_furniture and top > 0.3
    if top < subject.pelvis_3[1] + 0.02 and gap < NEAR_BODY_M and not small_on_table:
        return {"beneath"}
    if bottom > subject.top_m and gap < 1.2:
        return {"above"}
    if subject.posture == "lying":
        return {"in_front_of"} if bottom > subject.pelvis_3[1] else {"on_the_side_of"}
    return _around(*_in_body_frame(subject, (nearest + target.centre_3) / 2), gap)


def _around(ahead: float, aside: float, gap: float) -> set[str]:
    angle = abs(math.atan2(aside, ahead))
    out = {"in_front_of"} if angle < IN_FRONT_RAD else set()
    if angle > BEHIND_RAD and gap > 0.05:
        out.add("behind")
    if BESIDE_RAD < angle < BEHIND_RAD + 0.2 and math.hypot(ahead, aside) > 0.12:
        out.add("on_the_side_of")
    return out or {"on_the_side_of"}


def _contacts(subject: Subject, target: Target, palm_touch: bool) -> Iterator[tuple[str, bool]]:
    ties, label = subject.ties, target.label
    held, support = target.id in ties.held, target.id == ties.support
    worn, back = target.id in ties.worn, target.id in ties.on_back
    at_mouth = held and _at_mouth(subject, target)
    leaning = target.id in ties.leans_on
    yield "carrying", (held and label in BULKY and subject.posture in UPRIGHT) or back
    yield "covered_by", target.id in ties.covered_by
    yield "drinking_from", at_mouth and label in DRINKS
    yield "eating", at_mouth and label in FOODS
    yield "have_it_on_the_back", back
    yield "holding", held
    yield "leaning_on", leaning
    yield "lying_on", support and subject.posture == "lying"
    yield "sitting_on", support and subject.posture == "sitting"
    yield "standing_on", support and subject.posture in UPRIGHT
    wiping = target.id in ties.wipes and palm_touch
    yield "touching", (palm_touch or target.id == ties.feet_on) and not (held or support or worn or back or leaning or wiping)
    yield "wearing", worn or back
    yield "wiping", wiping
    yield "writing_on", target.id in ties.writes_on and palm_touch


def _at_mouth(subject: Subject, target: Target) -> bool:
    mouth_3 = subject.eyes_3 + np.array([0.0, -0.09, 0.0]) + 0.03 * subject.gaze_3
    return float(distance(mouth_3[None], target.form, target.pose)[0]) < MOUTH_M - 0.07


def _touched(subject: Subject, targets: Sequence[Target], gaps_TH: Sequence[Vector]) -> tuple[int, int]:
    out = []
    for hand in range(2):
        if subject.ties.held[hand] >= 0:
            out.append(subject.ties.held[hand])
            continue
        gap, best = min(((float(gaps_H[hand]), target.id) for target, gaps_H in zip(targets, gaps_TH, strict=True)), default=(math.inf, -1))
        out.append(best if gap < TOUCH_M else -1)
    return out[0], out[1]


def _palm_gaps(subject: Subject, target: Target) -> Vector:
    return distance(subject.palms_H3, target.form, target.pose)


def _ground_gap(subject: Subject, target: Target) -> tuple[Vector, float]:
    """The point of the thing's box nearest to the pelvis's place on the ground, and how far it is, on the ground."""
    feet = subject.pelvis_3 * np.array([1.0, 0.0, 1.0])
    local = (feet - target.pose[:3, 3]) @ target.pose[:3, :3] / target.scale**2
    nearest = target.pose[:3, :3] @ local.clip(*target.form.bounds_23) + target.pose[:3, 3]
    return nearest, float(np.linalg.norm((nearest - feet)[[0, 2]]))


def _in_body_frame(subject: Subject, point_3: Vector) -> tuple[float, float]:
    offset = point_3 - subject.pelvis_3
    cos, sin = math.cos(subject.facing_rad), math.sin(subject.facing_rad)
    return float(offset[0] * sin + offset[2] * cos), float(offset[0] * cos - offset[2] * sin)


def _span(target: Target) -> tuple[float, float]:
    """Lowest and highest point."""
    low, high = target.form.bounds_23
    heights = [
        (target.pose[1, :3] * np.array([x, y, z])).sum() for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])
    ]
    return float(min(heights) + target.pose[1, 3]), float(max(heights) + target.pose[1, 3])


def _is_tied(ties: Ties, target: int) -> bool:
    groups = (ties.worn, ties.on_back, ties.covered_by, ties.leans_on, ties.wipes, ties.writes_on, ties.inside)
    return target in (ties.support, *ties.held) or any(target in group for group in groups)
