"""How things and people move during a clip: functions of time. Pure numpy."""

import math
from collections.abc import Callable

import numpy as np

from model.synth.moment import Matrix

Motion = Callable[[float], Matrix]
"""Seconds to a pose in the thing's own frame at rest; the identity is at rest."""
Pace = Callable[[float], float]
"""Seconds to the share of the way between the first and last key frame."""


def still(_: float) -> Matrix:
    """Stays."""
    return np.eye(4)


def sway(rng: np.random.Generator) -> Motion:
    """Turns and breathes a little, as a body does that is not quite still; sometimes it turns as for a glance."""
    turn = float(rng.uniform(0.15, 0.5)) if rng.random() < 0.3 else float(rng.uniform(0.01, 0.06))
    pace, phase, rise = float(rng.uniform(0.6, 1.6)), float(rng.uniform(0, 6.28)), float(rng.uniform(0.0, 0.004))

    def at(time_s: float) -> Matrix:
        wave = math.sin(pace * time_s * 2 + phase) - math.sin(phase)
        return _pose(0.0, rise * math.sin(3 * pace * time_s), 0.0, turn * wave / 2)

    return at


def breathe(rng: np.random.Generator) -> Motion:
    """What a body does that sits or lies: it hardly moves."""
    turn, pace, phase = float(rng.uniform(0.0, 0.03)), float(rng.uniform(0.6, 1.6)), float(rng.uniform(0, 6.28))
    return lambda time_s: _pose(0.0, 0.0, 0.0, turn * (math.sin(pace * time_s * 2 + phase) - math.sin(phase)))


def walk(speed: float) -> Motion:
    """Straight ahead, metres a second."""
    return lambda time_s: _pose(0.0, 0.012 * abs(math.sin(7 * time_s)), speed * time_s, 0.0)


def bounce(rng: np.random.Generator, height: float) -> Motion:
    """Up and down, as a ball does that is thrown from hand to hand or dropped."""
    period, phase = float(rng.uniform(0.7, 1.2)), float(rng.uniform(0, 1))

    def at(time_s: float) -> Matrix:
        share = (time_s / period + phase) % 1.0
        return _pose(0.0, height * 4 * share * (1 - share), 0.0, 2 * time_s)

    return at


def pace(rng: np.random.Generator, duration_s: float) -> Pace:
    """Through the key frames once, to and fro, or resting at one of them."""
    kind = rng.random()
    if kind < 0.25:
        rest = float(rng.uniform(0.8, 1.0))
        return lambda _: rest
    start, end = float(rng.uniform(0.0, 0.35)) * duration_s, float(rng.uniform(0.65, 1.0)) * duration_s
    back = kind > 0.7

    def at(time_s: float) -> float:
        share = min(max((time_s - start) / (end - start), 0.0), 1.0)
        share = 1 - abs(2 * share - 1) if back else share
        return share * share * (3 - 2 * share)

    return at


def _pose(x: float, y: float, z: float, yaw: float) -> Matrix:
    cos, sin = math.cos(yaw), math.sin(yaw)
    return np.array([[cos, 0.0, sin, x], [0.0, 1.0, 0.0, y], [-sin, 0.0, cos, z], [0.0, 0.0, 0.0, 1.0]])
