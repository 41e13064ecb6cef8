"""Policies against one graph after another: what holds now, for how long. Pure: no clock, no Redis."""

from collections.abc import Mapping, Sequence

from service.policy.rules import PolicySet
from service.types import TrackedGraph, Violation

Polygon = Sequence[tuple[float, float]]


class PolicyEvaluator:
    """The policies of one stream and how long their conditions have held."""

    def __init__(self, policies: PolicySet) -> None:
        self._policies = policies

    def evaluate(
        self, graph: TrackedGraph, media_s: float, stream_labels: Mapping[str, str], zones: Mapping[str, Polygon]
    ) -> tuple[Violation, ...]:
        """Every policy that is violated at this frame. Frames come in order of media time."""
        del graph, media_s, stream_labels, zones
        return ()

    def replace(self, policies: PolicySet) -> None:
        """Go on with other policies; those that did not change keep their timers."""
        self._policies = policies

    def merged(self, kept: int, merged: int) -> None:
        """Node `merged` was node `kept` all along: its timers become those of `kept`."""

    def state(self) -> bytes:
        """All timers, bounded."""
        return b""

    def restore(self, state: bytes) -> None:
        """Go on from `state()`; timers of unknown or changed policies are left out. StateError when it cannot be read."""
