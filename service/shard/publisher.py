"""Writes what a stream has to say, fenced. While Redis is away alerts wait here; a snapshot then stands for the missed deltas.

Bounded: of more than `MAX_WAITING` waiting alerts or changes the oldest go, counted in log and metric. Knows no frame and no engine.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar

import structlog
from redis import RedisError

from service.metrics import Metrics
from service.shard.analysis import StepResult
from service.state.blob import StreamBlob
from service.state.store import Store
from service.types import Alert, AlertChange, GraphMessage

log = structlog.get_logger()

MAX_WAITING = 1000
RETRY_EVERY_S = 0.5
Waiting = TypeVar("Waiting", Alert, AlertChange)


class Publisher:
    """One stream under one epoch. Every method may raise FencedError: another worker owns the stream."""

    def __init__(self, store: Store, stream_id: str, epoch: int, save_every_s: float, metrics: Metrics) -> None:
        self._store = store
        self._stream_id = stream_id
        self._epoch = epoch
        self._save_every_s = save_every_s
        self._metrics = metrics
        self._publish_s, self._save_s = metrics.redis_s.labels("publish"), metrics.redis_s.labels("save")
        self._opened: deque[Alert] = deque(maxlen=MAX_WAITING)
        self._changed: deque[AlertChange] = deque(maxlen=MAX_WAITING)
        self._must_resync = True
        self._next_save_s = 0.0
        self._next_try_s = 0.0

    @property
    def is_save_due(self) -> bool:
        """The next write should carry the stream's state."""
        return time.monotonic() >= self._next_save_s

    def publish(self, result: StepResult, make_blob: Callable[[], StreamBlob]) -> bool:
        """Write one frame's graph, alerts and, when due, state; the first message is a snapshot. True while the preview is watched."""
        self._wait_in(self._opened, result.incidents.opened)
        self._wait_in(self._changed, result.incidents.changed)
        now_s = time.monotonic()
        if now_s < self._next_try_s:
            self._must_resync = True
            return False
        message: GraphMessage = result.snapshot if self._must_resync else result.delta
        blob = make_blob() if self.is_save_due or self._opened or self._changed else None
        try:
            with self._publish_s.time():
                is_watched = self._store.publish(
                    self._stream_id,
                    self._epoch,
                    message,
                    result.snapshot,
                    blob=blob,
                    opened=tuple(self._opened),
                    changed=tuple(self._changed),
                )
        except RedisError as error:
            self._missed(error)
            return False
        self._written(blob is not None)
        return is_watched

    def save(self, blob: StreamBlob) -> None:
        """Write the state alone, on a clean stop. Alerts that still wait for Redis are lost only if Redis is."""
        try:
            with self._save_s.time():
                self._store.save_blob(self._stream_id, blob)
            self._metrics.state_writes.labels("ok").inc()
        except RedisError as error:
            self._missed(error)

    def _wait_in(self, queue: deque[Waiting], fresh: tuple[Waiting, ...]) -> None:
        lost = len(queue) + len(fresh) - MAX_WAITING
        if lost > 0:
            log.error("alerts_lost", stream_id=self._stream_id, count=lost, why="Redis has been away for too long")
            self._metrics.alerts_lost.labels(self._stream_id).inc(lost)
        queue.extend(fresh)

    def _written(self, with_blob: bool) -> None:
        self._must_resync = False
        if with_blob:
            self._next_save_s = time.monotonic() + self._save_every_s
            self._metrics.state_writes.labels("ok").inc()
        self._count_alerts()
        self._opened.clear()
        self._changed.clear()

    def _count_alerts(self) -> None:
        for alert in self._opened:
            self._metrics.alerts.labels(self._stream_id, alert.policy, alert.severity).inc()
            self._metrics.alert_latency_s.labels(self._stream_id).observe(max(0.0, time.time() - alert.captured_at_s))

    def _missed(self, error: RedisError) -> None:
        if not self._must_resync:
            log.warning("redis_gone", stream_id=self._stream_id, error=str(error))
        self._must_resync = True
        self._next_try_s = time.monotonic() + RETRY_EVERY_S
        self._metrics.state_writes.labels("failed").inc()
