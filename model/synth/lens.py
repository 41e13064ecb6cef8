"""Where a clip is filmed from: near one person or over the whole room, at any height, with a hand that is not quite still."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.render.room import look_at
from model.synth.moment import Matrix, Vector
from model.synth.plan import Plan

WALL_M = 0.12
TRIES = 90


@dataclass(frozen=True, slots=True)
class Lens:
    """A camera that drifts about its place, and sometimes pans; `pan` in radians over the clip."""

    eye_3: Vector
    target_3: Vector
    yfov: float
    drift_m: float
    phase: float
    pan: float
    duration_s: float

    def at(self, time_s: float) -> Matrix:
        """The camera's pose."""
        wave = np.array([math.sin(1.3 * time_s + self.phase), math.sin(1.9 * time_s + 2 * self.phase), math.cos(1.1 * time_s + self.phase)])
        angle = self.pan * (time_s / self.duration_s - 0.5)
        way = self.target_3 - self.eye_3
        cos, sin = math.cos(angle), math.sin(angle)
        turned = np.array([way[0] * cos + way[2] * sin, way[1], way[2] * cos - way[0] * sin])
        return look_at(self.eye_3 + self.drift_m * wave, self.eye_3 + turned + self.drift_m * wave[::-1])


@dataclass(frozen=True, slots=True)
class Sitter:
    """Who is filmed: the eyes, the pelvis, and where the body faces."""

    eyes_3: Vector
    pelvis_3: Vector
    facing_rad: float


def find_lens(plan: Plan, sitters: Sequence[Sitter], rng: np.random.Generator, duration_s: float) -> Lens:
    """The place in the room, out of all things, from which most of the people show; the first that shows the chosen one whole will do."""
    nobody = Sitter(np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.6, 0.0]), 0.0)
    chosen = sitters[int(rng.integers(len(sitters)))] if sitters else nobody
    close = rng.random() < 0.5 or len(sitters) < 2
    yfov = float(rng.uniform(0.62, 0.85) if close else rng.uniform(0.75, 1.05))
    group = [chosen] if close else [chosen, chosen, *sitters]
    target_3 = np.mean([sitter.eyes_3 * 0.4 + sitter.pelvis_3 * 0.6 for sitter in group], axis=0) + rng.normal(0, 0.1, 3)
    best, best_score = _corner(plan), 0.0
    for attempt in range(TRIES):
        eye_3 = _candidate(plan, chosen, rng, close and attempt < 60, wide=attempt > 40)
        if not _stands_free(plan, eye_3):
            continue
        own, others = _shown(plan, eye_3, target_3, yfov, [chosen]), _shown(plan, eye_3, target_3, yfov, sitters)
        if 3 * own + others > best_score:
            best, best_score = eye_3, 3 * own + others
        if own == 2 and (close or others > len(sitters)):
            break
    return Lens(
        eye_3=best,
        target_3=target_3,
        yfov=yfov,
        drift_m=float(rng.uniform(0.0, 0.03)),
        phase=float(rng.uniform(0, 6.28)),
        pan=float(rng.uniform(-0.25, 0.25)) if rng.random() < 0.3 else 0.0,
        duration_s=duration_s,
    )


def _shown(plan: Plan, eye_3: Vector, target_3: Vector, yfov: float, sitters: Sequence[Sitter]) -> int:
    """How many of the eyes and pelvises are in the picture and not hidden."""
    view = look_at(eye_3, target_3)
    shown = 0
    for point_3 in (point for sitter in sitters for point in (sitter.eyes_3, sitter.pelvis_3)):
        x, y, z = (point_3 - eye_3) @ view[:3, :3]
        edge = -z * math.tan(yfov / 2)
        shown += bool(abs(y) < 0.9 * edge and abs(x) < 1.5 * edge and plan.sees(eye_3, point_3))
    return shown


def _candidate(plan: Plan, sitter: Sitter, rng: np.random.Generator, close: bool, *, wide: bool) -> Vector:
    spread = math.pi if wide or rng.random() < 0.12 else 1.35
    angle = sitter.facing_rad + rng.uniform(-spread, spread)
    away = rng.uniform(1.5, 2.4) if close else rng.uniform(2.2, 4.5)
    height = rng.uniform(1.8, 2.35) if rng.random() < 0.25 else rng.uniform(0.75, 1.7)
    middle = sitter.pelvis_3
    return np.array([middle[0] + math.sin(angle) * away, min(height, plan.height - 0.15), middle[2] + math.cos(angle) * away])


def _stands_free(plan: Plan, eye_3: Vector) -> bool:
    if abs(eye_3[0]) > plan.width / 2 - WALL_M or abs(eye_3[2]) > plan.depth / 2 - WALL_M:
        return False
    return not any(((eye_3 > box[0] - WALL_M) & (eye_3 < box[1] + WALL_M)).all() for box in plan.boxes)


def _corner(plan: Plan) -> Vector:
    corners = [
        np.array([x, min(2.1, plan.height - 0.2), z])
        for x in (plan.width / 2 - 0.25, 0.25 - plan.width / 2)
        for z in (plan.depth / 2 - 0.25, 0.25 - plan.depth / 2)
    ]
    return next((corner for corner in corners if _stands_free(plan, corner)), corners[0])
