"""What survives the death of each process of a shard. The processes are real, and so are the kills."""

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from service.state.alerts import AlertFilter
from service.types import Push, StreamSpec
from tests.servers.process import wait_until
from tests.service.shard.shard_process import ShardProcess, running_shard

LIVE_AGAIN_S = 8.0
"""Three seconds on an idle machine; tests share theirs."""


@pytest.fixture(scope="module")
def shard(folder: Path, redis_url: str) -> Iterator[ShardProcess]:
    with running_shard(folder, redis_url) as shard:
        yield shard


@pytest.fixture
def stream(shard: ShardProcess, live_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    stream_id = f"stream-{request.node.name[:24]}"
    shard.watch(stream_id, live_url)
    shard.wait_for_frames(stream_id, 5)
    yield stream_id
    shard.store.delete_stream(stream_id)


def alerts_of(shard: ShardProcess, stream_id: str) -> list[str]:
    return [alert.id for alert in shard.store.alerts.page(AlertFilter(stream_id=stream_id)).alerts]


def test_a_killed_worker_costs_its_streams_a_moment_and_no_second_alert(shard: ShardProcess, stream: str) -> None:
    wait_until(lambda: len(alerts_of(shard, stream)) == 1, "the alert")
    time.sleep(1.2)
    ids, seq, epoch = shard.node_ids(stream), shard.last_seq(stream), shard.status(stream).epoch
    first_alerts = alerts_of(shard, stream)
    os.kill(shard.pid_of("worker-1"), signal.SIGKILL)
    wait_until(lambda: shard.status(stream).state == "reconnecting", "the status to say that its worker is gone", 3.0)
    took_s = shard.wait_for_frames(stream, seq + 20)
    assert took_s < LIVE_AGAIN_S
    assert shard.node_ids(stream) == ids
    assert shard.status(stream).epoch == epoch + 1
    time.sleep(1.0)
    assert alerts_of(shard, stream) == first_alerts
    assert shard.status(stream).state == "live"


def test_a_stream_that_waits_for_its_publisher_waits_on_when_its_worker_is_killed(shard: ShardProcess) -> None:
    shard.store.put_stream(StreamSpec("awaited", "rtmp://127.0.0.1:9/live/awaited?key=k", "awaited", time.time(), push=Push("hash")))
    waits = ("pending", "waits for its publisher")
    wait_until(lambda: (shard.status("awaited").state, shard.status("awaited").message) == waits, "the stream to wait")
    os.kill(shard.pid_of("worker-1"), signal.SIGKILL)
    states = set[str]()

    def is_owned_again() -> bool:
        states.add(shard.status("awaited").state)
        return shard.status("awaited").epoch == 2

    wait_until(is_owned_again, "the next owner", LIVE_AGAIN_S)
    shard.store.delete_stream("awaited")
    assert states == {"pending"}


def test_without_a_spare_a_killed_worker_is_started_afresh(folder: Path, redis_url: str, live_url: str) -> None:
    with running_shard(folder, redis_url, spare_worker="0") as lone:
        lone.watch("lonely", live_url)
        lone.wait_for_frames("lonely", 5)
        first = lone.pid_of("worker-1")
        os.kill(first, signal.SIGKILL)
        lone.wait_for_frames("lonely", lone.last_seq("lonely") + 5)
        assert lone.pid_of("worker-1") != first
        lone.store.delete_stream("lonely")


def test_a_killed_engine_is_waited_for_in_place(shard: ShardProcess, stream: str) -> None:
    time.sleep(1.2)
    before = shard.store.resume(stream, "fake-moderation-v1")
    epoch, ids = shard.status(stream).epoch, shard.node_ids(stream)
    os.kill(shard.pid_of("engine"), signal.SIGKILL)
    wait_until(lambda: "engine" in shard.status(stream).message, "the status to say that the engine is gone", 3.0)
    shard.wait_for_frames(stream, before.seq + 30)
    assert shard.status(stream).epoch == epoch, "the worker went on"
    assert shard.node_ids(stream) == ids
    wait_until(lambda: shard.status(stream).state == "live", "live")
    time.sleep(1.2)
    assert most_seen(shard, stream) > 20, "the memory was given back to the new engine"


def most_seen(shard: ShardProcess, stream: str) -> float:
    import numpy as np

    blob = shard.store.resume(stream, "fake-moderation-v1").blob
    assert blob is not None
    return float(np.frombuffer(blob.counts, np.float32).max())


def test_a_stream_that_another_owner_claimed_is_let_go_and_the_others_go_on(shard: ShardProcess, stream: str, live_url: str) -> None:
    shard.watch("neighbour", live_url)
    shard.wait_for_frames("neighbour", 3)
    shard.store.claim(stream)
    time.sleep(0.5)
    seq, neighbour_seq = shard.last_seq(stream), shard.last_seq("neighbour")
    shard.wait_for_frames("neighbour", neighbour_seq + 10)
    assert shard.last_seq(stream) == seq
    shard.store.delete_stream("neighbour")


def test_killing_the_service_leaves_no_process_and_the_next_one_goes_on(
    folder: Path, redis_url: str, live_url: str, temporary: Path
) -> None:
    with running_shard(folder, redis_url, temporary=temporary) as first:
        first.watch("survivor", live_url)
        wait_until(lambda: len(alerts_of(first, "survivor")) == 1, "the alert", 15.0)
        time.sleep(1.2)
        family, alerts = first.family(), alerts_of(first, "survivor")
        assert len(family) >= 2
        first.process.kill()
        _, alive = psutil.wait_procs(family, timeout=5.0)
        assert alive == []
    with running_shard(folder, redis_url, temporary=temporary) as second:
        ids, seq = second.node_ids("survivor"), second.last_seq("survivor")
        second.wait_for_frames("survivor", seq + 20)
        assert second.node_ids("survivor") == ids
        assert alerts_of(second, "survivor") == alerts
        second.store.delete_stream("survivor")
    assert list(temporary.iterdir()) == [], "what the killed one left was swept by the next"


def test_sigterm_leaves_no_process_no_shared_memory_and_no_file(folder: Path, redis_url: str, live_url: str, temporary: Path) -> None:
    with running_shard(folder, redis_url, temporary=temporary, workers="2") as shard:
        shard.watch("one", live_url)
        shard.watch("two", live_url)
        shard.wait_for_frames("one", 3)
        shard.wait_for_frames("two", 3)
        family = shard.family()
        assert named_shared_memory(family) == set()
        saved_seq = shard.last_seq("one")
        start_s = time.monotonic()
        shard.process.send_signal(signal.SIGTERM)
        assert shard.process.wait(10) == 0
        assert time.monotonic() - start_s < 6.0
        _, alive = psutil.wait_procs(family, timeout=2.0)
        assert alive == []
        blob = shard.store.resume("one", "fake-moderation-v1").blob
        assert blob is not None
        assert blob.seq >= saved_seq, "the last state was saved"
    assert list(temporary.iterdir()) == []
    for stream in ("one", "two"):
        shard.store.delete_stream(stream)


def named_shared_memory(family: list[psutil.Process]) -> set[str]:
    """Shared memory that could outlive its processes, because it has a name."""
    return {mapped.path for process in family for mapped in process.memory_maps() if mapped.path.startswith("/dev/shm")}


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A TMPDIR of its own with a short path, for the sockets in it."""
    with tempfile.TemporaryDirectory(prefix="vt-") as folder:
        yield Path(folder)
