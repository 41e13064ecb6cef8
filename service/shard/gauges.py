"""What a stream's graph holds now and how grave its open incidents are, as gauges, at most once a second. Knows no Redis and no engine."""

from collections import Counter
from collections.abc import Sequence
from typing import get_args

from service.metrics import Metrics
from service.types import Edge, Incident, Severity

EVERY_S = 1.0
SEVERITIES: tuple[Severity, ...] = get_args(Severity)


def risk_of(incidents: Sequence[Incident]) -> int:
    """0 none, 1 info ... 5 critical: the gravest of the open ones; what a policy only tries out (shadow) is no risk."""
    return max((1 + SEVERITIES.index(one.severity) for one in incidents if one.mode != "shadow"), default=0)


class GraphGauges:
    """A predicate that no longer occurs stays, with 0, until the stream is forgotten."""

    def __init__(self, stream_id: str, metrics: Metrics) -> None:
        self._stream_id = stream_id
        self._metrics = metrics
        self._shown: set[str] = set()
        self._next_s = 0.0
        self._is_resting = False

    def is_due(self, now_s: float) -> bool:
        """Whether a second has passed since they were shown."""
        return now_s >= self._next_s

    def show(self, edges: Sequence[Edge], incidents: Sequence[Incident], now_s: float) -> None:
        """The graph's edges and the incidents that are open now."""
        self._next_s, self._is_resting = now_s + EVERY_S, False
        self._metrics.risk.labels(self._stream_id).set(risk_of(incidents))
        counts = Counter(edge.predicate for edge in edges)
        self._shown |= counts.keys()
        for predicate in self._shown:
            self._metrics.relations.labels(self._stream_id, predicate).set(counts[predicate])

    def rest(self) -> None:
        """Nothing is seen any more: the stream ended, failed or is let go. May be said again and again."""
        if not self._is_resting:
            self.show((), (), 0.0)
            self._is_resting = True
