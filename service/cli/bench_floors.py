"""The bare operation behind each stage of a frame's way: what nobody could do without. Knows no stage's insides.

Every floor is processor time of one operation, warm, over at least LEAST_S; of all processes that take part in it.
"""

import io
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import av
import msgspec
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from scipy.optimize import linear_sum_assignment

from engines.canvas import fit_canvas
from engines.factory import open_engine
from engines.protocol import UInt8
from service.cli.bench_origin import first_segments
from service.cli.procfs import family
from service.policy import PolicySet
from service.settings import Settings
from service.shard.analysis import StepResult
from service.shard.children import Child, Job
from service.shard.process import begin
from service.shard.wire import ANSWER, REQUEST
from service.state.embedded import EmbeddedServer
from service.state.link import connect
from service.types import GraphSnapshot

LEAST_S = 0.3
WARM_CALLS = 3
PAIRS_AND_PREDICATES = (64, 26)


@dataclass(frozen=True, slots=True)
class Floor:
    """What the bare operation is, in words, and microseconds of processor time for one."""

    what: str
    cpu_us: float


class BarePictures:
    """libavcodec on a clip in memory, one thread; swscale's area filter to the canvas. `one_pass` as often as one likes."""

    def __init__(self, clip: Path, max_pixels: int) -> None:
        self._data = b"".join(segment.data for segment in first_segments(clip))
        self._max_pixels = max_pixels
        self._reformatter = VideoReformatter()
        self.frames = 0
        self._decode_s = self._resize_s = 0.0

    def one_pass(self) -> None:
        """The whole clip."""
        for picture, decode_s in _decoded(self._data):
            canvas = fit_canvas(picture.height, picture.width, self._max_pixels)
            begun_s = time.thread_time()
            self._reformatter.reformat(picture, canvas.content_width, canvas.content_height, "rgb24", interpolation=Interpolation.AREA)
            self._resize_s += time.thread_time() - begun_s
            self._decode_s += decode_s
            self.frames += 1

    def decode(self) -> Floor:
        """Of one picture, over all passes."""
        return Floor("libavcodec alone, one thread", self._decode_s / self.frames * 1e6)

    def resize(self) -> Floor:
        """Of one picture, over all passes."""
        return Floor("swscale's area filter alone", self._resize_s / self.frames * 1e6)


def _decoded(data: bytes) -> Iterator[tuple[av.VideoFrame, float]]:
    with av.open(io.BytesIO(data), "r", format="mpegts") as container:
        container.streams.video[0].codec_context.thread_count = 1
        frames = container.decode(video=0)
        while True:
            begun_s = time.thread_time()
            picture = next(frames, None)
            took_s = time.thread_time() - begun_s
            if picture is None:
                return
            yield picture, took_s


class BareEngine:
    """The engine in this process, without queue; `run` some frames as often as one likes."""

    def __init__(self, settings: Settings, image_HW3: UInt8) -> None:
        self._engine = open_engine(
            settings.engine,
            model_dir=settings.model_dir,
            num_streams=1,
            max_pixels=settings.max_pixels,
            threads=settings.engine_threads,
        )
        self._images_BHW3 = image_HW3[None]
        self.forget()

    def run(self, frames: int) -> None:
        """One frame after the other."""
        begun_s = time.process_time()
        for _ in range(frames):
            self._engine.infer(self._images_BHW3, [0], [0.04])
        self._cpu_s += time.process_time() - begun_s
        self._frames += frames

    def forget(self) -> None:
        """What was run so far does not count."""
        self._frames, self._cpu_s = 0, 0.0

    def floor(self) -> Floor:
        """Over all runs."""
        return Floor("the engine without process and queue", self._cpu_s / self._frames * 1e6)

    def close(self) -> None:
        self._engine.close()


def floors_of_way(server: EmbeddedServer, image_HW3: UInt8, last: StepResult, policies: PolicySet) -> dict[str, Floor]:
    """Floors of queue, associate, filter, policy and publish for a frame like the last one."""
    return {
        "queue": Floor("copy the picture, one round trip between two processes", _queue_us(image_HW3)),
        "associate": Floor("one matrix of overlaps, one assignment", _associate_us(last.snapshot)),
        "filter": Floor("one vector update of 64 x 26 beliefs", _filter_us()),
        "policy": Floor("each rule looks at each edge once", _policy_us(last.snapshot, policies)),
        "publish": Floor("encode the messages, one SET of the same bytes", _publish_us(server, last)),
    }


def _queue_us(image_HW3: UInt8) -> float:
    child, target_HW3 = Child(Job("echo", echo)), image_HW3.copy()
    child.start()
    try:
        pipe, pid = child.pipe, child.pid
        assert pipe is not None
        assert pid is not None

        def once() -> None:
            np.copyto(target_HW3, image_HW3)
            pipe.send_bytes(bytes(REQUEST.size))
            pipe.recv_bytes()

        return _per_call_us(once, other_pid=pid)
    finally:
        child.end(time.monotonic() + 2.0)


def echo(parent: Connection) -> None:
    """Process main: answers every message until the parent hangs up."""
    begin("echo", dies_with_parent=True)
    try:
        while parent.recv_bytes():
            parent.send_bytes(bytes(ANSWER.size))
    except EOFError:
        parent.close()


def _associate_us(snapshot: GraphSnapshot) -> float:
    boxes_N4 = np.array([node.box for node in snapshot.nodes], np.float32).reshape(-1, 4)
    area_N = (boxes_N4[:, 2] - boxes_N4[:, 0]) * (boxes_N4[:, 3] - boxes_N4[:, 1])

    def once() -> None:
        low_NN2 = np.maximum(boxes_N4[:, None, :2], boxes_N4[None, :, :2])
        high_NN2 = np.minimum(boxes_N4[:, None, 2:], boxes_N4[None, :, 2:])
        shared_NN = np.clip(high_NN2 - low_NN2, 0, None).prod(axis=2)
        linear_sum_assignment(-shared_NN / (area_N[:, None] + area_N - shared_NN))

    return _per_call_us(once)


def _filter_us() -> float:
    belief_RK, seen_RK = np.zeros(PAIRS_AND_PREDICATES, np.float32), np.ones(PAIRS_AND_PREDICATES, np.float32)

    def once() -> None:
        np.add(belief_RK, 0.3 * (seen_RK - belief_RK), out=belief_RK)
        np.flatnonzero(belief_RK > 0.5)

    return _per_call_us(once)


def _policy_us(snapshot: GraphSnapshot, policies: PolicySet) -> float:
    rules, edges = range(len(policies.policies)), snapshot.edges
    return _per_call_us(lambda: [edge for _ in rules for edge in edges if edge.predicate == "none" and edge.prob > 0.5])


def _publish_us(server: EmbeddedServer, last: StepResult) -> float:
    with closing(connect(server.url, 5.0)) as redis:

        def once() -> None:
            redis.set("bench:floor", msgspec.json.encode(last.delta) + msgspec.json.encode(last.snapshot))

        return _per_call_us(once, other_pid=server.pid)


def _per_call_us(call: Callable[[], object], other_pid: int | None = None) -> float:
    """Processor time of one call, here and in the process `other_pid`."""
    for _ in range(WARM_CALLS):
        call()
    calls, other_s, begun_s, deadline_s = 0, _cpu_s(other_pid), time.thread_time(), time.perf_counter() + LEAST_S
    while time.perf_counter() < deadline_s:
        call()
        calls += 1
    return (time.thread_time() - begun_s + _cpu_s(other_pid) - other_s) / calls * 1e6


def _cpu_s(pid: int | None) -> float:
    return sum(use.cpu_s for use in family(pid)) if pid else 0.0
