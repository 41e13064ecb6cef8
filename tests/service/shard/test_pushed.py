"""A pushed stream in its worker, on a real nginx: read while somebody publishes it, waited for otherwise."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from service.api.admission import asks
from service.ingest import pushed as ingest_pushed
from service.ingest.address import AddressGuard
from service.ingest.backoff import ConnectBudget
from service.metrics import Metrics
from service.settings import Settings
from service.shard.policies import PolicySource
from service.shard.stream import WorkerParts
from service.shard.worker import Worker
from service.state.store import Store
from service.types import Push, StreamSpec, StreamStatus
from tests.servers.hangs_up import HangsUp
from tests.servers.nginx_rtmp import NginxRtmp
from tests.servers.process import free_port, wait_until
from tests.servers.publisher import FfmpegPublisher, make_video
from tests.servers.silent import SilentServer
from tests.service.shard.conftest import PIXELS

MODEL = "fake-moderation-v1"
TOKEN = "a-token-of-the-operator"


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("video") / "small.mp4", size="320x192", fps=12)


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NginxRtmp]:
    with NginxRtmp(tmp_path_factory.mktemp("nginx"), idle_streams=False) as server:
        yield server


def base_at(port: int) -> str:
    return f"rtmp://127.0.0.1:{port}/live"


def worker_of(base: str, store: Store, engine_address: Path, *, open_timeout_s: float = 10.0) -> Worker:
    """Its guard lets no private network pass."""
    settings = Settings(
        max_pixels=PIXELS,
        connects_per_minute=6000,
        read_timeout_s=1.0,
        open_timeout_s=open_timeout_s,
        backoff_max_s=0.5,
        push_url=base,
        hook_token=TOKEN,
    )
    parts = WorkerParts("worker-1", settings, engine_address, store, Metrics(), AddressGuard(), ConnectBudget(6000))
    return Worker(parts, PolicySource(store, None))


@pytest.fixture
def worker(nginx: NginxRtmp, store: Store, engine_address: Path) -> Iterator[Worker]:
    worker = worker_of(nginx.rtmp_url("").rstrip("/"), store, engine_address)
    yield worker
    end(worker, store)


@contextmanager
def working(base: str, store: Store, engine_address: Path, *, open_timeout_s: float = 10.0) -> Iterator[Worker]:
    """A worker whose media server is the test's own."""
    worker = worker_of(base, store, engine_address, open_timeout_s=open_timeout_s)
    yield worker
    end(worker, store)


def end(worker: Worker, store: Store) -> None:
    worker.stop()
    worker.assign(())
    wait_until(lambda: not worker.is_busy, "all streams to end", 15.0)
    for spec in store.list_streams():
        store.delete_stream(spec.id)


def pushed(store: Store, stream_id: str, base: str) -> StreamSpec:
    return store.put_stream(StreamSpec(stream_id, f"{base}/{stream_id}?key=play", stream_id, time.time(), push=Push("hash")))[0]


def published(spec: StreamSpec, session: str | None) -> StreamSpec:
    return replace(spec, push=Push("hash", session), version=spec.version + 1)


def status_of(store: Store, stream_id: str) -> StreamStatus:
    return store.get_status(stream_id) or StreamStatus(stream_id, "pending", 0.0)


def wait_for(store: Store, stream_id: str, state: str, message: str = "", within_s: float = 15.0) -> None:
    wait_until(
        lambda: (status_of(store, stream_id).state, status_of(store, stream_id).message) == (state, message), f"{state} {message}", within_s
    )


def seq_of(store: Store, stream_id: str) -> int:
    return store.resume(stream_id, MODEL).seq


def node_ids(store: Store, stream_id: str) -> list[int]:
    snapshot = store.resume(stream_id, MODEL).snapshot
    assert snapshot is not None
    return [node.id for node in snapshot.nodes]


def test_nobody_publishes_so_nothing_is_connected_to(store: Store, engine_address: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(1.0)
        base = f"rtmp://127.0.0.1:{listener.getsockname()[1]}/live"
        worker = worker_of(base, store, engine_address)
        worker.assign((pushed(store, "awaited", base),))
        wait_for(store, "awaited", "pending", "waits for its publisher")
        with pytest.raises(TimeoutError):
            listener.accept()
        worker.assign(())
        wait_until(lambda: not worker.is_busy, "the stream to end")
        store.delete_stream("awaited")


def test_it_is_read_while_published_and_goes_on_with_its_ids_when_published_again(
    worker: Worker, store: Store, nginx: NginxRtmp, video: Path
) -> None:
    spec = pushed(store, "on-and-off", nginx.rtmp_url("").rstrip("/"))
    worker.assign((spec,))
    with FfmpegPublisher(video, nginx.rtmp_url(spec.id)):
        worker.assign((published(spec, "nginx-rtmp/1"),))
        wait_for(store, spec.id, "live")
        wait_until(lambda: seq_of(store, spec.id) > 5, "frames")
    worker.assign((published(spec, None),))
    wait_for(store, spec.id, "ended", "its publisher stopped")
    ids, seq = node_ids(store, spec.id), seq_of(store, spec.id)
    with FfmpegPublisher(video, nginx.rtmp_url(spec.id)):
        worker.assign((published(spec, "nginx-rtmp/2"),))
        wait_for(store, spec.id, "live")
        wait_until(lambda: seq_of(store, spec.id) > seq + 5, "frames after those of the first session")
        assert node_ids(store, spec.id) == ids
    assert status_of(store, spec.id).code is None


def test_a_publisher_that_left_without_a_word_is_found_out_and_the_next_one_revives_the_stream(
    worker: Worker, store: Store, nginx: NginxRtmp, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = pushed(store, "lost-word", nginx.rtmp_url("").rstrip("/"))
    with FfmpegPublisher(video, nginx.rtmp_url(spec.id)):
        worker.assign((published(spec, "nginx-rtmp/1"),))
        wait_for(store, spec.id, "live")
        monkeypatch.setattr(ingest_pushed, "UNPUBLISHED_AFTER_S", 1.0)
    wait_for(store, spec.id, "ended", "its publisher is gone")
    monkeypatch.undo()
    with FfmpegPublisher(video, nginx.rtmp_url(spec.id)):
        worker.assign((published(published(spec, "nginx-rtmp/1"), "nginx-rtmp/1"),))
        wait_for(store, spec.id, "live")
        assert status_of(store, spec.id).seq > 0


GONE = ("ended", "its publisher is gone")


def blind_s(worker: Worker, stream_id: str) -> float:
    page = worker.tend().decode().splitlines()
    return float(next(line for line in page if line.startswith(f'vigil_blind_seconds_total{{stream="{stream_id}"')).split()[-1])


def shown_for(seconds: float, store: Store, worker: Worker, stream_id: str) -> set[tuple[str, str]]:
    """All that the status and the gauge said meanwhile."""
    shown, until_s = set[tuple[str, str]](), time.monotonic() + seconds
    while time.monotonic() < until_s:
        status = status_of(store, stream_id)
        shown.add((status.state, status.message))
        if f'vigil_stream_state{{state="{status.state}",stream="{stream_id}"}} 1.0' not in worker.tend().decode():
            shown.add(("the gauge", "differs"))
        time.sleep(0.02)
    return shown


def test_a_media_server_that_hangs_up_shows_the_publisher_gone_for_as_long_as_nobody_publishes(
    store: Store, engine_address: Path, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_pushed, "UNPUBLISHED_AFTER_S", 1.0)
    with HangsUp() as media_server, working(base_at(media_server.port), store, engine_address) as worker:
        spec = published(pushed(store, "hung-up-on", base_at(media_server.port)), "mediamtx/1")
        worker.assign((spec,))
        wait_until(lambda: status_of(store, spec.id).code == "connection_failed", "the first hang-up")
        assert asks(spec, status_of(store, spec.id))
        wait_for(store, spec.id, *GONE)
        before_s, plays = blind_s(worker, spec.id), media_server.plays
        assert not asks(spec, status_of(store, spec.id)), "it leaves its place at the engine to others"
        renamed = replace(spec, name="renamed", version=spec.version + 1)
        worker.assign((renamed,))
        assert shown_for(1.5, store, worker, spec.id) == {GONE}, "neither a patch nor what the reader meets"
        assert media_server.plays > plays, "it is tried again and again"
        assert blind_s(worker, spec.id) == before_s
        media_server.stop()
        with NginxRtmp(tmp_path, idle_streams=False, rtmp_port=media_server.port) as nginx, FfmpegPublisher(video, nginx.rtmp_url(spec.id)):
            wait_for(store, spec.id, "live")
            wait_until(lambda: seq_of(store, spec.id) > 5, "frames, though no hook said anything new")
            assert asks(renamed, status_of(store, spec.id))


def test_a_media_server_that_lets_players_wait_shows_the_publisher_gone_too_and_so_does_the_next_owner(
    store: Store, engine_address: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_pushed, "UNPUBLISHED_AFTER_S", 0.5)
    with NginxRtmp(tmp_path) as nginx, working(base_at(nginx.rtmp_port), store, engine_address, open_timeout_s=1.0) as worker:
        spec = published(pushed(store, "kept-waiting", base_at(nginx.rtmp_port)), "nginx-rtmp/1")
        worker.assign((spec,))
        wait_for(store, spec.id, *GONE)
        monkeypatch.undo()
        worker.assign(())
        wait_until(lambda: not worker.is_busy, "the stream to end", 15.0)
        worker.assign((spec,))
        wait_until(lambda: status_of(store, spec.id).epoch == 2, "the next owner")
        assert shown_for(1.5, store, worker, spec.id) == {GONE}
        worker.assign((published(spec, "nginx-rtmp/2"),))
        wait_until(lambda: status_of(store, spec.id).state in ("connecting", "reconnecting"), "another publisher to be looked for")


@pytest.mark.parametrize("is_there", [False, True], ids=["nothing listens", "it accepts and says nothing"])
def test_while_the_media_server_is_away_nobody_knows_and_the_stream_is_blind(
    store: Store, engine_address: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    monkeypatch.setattr(ingest_pushed, "UNPUBLISHED_AFTER_S", 0.2)
    monkeypatch.setattr(ingest_pushed, "ANSWERS_WITHIN_S", 0.2)
    with SilentServer() as silent:
        base = base_at(silent.port if is_there else free_port())
        with working(base, store, engine_address, open_timeout_s=0.5) as worker:
            spec = published(pushed(store, f"unasked-{is_there}", base), "mediamtx/1")
            worker.assign((spec,))
            wait_until(lambda: status_of(store, spec.id).code is not None, "the first failure")
            before_s = blind_s(worker, spec.id)
            assert {state for state, _ in shown_for(2.0, store, worker, spec.id)} == {"reconnecting"}
            assert blind_s(worker, spec.id) > before_s + 1.0
            assert asks(spec, status_of(store, spec.id))


def test_a_publisher_that_is_slow_to_begin_is_waited_for(worker: Worker, store: Store, nginx: NginxRtmp, video: Path) -> None:
    spec = pushed(store, "slow", nginx.rtmp_url("").rstrip("/"))
    worker.assign((published(spec, "nginx-rtmp/1"),))
    wait_until(lambda: status_of(store, spec.id).code == "not_found", "the first refusals")
    time.sleep(2.0)
    assert status_of(store, spec.id).state == "reconnecting"
    with FfmpegPublisher(video, nginx.rtmp_url(spec.id)):
        wait_for(store, spec.id, "live")


def test_the_play_key_is_in_no_log_and_no_status(
    worker: Worker, store: Store, nginx: NginxRtmp, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = pushed(store, "hushed", nginx.rtmp_url("").rstrip("/"))
    worker.assign((published(spec, "nginx-rtmp/1"),))
    wait_until(lambda: status_of(store, spec.id).code == "not_found", "a failure to tell of")
    said = capsys.readouterr()
    assert spec.id not in status_of(store, spec.id).message
    assert "key=play" not in said.out + said.err + status_of(store, spec.id).message


def test_a_users_address_at_the_media_server_does_not_pass_the_guard(worker: Worker, store: Store, nginx: NginxRtmp) -> None:
    spec = store.put_stream(StreamSpec("private", nginx.rtmp_url("private"), "private", time.time()))[0]
    worker.assign((spec,))
    wait_until(lambda: status_of(store, spec.id).state == "failed", "the guard's refusal")
    assert status_of(store, spec.id).code == "forbidden_address"
