"""A worker or the engine dies, a decoder aborts in native code: everybody else goes on, what was lost is taken up, nothing is left over."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
from websockets.sync.client import ClientConnection

from tests.e2e.product import Product, receive, running, wait_until
from tests.servers.hls_origin import HlsOrigin, Segment, cut_segments
from tests.servers.nginx_rtmp import NginxRtmp
from tests.servers.publisher import FfmpegPublisher, make_video

LIVE_AGAIN_S = 8.0
"""Three seconds on an idle machine; tests share theirs."""
NEIGHBOUR_GAP_S = 1.0
FPS = 12

ABORTING = """\
import ctypes, os, sys, threading, time

def watch():
    while True:
        time.sleep(0.05)
        try:
            with open(os.environ["TEST_ABORT_FILE"]) as file:
                is_meant = file.read() == str(os.getpid())
        except OSError:
            continue
        if is_meant:
            sys.modules["service.ingest.decode"].Painter.paint = lambda *_: ctypes.CDLL(None).abort()
            return

threading.Thread(target=watch, daemon=True).start()
"""
"""Put before every process of the product: whose number stands in the file aborts in its decoder's thread at the next picture."""

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("video") / "small.mp4", size="320x192", fps=FPS)


@pytest.fixture(scope="module")
def hls_url(video: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with HlsOrigin([Segment(path) for path in cut_segments(video, tmp_path_factory.mktemp("segments"))]) as origin:
        yield origin.url


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """Two workers and a spare; when it has stopped, no process and no shared memory is left."""
    hook = tmp_path_factory.mktemp("hook")
    (hook / "sitecustomize.py").write_text(ABORTING)
    shared = set(Path("/dev/shm").iterdir())
    environment = {"PYTHONPATH": str(hook), "TEST_ABORT_FILE": str(hook / "abort")}
    with running("--engine", "fake", "--workers", "2", "--max-pixels", "36864", environment=environment) as started:
        yield started
        family = psutil.Process(started.process.pid).children(recursive=True)
        assert len(family) >= 5
    _, alive = psutil.wait_procs(family, timeout=3.0)
    assert alive == []
    assert set(Path("/dev/shm").iterdir()) <= shared


def pid_of(product: Product, name: str) -> int:
    return next(child.pid for child in psutil.Process(product.process.pid).children() if child.name() == f"vigil-{name}")


class Listener:
    """Notes when each graph message of a stream was captured, until `stop`."""

    def __init__(self, product: Product, stream_id: str) -> None:
        self._stop = threading.Event()
        self.captured_at_s: list[float] = []
        self._thread = threading.Thread(target=self._listen, args=(product.socket(f"/v1/streams/{stream_id}/graph"),))
        self._thread.start()

    def stop(self) -> list[float]:
        self._stop.set()
        self._thread.join()
        return self.captured_at_s

    def _listen(self, socket: ClientConnection) -> None:
        with socket:
            while not self._stop.is_set():
                with contextlib.suppress(TimeoutError):
                    self.captured_at_s.append(receive(socket, 0.2)["captured_at_s"])


def longest_gap_s(captured_at_s: list[float]) -> float:
    return max(later - earlier for earlier, later in pairwise(captured_at_s))


def ids(product: Product, stream_id: str) -> list[int]:
    return [node["id"] for node in product.http.get(f"/v1/streams/{stream_id}/graph").json()["nodes"]]


def last_seq(product: Product, stream_id: str) -> int:
    """Of the graph as it is now; 0 before there is one."""
    return int(product.http.get(f"/v1/streams/{stream_id}/graph").json().get("seq", 0))


def wait_for_frames(product: Product, stream_id: str, frames: int, within_s: float) -> float:
    seq = last_seq(product, stream_id)
    return wait_until(lambda: last_seq(product, stream_id) >= seq + frames, within_s, f"{frames} frames")


@contextmanager
def watched(product: Product, *urls: str) -> Iterator[list[str]]:
    """The streams, each with some frames behind it and its state saved."""
    streams = [product.watch(url) for url in urls]
    for stream_id in streams:
        wait_for_frames(product, stream_id, FPS, 30.0)
    time.sleep(1.2)
    try:
        yield streams
    finally:
        for stream_id in streams:
            product.http.delete(f"/v1/streams/{stream_id}")


def kill(number: signal.Signals) -> Callable[[int, Path], None]:
    return lambda pid, _hook: os.kill(pid, number)


def abort_in_decoder(pid: int, hook: Path) -> None:
    hook.write_text(str(pid))


@pytest.mark.parametrize(
    "fault",
    [kill(signal.SIGKILL), kill(signal.SIGSEGV), abort_in_decoder],
    ids=["kill -9", "segmentation fault", "abort in the decoder"],
)
def test_a_worker_that_dies_costs_its_own_streams_a_moment_and_others_nothing(
    product: Product, hls_url: str, fault: Callable[[int, Path], None]
) -> None:
    hook = Path(psutil.Process(product.process.pid).environ()["TEST_ABORT_FILE"])
    with watched(product, hls_url, hls_url) as (lost, neighbour):
        worker = product.stream(lost)["worker"]
        assert product.stream(neighbour)["worker"] != worker
        known, epoch = ids(product, lost), product.stream(neighbour)["epoch"]
        listener = Listener(product, neighbour)
        pid = pid_of(product, worker)
        fault(pid, hook)
        died_after_s = wait_until(lambda: not psutil.pid_exists(pid), 5.0, "death")
        wait_for_frames(product, lost, 1, LIVE_AGAIN_S - died_after_s)
        assert ids(product, lost) == known
        time.sleep(1.0)
        captured = listener.stop()
        assert len(captured) > FPS
        assert longest_gap_s(captured) <= NEIGHBOUR_GAP_S
        assert (product.stream(neighbour)["epoch"], product.stream(neighbour)["reconnects"]) == (epoch, 0)
        wait_until(lambda: worker_is_back(product), 60.0, "spare worker again")


def worker_is_back(product: Product) -> bool:
    names = [child.name() for child in psutil.Process(product.process.pid).children()]
    return {"vigil-worker-1", "vigil-worker-2", "vigil-spare"} <= set(names)


def test_a_killed_engine_costs_all_streams_a_moment_of_hls_and_of_rtmp(
    product: Product, hls_url: str, nginx: NginxRtmp, video: Path
) -> None:
    with FfmpegPublisher(video, nginx.rtmp_url("cam")):
        time.sleep(1.0)
        with watched(product, hls_url, nginx.rtmp_url("cam")) as streams:
            known = [ids(product, stream_id) for stream_id in streams]
            before = [product.stream(stream_id) for stream_id in streams]
            os.kill(pid_of(product, "engine"), signal.SIGKILL)
            for stream_id in streams:
                wait_for_frames(product, stream_id, FPS, LIVE_AGAIN_S)
            assert [ids(product, stream_id) for stream_id in streams] == known
            after = [product.stream(stream_id) for stream_id in streams]
            assert [stream["epoch"] for stream in after] == [stream["epoch"] for stream in before], "no worker was harmed"
            assert [stream["reconnects"] for stream in after] == [0, 0], "the sources did not notice"


def test_sixteen_streams_are_served_alike(product: Product, hls_url: str) -> None:
    streams = [product.watch(hls_url, fps=4) for _ in range(16)]
    for stream_id in streams:
        product.wait_for_state(stream_id, "live", 60.0)
    time.sleep(3.0)
    before = [last_seq(product, stream_id) for stream_id in streams]
    time.sleep(10.0)
    analysed = [last_seq(product, stream_id) - seq for stream_id, seq in zip(streams, before, strict=True)]
    for stream_id in streams:
        product.http.delete(f"/v1/streams/{stream_id}")
    assert min(analysed) > 10
    assert max(analysed) <= 1.2 * min(analysed), analysed
