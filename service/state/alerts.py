"""The shelf of alerts: listed, read, reviewed, followed. Raising them is `Store.publish`'s business."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from service.state import keys
from service.state.link import Client
from service.state.records import LogEntry, LogKind, alert_of, notes_of, state_of, text
from service.types import Alert, AlertState, Mode, Note, Severity

MAX_ALERTS = 10_000
MAX_LOG = 10_000
MAX_REASON_CHARS = 2_000
SCAN_CHUNK = 200
MAX_SCAN = 2_000
Action = Literal["ack", "resolve", "dismiss"]

_AFTER: Mapping[Action, AlertState] = {"ack": "acked", "resolve": "resolved", "dismiss": "dismissed"}
_ALLOWED: Mapping[Action, tuple[AlertState, ...]] = {"ack": ("open",), "resolve": ("open", "acked"), "dismiss": ("open", "acked")}


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """`mode` None means flag and enforce: shadow alerts are listed only when asked for. `after_s`: raised later than that Unix time."""

    stream_id: str | None = None
    state: AlertState | None = None
    severity: Severity | None = None
    mode: Mode | None = None
    after_s: float | None = None

    def takes(self, alert: Alert) -> bool:
        """Does it pass? The stream is the index's business."""
        mode_fits = alert.mode != "shadow" if self.mode is None else alert.mode == self.mode
        return mode_fits and self.state in (None, alert.state) and self.severity in (None, alert.severity)


@dataclass(frozen=True, slots=True)
class AlertPage:
    """Newest first; `cursor` fetches the next page, None at the end. A page may be short where a filter lets little pass."""

    alerts: tuple[Alert, ...]
    cursor: str | None


class AlertShelf:
    """The alerts of one tenant; the newest 10,000 are kept, also those of deleted streams."""

    def __init__(self, redis: Client, *, tenant: str) -> None:
        self._redis = redis
        self._index = keys.alerts(tenant)
        self._log = keys.alert_log(tenant)

    def get(self, alert_id: str) -> Alert | None:
        """The alert as it is now, or None."""
        return alert_of(self._redis.hgetall(keys.alert(alert_id)))

    def page(self, wanted: AlertFilter, *, cursor: str | None = None, limit: int = 50) -> AlertPage:
        """Up to `limit` alerts that pass the filter, before `cursor`."""
        index = self._index if wanted.stream_id is None else keys.stream_alerts(wanted.stream_id)
        upper = "+inf" if cursor is None else f"({_order(cursor)}"
        found: list[Alert] = []
        for _ in range(MAX_SCAN // SCAN_CHUNK):
            rows = self._redis.zrevrangebyscore(index, upper, "-inf", start=0, num=SCAN_CHUNK, withscores=True)
            for (_, order), alert in zip(rows, self._read([text(row[0]) for row in rows]), strict=True):
                upper = f"({int(order)}"
                if alert is None:
                    continue
                if wanted.after_s is not None and alert.created_at_s <= wanted.after_s:
                    return AlertPage(tuple(found), None)
                if not wanted.takes(alert):
                    continue
                found.append(alert)
                if len(found) == limit:
                    return AlertPage(tuple(found), str(int(order)))
            if len(rows) < SCAN_CHUNK:
                return AlertPage(tuple(found), None)
        return AlertPage(tuple(found), upper[1:])

    def review(self, alert_id: str, action: Action, *, reason: str, by: str, at_s: float) -> Alert | None:
        """Ack, resolve or dismiss: the alert after it, or None when there is none. ValueError when its state does not allow that."""
        if len(reason) > MAX_REASON_CHARS:
            raise ValueError(f"the reason has {len(reason)} characters, more than {MAX_REASON_CHARS}")
        name = keys.alert(alert_id)
        note = Note(at_s=at_s, action=action, reason=reason, by=by)

        def step(pipe: Client) -> bool:
            fields: Mapping[bytes, bytes] = pipe.hgetall(name)
            if b"body" not in fields:
                return False
            state = state_of(fields)
            if state not in _ALLOWED[action]:
                raise ValueError(f"alert {alert_id} is {state}; {action} is possible for {' or '.join(_ALLOWED[action])} only")
            pipe.multi()
            pipe.hset(name, mapping={"state": _AFTER[action], "notes": msgspec.json.encode((*notes_of(fields), note))})
            pipe.xadd(self._log, {"kind": "reviewed", "id": alert_id}, maxlen=MAX_LOG, approximate=True)
            return True

        done = self._redis.transaction(step, name, value_from_callable=True)
        return self.get(alert_id) if done else None

    def log_end(self) -> str:
        """Where the log ends now: read on from here."""
        last = self._redis.xrevrange(self._log, count=1)
        return text(last[0][0]) if last else "0-0"

    def log(self, after: str, *, limit: int = 100) -> tuple[LogEntry, ...]:
        """What happened after an entry, oldest first, without waiting."""
        rows = self._redis.xrange(self._log, min=f"({after}", count=limit)
        alerts = self._read([text(fields[b"id"]) for _, fields in rows])
        return tuple(
            LogEntry(text(entry_id), msgspec.convert(text(fields[b"kind"]), LogKind), alert)
            for (entry_id, fields), alert in zip(rows, alerts, strict=True)
            if alert is not None
        )

    def trim(self, keep: int = MAX_ALERTS) -> int:
        """Drop the oldest above `keep`; how many went."""
        surplus = int(self._redis.zcard(self._index)) - keep
        oldest = [text(row) for row in self._redis.zrange(self._index, 0, surplus - 1)] if surplus > 0 else []
        for alert_id in oldest:
            stream = self._redis.hget(keys.alert(alert_id), "stream")
            pipe = self._redis.pipeline(transaction=True)
            pipe.zrem(self._index, alert_id).delete(keys.alert(alert_id))
            if stream is not None:
                pipe.zrem(keys.stream_alerts(text(stream)), alert_id)
            pipe.execute()
        return len(oldest)

    def _read(self, alert_ids: list[str]) -> list[Alert | None]:
        pipe = self._redis.pipeline(transaction=False)
        for alert_id in alert_ids:
            pipe.hgetall(keys.alert(alert_id))
        return [alert_of(fields) for fields in pipe.execute()]


def _order(cursor: str) -> int:
    if not cursor.isdecimal():
        raise ValueError(f"cursor {cursor!r} did not come from an earlier page")
    return int(cursor)
