"""The life of incidents: open, update, escalate, close, and perhaps open again; one alert each. Pure: no clock, no Redis.

An incident is known by the key of its violation (policy and node ids). It goes on
- across gaps: it closes after GRACE_S of watched time without a violation; a stream that stands still counts as at most MAX_STEP_S;
- across new ids: a violation of the same policy, predicate and labels continues it when its former nodes have left the graph;
- across its own end: a repeat within the cooldown, counted from when it was last seen, opens it again without another alert.
"""

import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import get_args

import msgspec
from msgspec import Struct

from service.errors import StateError
from service.types import Alert, AlertChange, Incident, Severity, Violation

GRACE_S = 3.5
MAX_STEP_S = 1.0
MAX_OPEN = 32
MAX_COOLING = 32
SEVERITIES: tuple[Severity, ...] = get_args(Severity)


@dataclass(frozen=True, slots=True)
class IncidentChanges:
    """What one frame did: new alerts, changes to earlier ones, and the incidents behind them."""

    opened: tuple[Alert, ...] = ()
    changed: tuple[AlertChange, ...] = ()
    escalated: tuple[Incident, ...] = ()
    closed: tuple[Incident, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.opened or self.changed or self.escalated or self.closed)


class _Case(Struct, array_like=True):
    """An incident with what tells whether a violation belongs to it. `quiet_s`: watched time since it was last seen."""

    incident: Incident
    likeness: str
    nodes: frozenset[int]
    quiet_s: float = 0.0
    cool_until_s: float | None = None

    @property
    def is_open(self) -> bool:
        return self.incident.state == "open"


class _State(Struct, array_like=True):
    media_s: float | None
    cases: list[_Case]


@dataclass(frozen=True, slots=True)
class _Now:
    media_s: float
    wall_s: float
    captured_at_s: float
    seq: int
    present: Collection[int]


@dataclass(slots=True)
class _Changes:
    opened: list[Alert] = field(default_factory=list)
    changed: list[AlertChange] = field(default_factory=list)
    escalated: list[Incident] = field(default_factory=list)
    closed: list[Incident] = field(default_factory=list)

    def frozen(self) -> IncidentChanges:
        return IncidentChanges(tuple(self.opened), tuple(self.changed), tuple(self.escalated), tuple(self.closed))


class IncidentBook:
    """The incidents of one stream: up to 32 open and 32 in cooldown. Of more in cooldown the oldest go; a violation beyond 32 waits."""

    def __init__(self, stream_id: str) -> None:
        self._stream_id = stream_id
        self._cases: list[_Case] = []
        self._media_s: float | None = None

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
        now, changes = _Now(media_s, wall_s, captured_at_s, seq, present), _Changes()
        self._cases = [case for case in self._cases if case.is_open or media_s <= (case.cool_until_s or 0.0)]
        by_key = {case.incident.key: case for case in self._cases}
        seen: set[str] = set()
        strangers: list[Violation] = []
        for violation in violations:
            case = by_key.get(violation.key)
            if case is None:
                strangers.append(violation)
            else:
                seen.add(case.incident.id)
                self._go_on(case, violation, now, changes)
        for violation in strangers:
            case = self._former(violation, seen, now)
            if case is not None:
                self._go_on(case, violation, now, changes)
            elif sum(case.is_open for case in self._cases) < MAX_OPEN:
                case = self._open(violation, now, changes)
            if case is not None:
                seen.add(case.incident.id)
        self._close_quiet(seen, now, changes)
        self._media_s = media_s
        return changes.frozen()

    def merged(self, kept: int, merged: int) -> None:
        """Node `merged` was node `kept` all along; of two incidents that become one the younger closes at the next frame."""
        by_key: dict[str, _Case] = {}
        for case in self._cases:
            if merged in case.nodes:
                case.nodes = case.nodes - {merged} | {kept}
                key = re.sub(rf"#{merged}(?!\d)", f"#{kept}", case.incident.key)
                case.incident = msgspec.structs.replace(case.incident, key=key)
            other = by_key.setdefault(case.incident.key, case)
            if other is not case:
                older, younger = sorted((other, case), key=lambda one: (not one.is_open, one.incident.opened_media_s))
                by_key[case.incident.key] = older
                younger.incident = msgspec.structs.replace(younger.incident, key=f"merged/{younger.incident.id}")
                younger.likeness, younger.quiet_s = "", GRACE_S

    def open_incidents(self) -> tuple[Incident, ...]:
        """Incidents that are open now, oldest first."""
        return tuple(case.incident for case in self._cases if case.is_open)

    def state(self) -> bytes:
        """All that is needed to go on, bounded (64 incidents of some 250 bytes)."""
        return msgspec.msgpack.encode(_State(self._media_s, self._cases))

    def restore(self, state: bytes) -> None:
        """Go on from `state()`. StateError when it cannot be read."""
        try:
            read = msgspec.msgpack.decode(state, type=_State)
        except msgspec.DecodeError as error:
            raise StateError(f"stored incidents cannot be read ({error})") from error
        self._cases, self._media_s = read.cases, read.media_s

    def _former(self, violation: Violation, seen: set[str], now: _Now) -> _Case | None:
        """The latest incident of the same likeness that nobody else continues and whose other nodes are gone."""
        likeness, nodes = _likeness(violation), frozenset(node.id for node in violation.nodes)
        fitting = [
            case
            for case in self._cases
            if case.likeness == likeness
            and case.incident.id not in seen
            and case.nodes
            and not any(node in now.present for node in case.nodes - nodes)
        ]
        return max(fitting, key=lambda case: case.incident.last_media_s, default=None)

    def _open(self, violation: Violation, now: _Now, changes: _Changes) -> _Case:
        name = hashlib.blake2b(f"{self._stream_id} {violation.key} {now.seq}".encode(), digest_size=9).hexdigest()
        incident = Incident(
            id=f"in_{name}",
            key=violation.key,
            policy=violation.policy,
            severity=violation.severity,
            mode=violation.mode,
            state="open",
            opened_media_s=now.media_s,
            opened_at_s=now.wall_s,
            last_media_s=now.media_s,
            last_at_s=now.wall_s,
            cooldown_s=violation.cooldown_s,
            alert_id=f"al_{name}",
        )
        case = _Case(incident, _likeness(violation), frozenset(node.id for node in violation.nodes))
        self._cases.append(case)
        changes.opened.append(_alert(self._stream_id, f"al_{name}", incident, violation, now))
        return case

    def _go_on(self, case: _Case, violation: Violation, now: _Now, changes: _Changes) -> None:
        before = case.incident
        is_worse = SEVERITIES.index(violation.severity) > SEVERITIES.index(before.severity)
        case.incident = msgspec.structs.replace(
            before,
            key=violation.key,
            state="open",
            severity=violation.severity if is_worse else before.severity,
            last_media_s=now.media_s,
            last_at_s=now.wall_s,
        )
        case.nodes = frozenset(node.id for node in violation.nodes)
        case.quiet_s = 0.0
        if is_worse:
            changes.escalated.append(case.incident)
        if is_worse or before.state == "closed":
            changes.changed.append(_change(case.incident))

    def _close_quiet(self, seen: set[str], now: _Now, changes: _Changes) -> None:
        step_s = 0.0 if self._media_s is None else min(max(now.media_s - self._media_s, 0.0), MAX_STEP_S)
        for case in self._cases:
            if not case.is_open or case.incident.id in seen:
                continue
            case.quiet_s += step_s
            if case.quiet_s < GRACE_S:
                continue
            case.incident = msgspec.structs.replace(case.incident, state="closed")
            if case.cool_until_s is None:
                case.cool_until_s = case.incident.last_media_s + case.incident.cooldown_s
            changes.closed.append(case.incident)
            changes.changed.append(_change(case.incident))
        cooling = [case for case in self._cases if not case.is_open]
        dropped = {case.incident.id for case in cooling[: max(0, len(cooling) - MAX_COOLING)]}
        self._cases = [case for case in self._cases if case.incident.id not in dropped]


def _likeness(violation: Violation) -> str:
    """The key with labels for ids: what stays the same when a thing gets a new id."""
    labels = {str(node.id): node.label for node in violation.nodes}
    return re.sub(r"#(\d+)", lambda found: labels.get(found[1], "gone"), violation.key)


def _change(incident: Incident) -> AlertChange:
    closed_at_s = incident.last_at_s if incident.state == "closed" else None
    assert incident.alert_id is not None
    return AlertChange(incident.alert_id, incident.severity, incident.state, closed_at_s)


def _alert(stream_id: str, alert_id: str, incident: Incident, violation: Violation, now: _Now) -> Alert:
    return Alert(
        id=alert_id,
        stream_id=stream_id,
        incident_id=incident.id,
        policy=violation.policy,
        severity=violation.severity,
        mode=violation.mode,
        state="open",
        created_at_s=now.wall_s,
        captured_at_s=now.captured_at_s,
        media_s=now.media_s,
        seq=now.seq,
        summary=violation.summary,
        nodes=violation.nodes,
        edges=violation.edges,
    )
