"""More frames than the engine holds, with real streams: fewer of each are analysed, all alike, the status says so, and it passes."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.fake import FakeEngine
from service.ingest.address import AddressGuard, parse_networks
from service.ingest.backoff import ConnectBudget
from service.metrics import Metrics
from service.settings import Settings
from service.shard.engine_server import EngineServer
from service.shard.policies import PolicySource
from service.shard.stream import WorkerParts
from service.shard.worker import Worker
from service.state.store import Store
from service.types import StreamSpec
from tests.servers.process import wait_until

PIXELS = 192 * 192
STREAMS = tuple(f"overload-{number}" for number in range(4))
MODEL = "fake-moderation-v1"


class SlowEngine(FakeEngine):
    """Holds about 20 frames a second, until it is told to take another time for each."""

    def __init__(self) -> None:
        super().__init__(num_streams=8, max_pixels=PIXELS, frame_s=0.05)

    def take(self, frame_s: float) -> None:
        self._frame_s = frame_s


class Overloaded:
    """A worker with four streams of 12 frames a second each."""

    def __init__(self, worker: Worker, parts: WorkerParts, engine: SlowEngine, store: Store) -> None:
        self.worker, self.parts, self.engine, self.store = worker, parts, engine, store

    def wait_for_level(self, level: int, within_s: float) -> None:
        wait_until(lambda: f'vigil_pressure_level{{worker="worker-1"}} {level}.0' in self.page(), f"level {level}", within_s)

    def page(self) -> str:
        return self.worker.tend().decode()

    def seqs(self) -> list[int]:
        return [self.store.resume(stream, MODEL).seq for stream in STREAMS]

    def messages(self) -> set[str]:
        return {status.message for status in self.store.get_statuses(STREAMS) if status}


@pytest.fixture
def overloaded(tmp_path: Path, redis_url: str, live_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Overloaded]:
    monkeypatch.setattr("service.shard.pressure.WINDOW_S", 0.5)
    engine, stop, store = SlowEngine(), threading.Event(), Store.connect(redis_url)
    server = EngineServer(engine, tmp_path / "s", Metrics())

    def loop() -> None:
        while not stop.is_set():
            server.gather(0.05)
            server.step()

    thread = threading.Thread(target=loop)
    thread.start()
    settings = Settings(max_pixels=PIXELS, connects_per_minute=6000, read_timeout_s=1.0)
    parts = WorkerParts(
        "worker-1", settings, tmp_path / "s", store, Metrics(), AddressGuard(parse_networks(["127.0.0.0/8"])), ConnectBudget(6000)
    )
    worker = Worker(parts, PolicySource(store, None))
    worker.assign(tuple(store.put_stream(StreamSpec(stream, live_url, stream, time.time()))[0] for stream in STREAMS))
    yield Overloaded(worker, parts, engine, store)
    worker.assign(())
    wait_until(lambda: not worker.is_busy, "all streams to end", 15.0)
    stop.set()
    thread.join()
    server.close()
    for stream in STREAMS:
        store.delete_stream(stream)
    store.close()


def test_overload_is_shared_alike_and_said_and_passes(overloaded: Overloaded) -> None:
    overloaded.wait_for_level(1, 25.0)
    wait_until(lambda: all("FPS are analysed" in message for message in overloaded.messages()), "the statuses to say so")
    assert 2.0 < overloaded.parts.pressure.cap_fps < 6.0, "20 frames a second over 4 streams"
    before = overloaded.seqs()
    time.sleep(5.0)
    analysed = [after - seq for after, seq in zip(overloaded.seqs(), before, strict=True)]
    assert min(analysed) > 5
    assert max(analysed) <= 1.5 * min(analysed), analysed
    overloaded.engine.take(0.0)
    overloaded.wait_for_level(0, 25.0)
    wait_until(lambda: overloaded.messages() == {""}, "the statuses to be silent about it again")


def test_an_engine_that_holds_next_to_nothing_sees_key_frames_of_all_and_none_is_forgotten(overloaded: Overloaded) -> None:
    overloaded.engine.take(0.6)
    overloaded.wait_for_level(2, 40.0)
    wait_until(lambda: all("key frames" in message for message in overloaded.messages()), "the statuses to say so")
    before = overloaded.seqs()
    wait_until(lambda: min(gained(overloaded, before)) >= 2, "two frames of each", 30.0)
    assert overloaded.parts.pressure.level >= 1, "the engine holds no more"
    assert min(gained(overloaded, before)) >= 2


def gained(overloaded: Overloaded, before: list[int]) -> list[int]:
    """Frames of each stream since."""
    return [seq - start for seq, start in zip(overloaded.seqs(), before, strict=True)]
