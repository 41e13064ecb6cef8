"""How much a curve of losses on a fixed probe set oscillates, and how soon it is low. Pure numbers."""

from collections.abc import Sequence

import numpy as np

SMOOTHING = 9
"""Points of the moving average that a curve's fast part is measured against."""


def upward_variation(losses: Sequence[float]) -> float:
    """All rises of the curve over its whole fall: 0 for a curve that only falls."""
    values = np.asarray(losses, dtype=float)
    fall = values[0] - values.min()
    return float(np.maximum(np.diff(values), 0.0).sum() / fall) if fall > 0 else float("inf")


def hf_energy(losses: Sequence[float]) -> float:
    """Standard deviation of the second half around its own moving average."""
    half = np.asarray(losses, dtype=float)[len(losses) // 2 :]
    if len(half) <= SMOOTHING:
        raise ValueError(f"a curve of {len(losses)} points is too short for its fast part, at least {2 * SMOOTHING + 2} are needed")
    smooth = np.convolve(half, np.full(SMOOTHING, 1.0 / SMOOTHING), mode="valid")
    edge = SMOOTHING // 2
    return float((half[edge : len(half) - edge] - smooth).std())


def max_drawdown(losses: Sequence[float]) -> float:
    """The largest rise above the lowest value so far."""
    values = np.asarray(losses, dtype=float)
    return float((values - np.minimum.accumulate(values)).max())


def steps_to_target(steps: Sequence[int], losses: Sequence[float], target: float) -> int | None:
    """The first step at which the curve is at the target or below."""
    return next((step for step, loss in zip(steps, losses, strict=True) if loss <= target), None)
