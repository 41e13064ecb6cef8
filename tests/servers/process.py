"""Starting and ending one server process of a test, by its own process object."""

import shutil
import socket
import subprocess
import time
from collections.abc import Callable

import pytest


def require_binary(name: str) -> str:
    """The path of a system program; skips the test with a sentence when it is missing."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/bin")
    if path is None:
        pytest.skip(f"the program {name} is not installed on this machine")
    return path


def free_port() -> int:
    """A TCP port that was free a moment ago, for servers that cannot bind port 0 themselves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_listening(port: int) -> bool:
    """Whether something accepts connections on loopback."""
    try:
        socket.create_connection(("127.0.0.1", port), 0.2).close()
    except OSError:
        return False
    return True


def wait_until(holds: Callable[[], bool], what: str, timeout_s: float = 10.0) -> None:
    """Poll until it holds; fails with `what` was waited for."""
    deadline_s = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline_s:
            raise AssertionError(f"waited {timeout_s:g} s in vain: {what}")
        time.sleep(0.02)


def end_process(process: "subprocess.Popen[bytes]", *, kill: bool = False) -> None:
    """Terminate (or kill) and reap."""
    if process.poll() is None:
        process.kill() if kill else process.terminate()
    try:
        process.wait(5.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5.0)
