"""Keeps one stream going inside its worker, whatever happens to it; nothing that happens here reaches another stream.

One of the two places in Vigil that catch every exception: an unforeseen error costs its stream a restart, and the log has its trace.
"""

import random
import threading

import structlog
from redis import RedisError

from service.errors import FencedError, VigilError
from service.ingest.backoff import Backoff
from service.ingest.effort import KEY_WAIT_S
from service.policy import PolicySet
from service.shard.status import StatusBoard
from service.shard.stream import OwnedStream, WorkerParts
from service.types import StreamSpec

log = structlog.get_logger()


class StreamKeeper:
    """Runs `OwnedStream` in a thread, again and again, until stopped or fenced. `spec` and `policies` may be set from any thread."""

    def __init__(self, spec: StreamSpec, policies: PolicySet, parts: WorkerParts) -> None:
        self.spec = spec
        self.policies = policies
        self._parts = parts
        self._stopping = threading.Event()
        self._saved = threading.Event()
        self._board = StatusBoard(spec.id, parts.name)
        self._backoff = Backoff(parts.settings.backoff_base_s, parts.settings.backoff_max_s, random.Random())
        self._thread = threading.Thread(target=self._run, name=f"vigil-stream-{spec.id}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._parts.metrics.begin_stream(self.spec.id)
        self._thread.start()

    def count_blind(self) -> None:
        """Once a second: time in which the stream is wanted and not analysed; nobody misses a pushed stream that nobody publishes."""
        if not self.is_running:
            return
        blind_s = self._board.blind_s(is_wanted=not self.spec.lacks_publisher, fps=self._expected_fps())
        self._parts.metrics.blind_s.labels(self.spec.id).inc(blind_s)

    def _expected_fps(self) -> float | None:
        """What user and effort leave of the stream's frames."""
        effort = self._parts.pressure.effort
        rates = (self.spec.fps, effort.fps, 1.0 / KEY_WAIT_S if effort.key_frames_only else None)
        return min((fps for fps in rates if fps), default=None)

    def stop(self) -> None:
        """Ask it to save and end; returns at once."""
        self._stopping.set()

    @property
    def is_running(self) -> bool:
        """Whether the thread lives."""
        return self._thread.is_alive()

    def join(self, timeout_s: float) -> None:
        """Wait for the state to be saved; the source may take longer to close."""
        self._saved.wait(timeout_s)

    def _run(self) -> None:
        structlog.contextvars.bind_contextvars(stream_id=self.spec.id)
        try:
            while not self._stopping.is_set() and self._own():
                self._stopping.wait(self._backoff.next_wait_s())
        finally:
            self._saved.set()

    def _own(self) -> bool:
        """Until stopped, fenced (False) or failed (True)."""
        try:
            owned = OwnedStream(self._parts, self, self._board, self._stopping, self._saved.set)
            owned.run()
        except FencedError as error:
            log.info("stream_let_go", stream_id=self.spec.id, why=str(error))
            return False
        except (VigilError, RedisError) as error:
            self._note(str(error))
        except Exception:
            log.exception("stream_failed", stream_id=self.spec.id)
            self._note("an internal error, which the log explains")
        return True

    def _note(self, why: str) -> None:
        if not self._stopping.is_set():
            log.warning("stream_restarts", stream_id=self.spec.id, why=why)
            self._board.report("reconnecting", None, why)
