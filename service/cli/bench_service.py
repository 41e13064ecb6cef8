"""What the service adds to a frame beside decoding and the network, step by step: processor time of the worker, and wall time.

The frames show a small moving scene with relations; the engine is a fake in a process of its own, and its own time is taken off.
"""

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from engines.canvas import fit_canvas
from engines.fake import make_scene
from engines.protocol import EngineSpec, SceneGraph
from service import logs
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

STREAM_ID = "bench"
FPS = 25.0
TO_ENGINE = "to the engine and back"
ENCODE = "of which: encode messages"
PUBLISH = "publish (with encoding)"
BLOB = "state blob, once a second"


class StepCost(Struct):
    """Microseconds a frame."""

    step: str
    cpu_us: float
    wall_us: float


class ServiceResult(Struct):
    """`total` adds up what happens for every frame; the blob's share is that of one frame in a second's worth."""

    frames: int
    things: int
    relations: int
    steps: list[StepCost]
    total: StepCost
    blob_bytes: int


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


def measure_service(policies: Path | None, max_pixels: int, seconds: float, on_step: Callable[[], None]) -> ServiceResult:
    """About `seconds` of frames, as fast as they go."""
    settings = Settings(engine="fake", max_pixels=max_pixels, max_streams=1, log_level="warning")
    logs.configure(settings.log_level, as_json=False)
    with ExitStack() as stack:
        server = stack.enter_context(EmbeddedServer.start())
        store = stack.enter_context(closing(Store.connect(server.url)))
        address = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vigil-bench-"))) / "engine.sock"
        child = Child(Job("engine", engine_process.main, (settings, address)))
        child.start()
        stack.callback(lambda: child.end(time.monotonic() + 2.0))
        client = stack.enter_context(_connect(address))
        watch = Stopwatch()
        stream = StreamAnalysis(client.spec, STREAM_ID, load_policies(policies) if policies else PolicySet())
        _time_steps(stream, watch, stack)
        return _measure(client, store, stream, watch, seconds, on_step)


def _connect(address: Path) -> EngineClient:
    deadline_s = time.monotonic() + 30.0
    while True:
        try:
            return EngineClient(address)
        except EngineLostError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.05)


def _measure(
    client: EngineClient, store: Store, stream: StreamAnalysis, watch: Stopwatch, seconds: float, on_step: Callable[[], None]
) -> ServiceResult:
    store.put_stream(StreamSpec(STREAM_ID, "bench:", STREAM_ID, time.time()))
    epoch = store.claim(STREAM_ID)
    frames, blob_bytes = 0, 0
    deadline_s = time.perf_counter() + seconds
    while time.perf_counter() < deadline_s or frames < 2 * FPS:
        frame, scene = _frame(frames, client.spec), _scene(frames)
        with watch.on(TO_ENGINE):
            client.infer(frame.image_HW3, 1 / FPS, want_memory=frames % FPS == 0)
        watch.wall_s[TO_ENGINE] -= client.last_answer.infer_s
        with watch.on("analysis"):
            result = stream.step(frame, scene, time.time())
        with watch.on(ENCODE):
            msgspec.json.encode(result.delta)
            msgspec.json.encode(result.snapshot)
        blob = None
        if frames % FPS == 0 or result.incidents:
            with watch.on(BLOB):
                blob = make_blob(client.spec.model_hash, epoch, stream.state(), client.memory)
                blob_bytes = len(encode_blob(blob))
        message = result.delta if frames else result.snapshot
        opened, changed = result.incidents.opened, result.incidents.changed
        with watch.on(PUBLISH):
            store.publish(STREAM_ID, epoch, message, result.snapshot, blob=blob, opened=opened, changed=changed)
        frames += 1
        on_step()
    return _result(watch, frames, len(result.snapshot.nodes), len(result.snapshot.edges), blob_bytes)


def _time_steps(stream: StreamAnalysis, watch: Stopwatch, stack: ExitStack) -> None:
    """Puts a stopwatch around the parts that `StreamAnalysis.step` calls, until the stack closes."""
    for step, holder, call in (
        ("associate", "_tracks", "update"),
        ("merge", "_merges", "update"),
        ("relations", "_relations", "update"),
        ("policies", "policies", "evaluate"),
        ("incidents", "incidents", "update"),
    ):
        part = getattr(stream, holder)
        setattr(part, call, watch.around(step, getattr(part, call)))
    for step, name in (("canvas to picture", "on_picture"), ("settle", "settle"), ("delta", "diff")):
        original = getattr(analysis, name)
        setattr(analysis, name, watch.around(step, original))
        stack.callback(setattr, analysis, name, original)


def _result(watch: Stopwatch, frames: int, things: int, relations: int, blob_bytes: int) -> ServiceResult:
    inner = ["canvas to picture", "associate", "merge", "relations", "settle", "delta", "policies", "incidents"]
    steps = [watch.cost(step, frames) for step in (TO_ENGINE, *inner)]
    whole = watch.cost("analysis", frames)
    rest_cpu_us = whole.cpu_us - sum(cost.cpu_us for cost in steps[1:])
    rest_wall_us = whole.wall_us - sum(cost.wall_us for cost in steps[1:])
    steps.append(StepCost("rest of the analysis", rest_cpu_us, rest_wall_us))
    steps += [watch.cost(step, frames) for step in (PUBLISH, BLOB)]
    total = StepCost("all", sum(cost.cpu_us for cost in steps), sum(cost.wall_us for cost in steps))
    return ServiceResult(frames, things, relations, [*steps, watch.cost(ENCODE, frames)], total, blob_bytes)


def _frame(number: int, spec: EngineSpec) -> Frame:
    canvas = fit_canvas(720, 1280, spec.max_pixels)
    image_HW3 = np.full((canvas.height, canvas.width, 3), 120, np.uint8)
    content_hw = (canvas.content_height, canvas.content_width)
    return Frame(STREAM_ID, number, number / FPS, number / FPS, time.time(), image_HW3, content_hw, (720, 1280))


def _scene(number: int) -> SceneGraph:
    """Three people who walk, with cups and furniture; one cup is put down every few seconds."""
    rng = np.random.default_rng(number)
    shift = 0.1 * np.sin(number / FPS)
    things = []
    for person in range(3):
        x, jitter = 0.1 + 0.3 * person + shift, 0.004 * rng.standard_normal()
        things.append(("person", 0.9 - 0.01 * person, (x + jitter, 0.2, x + 0.15 + jitter, 0.9)))
        things.append(("cup", 0.7 - 0.01 * person, (x + 0.1 + jitter, 0.5, x + 0.15 + jitter, 0.6)))
    things += [
        ("chair", 0.6, (0.05, 0.5, 0.25, 0.95)),
        ("dining table", 0.65, (0.4, 0.6, 0.9, 0.95)),
        ("bottle", 0.5, (0.6, 0.5, 0.64, 0.6)),
    ]
    hold = 0.9 if number % 150 < 100 else 0.05
    relations = [
        (0, "holding", 1, hold),
        (2, "holding", 3, 0.9),
        (4, "holding", 5, 0.9),
        (0, "looking_at", 1, 0.8),
        (2, "looking_at", 8, 0.8),
    ]
    relations += [(7, "in_front_of", 2, 0.8), (6, "beneath", 0, 0.7), (0, "sitting_on", 6, 0.7)]
    return make_scene(things, relations)
