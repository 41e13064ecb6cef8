"""A real Node-Media-Server 4 from npm: takes pushes and plays them, asking by its `notify` address."""

import subprocess
from pathlib import Path
from types import TracebackType

import pytest

from tests.servers.process import end_process, free_port, is_listening, require_binary, wait_until

_FOLDER = Path(__file__).parent / "npm"
_INSTALL_WITHIN_S = 90.0


def install() -> None:
    """`npm ci`, once for each lock file; skips with a sentence where there is no npm or nowhere to install from."""
    lock, done = _FOLDER / "package-lock.json", _FOLDER / "node_modules" / ".installed"
    if done.exists() and done.read_bytes() == lock.read_bytes():
        return
    npm = require_binary("npm")
    try:
        ran = subprocess.run([npm, "ci", "--ignore-scripts"], cwd=_FOLDER, capture_output=True, timeout=_INSTALL_WITHIN_S, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("npm cannot install node-media-server here: it found no registry in time")
    if ran.returncode != 0:
        pytest.skip(f"npm cannot install node-media-server here: {ran.stderr.decode().splitlines()[:1]}")
    done.write_bytes(lock.read_bytes())


class NodeMediaServer:
    """`with NodeMediaServer(tmp_path, notify_url) as server:` push to `server.rtmp_url("cam")`, watch the same."""

    def __init__(self, folder: Path, notify_url: str, *, rtmp_port: int | None = None, grace_s: float = 0.3) -> None:
        self._folder = folder
        self._notify_url = notify_url
        self._grace_s = grace_s
        self.rtmp_port = rtmp_port or free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Install where needed, start and wait until it listens."""
        node = require_binary("node")
        install()
        self._folder.mkdir(parents=True, exist_ok=True)
        arguments = [str(self.rtmp_port), self._notify_url, str(self._folder), str(round(1000 * self._grace_s))]
        self._process = subprocess.Popen([node, str(_FOLDER / "server.js"), *arguments], stdout=subprocess.DEVNULL)
        wait_until(lambda: is_listening(self.rtmp_port), "Node-Media-Server to listen", 20.0)

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            end_process(self._process)
            self._process = None

    def __enter__(self) -> "NodeMediaServer":
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
