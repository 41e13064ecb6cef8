"""What each stage of a frame's way costs, in processor time of the worker, the engine process and the Redis server, beside its floor.

A floor is the bare operation that the stage cannot do without (bench_floors.py), measured in the same run. All runs back to back, on
warm caches. From the engine's queue to Redis the frames show a small moving scene, and the network is left out; it has its own row.
"""

import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec import Struct

from engines.protocol import SceneGraph
from service import logs
from service.bootstrap import SHIPPED_POLICIES
from service.cli.bench_batcher import serve_fake
from service.cli.bench_floors import BareEngine, BarePictures, Floor, floors_of_way
from service.cli.bench_origin import origin_process
from service.cli.bench_scene import FPS, STREAM_ID, frame_at, scene_at
from service.cli.procfs import family
from service.ingest.address import AddressGuard, parse_networks
from service.ingest.intake import Intake
from service.ingest.mailbox import Mailbox
from service.ingest.source import LiveSource, SourceLimits
from service.metrics import Metrics
from service.policy import PolicySet, load_policies
from service.settings import Settings
from service.shard import analysis, engine_process
from service.shard.analysis import StreamAnalysis
from service.shard.children import Child, Job
from service.shard.engine_client import EngineClient, EngineLostError
from service.shard.keepsake import make_blob
from service.state.blob import encode_blob
from service.state.embedded import EmbeddedServer
from service.state.store import Store
from service.types import Frame, StreamSpec

STAGES = {
    "associate": ("canvas to picture", "associate", "merge"),
    "filter": ("relations", "settle", "delta"),
    "policy": ("policies", "incidents"),
    "publish": ("publish", "state blob, once a second"),
}
NETWORK_STAGES = ("infer",)
DECODE_STAGES = ("decode", "resize")
END_WITHIN_S = 3.0
TURN_FRAMES = 10
WARM_UP_S = 2.0


class StepCost(Struct):
    """Microseconds of the worker's processor time and of wall time for a frame, for one step inside a stage."""

    step: str
    cpu_us: float
    wall_us: float


class StageCost(Struct):
    """Microseconds of processor time for a frame, by process, and what the bare operation takes."""

    stage: str
    worker_us: float
    engine_us: float = 0.0
    redis_us: float = 0.0
    floor: str = ""
    floor_us: float = 0.0

    @property
    def cpu_us(self) -> float:
        return self.worker_us + self.engine_us + self.redis_us

    @property
    def ratio(self) -> float | None:
        """To the floor; None where there is none."""
        return self.cpu_us / self.floor_us if self.floor_us else None


class StagesResult(Struct):
    """`frames` went from queue to Redis; `things` and `relations` were in the last of them."""

    backend: str
    clip: str
    frames: int
    things: int
    relations: int
    blob_bytes: int
    stages: list[StageCost]
    steps: list[StepCost]

    def without(self, *left_out: str) -> float:
        """Milliseconds of processor time a frame in all stages but these."""
        return sum(stage.cpu_us for stage in self.stages if stage.stage not in left_out) / 1000


@dataclass(frozen=True, slots=True)
class StagesPlan:
    """What to measure with, about `seconds` for each half."""

    clip: Path
    backend: str
    model_dir: Path | None
    max_pixels: int
    policies: Path | None
    seconds: float


class Stopwatch:
    """Adds up time per step."""

    def __init__(self) -> None:
        self.cpu_s: defaultdict[str, float] = defaultdict(float)
        self.wall_s: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def on(self, step: str) -> Iterator[None]:
        cpu_s, wall_s = time.thread_time(), time.perf_counter()
        yield
        self.cpu_s[step] += time.thread_time() - cpu_s
        self.wall_s[step] += time.perf_counter() - wall_s

    def around(self, step: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """`call`, timed."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.on(step):
                return call(*args, **kwargs)

        return timed

    def cost(self, step: str, frames: int) -> StepCost:
        return StepCost(step, self.cpu_s[step] / frames * 1e6, self.wall_s[step] / frames * 1e6)


def measure_stages(plan: StagesPlan, on_step: Callable[[], None]) -> StagesResult:
    """Every stage and every floor, one after the other."""
    settings = Settings(engine=plan.backend, model_dir=plan.model_dir, max_pixels=plan.max_pixels, max_streams=1, log_level="warning")
    logs.configure(settings.log_level, as_json=False)
    pictures = measure_pictures(plan.clip, settings, plan.seconds, on_step)
    result = measure_way(plan, on_step)
    result.backend, network = measure_network(settings, plan.seconds / 2, on_step)
    result.stages = [*pictures, result.stages[0], network, *result.stages[1:]]
    return result


# ---- from the network to a picture ------------------------------------------------------------------------------------------


class _NeverWaits(threading.Event):
    """In place of the reader's stop signal: a frame need not wait for its time."""

    def wait(self, timeout: float | None = None) -> bool:
        del timeout
        return False


def measure_pictures(clip: Path, settings: Settings, seconds: float, on_step: Callable[[], None]) -> list[StageCost]:
    """Decode and resize of the clip as HLS, by the reader's own parts, as fast as they go; in turns with their floors."""
    watch, frames, bare = Stopwatch(), 0, BarePictures(clip, settings.max_pixels)
    guard = AddressGuard(parse_networks(("127.0.0.0/8",)))
    with origin_process(clip) as origin:
        deadline_s = time.perf_counter() + seconds
        while not frames or time.perf_counter() < deadline_s:
            frames += _read(LiveSource(origin.recording, guard, SourceLimits.of(settings)), settings, watch)
            bare.one_pass()
            on_step()
    return [_with_floor("decode", watch, frames, bare.decode()), _with_floor("resize", watch, frames, bare.resize())]


def _read(source: LiveSource, settings: Settings, watch: Stopwatch) -> int:
    intake = Intake(STREAM_ID, None, settings.max_pixels, Mailbox(), Metrics(), 0.0)
    never, frames = _NeverWaits(), 0
    try:
        source.open()
        intake.restart(is_bursty=True)
        pictures = source.pictures()
        while True:
            with watch.on("decode"):
                picture = next(pictures, None)
            if picture is None:
                break
            with watch.on("resize"):
                intake.accept(picture, never)
            frames += 1
    finally:
        source.close()
    return frames


def _with_floor(stage: str, watch: Stopwatch, frames: int, floor: Floor) -> StageCost:
    return StageCost(stage, watch.cost(stage, frames).cpu_us, floor=floor.what, floor_us=floor.cpu_us)


# ---- from the mailbox to Redis ----------------------------------------------------------------------------------------------


@contextmanager
def _engine(job: Job, address: Path) -> Iterator[tuple[EngineClient, int]]:
    child = Child(job)
    child.start()
    try:
        with _connect(address) as client:
            yield client, child.pid or 0
    finally:
        child.end(time.monotonic() + END_WITHIN_S)


def _connect(address: Path) -> EngineClient:
    deadline_s = time.monotonic() + 60.0
    while True:
        try:
            return EngineClient(address)
        except EngineLostError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.05)


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as name:
        yield Path(name)


def measure_way(plan: StagesPlan, on_step: Callable[[], None]) -> StagesResult:
    """From the engine's queue to Redis, in the order of the frame's way; `infer` is not among the stages."""
    path = plan.policies or SHIPPED_POLICIES
    policies = load_policies(path) if path.exists() else PolicySet()
    with ExitStack() as stack:
        server = stack.enter_context(EmbeddedServer.start())
        store = stack.enter_context(closing(Store.connect(server.url)))
        address = stack.enter_context(_folder()) / "engine.sock"
        client, engine_pid = stack.enter_context(_engine(Job("engine", serve_fake, (address, 1, 0.0, 1)), address))
        way = _Way(client, store, StreamAnalysis(client.spec, STREAM_ID, policies), Stopwatch())
        stack.enter_context(_timed_steps(way.stream, way.watch))
        engine_s, redis_s = _cpu_s(engine_pid), _cpu_s(server.pid)
        way.run(plan.seconds, on_step)
        engine_us, redis_us = ((_cpu_s(pid) - before) / way.frames * 1e6 for pid, before in ((engine_pid, engine_s), (server.pid, redis_s)))
        result = way.result(plan, engine_us, redis_us)
        bare = floors_of_way(server, way.image_HW3, way.last, policies)
    for stage in result.stages:
        if stage.stage in bare:
            stage.floor, stage.floor_us = bare[stage.stage].what, bare[stage.stage].cpu_us
    return result


class _Way:
    """Frame after frame from the mailbox to Redis."""

    def __init__(self, client: EngineClient, store: Store, stream: StreamAnalysis, watch: Stopwatch) -> None:
        self.client, self.store, self.stream, self.watch = client, store, stream, watch
        self.frames = self.blob_bytes = 0
        store.put_stream(StreamSpec(STREAM_ID, "bench:", STREAM_ID, time.time()))
        self._epoch = store.claim(STREAM_ID)
        self.image_HW3 = frame_at(0, client.spec.max_pixels).image_HW3

    def run(self, seconds: float, on_step: Callable[[], None]) -> None:
        deadline_s = time.perf_counter() + seconds
        while time.perf_counter() < deadline_s or self.frames < 2 * FPS:
            self._step(frame_at(self.frames, self.client.spec.max_pixels), scene_at(self.frames), is_save_due=self.frames % FPS == 0)
            self.frames += 1
            on_step()

    def _step(self, frame: Frame, scene: SceneGraph, *, is_save_due: bool) -> None:
        with self.watch.on("queue"):
            self.client.infer(frame.image_HW3, 1 / FPS, want_memory=is_save_due)
        with self.watch.on("analysis"):
            self.last = self.stream.step(frame, scene, time.time())
        incidents, blob = self.last.incidents, None
        if is_save_due or incidents.opened or incidents.changed:
            with self.watch.on("state blob, once a second"):
                blob = make_blob(self.client.spec.model_hash, self._epoch, self.stream.state(), self.client.memory)
            self.blob_bytes = len(encode_blob(blob))
        message = self.last.delta if self.frames else self.last.snapshot
        with self.watch.on("publish"):
            self.store.publish(
                STREAM_ID,
                self._epoch,
                message,
                self.last.snapshot,
                blob=blob,
                opened=incidents.opened,
                changed=incidents.changed,
            )

    def result(self, plan: StagesPlan, engine_us: float, redis_us: float) -> StagesResult:
        steps = {name: self.watch.cost(name, self.frames) for names in STAGES.values() for name in names}
        whole = self.watch.cost("analysis", self.frames).cpu_us
        inside = sum(steps[name].cpu_us for stage in ("associate", "filter", "policy") for name in STAGES[stage])
        queue = self.watch.cost("queue", self.frames)
        stages = [StageCost("queue", queue.cpu_us, engine_us=engine_us)]
        stages += [StageCost(stage, sum(steps[name].cpu_us for name in names)) for stage, names in STAGES.items()]
        stages[-1].redis_us = redis_us
        stages.append(StageCost("rest", whole - inside))
        snapshot = self.last.snapshot
        counts = (self.frames, len(snapshot.nodes), len(snapshot.edges), self.blob_bytes)
        return StagesResult(plan.backend, plan.clip.name, *counts, stages, [queue, *steps.values()])


@contextmanager
def _timed_steps(stream: StreamAnalysis, watch: Stopwatch) -> Iterator[None]:
    """A stopwatch around the parts that `StreamAnalysis.step` calls."""
    for step, holder, call in (
        ("associate", "_tracks", "update"),
        ("merge", "_merges", "update"),
        ("relations", "_relations", "update"),
        ("policies", "policies", "evaluate"),
        ("incidents", "incidents", "update"),
    ):
        part = getattr(stream, holder)
        setattr(part, call, watch.around(step, getattr(part, call)))
    names = {"canvas to picture": "on_picture", "settle": "settle", "delta": "diff"}
    originals = {name: getattr(analysis, name) for name in names.values()}
    for step, name in names.items():
        setattr(analysis, name, watch.around(step, originals[name]))
    try:
        yield
    finally:
        for name, original in originals.items():
            setattr(analysis, name, original)


# ---- the network ------------------------------------------------------------------------------------------------------------


def measure_network(settings: Settings, seconds: float, on_step: Callable[[], None]) -> tuple[str, StageCost]:
    """(backend that ran, processor time of the engine process), in turns with the same engine without process and queue."""
    image_HW3 = frame_at(0, settings.max_pixels).image_HW3
    with ExitStack() as stack:
        address = stack.enter_context(_folder()) / "engine.sock"
        client, pid = stack.enter_context(_engine(Job("engine", engine_process.main, (settings, address)), address))
        bare = stack.enter_context(closing(BareEngine(settings, image_HW3)))
        _warm_up(lambda: client.infer(image_HW3, 1 / FPS))
        _warm_up(lambda: bare.run(1))
        bare.forget()
        frames, engine_s, deadline_s = 0, 0.0, time.perf_counter() + seconds
        while not frames or time.perf_counter() < deadline_s:
            before_s = _cpu_s(pid)
            for _ in range(TURN_FRAMES):
                client.infer(image_HW3, 1 / FPS)
            engine_s += _cpu_s(pid) - before_s
            frames += TURN_FRAMES
            bare.run(TURN_FRAMES)
            on_step()
    floor = bare.floor()
    return client.spec.backend, StageCost("infer", 0.0, engine_us=engine_s / frames * 1e6, floor=floor.what, floor_us=floor.cpu_us)


def _warm_up(call: Callable[[], object]) -> None:
    """Long enough for an engine that gets ready for a picture's size in the background."""
    deadline_s = time.perf_counter() + WARM_UP_S
    while time.perf_counter() < deadline_s:
        call()


def _cpu_s(pid: int) -> float:
    """Of all threads that live, to the nanosecond; where the kernel does not say, in /proc's steps of 10 ms."""
    try:
        return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir()) / 1e9
    except (OSError, IndexError):
        return sum(use.cpu_s for use in family(pid))
