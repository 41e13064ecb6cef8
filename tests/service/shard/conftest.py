"""One embedded server, one small live HLS stream for all tests of the shard, and one fake engine for each file of them."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.fake import FakeEngine
from service.metrics import Metrics
from service.shard.engine_server import EngineServer
from service.state.embedded import EmbeddedServer
from service.state.store import Store
from tests.servers.hls_origin import HlsOrigin, Segment, cut_segments
from tests.servers.publisher import make_video

PIXELS = 192 * 192


@pytest.fixture(scope="session")
def segments(tmp_path_factory: pytest.TempPathFactory) -> list[Segment]:
    folder = tmp_path_factory.mktemp("video")
    video = make_video(folder / "small.mp4", size="320x192", fps=12, duration_s=4.0)
    return [Segment(path) for path in cut_segments(video, folder / "segments")]


@pytest.fixture(scope="session")
def live_url(segments: list[Segment]) -> Iterator[str]:
    with HlsOrigin(segments) as origin:
        yield origin.url


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with EmbeddedServer.start() as server:
        yield server.url


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shard")


@pytest.fixture(scope="module")
def store(redis_url: str) -> Iterator[Store]:
    store = Store.connect(redis_url)
    yield store
    store.close()


@pytest.fixture(scope="module")
def engine_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where an engine of 8 streams of PIXELS serves, in a thread."""
    address = tmp_path_factory.mktemp("engine") / "engine.sock"
    server = EngineServer(FakeEngine(num_streams=8, max_pixels=PIXELS), address, Metrics())
    stop = threading.Event()

    def loop() -> None:
        while not stop.is_set():
            server.gather(0.05)
            server.step()

    thread = threading.Thread(target=loop)
    thread.start()
    yield address
    stop.set()
    thread.join()
    server.close()
