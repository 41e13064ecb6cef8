"""Delivery to one webhook: its place in the alert log, its tries, its waits, in a thread of its own that nobody else waits for.

An entry of the log is done with when it was delivered or given up; only then the cursor in Redis moves behind it. Whoever goes on from
the cursor sends what was under way once more, with the same webhook-id. Before each try something was written under the lease, so a
process that lost it makes no second try.
"""

import random
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import structlog
from redis import RedisError

from service.api.views import EventType, WebhookEvent
from service.api.webhook_post import Attempt, Poster
from service.api.webhook_signing import retry_after_s, signed_headers, verdict
from service.ingest.backoff import Backoff
from service.metrics import Metrics
from service.state.records import LogKind
from service.state.webhooks import Webhook, WebhookShelf, WebhookState, place
from service.types import Alert

log = structlog.get_logger()

MAX_WAITING = 1_000
IDLE_S = 5.0
REDIS_AGAIN_S = 0.5
EVENT_TYPES: Mapping[LogKind, EventType] = {"opened": "alert.opened", "changed": "alert.changed", "reviewed": "alert.reviewed"}


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient delivery is. `give_up_s` counts from the first try of an event; `lease_s` is how long a dead process blocks others."""

    first_wait_s: float = 1.0
    max_wait_s: float = 60.0
    give_up_s: float = 900.0
    connect_s: float = 5.0
    total_s: float = 10.0
    tend_s: float = 0.5
    lease_s: float = 3.0


@dataclass(frozen=True, slots=True)
class _Due:
    """An entry of the log that is to be sent."""

    id: str
    kind: LogKind
    alert_id: str


class Channel:
    """`holder` is the lease's: what another process has taken over is not written to any more."""

    def __init__(
        self, webhook: Webhook, state: WebhookState, holder: str, *, shelf: WebhookShelf, poster: Poster, metrics: Metrics, pace: Pace
    ) -> None:
        self._webhook = webhook
        self._holder = holder
        self._shelf = shelf
        self._poster = poster
        self._metrics = metrics
        self._pace = pace
        self._cursor = self._scanned = self._stored_cursor = state.cursor
        self._told_backlog = state.backlog
        self._ended_at_s = 0.0
        self._waiting: deque[_Due] = deque()
        self._unwritten: dict[str, str | int | float] = {}
        self._backoff = Backoff(pace.first_wait_s, pace.max_wait_s, random.Random())
        self._begun_s: float | None = None
        self._again_at_s = 0.0
        self.is_disabled = state.disabled
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"vigil-webhook-{webhook.id}", daemon=True)

    @property
    def is_running(self) -> bool:
        """Does its thread live?"""
        return self._thread.is_alive()

    @property
    def may_begin_anew(self) -> bool:
        """Is another to take its place? Not where the receiver is gone for good; after an error of its own not before `max_wait_s`."""
        if self.is_running or self.is_disabled:
            return False
        return self._stopping.is_set() or time.monotonic() >= self._ended_at_s + self._pace.max_wait_s

    def start(self) -> None:
        """Deliver from now on, unless the receiver is gone for good."""
        if not self.is_disabled:
            self._thread.start()

    def wake(self) -> None:
        """There may be something new in the log."""
        self._woken.set()

    def stop(self) -> None:
        """End soon; a try that is under way is cut."""
        self._stopping.set()
        self._poster.cut()
        self._woken.set()

    def join(self, timeout_s: float) -> None:
        """Wait for the end of its thread."""
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            self._work()
        finally:
            self._ended_at_s = time.monotonic()

    def _work(self) -> None:
        is_away = False
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                rest_s = self._step()
                is_away = False
            except RedisError as error:
                if not is_away:
                    log.warning("webhook_interrupted", webhook=self._webhook.id, error=str(error))
                is_away, rest_s = True, REDIS_AGAIN_S
            if not self._stopping.is_set():
                self._woken.wait(rest_s)

    def _step(self) -> float:
        """Write what is to be written, see what is new, try one event; how long to rest unless woken."""
        if not self._write():
            return REDIS_AGAIN_S
        if self.is_disabled:
            self._stopping.set()
            return 0.0
        self._scan()
        if self._unwritten or not self._waiting:
            return REDIS_AGAIN_S if self._unwritten else IDLE_S
        rest_s = self._again_at_s - time.monotonic()
        if rest_s <= 0:
            rest_s = self._try(self._waiting[0])
        return rest_s

    # ---- the log ------------------------------------------------------------------------------------------------------------

    def _scan(self) -> None:
        while len(self._waiting) < MAX_WAITING:
            page = self._shelf.read_log(self._scanned)
            if page.is_torn:
                self._tell_torn()
            self._waiting.extend(_Due(one.id, one.kind, one.alert.id) for one in page.entries if self._webhook.takes(one.alert))
            self._scanned = page.end
            if page.is_whole:
                break
        self._metrics.webhook_backlog.labels(self._webhook.id).set(len(self._waiting))
        if not self._waiting and self._scanned != self._cursor:
            self._note(cursor=self._scanned)
        if len(self._waiting) != self._told_backlog:
            self._note()

    def _tell_torn(self) -> None:
        log.error("webhook_fell_behind", webhook=self._webhook.id, after=self._scanned)
        self._note(last_error="some alerts were never sent: they left the alert log, which keeps the newest 10,000 entries")

    def _note(self, **fields: str | int | float) -> None:
        """To be written to Redis, now or when it is there again; later values win."""
        self._told_backlog = len(self._waiting)
        self._unwritten |= fields | {"backlog": self._told_backlog}
        self._cursor = str(self._unwritten.get("cursor", self._cursor))
        self._write()

    def _write(self) -> bool:
        """What another process did while this one was asleep stands: a channel that finds its place moved ends, the next begins there."""
        if not self._unwritten:
            return True
        noted = self._shelf.note(self._webhook.id, self._holder, self._unwritten, self._stored_cursor)
        if noted == "noted":
            self._stored_cursor, self._unwritten = self._cursor, {}
        elif noted == "moved":
            log.info("webhook_taken_over", webhook=self._webhook.id, after=self._stored_cursor)
            self.is_disabled = False
            self._stopping.set()
        return noted == "noted"

    # ---- one event ----------------------------------------------------------------------------------------------------------

    def _try(self, due: _Due) -> float:
        alert = self._shelf.alerts.get(due.alert_id)
        if alert is None:
            self._settle(due)
            return 0.0
        if self._begun_s is None:
            self._begun_s = time.monotonic()
        attempt = self._send(due, alert)
        said = verdict(attempt.status)
        if self._stopping.is_set() and said == "again":
            return 0.0
        self._metrics.webhook_s.labels(self._webhook.id).observe(attempt.took_s)
        wait_s = max(self._backoff.next_wait_s(), retry_after_s(attempt.retry_after, time.time())) if said == "again" else 0.0
        if said == "delivered":
            self._count("delivered")
            self._settle(due, last_delivery_at_s=time.time(), last_error="")
        elif said == "again" and time.monotonic() + wait_s - self._begun_s <= self._pace.give_up_s:
            self._count("failed")
            self._again_at_s = time.monotonic() + wait_s
            self._note(last_error=attempt.error)
        else:
            self._give_up(due, attempt, is_gone=said == "gone")
        return wait_s if self._again_at_s else 0.0

    def _send(self, due: _Due, alert: Alert) -> Attempt:
        event = WebhookEvent(event_id(due.id), EVENT_TYPES[due.kind], place(due.id)[0] / 1000, alert)
        body = msgspec.json.encode(event)
        return self._poster.post(self._webhook.url, signed_headers(self._webhook.secret, event.id, int(time.time()), body), body)

    def _give_up(self, due: _Due, attempt: Attempt, *, is_gone: bool) -> None:
        self._count("gave_up")
        log.warning("webhook_gave_up", webhook=self._webhook.id, event_id=due.id, alert=due.alert_id, error=attempt.error, disabled=is_gone)
        if not is_gone:
            self._settle(due, last_error=attempt.error)
            return
        self.is_disabled = True
        self._waiting.clear()
        self._metrics.webhook_backlog.labels(self._webhook.id).set(0)
        self._note(disabled=1, last_error=f"{attempt.error}: it is gone, so nothing more is sent")

    def _settle(self, due: _Due, **fields: str | float) -> None:
        """Done with it, one way or the other."""
        self._waiting.popleft()
        self._backoff.reset()
        self._begun_s, self._again_at_s = None, 0.0
        self._metrics.webhook_backlog.labels(self._webhook.id).set(len(self._waiting))
        self._note(cursor=due.id, **fields)

    def _count(self, outcome: str) -> None:
        self._metrics.webhook_deliveries.labels(self._webhook.id, outcome).inc()


def event_id(entry_id: str) -> str:
    """The webhook-id of an entry of the log, for ever the same."""
    return f"evt_{entry_id}"
