"""How alerts are kept as Redis hashes, and log entries as stream entries. Knows no connection.

`body` is the alert as raised and never changes; the incident's owner writes severity, incident_state and closed_at_s, reviewers write
state and notes: separate fields, so neither overwrites the other.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec
from msgspec import Struct

from service.types import Alert, AlertState, Note

LogKind = Literal["opened", "changed", "reviewed"]


class LogEntry(Struct, frozen=True):
    """One line of the alert log with the alert as it is now; `id` is where to go on reading."""

    id: str
    kind: LogKind
    alert: Alert


def text(value: object) -> str:
    """A reply that Redis gives as bytes."""
    assert isinstance(value, bytes)
    return value.decode()


def alert_of(fields: Mapping[bytes, bytes]) -> Alert | None:
    """The alert as it is now; None when the hash is not there."""
    if b"body" not in fields:
        return None
    alert = msgspec.json.decode(fields[b"body"], type=Alert)
    closed_at = fields.get(b"closed_at_s", b"")
    now = {
        "severity": text(fields.get(b"severity", alert.severity.encode())),
        "state": state_of(fields),
        "incident_state": text(fields.get(b"incident_state", b"open")),
        "closed_at_s": float(closed_at) if closed_at else None,
        "notes": notes_of(fields),
    }
    return msgspec.structs.replace(alert, **now)


def state_of(fields: Mapping[bytes, bytes]) -> AlertState:
    """The reviewers' state."""
    state: AlertState = msgspec.convert(text(fields.get(b"state", b"open")), AlertState)
    return state


def notes_of(fields: Mapping[bytes, bytes]) -> tuple[Note, ...]:
    """The reviewers' steps so far."""
    return msgspec.json.decode(fields.get(b"notes", b"[]"), type=tuple[Note, ...])
