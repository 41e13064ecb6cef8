"""Who delivers: of all API processes on one Redis the one with the lease, with a channel for each webhook. Knows no HTTP.

A slow or dead receiver holds up its own channel only. What ends a process ends its lease, and the next goes on from the cursors.
"""

import secrets
import threading
import time
from contextlib import suppress

import msgspec
import structlog
from redis import RedisError

from service.api.views import WebhookEvent
from service.api.webhook_channel import REDIS_AGAIN_S, Channel, Pace
from service.api.webhook_post import Attempt, Poster
from service.api.webhook_signing import signed_headers
from service.ingest.address import AddressGuard
from service.metrics import Metrics
from service.state.webhooks import Webhook, WebhookShelf

log = structlog.get_logger()

OUTCOMES = ("delivered", "failed", "gave_up")
MAX_TESTS = 4
END_WITHIN_S = 2.0


class Courier:
    """`start` and `stop` once; `test` may be called from any thread."""

    def __init__(self, shelf: WebhookShelf, guard: AddressGuard, metrics: Metrics, pace: Pace | None = None) -> None:
        self._shelf = shelf
        self._guard = guard
        self._metrics = metrics
        self._pace = pace or Pace()
        self._holder = secrets.token_hex(8)
        self._channels: dict[str, Channel] = {}
        self._free_tests = threading.BoundedSemaphore(MAX_TESTS)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="vigil-courier", daemon=True)

    def start(self) -> None:
        """Deliver whenever the lease is ours."""
        self._thread.start()

    def stop(self) -> bool:
        """End within a few seconds; what was under way is sent again by whoever comes next. False: something still hangs on Redis."""
        self._stopping.set()
        self._thread.join(END_WITHIN_S)
        return not self._thread.is_alive() and not any(channel.is_running for channel in self._channels.values())

    def test(self, webhook: Webhook) -> Attempt | None:
        """Send a test event now, once. None while MAX_TESTS others are under way."""
        if not self._free_tests.acquire(blocking=False):
            return None
        try:
            event = WebhookEvent(f"evt_test_{secrets.token_hex(8)}", "webhook.test", time.time(), None)
            body = msgspec.json.encode(event)
            return self._poster().post(webhook.url, signed_headers(webhook.secret, event.id, int(time.time()), body), body)
        finally:
            self._free_tests.release()

    def _run(self) -> None:
        newest, is_away = "0-0", False
        tend_at_s = 0.0
        while not self._stopping.is_set():
            try:
                if time.monotonic() >= tend_at_s:
                    self._tend()
                    tend_at_s = time.monotonic() + self._pace.tend_s
                before, newest = newest, self._shelf.wait_for_log(newest, self._pace.tend_s)
                is_away = False
            except RedisError as error:
                if not is_away:
                    log.warning("courier_interrupted", error=str(error))
                is_away = True
                self._stopping.wait(REDIS_AGAIN_S)
                continue
            if newest != before:
                for channel in self._channels.values():
                    channel.wake()
        self._end()

    def _tend(self) -> None:
        """Make the channels those that Redis asks for: none without the lease."""
        is_ours = self._shelf.hold_lease(self._holder, self._pace.lease_s)
        wanted = {webhook.id: webhook for webhook in self._shelf.all()} if is_ours else {}
        for webhook_id, channel in list(self._channels.items()):
            if webhook_id not in wanted:
                channel.stop()
            if channel.may_begin_anew or (webhook_id not in wanted and not channel.is_running):
                del self._channels[webhook_id]
                _forget(self._metrics, webhook_id)
        fresh = [webhook for webhook in wanted.values() if webhook.id not in self._channels]
        for webhook, state in zip(fresh, self._shelf.states([webhook.id for webhook in fresh]), strict=True):
            channel = Channel(
                webhook, state, self._holder, shelf=self._shelf, poster=self._poster(), metrics=self._metrics, pace=self._pace
            )
            _begin(self._metrics, webhook.id)
            self._channels[webhook.id] = channel
            channel.start()

    def _end(self) -> None:
        for channel in self._channels.values():
            channel.stop()
        deadline_s = time.monotonic() + END_WITHIN_S / 2
        for channel in self._channels.values():
            channel.join(max(0.0, deadline_s - time.monotonic()))
        with suppress(RedisError):
            self._shelf.leave_lease(self._holder)

    def _poster(self) -> Poster:
        return Poster(self._guard, connect_s=self._pace.connect_s, total_s=self._pace.total_s)


def _begin(metrics: Metrics, webhook_id: str) -> None:
    """Every series is there from the start, so that a rate over it is 0 and not nothing."""
    for outcome in OUTCOMES:
        metrics.webhook_deliveries.labels(webhook_id, outcome)
    metrics.webhook_s.labels(webhook_id)
    metrics.webhook_backlog.labels(webhook_id).set(0)


def _forget(metrics: Metrics, webhook_id: str) -> None:
    for outcome in OUTCOMES:
        metrics.webhook_deliveries.remove(webhook_id, outcome)
    metrics.webhook_s.remove(webhook_id)
    metrics.webhook_backlog.remove(webhook_id)
