"""A worker's streams: they come and go without a trace, patches reach them in flight, one bad stream harms no other."""

import time
from collections.abc import Iterator
from dataclasses import replace as replace_parts
from pathlib import Path

import psutil
import pytest
from msgspec.structs import replace

from service.ingest.address import AddressGuard, parse_networks
from service.ingest.backoff import ConnectBudget
from service.metrics import Metrics
from service.settings import Settings
from service.shard.policies import PolicySource
from service.shard.stream import WorkerParts
from service.shard.worker import Worker
from service.state.store import Store
from service.types import Push, StreamSpec, StreamStatus
from tests.servers.process import wait_until
from tests.service.shard.conftest import PIXELS

MODEL = "fake-moderation-v1"


@pytest.fixture
def parts(store: Store, engine_address: Path) -> WorkerParts:
    settings = Settings(max_pixels=PIXELS, connects_per_minute=6000, read_timeout_s=1.0)
    guard = AddressGuard(parse_networks(["127.0.0.0/8"]))
    return WorkerParts("worker-1", settings, engine_address, store, Metrics(), guard, ConnectBudget(6000))


@pytest.fixture
def worker(parts: WorkerParts, store: Store) -> Iterator[Worker]:
    worker = Worker(parts, PolicySource(store, None))
    yield worker
    worker.stop()
    worker.assign(())
    wait_until(lambda: not worker.is_busy, "all streams to end", 15.0)
    for spec in store.list_streams():
        store.delete_stream(spec.id)


def wanted(store: Store, stream_id: str, url: str, **fields: float) -> StreamSpec:
    spec, _ = store.put_stream(replace(StreamSpec(stream_id, url, stream_id, time.time()), **fields))
    return spec


def seq_of(store: Store, stream_id: str) -> int:
    return store.resume(stream_id, MODEL).seq


def wait_live(store: Store, stream_id: str, after_seq: int = 1) -> None:
    wait_until(lambda: seq_of(store, stream_id) > after_seq, f"frames of {stream_id} after {after_seq}", 15.0)


def test_streams_come_and_go_fifty_times_without_a_trace(worker: Worker, parts: WorkerParts, store: Store, live_url: str) -> None:
    process = psutil.Process()

    def rounds(first: int, last: int) -> tuple[int, int]:
        for number in range(first, last, 5):
            specs = tuple(wanted(store, f"come-and-go-{number + part}", live_url) for part in range(5))
            worker.assign(specs)
            for spec in specs:
                wait_live(store, spec.id)
                store.delete_stream(spec.id)
            worker.assign(())
        wait_until(lambda: not worker.is_busy, "all streams to end", 15.0)
        worker.tend()
        return process.num_fds(), process.num_threads()

    before = rounds(0, 10)
    after = rounds(10, 50)
    spare = 8
    assert after[0] <= before[0] + spare, "file descriptors: pooled connections come and go, a leak of one a stream would be 40"
    assert after[1] <= before[1] + 2, "threads"
    assert b"come-and-go" not in parts.metrics.expose()


def test_the_first_message_after_a_restart_is_a_snapshot_with_the_same_ids(worker: Worker, store: Store, live_url: str) -> None:
    spec = wanted(store, "restarted", live_url)
    worker.assign((spec,))
    wait_live(store, spec.id, 15)
    worker.assign(())
    wait_until(lambda: not worker.is_busy, "the stream to end", 15.0)
    before = store.resume(spec.id, MODEL)
    assert before.blob is not None
    assert before.blob.seq == before.seq, "a clean stop saves the last frame's state"
    worker.assign((spec,))
    wait_live(store, spec.id, before.seq)
    after = store.resume(spec.id, MODEL)
    assert before.snapshot is not None
    assert after.snapshot is not None
    assert [node.id for node in after.snapshot.nodes] == [node.id for node in before.snapshot.nodes]
    assert after.snapshot.media_s > before.snapshot.media_s


def test_another_frame_rate_is_taken_up_without_losing_ids(worker: Worker, store: Store, live_url: str) -> None:
    spec = wanted(store, "patched", live_url)
    worker.assign((spec,))
    wait_live(store, spec.id, 15)
    ids = node_ids(store, spec.id)
    worker.assign((replace(spec, fps=2.0, version=2),))
    wait_until(lambda: 1.0 < fps_of(store, spec.id) < 3.0, "2 frames a second", 15.0)
    assert node_ids(store, spec.id) == ids


def node_ids(store: Store, stream_id: str) -> list[int]:
    snapshot = store.resume(stream_id, MODEL).snapshot
    assert snapshot is not None
    return [node.id for node in snapshot.nodes]


def fps_of(store: Store, stream_id: str) -> float:
    status = store.get_status(stream_id)
    return status.fps if status else 0.0


def test_a_source_that_cannot_be_reached_says_so_and_harms_no_other(worker: Worker, store: Store, live_url: str) -> None:
    good = wanted(store, "good", live_url)
    bad = wanted(store, "bad", "rtmp://10.1.2.3/live/x")
    worker.assign((good, bad))
    wait_live(store, good.id, 5)
    wait_until(lambda: getattr(store.get_status(bad.id), "state", "") == "failed", "the bad stream to fail")
    status = store.get_status(bad.id)
    assert status is not None
    assert status.code == "forbidden_address"
    wait_live(store, good.id, seq_of(store, good.id) + 5)


def blind_s(worker: Worker, stream_id: str) -> float:
    page = worker.tend().decode().splitlines()
    return float(next(line for line in page if line.startswith(f'vigil_blind_seconds_total{{stream="{stream_id}"')).split()[-1])


def test_blind_time_grows_unless_nobody_publishes_and_goes_on_over_a_change_of_owner(worker: Worker, store: Store) -> None:
    bad = wanted(store, "unseen", "rtmp://10.1.2.3/live/x")
    idle, _ = store.put_stream(StreamSpec("idle", "rtmp://10.1.2.3/live/x", "idle", time.time(), push=Push("hash")))
    store.put_status(StreamStatus(bad.id, "reconnecting", 1.0, written_at_s=time.time() - 30.0))
    worker.assign((bad, idle))
    wait_until(lambda: blind_s(worker, bad.id) > 30.0, "the time between two owners")
    before_s = blind_s(worker, bad.id)
    wait_until(lambda: blind_s(worker, bad.id) > before_s + 0.3, "more blind time")
    assert blind_s(worker, idle.id) == 0.0


def test_a_stream_that_another_shard_took_over_leaves_no_series_and_one_that_failed_keeps_its_own(
    worker: Worker, parts: WorkerParts, store: Store, live_url: str
) -> None:
    taken, failed = wanted(store, "taken", live_url), wanted(store, "hopeless", "rtmp://10.1.2.3/live/x")
    worker.assign((taken, failed))
    wait_live(store, taken.id)
    wait_until(lambda: getattr(store.get_status(failed.id), "state", "") == "failed", "the other stream to fail")
    other = Worker(replace_parts(parts, name="worker-2", metrics=Metrics()), PolicySource(store, None))
    other.assign((taken,))
    wait_until(lambda: b'stream="taken"' not in worker.tend(), "the series of the stream to go")
    page = worker.tend()
    assert b'vigil_stream_state{state="failed",stream="hopeless"} 1.0' in page
    assert b'vigil_blind_seconds_total{stream="hopeless"}' in page
    assert b'vigil_blind_seconds_total{stream="taken"}' in other.tend()
    other.assign(())
    wait_until(lambda: not other.is_busy, "the other worker's stream to end", 15.0)


def test_the_metrics_of_a_stream_are_there_from_its_first_moment(worker: Worker, store: Store) -> None:
    spec = wanted(store, "fresh", "rtmp://10.1.2.3/live/x")
    worker.assign((spec,))
    page = worker.tend().decode()
    for begun in ("vigil_stalls_total", "vigil_alerts_lost_total", "vigil_stream_risk"):
        assert f'{begun}{{stream="fresh"}} 0.0' in page
    assert 'vigil_frames_dropped_total{cause="stale",stream="fresh"} 0.0' in page


def test_a_failed_stream_comes_alive_with_a_better_url(worker: Worker, store: Store, live_url: str) -> None:
    spec = wanted(store, "mended", "rtmp://10.1.2.3/live/x")
    worker.assign((spec,))
    wait_until(lambda: getattr(store.get_status(spec.id), "state", "") == "failed", "the stream to fail")
    worker.assign((replace(spec, url=live_url, version=2),))
    wait_live(store, spec.id, 5)
    status = store.get_status(spec.id)
    assert status is not None
    assert (status.state, status.code) == ("live", None)


def test_a_stream_whose_code_breaks_is_started_again_and_its_neighbour_goes_on(worker: Worker, store: Store, live_url: str) -> None:
    good, bad = wanted(store, "steady", live_url), wanted(store, "broken", live_url)
    worker.assign((good, replace(bad, fps=-1.0)))
    wait_live(store, good.id, 10)
    wait_until(lambda: "internal error" in getattr(store.get_status(bad.id), "message", ""), "the status to say so")
    before = seq_of(store, good.id)
    worker.assign((good, replace(bad, version=2)))
    wait_live(store, bad.id)
    assert seq_of(store, good.id) > before, "the neighbour went on"
