"""What is written while Redis answers, while it does not, and when it is back."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from service.alerts import IncidentChanges
from service.errors import FencedError
from service.metrics import Metrics
from service.shard.analysis import StepResult
from service.shard.publisher import RETRY_EVERY_S, Publisher
from service.state.alerts import AlertFilter
from service.state.blob import StreamBlob
from service.state.embedded import EmbeddedServer
from service.state.store import Store
from service.types import Alert, GraphDelta, GraphSnapshot, Node, NodeAdd, StreamSpec

STREAM = "s"
NODE = Node(1, "person", 0.9, (0.1, 0.1, 0.2, 0.2), 0.0)


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer.start() as server:
        yield server


@pytest.fixture
def store(server: EmbeddedServer) -> Iterator[Store]:
    store = Store.connect(server.url, timeout_s=0.2)
    store.put_stream(StreamSpec(STREAM, "rtmp://example.org/live", "one", 1.0))
    yield store
    store.close()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def publisher(store: Store, metrics: Metrics) -> Publisher:
    return Publisher(store, STREAM, store.claim(STREAM), 60.0, metrics)


def frame(seq: int, *alert_ids: str) -> StepResult:
    alerts = tuple(
        Alert(alert_id, STREAM, f"i-{alert_id}", "p", "high", "enforce", "open", 1.0, 1.0, 0.1, seq, "a sentence", (), ())
        for alert_id in alert_ids
    )
    delta = GraphDelta(STREAM, seq, seq / 10, 1.0, (NodeAdd(NODE),) if seq == 1 else ())
    return StepResult(delta, GraphSnapshot(STREAM, seq, seq / 10, 1.0, (NODE,), ()), (), IncidentChanges(opened=alerts))


def blob_of(seq: int) -> StreamBlob:
    return StreamBlob("m", 1, seq, seq / 10, b"", b"")


def publish(publisher: Publisher, result: StepResult) -> bool:
    return publisher.publish(result, lambda: blob_of(result.snapshot.seq))


def messages(store: Store) -> list[tuple[int, str]]:
    """Sequence number and kind of everything a subscriber can read."""
    rows = store._redis.xrange(f"vigil:stream:{STREAM}:graph")
    return [(int(key.split(b"-")[0]), "snapshot" if b'"snapshot"' in fields[b"m"] else "delta") for key, fields in rows]


def alert_ids(store: Store) -> list[str]:
    return [alert.id for alert in store.alerts.page(AlertFilter(stream_id=STREAM)).alerts]


def test_a_snapshot_comes_first_and_then_deltas(publisher: Publisher, store: Store) -> None:
    for seq in (1, 2, 3):
        publish(publisher, frame(seq))
    assert messages(store) == [(1, "snapshot"), (2, "delta"), (3, "delta")]


def test_the_state_is_written_when_it_is_due_and_with_every_alert(publisher: Publisher, store: Store) -> None:
    written: list[int] = []
    for seq in (1, 2, 3, 4):
        result = frame(seq, *(["a"] if seq == 3 else []))
        blob = blob_of(seq)
        publisher.publish(result, lambda blob=blob: written.append(blob.seq) or blob)  # type: ignore[func-returns-value, misc]
    assert written == [1, 3]
    stored = store.resume(STREAM, "m").blob
    assert stored is not None
    assert stored.seq == 3


def test_an_alert_raised_while_redis_stands_still_is_stored_once_when_it_goes_on(
    server: EmbeddedServer, publisher: Publisher, store: Store
) -> None:
    publish(publisher, frame(1))
    os.kill(server.pid, signal.SIGSTOP)
    publish(publisher, frame(2, "a"))
    started_s = time.monotonic()
    publish(publisher, frame(3, "b"))
    assert time.monotonic() - started_s < 0.1, "between two tries a frame does not wait for Redis"
    os.kill(server.pid, signal.SIGCONT)
    time.sleep(RETRY_EVERY_S)
    publish(publisher, frame(4))
    publish(publisher, frame(5))
    assert sorted(alert_ids(store)) == ["a", "b"]
    assert messages(store)[-2:] == [(4, "snapshot"), (5, "delta")]


def test_every_call_to_redis_is_timed_also_one_that_fails(server: EmbeddedServer, publisher: Publisher, metrics: Metrics) -> None:
    publish(publisher, frame(1))
    publisher.save(blob_of(1))
    os.kill(server.pid, signal.SIGSTOP)
    publish(publisher, frame(2))
    os.kill(server.pid, signal.SIGCONT)
    page = metrics.expose().decode()
    assert 'vigil_redis_seconds_count{call="publish"} 2.0' in page
    assert 'vigil_redis_seconds_count{call="save"} 1.0' in page
    [total] = [line for line in page.splitlines() if line.startswith('vigil_redis_seconds_sum{call="publish"}')]
    assert float(total.split()[1]) >= 0.2, "the one that failed waited for its timeout"


def test_a_newer_owner_ends_it(publisher: Publisher, store: Store) -> None:
    publish(publisher, frame(1))
    store.claim(STREAM)
    with pytest.raises(FencedError):
        publish(publisher, frame(2))
    with pytest.raises(FencedError):
        publisher.save(blob_of(2))


def test_it_says_whether_somebody_watches(publisher: Publisher, store: Store) -> None:
    assert not publish(publisher, frame(1))
    store._redis.set(f"vigil:stream:{STREAM}:watched", "1")
    assert publish(publisher, frame(2))
