"""`vigil demo` as a person has it, with the fake engine: live, a page, and nothing left after Ctrl-C."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

READY_WITHIN_S = 40.0


@contextmanager
def demo(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """In a session of its own, with every temporary file in `folder`."""
    folder.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "service.cli", "demo", "--no-browser", "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "VIGIL_ENGINE": "fake", "TMPDIR": str(folder), "NO_PROXY": "*"},
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder for temporary files: a Unix socket's path has 108 bytes at most."""
    with tempfile.TemporaryDirectory(prefix="vigil-demo-") as folder:
        yield Path(folder)


def read_until(process: subprocess.Popen[str], words: str) -> str:
    assert process.stdout is not None
    lines: list[str] = []
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        line = process.stdout.readline()
        lines.append(line)
        if words in line:
            return "".join(lines)
        assert line, f"ended without {words!r}: {lines}"
    raise AssertionError(f"no {words!r} within {READY_WITHIN_S} s: {lines}")


def living_in_session(session: int) -> list[str]:
    """Processes that still run; a zombie has ended and only waits to be reaped."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            state, _, _, of_session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
        except (OSError, ValueError):
            continue
        if of_session == str(session) and state != "Z":
            found.append((folder / "cmdline").read_text().replace("\0", " "))
    return found


def wait_until_alone(session: int) -> list[str]:
    for _ in range(20):
        if not living_in_session(session):
            return []
        time.sleep(0.1)
    return living_in_session(session)


def test_the_demo_goes_live_and_ctrl_c_leaves_no_process_and_no_file(short: Path) -> None:
    with demo(short) as process:
        said = read_until(process, "Ctrl-C stops everything")
        address = re.search(r"http://127\.0\.0\.1:\d+", said)
        assert address
        streams = httpx.get(f"{address.group()}/v1/streams", trust_env=False).json()
        listed = streams["streams"] if isinstance(streams, dict) else streams
        assert [(stream["state"], stream["name"]) for stream in listed] == [("live", "our test stream")]
        os.killpg(process.pid, signal.SIGINT)
        assert process.stdout is not None
        rest = process.stdout.read()
        assert process.wait(15) == 0
        assert rest.strip() == "stopped"
        assert wait_until_alone(process.pid) == []
    assert list(short.iterdir()) == []


def test_ctrl_c_while_starting_is_quiet_too(short: Path) -> None:
    with demo(short) as process:
        read_until(process, "starting Vigil")
        time.sleep(0.3)
        os.killpg(process.pid, signal.SIGINT)
        assert process.stdout is not None
        rest = process.stdout.read()
        assert process.wait(15) == 0
        assert "Traceback" not in rest
        assert wait_until_alone(process.pid) == []
    assert list(short.iterdir()) == []


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("ftp://media.example.com/a.m3u8", "ftp"),
        ("rtmp://127.0.0.1:9/live/x", "not a public address"),
        ("nowhere.mp4", "nowhere.mp4: no such file"),
        (__file__, "not a video"),
    ],
)
def test_a_hopeless_source_ends_the_demo_with_one_sentence(short: Path, source: str, words: str) -> None:
    with demo(short, source) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        assert process.wait(15) == 2
    assert words in said
    assert said.strip().splitlines()[-1].startswith("vigil demo: ")
    assert "Traceback" not in said
    assert list(short.iterdir()) == []
