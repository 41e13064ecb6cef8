"""How sure a figure is: Wilson's interval for a share, and clips drawn again with replacement for everything else. Pure numpy.

Frames of a clip are near copies of each other: clips are what is drawn, never frames. S resamples, C clips.
"""

import math

import msgspec
import numpy as np

from model.evaluation.frames import Float

Z95 = 1.959964


class Interval(msgspec.Struct, frozen=True, array_like=True):
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


def wilson(hits: int, total: int) -> Interval:
    """A share of independent trials (Wilson 1927); of no trials it is 0 in 0..1."""
    if total == 0:
        return Interval(0.0, 0.0, 1.0)
    share, spread_ = hits / total, Z95 * Z95 / total
    centre = (share + spread_ / 2) / (1 + spread_)
    half = Z95 * math.sqrt(share * (1 - share) / total + spread_ / (4 * total)) / (1 + spread_)
    return Interval(share, max(0.0, centre - half), min(1.0, centre + half))


def resampled_clips(num_clips: int, resamples: int, seed: int) -> Float:
    """(S, C): how often each clip is drawn in each resample."""
    draws_SC = np.random.default_rng(seed).multinomial(num_clips, np.full(num_clips, 1.0 / num_clips), size=resamples)
    return draws_SC.astype(np.float64)


def spread(values_S: Float) -> tuple[float, float]:
    """The middle 95 % of resampled figures."""
    low, high = np.quantile(values_S, [0.025, 0.975])
    return float(low), float(high)
