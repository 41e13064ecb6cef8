"""One stream's thread: connects, reads, reconnects, and says all along how it goes. Knows no engine and no Redis.

The states it passes through (service.types.StreamState):
    pending -> connecting -> live -> stalled -> reconnecting -> live ... -> ended | failed
"""

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from service.errors import StreamError
from service.ingest.address import AddressGuard
from service.ingest.backoff import Backoff, ConnectBudget
from service.ingest.effort import Effort
from service.ingest.hardware import DecoderChoice, DecoderKind
from service.ingest.intake import Intake, IntakeStats
from service.ingest.mailbox import Mailbox
from service.ingest.source import LiveSource, SourceLimits
from service.metrics import Metrics
from service.settings import Settings
from service.types import StreamCode, StreamSpec, StreamState

OnState = Callable[[StreamState, StreamCode | None, str], None]

STEADY_AFTER_S = 5.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How many failures in a row a code is given before the stream fails, before and after it was live; None: for ever.

    A pushed stream counts as having been live: its publisher is known to be there, and may still be warming up.
    """

    before_live: int | None
    after_live: int | None


_FOR_EVER = Patience(None, None)
_PATIENCE: Mapping[StreamCode, Patience] = {
    "forbidden_address": Patience(1, 1),
    "too_large": Patience(1, 1),
    "auth_failed": Patience(1, 4),
    "tls": Patience(1, None),
    "not_found": Patience(4, None),
    "codec_unsupported": Patience(3, None),
}


class StreamReader:
    """Reads `spec.url` into `mailbox` until stopped, over or failed; then the mailbox is closed.

    `on_state` is called from the reader's thread. `media_start_s` is the media time of the first frame. All readers of a process share
    one `guard` and one `budget`. `stop` returns at once; the thread ends within the read timeout.
    """

    def __init__(
        self,
        spec: StreamSpec,
        settings: Settings,
        guard: AddressGuard,
        mailbox: Mailbox,
        on_state: OnState,
        metrics: Metrics,
        media_start_s: float = 0.0,
        *,
        rng: random.Random | None = None,
        budget: ConnectBudget | None = None,
    ) -> None:
        self._spec = spec
        self._guard = guard
        self._limits = SourceLimits.of(settings)
        self._mailbox = mailbox
        self._on_state = on_state
        self._metrics = metrics
        self._backoff = Backoff(settings.backoff_base_s, settings.backoff_max_s, rng or random.Random())
        self._budget = budget or ConnectBudget(settings.connects_per_minute)
        self._intake = Intake(spec.id, spec.fps, settings.max_pixels, mailbox, metrics, media_start_s)
        self._choice = DecoderChoice(settings.decoder)
        self._decoder_kind: DecoderKind | None = None
        self._stopping = threading.Event()
        self._source: LiveSource | None = None
        self._stale_edge: str | None = None
        self._live_since_s: float | None = None
        self._been_live = False
        self._failures: list[StreamCode] = []
        self.reconnects = 0
        self._thread = threading.Thread(target=self._run, name=f"vigil-read-{spec.id}", daemon=True)

    @property
    def stats(self) -> IntakeStats:
        """Size and rate of what comes in."""
        return self._intake.stats

    @property
    def running(self) -> bool:
        """Whether the thread lives; one that is not running and never said ended, failed or stopped has crashed."""
        return self._thread.is_alive()

    def set_effort(self, effort: Effort) -> None:
        """How much of the stream is worth its cost from now on; from any thread, without a reconnect."""
        self._intake.demand.set_effort(effort)

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end, from any thread."""
        self._stopping.set()
        source = self._source
        if source is not None:
            source.cancel()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the thread; True when it has ended or was never started."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        structlog.contextvars.bind_contextvars(stream_id=self._spec.id)
        self._enter("connecting")
        try:
            while not self._stopping.wait(self._budget.reserve()):
                if self._connect_and_read():
                    return
        finally:
            self._mailbox.close()

    def _connect_and_read(self) -> bool:
        """One connection, from open to its end; True when the stream is finished."""
        source = self._source = LiveSource(self._spec.url, self._guard, self._limits, self._stale_edge, self._intake.demand, self._choice)
        try:
            self._read(source)
        except StreamError as error:
            if error.code == "codec_unsupported":
                self._choice.give_up(str(error))
            return self._stopping.is_set() or self._recover(error)
        finally:
            self._stale_edge = source.edge if self._been_live else None
            source.close()
            self._count_decoder(None)
        if not self._stopping.is_set():
            self._enter("ended", None, "the source said that the stream is over")
        return True

    def _read(self, source: LiveSource) -> None:
        if self._stopping.is_set():
            return
        source.open()
        self._intake.restart(is_bursty=source.is_bursty)
        for picture in source.pictures():
            self._count_decoder(source.decoder_kind)
            if self._intake.accept(picture, self._stopping) and self._live_since_s is None:
                self._go_live()

    def _count_decoder(self, kind: DecoderKind | None) -> None:
        """One stream more by this decoder, one less by the one before."""
        if kind == self._decoder_kind:
            return
        if self._decoder_kind is not None:
            self._metrics.decoders.labels(self._decoder_kind).dec()
        if kind is not None:
            self._metrics.decoders.labels(kind).inc()
        self._decoder_kind = kind

    def _go_live(self) -> None:
        self._live_since_s = time.monotonic()
        self._been_live = True
        self._failures.clear()
        self._enter("live")

    def _recover(self, error: StreamError) -> bool:
        """Decide what a failure means, wait before the next try; True when there is none."""
        live_since_s, self._live_since_s = self._live_since_s, None
        self._failures.append(error.code)
        if self._is_final(error):
            self._enter("failed", error.code, str(error))
            return True
        if live_since_s is not None and time.monotonic() - live_since_s >= STEADY_AFTER_S:
            self._backoff.reset()
        if live_since_s is not None and error.code in ("timeout", "codec_unsupported"):
            self._metrics.stalls.labels(self._spec.id).inc()
            self._enter("stalled", error.code, str(error))
        self.reconnects += 1
        self._metrics.reconnects.labels(self._spec.id, error.code).inc()
        self._enter("reconnecting", error.code, str(error))
        return self._stopping.wait(self._backoff.next_wait_s())

    def _is_final(self, error: StreamError) -> bool:
        if not error.permanent:
            return False
        patience = _PATIENCE.get(error.code, _FOR_EVER)
        allowed = patience.after_live if self._been_live or self._spec.push else patience.before_live
        return allowed is not None and self._failures.count(error.code) >= allowed

    def _enter(self, state: StreamState, code: StreamCode | None = None, message: str = "") -> None:
        self._on_state(state, code, message)
