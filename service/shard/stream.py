"""One stream in its worker, for as long as this worker owns it: newest frame, engine, analysis, publish. Knows no other stream."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import structlog
from redis import RedisError

from engines.protocol import EngineSpec, SceneGraph
from service.errors import StateError, VigilError
from service.ingest.address import AddressGuard
from service.ingest.backoff import ConnectBudget
from service.ingest.effort import FULL_EFFORT, Effort
from service.ingest.mailbox import Mailbox
from service.ingest.pushed import GONE, Presence, answers, as_played, is_gone, media_server_guard
from service.ingest.reader import OnState, StreamReader
from service.metrics import Metrics
from service.policy import PolicySet
from service.settings import Settings
from service.shard.analysis import StepResult, StreamAnalysis
from service.shard.engine_client import EngineFrameError, EngineLostError, EngineStaleError
from service.shard.engine_line import EngineLine, ModelChangedError
from service.shard.gauges import GraphGauges
from service.shard.keepsake import analysis_state, make_blob, media_start_s, unpack_memory
from service.shard.pressure import Pressure
from service.shard.preview import PREVIEW_EVERY_S, encode_jpeg
from service.shard.publisher import Publisher
from service.shard.status import StatusBoard
from service.state.blob import StreamBlob
from service.state.store import Resumed, Store
from service.types import Frame, StreamSpec, StreamState

log = structlog.get_logger()

IDLE_S = 0.1
AWAITED: tuple[StreamState, str] = ("pending", "waits for its publisher")
STOPPED: tuple[StreamState, str] = ("ended", "its publisher stopped")


class ReaderCrashedError(VigilError):
    """The reader's thread ended without saying why: the stream is started again."""


class Wishes(Protocol):
    """What users want of the stream now; looked at before every frame."""

    @property
    def spec(self) -> StreamSpec: ...
    @property
    def policies(self) -> PolicySet: ...


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """What all streams of a worker share."""

    name: str
    settings: Settings
    engine_address: Path
    store: Store
    metrics: Metrics
    guard: AddressGuard
    budget: ConnectBudget
    pressure: Pressure = field(default_factory=Pressure)


class OwnedStream:
    """One stream under one epoch, from claim to letting go.

    Raises FencedError when another worker took the stream over or it was deleted.
    """

    def __init__(
        self, parts: WorkerParts, wishes: Wishes, board: StatusBoard, stopping: threading.Event, on_saved: Callable[[], None]
    ) -> None:
        self._parts = parts
        self._on_saved = on_saved
        self._wishes = wishes
        self._board = board
        self._stopping = stopping
        self._spec, self._policies = wishes.spec, wishes.policies
        self._epoch = parts.store.claim(self._spec.id)
        last = parts.store.get_status(self._spec.id)
        board.take_over(last)
        board.own(self._epoch)
        if is_gone(last):
            board.report("ended", None, GONE)
        self._presence = self._new_presence(was_gone=is_gone(last))
        self._gauges = GraphGauges(self._spec.id, parts.metrics)
        self._publisher = Publisher(parts.store, self._spec.id, self._epoch, parts.settings.save_every_s, parts.metrics)
        self._readers: list[StreamReader] = []
        self._waits_as: tuple[StreamState, str] | None = None
        self._effort = FULL_EFFORT
        self._last_media_s: float | None = None
        self._superseded = 0
        self._model: EngineSpec
        self._next_preview_s = 0.0

    def run(self) -> None:
        """Until asked to stop; then the state is saved, at once, and the source is closed, which may take its read timeout."""
        try:
            with EngineLine(self._parts.engine_address, self._stopping, self._waiting_for_engine) as self._engine:
                self._analysis = self._new_analysis()
                self._start_reader(self._resume())
                self._watch()
                self._save()
                self._on_saved()
        finally:
            for reader in self._readers:
                reader.stop()
            for reader in self._readers:
                reader.join()
            self._readers.clear()
            self._gauges.rest()

    def _watch(self) -> None:
        while not self._stopping.is_set():
            self._follow_wishes()
            self._follow_pressure()
            frame = self._mailbox.take(IDLE_S)
            self._step(frame) if frame else self._idle()
            self._write_status()

    # ---- one frame ----------------------------------------------------------------------------------------------------------

    def _step(self, frame: Frame) -> None:
        scene = self._infer(frame)
        if self._engine.spec is not self._model:
            self._take_up_model()
        if scene is None:
            return
        result = self._analyse(frame, scene)
        is_watched = self._publisher.publish(result, self._blob)
        self._board.saw(frame, result.snapshot.seq)
        if is_watched:
            self._show(frame, result)

    def _infer(self, frame: Frame) -> SceneGraph | None:
        dt_s = 0.0 if self._last_media_s is None else max(0.0, frame.media_s - self._last_media_s)
        try:
            scene = self._engine.infer(frame.image_HW3, dt_s, want_memory=self._publisher.is_save_due)
        except ModelChangedError:
            return None
        except EngineStaleError:
            self._parts.metrics.frames_dropped.labels(self._spec.id, "stale").inc()
            self._note_pressure(lost=1)
            return None
        except EngineFrameError as error:
            log.warning("frame_failed", stream_id=self._spec.id, error=str(error))
            self._parts.metrics.frames_dropped.labels(self._spec.id, "engine_error").inc()
            return None
        self._note_pressure(analysed=1)
        self._last_media_s = frame.media_s
        return scene

    def _take_up_model(self) -> None:
        """The engine is another. The same model goes on with all there is, by its thresholds of now; to another model what the last one
        learned means nothing: it begins empty. Reader, graph, incidents and sequence go on with either."""
        former, before = self._model, self._analysis
        if self._engine.spec == former:
            self._model = self._engine.spec
            return
        self._analysis = self._new_analysis()
        if self._model.model_hash == former.model_hash:
            self._analysis.restore(before.state())
            self._analysis.go_on_after(before.snapshot(0.0))
            return
        log.warning("model_changed", stream_id=self._spec.id, former=former.model_hash, now=self._model.model_hash)
        self._analysis.follow(before)
        self._last_media_s = None

    def _note_pressure(self, *, analysed: int = 0, lost: int = 0) -> None:
        superseded = self._mailbox.drops.get("superseded", 0)
        lost += superseded - self._superseded
        self._superseded = superseded
        self._parts.pressure.note(self._spec.id, self._engine.load, analysed=analysed, lost=lost)

    def _analyse(self, frame: Frame, scene: SceneGraph) -> StepResult:
        metrics, stream_id = self._parts.metrics, self._spec.id
        with metrics.graph_s.labels(stream_id).time():
            result = self._analysis.step(frame, scene, time.time())
        metrics.frame_age_s.labels(stream_id).observe(max(0.0, time.time() - frame.captured_at_s))
        metrics.frames.labels(stream_id).inc()
        now_s = time.monotonic()
        if result.incidents or self._gauges.is_due(now_s):
            self._gauges.show(result.snapshot.edges, self._analysis.incidents.open_incidents(), now_s)
        return result

    def _show(self, frame: Frame, result: StepResult) -> None:
        now_s = time.monotonic()
        if now_s < self._next_preview_s:
            return
        self._next_preview_s = now_s + PREVIEW_EVERY_S
        try:
            self._parts.store.put_preview(self._spec.id, encode_jpeg(frame), result.snapshot)
        except RedisError as error:
            log.info("preview_not_shown", stream_id=self._spec.id, error=str(error))

    # ---- between frames -----------------------------------------------------------------------------------------------------

    def _idle(self) -> None:
        """No frame came. A reader that is through (ended, failed) leaves the stream waiting for a patch, or for its publisher."""
        if self._waits_as:
            self._board.report(self._waits_as[0], None, self._waits_as[1])
        if self._waits_as or self._presence.is_gone:
            self._gauges.rest()
        if not self._mailbox.closed:
            return
        if self._presence.is_gone or self._board.state not in ("ended", "failed"):
            raise ReaderCrashedError(f"the reader of stream {self._spec.id} ended without a word")
        self._gauges.rest()
        self._stopping.wait(IDLE_S)

    def _waiting_for_engine(self, is_waiting: bool) -> None:
        self._board.hold("waiting for the engine" if is_waiting else "")
        self._write_status()

    def _write_status(self) -> None:
        status = self._board.due()
        if status is None:
            return
        self._parts.metrics.set_stream_state(self._spec.id, status.state)
        try:
            with self._parts.metrics.redis_s.labels("status").time():
                self._parts.store.put_status(status)
        except RedisError as error:
            log.info("status_not_written", stream_id=self._spec.id, error=str(error))
            self._board.write_again()

    # ---- what users want ----------------------------------------------------------------------------------------------------

    def _follow_wishes(self) -> None:
        """Take over a patch between two frames; only another URL, publisher or frame rate needs a new reader.

        While the publisher is gone every patch does: it may be the same session, come again.
        """
        wanted, policies = self._wishes.spec, self._wishes.policies
        if wanted is self._spec and policies is self._policies:
            return
        before, self._spec, self._policies = self._spec, wanted, policies
        self._apply_wishes(self._analysis)
        if _publisher(wanted) != _publisher(before):
            self._presence = self._new_presence()
        if _read_as(wanted) != _read_as(before) or (self._presence.is_gone and wanted is not before):
            self._stop_reader()
            self._start_reader(self._analysis.media_s)

    def _follow_pressure(self) -> None:
        """Read as little as the engine holds, and say so to whoever asked for more."""
        effort = self._parts.pressure.effort
        if effort is self._effort:
            return
        self._effort = effort
        for reader in self._readers[-1:]:
            reader.set_effort(effort)
        self._board.ease(_eased(effort, self._spec.fps))

    def _apply_wishes(self, analysis: StreamAnalysis) -> None:
        analysis.labels, analysis.zones = self._spec.labels, self._spec.zones
        analysis.policies.replace(self._wanted_policies())

    def _new_analysis(self) -> StreamAnalysis:
        self._model = self._engine.spec
        return StreamAnalysis(self._model, self._spec.id, self._wanted_policies(), self._spec.labels, self._spec.zones)

    def _wanted_policies(self) -> PolicySet:
        """Those the stream asked for, their alerts counted from 0."""
        policies = self._policies.only(self._spec.policies)
        self._parts.metrics.begin_alerts(self._spec.id, ((policy.name, policy.severity) for policy in policies.policies))
        return policies

    def _start_reader(self, media_s: float) -> None:
        """Or wait, while nobody publishes a pushed stream."""
        if self._spec.lacks_publisher:
            self._wait_for_publisher(*(STOPPED if self._analysis.seq else AWAITED))
            return
        self._waits_as = None
        self._mailbox = Mailbox()
        self._superseded = 0
        reader = self._new_reader(media_s)
        if self._effort is not FULL_EFFORT:
            reader.set_effort(self._effort)
        self._board.ease(_eased(self._effort, self._spec.fps))
        self._readers = [*(old for old in self._readers if old.running), reader]
        reader.start()

    def _new_reader(self, media_s: float) -> StreamReader:
        """The guard that holds for users' addresses lets pushed streams pass, to the media server only."""
        parts, spec, guard = self._parts, self._spec, self._parts.guard
        on_state: OnState = self._board.report
        if spec.push is not None:
            spec, guard, on_state = as_played(spec, parts.settings), media_server_guard(parts.settings), self._presence.report
        return StreamReader(spec, parts.settings, guard, self._mailbox, on_state, parts.metrics, media_s, budget=parts.budget)

    def _new_presence(self, *, was_gone: bool = False) -> Presence:
        """Of the publisher of now, if this is a pushed stream."""
        url, guard = as_played(self._spec, self._parts.settings).url, media_server_guard(self._parts.settings)
        return Presence(self._board.report, lambda: answers(url, guard), is_gone=was_gone)

    def _stop_reader(self) -> None:
        for reader in self._readers[-1:]:
            reader.stop()

    def _wait_for_publisher(self, state: StreamState, message: str) -> None:
        """Nothing is read; the status says so again and again, since a reader that ends may still have reported."""
        self._stop_reader()
        self._mailbox = Mailbox()
        self._superseded = 0
        self._waits_as = (state, message)
        self._board.report(state, None, message)

    # ---- what outlives this owner -------------------------------------------------------------------------------------------

    def _resume(self) -> float:
        """Go on where the owner before left off; returns the media time to go on from."""
        resumed = self._parts.store.resume(self._spec.id, self._engine.spec.model_hash)
        refused = self._restore(resumed) if resumed.blob else resumed.refused
        if refused:
            log.warning("state_refused", stream_id=self._spec.id, why=refused)
            self._analysis = self._new_analysis()
        if resumed.snapshot is not None:
            self._analysis.go_on_after(resumed.snapshot)
        self._analysis.seq = resumed.seq
        if refused or resumed.blob is None:
            return 0.0
        self._last_media_s = self._analysis.media_s
        return media_start_s(resumed.blob, resumed.snapshot, time.time())

    def _restore(self, resumed: Resumed) -> str:
        """Why it could not be done, or nothing."""
        assert resumed.blob is not None
        try:
            self._analysis.restore(analysis_state(resumed.blob, resumed.seq))
            self._engine.write_memory(unpack_memory(resumed.blob, self._engine.spec))
        except (StateError, ValueError) as error:
            return str(error)
        return ""

    def _blob(self) -> StreamBlob:
        return make_blob(self._engine.spec.model_hash, self._epoch, self._analysis.state(), self._engine.memory)

    def _save(self) -> None:
        try:
            self._engine.read_memory()
        except EngineLostError as error:
            log.info("last_copy_of_memory_saved", stream_id=self._spec.id, why=str(error))
        self._publisher.save(self._blob())


def _read_as(spec: StreamSpec) -> tuple[object, ...]:
    """What a reader begins with."""
    return spec.url, spec.fps, _publisher(spec)


def _publisher(spec: StreamSpec) -> str | None:
    """The session that pushes the stream, as far as Vigil was told."""
    return spec.push.publisher if spec.push else None


def _eased(effort: Effort, asked_fps: float | None) -> str:
    """What a stream's status says of it; nothing when the stream asks for no more."""
    if effort.fps is None or (asked_fps is not None and asked_fps <= effort.fps):
        return ""
    held = "the engine holds no more frames of all its streams"
    return f"only key frames are analysed: {held}" if effort.key_frames_only else f"at most {effort.fps:.1f} FPS are analysed: {held}"
