"""The life of incidents: open, update, escalate, close; one alert each. Pure: no clock, no Redis."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from service.types import Alert, AlertChange, Incident, Violation


@dataclass(frozen=True, slots=True)
class IncidentChanges:
    """What one frame did: new alerts, changes to earlier ones, and the incidents behind them."""

    opened: tuple[Alert, ...] = ()
    changed: tuple[AlertChange, ...] = ()
    escalated: tuple[Incident, ...] = ()
    closed: tuple[Incident, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.opened or self.changed or self.escalated or self.closed)


class IncidentBook:
    """The incidents of one stream."""

    def __init__(self, stream_id: str) -> None:
        self._stream_id = stream_id

    def update(
        self,
        violations: Sequence[Violation],
        *,
        media_s: float,
        wall_s: float,
        captured_at_s: float,
        seq: int,
        present: Collection[int] = (),
    ) -> IncidentChanges:
        """One frame, in order. `present`: node ids in the graph; an incident whose nodes are gone may go on under new ids."""
        del violations, media_s, wall_s, captured_at_s, seq, present
        return IncidentChanges()

    def merged(self, kept: int, merged: int) -> None:
        """Node `merged` was node `kept` all along."""

    def open_incidents(self) -> tuple[Incident, ...]:
        """Incidents that are open now."""
        return ()

    def state(self) -> bytes:
        """All that is needed to go on, bounded."""
        return b""

    def restore(self, state: bytes) -> None:
        """Go on from `state()`. StateError when it cannot be read."""
