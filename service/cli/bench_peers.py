"""Vigil beside its peers, in turns within one run: the same clip, each as fast as it goes, from the file to what is in the picture.

Vigil here is what a stream's worker is: a decoding thread, the engine in its process, the analysis with policies; no Redis, no network.
Peers are in model/peers. Whoever has had the least time is next, so that what else the machine does falls on all alike.
"""

import os
import queue
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from engines.canvas import Canvas, fit_canvas
from engines.factory import SHIPPED
from service import logs
from service.bootstrap import SHIPPED_POLICIES
from service.cli.procfs import family
from service.ingest.file import probe_file, read_file
from service.policy import PolicySet, load_policies
from service.settings import Settings
from service.shard import engine_process
from service.shard.analysis import StepResult, StreamAnalysis
from service.shard.children import Child, Job
from service.shard.engine_client import EngineClient, EngineLostError
from service.types import Frame

STREAM_ID = "bench"
ROUND_S = 1.0
AHEAD_FRAMES = 2
STRETCH = 8
STREAMS_A_CORE = 2
"""So that the engine has work while a stream's graph is made."""
MEMORY_EVERY_FRAMES = 25
ENGINE_WITHIN_S = 60.0
PLAIN, PLAIN_ONE = "plain loop", "plain loop, 1 thread"
VIGIL, VIGIL_ONE, VIGIL_MANY = "vigil", "vigil, 1 engine thread", "vigil, 2 streams a core"
RELTR, RELTR_OWN = "RelTR at our canvas", "RelTR at its own size"


class Contender(Protocol):
    """Something that takes one frame a step from the clip to its end."""

    def step(self) -> None: ...


class PeerResult(Struct):
    """One contender. `cpu_ms` is processor time a frame of all its threads and processes; `ratio` its pace over the plain loop's."""

    name: str
    threads: int
    width: int
    height: int
    parameters_m: float | None
    frames: int
    seconds: float
    fps: float
    cpu_ms: float
    ratio: float


class PublishedResult(Struct):
    """What the authors of the rebuilt network say, and how many parameters the rebuilt one has."""

    name: str
    parameters_m: float
    rebuilt_parameters_m: float
    fps: float
    device: str
    source: str


class PeersResult(Struct):
    """`over_plain`: Vigil's pace on one stream over the plain loop's on torch's default threads; `over_best_plain`: over the faster plain
    loop's; `many_over_best_plain`: Vigil's with `STREAMS_A_CORE` streams a core, over the same."""

    clip: str
    source_width: int
    source_height: int
    contenders: list[PeerResult]
    published: PublishedResult
    over_plain: float
    over_best_plain: float
    many_over_best_plain: float


class _Lane(Struct):
    """A contender and what it has taken so far."""

    name: str
    contender: Contender
    threads: int
    size: tuple[int, int]
    parameters: int | None = None
    frames_a_step: int = 1
    frames: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0


def measure_peers(
    clip: Path,
    seconds: float,
    on_step: Callable[[str], None],
    *,
    backend: str | None = None,
    checkpoint: Path = SHIPPED,
    max_pixels: int | None = None,
    short_side: int | None = None,
    round_s: float = ROUND_S,
) -> PeersResult:
    """About `seconds` in all, in rounds of `round_s`, at least one frame each. `backend` None is the engine that the service runs by
    default; `short_side` other than RelTR's own is for tests. ValueError when the clip cannot be read or torch or OpenCV is missing.
    """
    settings = Settings()
    settings = settings.model_copy(
        update={
            "engine": backend or settings.engine,
            "model_dir": checkpoint,
            "max_pixels": max_pixels or settings.max_pixels,
            "max_streams": STREAMS_A_CORE * (os.cpu_count() or 1),
            "log_level": "warning",
        }
    )
    logs.configure(settings.log_level, as_json=False)
    info = probe_file(clip)
    with ExitStack() as stack:
        canvas = fit_canvas(info.height, info.width, settings.max_pixels)
        peers = _peers(clip, checkpoint, canvas, (info.height, info.width), short_side)
        lanes = [*_vigil(clip, settings, canvas, stack), *peers]
        _take_turns(lanes, seconds, round_s, on_step)
    return _result(clip, (info.height, info.width), lanes)


class VigilLoop:
    """A stream's worker without its stream: frames wait in a short queue that fills from the file, instead of the newest winning."""

    def __init__(self, clip: Path, max_pixels: int, address: Path, stack: ExitStack) -> None:
        self._frames: queue.Queue[Frame | None] = queue.Queue(AHEAD_FRAMES)
        self._stopping = threading.Event()
        self._client = stack.enter_context(_connect(address))
        policies = load_policies(SHIPPED_POLICIES) if SHIPPED_POLICIES.is_dir() else PolicySet(text="")
        self._analysis = StreamAnalysis(self._client.spec, STREAM_ID, policies)
        self._last_media_s = 0.0
        self.steps = 0
        self.last: StepResult | None = None
        self._decoder = threading.Thread(target=self._decode, args=(clip, max_pixels), name="bench-decode", daemon=True)
        self._decoder.start()
        stack.callback(self._stop)

    def step(self) -> None:
        """The next frame: engine, analysis. The result is in `last`. ValueError when the clip or the engine is lost."""
        frame = self._frames.get()
        if frame is None:
            raise ValueError("the clip cannot be decoded again")
        want_memory = self.steps % MEMORY_EVERY_FRAMES == 0
        try:
            scene = self._client.infer(frame.image_HW3, frame.media_s - self._last_media_s, want_memory=want_memory)
        except EngineLostError as error:
            raise ValueError(f"Vigil's engine was lost while it was measured: {error}") from error
        self._last_media_s = frame.media_s
        self.last = self._analysis.step(frame, scene, time.time())
        self.steps += 1

    def _decode(self, clip: Path, max_pixels: int) -> None:
        """The clip again and again, its media time going on."""
        start_s = 0.0
        try:
            while True:
                media_s = start_s
                for frame in read_file(clip, max_pixels, STREAM_ID):
                    media_s = start_s + frame.media_s
                    if not self._put(replace(frame, media_s=media_s)):
                        return
                start_s = media_s + 0.04
        except ValueError:
            self._put(None)

    def _put(self, frame: Frame | None) -> bool:
        """False once the loop is to stop."""
        while not self._stopping.is_set():
            try:
                self._frames.put(frame, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def _stop(self) -> None:
        self._stopping.set()
        self._decoder.join()


class ManyLoops:
    """Several streams on one engine: a step takes `STRETCH` frames of each, side by side, no stream waiting for another."""

    def __init__(self, loops: list[VigilLoop], stack: ExitStack) -> None:
        self._loops = loops
        self._threads = stack.enter_context(ThreadPoolExecutor(len(loops)))

    def step(self) -> None:
        for done in [self._threads.submit(self._stretch, loop) for loop in self._loops]:
            done.result()

    @staticmethod
    def _stretch(loop: VigilLoop) -> None:
        for _ in range(STRETCH):
            loop.step()


def _vigil(clip: Path, settings: Settings, canvas: Canvas, stack: ExitStack) -> list[_Lane]:
    size, cores = (canvas.height, canvas.width), os.cpu_count() or 1
    address = own_engine(settings, stack)
    one_thread = own_engine(settings.model_copy(update={"engine_threads": 1}), stack)
    alone = VigilLoop(clip, settings.max_pixels, one_thread, stack)
    loops = [VigilLoop(clip, settings.max_pixels, address, stack) for _ in range(STREAMS_A_CORE * cores)]
    threads = settings.engine_threads or cores
    return [
        _Lane(VIGIL, loops[0], threads, size),
        _Lane(VIGIL_ONE, alone, 1, size),
        _Lane(VIGIL_MANY, ManyLoops(loops, stack), threads, size, frames_a_step=len(loops) * STRETCH),
    ]


def _peers(clip: Path, checkpoint: Path, canvas: Canvas, source_hw: tuple[int, int], short_side: int | None) -> list[_Lane]:
    try:
        from model.peers import reltr
        from model.peers.plain_loop import PlainLoop, RelTRLoop
    except ImportError as error:
        raise ValueError(f"the peers need torch and OpenCV: {error}; pip install 'vigil[bench]'") from error
    size, own = (canvas.height, canvas.width), reltr.own_size(*source_hw, short_side or reltr.SHORT_SIDE)
    network = reltr.build()
    lanes = []
    for name, loop, hw in (
        (PLAIN, PlainLoop(clip, checkpoint, *size), size),
        (PLAIN_ONE, PlainLoop(clip, checkpoint, *size, threads=1), size),
        (RELTR, RelTRLoop(clip, network, *size), size),
        (RELTR_OWN, RelTRLoop(clip, network, *own), own),
    ):
        lanes.append(_Lane(name, loop, loop.threads, hw, loop.num_parameters))
    return lanes


def own_engine(settings: Settings, stack: ExitStack) -> Path:
    """Where the engine process listens, started as the service starts it, ended with the stack."""
    address = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vigil-bench-"))) / "engine.sock"
    child = Child(Job("engine", engine_process.main, (settings, address)))
    child.start()
    stack.callback(lambda: child.end(time.monotonic() + 2.0))
    return address


def _connect(address: Path) -> EngineClient:
    """ValueError when the engine does not come up."""
    deadline_s = time.monotonic() + ENGINE_WITHIN_S
    while True:
        try:
            return EngineClient(address)
        except EngineLostError as error:
            if time.monotonic() > deadline_s:
                raise ValueError(f"the engine does not start: {error}") from error
            time.sleep(0.05)


def _take_turns(lanes: list[_Lane], seconds: float, round_s: float, on_step: Callable[[str], None]) -> None:
    """The first step of each is not counted, but for RelTR at its own size, which may take many seconds and shares its network."""
    for lane in lanes:
        if lane.name != RELTR_OWN:
            lane.contender.step()
    deadline_s = time.perf_counter() + seconds
    while time.perf_counter() < deadline_s or not all(lane.frames for lane in lanes):
        lane = min(lanes, key=lambda one: one.seconds)
        _turn(lane, round_s)
        on_step(f"{lane.name}: {lane.frames / lane.seconds:.1f} FPS")


def _turn(lane: _Lane, round_s: float) -> None:
    begun_cpu_s, begun_s, frames = _cpu_s(), time.perf_counter(), 0
    while time.perf_counter() < begun_s + round_s:
        lane.contender.step()
        frames += lane.frames_a_step
    lane.seconds += time.perf_counter() - begun_s
    lane.cpu_s += _cpu_s() - begun_cpu_s
    lane.frames += frames


def _cpu_s() -> float:
    """Of this process and all below it; whoever has no turn sleeps."""
    return sum(use.cpu_s for use in family(os.getpid()))


def _result(clip: Path, source_hw: tuple[int, int], lanes: list[_Lane]) -> PeersResult:
    from model.peers.reltr import PUBLISHED

    pace = {lane.name: lane.frames / lane.seconds for lane in lanes}
    contenders = [
        PeerResult(
            name=lane.name,
            threads=lane.threads,
            width=lane.size[1],
            height=lane.size[0],
            parameters_m=None if lane.parameters is None else lane.parameters / 1e6,
            frames=lane.frames,
            seconds=lane.seconds,
            fps=pace[lane.name],
            cpu_ms=1000 * lane.cpu_s / lane.frames,
            ratio=pace[lane.name] / pace[PLAIN],
        )
        for lane in lanes
    ]
    rebuilt_m = next(one.parameters_m for one in contenders if one.name == RELTR)
    assert rebuilt_m is not None
    published = PublishedResult(PUBLISHED.name, PUBLISHED.parameters_m, rebuilt_m, PUBLISHED.fps, PUBLISHED.device, PUBLISHED.source)
    best = max(pace[PLAIN], pace[PLAIN_ONE])
    return PeersResult(
        clip=clip.name,
        source_width=source_hw[1],
        source_height=source_hw[0],
        contenders=contenders,
        published=published,
        over_plain=pace[VIGIL] / pace[PLAIN],
        over_best_plain=pace[VIGIL] / best,
        many_over_best_plain=pace[VIGIL_MANY] / best,
    )
