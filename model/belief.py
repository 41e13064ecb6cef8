"""The relation filter's arithmetic: a two-state hidden Markov model per relation, in log-odds. Knows no ids, no tracks and no network.

Per step of dt, with q the chance that the relation holds now, p the network's probability and pi its centre:

    q  = sigma(b) (1 - p_off) + (1 - sigma(b)) p_on      p_on = 1 - exp(-dt / T_off),  p_off = 1 - exp(-dt / T_on)
    b' = clip(logit q + gamma (logit p - logit pi), -6, 6)     on above +0.5, off below -0.5

gamma = 1 - exp(-dt / T_gamma): neighbouring frames err alike, so evidence counts per second, not per frame. A probability at the
centre pi says nothing, above it speaks for the relation.

S relations being followed, K predicates; `dt_s` is one number or one per row (S, 1).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import Struct

Floats = npt.NDArray[np.floating[Any]]
Bools = npt.NDArray[np.bool_]

MAX_LOG_ODDS = 6.0
ON_AT, OFF_AT = 0.5, -0.5


class Pace(Struct, frozen=True, forbid_unknown_fields=True):
    """How long a relation lasts (`on_s`), how long it stays away (`off_s`), and how long evidence takes to count fully, in seconds."""

    on_s: float = 3.0
    off_s: float = 12.0
    evidence_s: float = 0.14


class BeliefFilter:
    """The steps for K predicates with their paces around their thresholds. Pure: beliefs go in and come out."""

    def __init__(self, thresholds: Sequence[float], paces: Sequence[Pace]) -> None:
        self._centre_K = logit(np.array(thresholds, np.float64))
        self._on_K, self._off_K, self._evidence_K = np.array(
            [(pace.on_s, pace.off_s, pace.evidence_s) for pace in paces], np.float64
        ).reshape(-1, 3).T  # fmt: skip
        self.start_K: Floats = np.log(self._on_K / self._off_K)

    def passed(self, log_odds_SK: Floats, dt_s: float | Floats) -> Floats:
        """Beliefs after `dt_s` without a look."""
        p_on, p_off = 1.0 - np.exp(-dt_s / self._off_K), 1.0 - np.exp(-dt_s / self._on_K)
        held_SK = sigmoid(log_odds_SK)
        return logit(held_SK * (1.0 - p_off) + (1.0 - held_SK) * p_on)

    def evidence(self, probs_SK: Floats, dt_s: float | Floats) -> Floats:
        """What a look of this length says, to be added to the beliefs."""
        return np.asarray((1.0 - np.exp(-dt_s / self._evidence_K)) * (logit(probs_SK) - self._centre_K))


def bounded(log_odds_SK: Floats) -> Floats:
    """Beliefs that a few seconds can turn over."""
    return np.minimum(np.maximum(log_odds_SK, -MAX_LOG_ODDS), MAX_LOG_ODDS)


def holds(log_odds_SK: Floats, held_SK: Bools) -> Bools:
    """Hysteresis: what held goes on until the belief is clearly gone, what did not begins when it is clearly there."""
    return np.asarray(log_odds_SK > np.where(held_SK, OFF_AT, ON_AT))


def sigmoid(x: Floats | float) -> Floats:
    """The chance that belongs to log-odds."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.asarray(x))))


def logit(p: Floats) -> Floats:
    """Log-odds, within those of .0001 and .9999."""
    clipped = np.minimum(np.maximum(p, 1e-4), 1.0 - 1e-4)
    return np.asarray(np.log(clipped / (1.0 - clipped)))
