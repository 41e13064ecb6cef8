"""Webhooks in Redis: what was asked for, how far each is in the alert log, and which process delivers. Sends nothing.

The secret is stored as it is, since signing needs it. Blocking, like `store.py`; redis.RedisError means the same here.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
from msgspec import Struct

from service.state import keys, scripts
from service.state.alerts import AlertShelf
from service.state.link import Client, connect
from service.state.records import LogEntry, LogKind, alert_of, text
from service.types import Alert, Severity

MAX_WEBHOOKS = 32
LOG_CHUNK = 100
Noted = Literal["noted", "refused", "moved"]
_PLACE = re.compile(r"\d+-\d+")


class Webhook(Struct, frozen=True):
    """A receiver that wants alerts; None in a filter means all."""

    id: str
    url: str
    secret: str
    name: str
    created_at_s: float
    severities: tuple[Severity, ...] | None = None
    policies: tuple[str, ...] | None = None
    streams: tuple[str, ...] | None = None

    def __repr__(self) -> str:
        """Without what must not be logged."""
        return f"Webhook({self.id!r})"

    def takes(self, alert: Alert) -> bool:
        """Is this alert for it? Shadow alerts are for nobody."""
        return alert.mode != "shadow" and all(
            wanted is None or value in wanted
            for wanted, value in ((self.severities, alert.severity), (self.policies, alert.policy), (self.streams, alert.stream_id))
        )


class WebhookState(Struct, frozen=True):
    """How it goes. All entries of the alert log up to `cursor` are done with; `backlog` are those behind it that it takes."""

    cursor: str = "0-0"
    last_delivery_at_s: float | None = None
    last_error: str = ""
    backlog: int = 0
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class LogPage:
    """A piece of the alert log. `end` is the last entry looked at; `is_torn`: entries before it were dropped unread, the log is capped."""

    entries: tuple[LogEntry, ...]
    end: str
    is_whole: bool
    is_torn: bool


class WebhookShelf:
    """The webhooks of one tenant, and the alerts that they are about. Safe to share between threads."""

    def __init__(self, redis: Client, *, tenant: str = keys.DEFAULT_TENANT) -> None:
        self._redis = redis
        self.alerts = AlertShelf(redis, tenant=tenant)
        self._log = keys.alert_log(tenant)
        self._put = redis.register_script(scripts.PUT_WEBHOOK)
        self._note = redis.register_script(scripts.NOTE_WEBHOOK)
        self._hold_lease = redis.register_script(scripts.HOLD_LEASE)
        self._leave_lease = redis.register_script(scripts.LEAVE_LEASE)

    @classmethod
    def connect(cls, url: str, *, timeout_s: float = 5.0) -> "WebhookShelf":
        """As Store.connect."""
        return cls(connect(url, timeout_s))

    def close(self) -> None:
        """Drop the connections."""
        self._redis.close()

    # ---- what was asked for -------------------------------------------------------------------------------------------------

    def put(self, webhook: Webhook) -> bool:
        """Add one that hears of all that happens from now on; False when there are MAX_WEBHOOKS. Safe to repeat."""
        names = [keys.WEBHOOKS, keys.webhook(webhook.id), self._log]
        return bool(self._put(keys=names, args=[webhook.id, msgspec.json.encode(webhook), MAX_WEBHOOKS]))

    def get(self, webhook_id: str) -> Webhook | None:
        """The webhook, or None."""
        data = self._redis.hget(keys.WEBHOOKS, webhook_id)
        return None if data is None else msgspec.json.decode(data, type=Webhook)

    def all(self) -> tuple[Webhook, ...]:
        """Oldest first."""
        found = [msgspec.json.decode(data, type=Webhook) for data in self._redis.hvals(keys.WEBHOOKS)]
        return tuple(sorted(found, key=lambda webhook: (webhook.created_at_s, webhook.id)))

    def states(self, webhook_ids: Sequence[str]) -> tuple[WebhookState, ...]:
        """One for each id, in one round trip."""
        pipe = self._redis.pipeline(transaction=False)
        for webhook_id in webhook_ids:
            pipe.hgetall(keys.webhook(webhook_id))
        return tuple(_state_of(fields) for fields in pipe.execute())

    def delete(self, webhook_id: str) -> bool:
        """Remove it and its place in the log; a late note about it is refused."""
        pipe = self._redis.pipeline(transaction=True)
        pipe.hdel(keys.WEBHOOKS, webhook_id).delete(keys.webhook(webhook_id))
        return bool(pipe.execute()[0])

    # ---- how far it is ------------------------------------------------------------------------------------------------------

    def read_log(self, after: str) -> LogPage:
        """What happened to alerts after an entry, oldest first, each with the alert as it is now."""
        pipe = self._redis.pipeline(transaction=True)
        pipe.xrange(self._log, count=1).xrange(self._log, min=f"({after}", count=LOG_CHUNK)
        first, rows = pipe.execute()
        pipe = self._redis.pipeline(transaction=False)
        for _, fields in rows:
            pipe.hgetall(keys.alert(text(fields[b"id"])))
        alerts = [alert_of(fields) for fields in pipe.execute()]
        entries = tuple(
            LogEntry(text(entry_id), msgspec.convert(text(fields[b"kind"]), LogKind), alert)
            for (entry_id, fields), alert in zip(rows, alerts, strict=True)
            if alert is not None
        )
        is_torn = after != "0-0" and bool(first) and place(text(first[0][0])) > place(after)
        return LogPage(entries, text(rows[-1][0]) if rows else after, len(rows) < LOG_CHUNK, is_torn)

    def wait_for_log(self, after: str, timeout_s: float) -> str:
        """Return when something happened after an entry, or at the end of the time: the newest entry of the log that was seen."""
        found = self._redis.xread({self._log: after}, count=1, block=max(1, int(timeout_s * 1000)))
        if not found:
            return after
        last = self._redis.xrevrange(self._log, count=1)
        return text(last[0][0]) if last else after

    def note(self, webhook_id: str, holder: str, fields: Mapping[str, str | int | float], cursor: str) -> Noted:
        """Set fields of its state, which `holder` last saw at `cursor`. Refused without the lease, or when the webhook is gone."""
        names = [keys.WEBHOOK_LEASE, keys.WEBHOOKS, keys.webhook(webhook_id)]
        args = [holder, webhook_id, cursor, fields.get("cursor", cursor), *(part for pair in fields.items() for part in pair)]
        noted: Noted = msgspec.convert(text(self._note(keys=names, args=args)), Noted)
        return noted

    # ---- who delivers -------------------------------------------------------------------------------------------------------

    def hold_lease(self, holder: str, lease_s: float) -> bool:
        """Become or stay the one that delivers for `lease_s`; False while another is."""
        return bool(self._hold_lease(keys=[keys.WEBHOOK_LEASE], args=[holder, int(lease_s * 1000)]))

    def leave_lease(self, holder: str) -> None:
        """Let another deliver at once."""
        self._leave_lease(keys=[keys.WEBHOOK_LEASE], args=[holder])


def place(entry_id: str) -> tuple[int, int]:
    """What entries of the log are ordered by: milliseconds of Unix time, number within them."""
    assert _PLACE.fullmatch(entry_id), entry_id
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number)


def _state_of(fields: Mapping[bytes, bytes]) -> WebhookState:
    return msgspec.convert({text(name): text(value) for name, value in fields.items()}, WebhookState, strict=False)
