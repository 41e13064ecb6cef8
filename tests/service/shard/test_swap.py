"""Another model while streams run: their readers go on, what subscribers hold stays true, a model that fails changes nothing."""

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from engines.fake import MODEL_HASH, FakeEngine, make_scene
from engines.protocol import Engine, SceneGraph, UInt8
from engines.swap import SwapOutcome, SwappingEngine
from service.ingest.address import AddressGuard, parse_networks
from service.ingest.backoff import ConnectBudget
from service.metrics import Metrics
from service.settings import Settings
from service.shard.engine_client import EngineClient, EngineFrameError
from service.shard.engine_line import EngineLine, ModelChangedError
from service.shard.engine_process import serve
from service.shard.engine_server import EngineServer
from service.shard.model_watch import ModelWatch
from service.shard.policies import PolicySource
from service.shard.stream import WorkerParts
from service.shard.swapper import ModelSwapper
from service.shard.worker import Worker
from service.state.alerts import AlertFilter
from service.state.store import Store
from service.types import StreamSpec
from tests.servers.hls_origin import HlsOrigin, Segment, cut_segments
from tests.servers.process import wait_until
from tests.servers.publisher import run_ffmpeg
from tests.service.shard.graph_log import latest, longest_gap_s, messages_of, replayed
from tests.service.shard.shard_process import POLICY

PIXELS = 192 * 192


class TunedEngine(FakeEngine):
    """A fake whose predicates have another threshold than usual."""

    def __init__(self, threshold: float) -> None:
        super().__init__(num_streams=4, max_pixels=PIXELS)
        predicates = tuple(replace(predicate, threshold=threshold) for predicate in self._spec.predicates)
        self._spec = replace(self._spec, predicates=predicates)


class Bench:
    """A server in a thread; `swap` puts in another engine as the engine process does."""

    def __init__(self, engine: Engine, address: Path) -> None:
        self.engine = SwappingEngine(engine, trial_frames=5)
        self.server = EngineServer(self.engine, address, Metrics())
        self.reports: list[SwapOutcome] = []
        self._wishes: list[Engine] = []
        self._parent, theirs = multiprocessing.Pipe()
        self._thread = threading.Thread(target=serve, args=(self.server, self._poll, Metrics(), theirs))
        self._thread.start()

    def swap(self, engine: Engine, outcome: SwapOutcome) -> None:
        self._wishes.append(engine)
        self.wait_for(outcome)

    def wait_for(self, outcome: SwapOutcome) -> None:
        wait_until(lambda: outcome in self.reports, f"{outcome} after {self.reports}")

    def close(self) -> None:
        self._parent.send("stop")
        self._thread.join()
        self._parent.close()
        self.server.close()
        self.engine.close()

    def _poll(self, _now_s: float) -> None:
        if self._wishes:
            self.engine.prepare(self._wishes.pop)
        elif report := self.engine.poll():
            self.reports.append(report.outcome)


@contextmanager
def serving(engine: Engine, address: Path) -> Iterator[Bench]:
    bench = Bench(engine, address)
    try:
        yield bench
    finally:
        bench.close()


def fake(model_hash: str = "one") -> FakeEngine:
    return FakeEngine(num_streams=4, max_pixels=PIXELS, model_hash=model_hash)


PICTURE = np.full((96, 96, 3), 200, np.uint8)
PICTURE[-1, -1] = 7


def test_the_same_model_takes_the_memories_over_and_nobody_notices(tmp_path: Path) -> None:
    second = fake()
    with serving(fake(), tmp_path / "s") as bench, EngineClient(tmp_path / "s") as client:
        for _ in range(3):
            client.infer(PICTURE, 0.04)
        bench.swap(second, SwapOutcome.SWITCHED)
        client.infer(PICTURE, 0.04)
        assert client.read_memory().counts_P.max() == 4
        assert second.read_memory(0).counts_P.max() == 4


def test_streams_are_told_of_another_model_and_begin_with_an_empty_memory(tmp_path: Path) -> None:
    with serving(fake(), tmp_path / "s") as bench, EngineLine(tmp_path / "s", threading.Event(), lambda _: None) as line:
        line.infer(PICTURE, 0.04, want_memory=True)
        bench.swap(fake("two"), SwapOutcome.SWITCHED_MODEL)
        with pytest.raises(ModelChangedError):
            line.infer(PICTURE, 0.04, want_memory=True)
        assert line.spec.model_hash == "two"
        line.infer(PICTURE, 0.04, want_memory=True)
        assert line.memory is not None
        assert line.memory.counts_P.max() == 1


def test_the_same_model_with_other_thresholds_is_told_and_keeps_its_memory(tmp_path: Path) -> None:
    address = tmp_path / "s"
    with serving(fake(MODEL_HASH), address) as bench, EngineLine(address, threading.Event(), lambda _: None) as line:
        line.infer(PICTURE, 0.04, want_memory=True)
        bench.swap(TunedEngine(0.7), SwapOutcome.SWITCHED)
        with pytest.raises(EngineFrameError):
            line.infer(PICTURE, 0.04, want_memory=True)
        assert line.spec.predicates[0].threshold == 0.7
        line.infer(PICTURE, 0.04, want_memory=True)
        assert line.memory is not None
        assert line.memory.counts_P.max() == 2


class FailingEngine(FakeEngine):
    """Another model that raises at the third frame."""

    def __init__(self) -> None:
        super().__init__(num_streams=4, max_pixels=PIXELS, model_hash="failing", scene=self._see)
        self._frames = 0

    def _see(self, _image_HW3: UInt8, _dt_s: float) -> SceneGraph:
        self._frames += 1
        if self._frames > 2:
            raise RuntimeError("the device gave up")
        return make_scene([], [])


def test_another_model_that_fails_on_trial_gives_way_to_the_one_before(tmp_path: Path) -> None:
    with serving(fake(), tmp_path / "s") as bench, EngineLine(tmp_path / "s", threading.Event(), lambda _: None) as line:
        bench.swap(FailingEngine(), SwapOutcome.SWITCHED_MODEL)
        seen = []
        for _ in range(10):
            try:
                line.infer(PICTURE, 0.04, want_memory=True)
            except ModelChangedError:
                seen.append(line.spec.model_hash)
        assert seen == ["failing", "one"]
        bench.wait_for(SwapOutcome.ROLLED_BACK_MODEL)


@pytest.mark.parametrize("error", [ValueError("torn"), RuntimeError("the device is full")])
def test_a_checkpoint_that_fails_changes_nothing_and_a_good_one_is_taken_later(tmp_path: Path, error: Exception) -> None:
    (tmp_path / "manifest.json").write_text("one")
    metrics, engine, seconds = Metrics(), SwappingEngine(fake()), count(step=2.0)

    def open_model(folder: Path) -> Engine:
        if (folder / "manifest.json").read_text() == "bad":
            raise error
        return fake("two")

    swapper = ModelSwapper(engine, ModelWatch(tmp_path), open_model, metrics)

    def serving_after(text: str) -> str:
        (tmp_path / "manifest.json").write_text(text)
        for _ in range(10):
            swapper.poll(next(seconds))
            time.sleep(0.02)
        return engine.spec.model_hash

    assert serving_after("bad") == "one"
    assert 'vigil_engine_swaps_total{outcome="not_opened"} 1.0' in metrics.expose().decode()
    assert serving_after("good") == "two"
    assert 'vigil_engine_swaps_total{outcome="switched_model"} 1.0' in metrics.expose().decode()
    engine.close()


# ---- a whole stream ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def bright_url(tmp_path: Path) -> Iterator[str]:
    """Always bright: one event that never ends."""
    video = tmp_path / "bright.mp4"
    run_ffmpeg(
        *("-f", "lavfi", "-i", "color=c=0xe0e0e0:s=320x192:r=12:d=4", "-c:v", "libx264", "-preset", "ultrafast"),
        *("-tune", "zerolatency", "-g", "12", "-pix_fmt", "yuv420p", str(video)),
    )
    with HlsOrigin([Segment(path) for path in cut_segments(video, tmp_path / "segments")]) as origin:
        yield origin.url


@pytest.fixture
def stream(tmp_path: Path) -> str:
    return tmp_path.name


@pytest.fixture
def watched(tmp_path: Path, stream: str, redis_url: str, bright_url: str) -> Iterator[tuple[Bench, Store]]:
    """One stream, running and alerted."""
    (tmp_path / "policies.yaml").write_text(POLICY)
    store = Store.connect(redis_url)
    settings = Settings(max_pixels=PIXELS, connects_per_minute=6000, read_timeout_s=1.0)
    guard = AddressGuard(parse_networks(["127.0.0.0/8"]))
    parts = WorkerParts("worker-1", settings, tmp_path / "s", store, Metrics(), guard, ConnectBudget(6000))
    with serving(fake(MODEL_HASH), tmp_path / "s") as bench:
        worker = Worker(parts, PolicySource(store, tmp_path / "policies.yaml"))
        worker.assign((store.put_stream(StreamSpec(stream, bright_url, stream, time.time()))[0],))
        wait_until(lambda: alerts_of(store, stream) == 1, "the alert", 20.0)
        yield bench, store
        worker.assign(())
        wait_until(lambda: not worker.is_busy, "the stream to end", 15.0)
        store.delete_stream(stream)
        store.close()


def alerts_of(store: Store, stream: str) -> int:
    return len(store.alerts.page(AlertFilter(stream_id=stream)).alerts)


def wait_frames(redis_url: str, stream: str, frames: int) -> None:
    seq = latest(redis_url, stream).seq
    wait_until(lambda: latest(redis_url, stream).seq >= seq + frames, f"{frames} frames", 20.0)


def other_model() -> Engine:
    return fake("two")


def other_thresholds() -> Engine:
    return TunedEngine(0.6)


@pytest.mark.parametrize(
    ("other", "outcome", "keeps_ids"),
    [(other_model, SwapOutcome.SWITCHED_MODEL, False), (other_thresholds, SwapOutcome.SWITCHED, True)],
)
def test_a_running_stream_goes_on_through_a_swap(
    watched: tuple[Bench, Store], stream: str, redis_url: str, other: Callable[[], Engine], outcome: SwapOutcome, keeps_ids: bool
) -> None:
    bench, store = watched
    before, status = latest(redis_url, stream), store.get_status(stream)
    bench.swap(other(), outcome)
    wait_frames(redis_url, stream, 36)
    after, messages = latest(redis_url, stream), messages_of(redis_url, stream)
    assert [node.label for node in after.nodes] == [node.label for node in before.nodes] == ["person", "cup"]
    ids, former_ids = {node.id for node in after.nodes}, {node.id for node in before.nodes}
    assert ids == former_ids if keeps_ids else not ids & former_ids, "an id is never given twice"
    held = replayed([message for message in messages if message.seq <= after.seq])
    assert (held.nodes, held.edges) == (after.nodes, after.edges)
    assert longest_gap_s(messages) < 1.0
    wait_until(lambda: (store.get_status(stream) or status) != status, "a new status")
    now = store.get_status(stream)
    assert status is not None
    assert now is not None
    assert (now.epoch, now.reconnects, now.state) == (status.epoch, 0, "live"), "the reader was not started again"
    assert alerts_of(store, stream) == 1, "the event goes on under new ids"
    bench.wait_for(SwapOutcome.KEPT)
