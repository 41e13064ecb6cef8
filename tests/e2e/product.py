"""The product as a user has it: `vigil serve` in processes of its own, spoken to over HTTP and WebSocket only."""

import json
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import httpx
from websockets.sync.client import ClientConnection, connect

READY_WITHIN_S = 40.0


class Product:
    """One running `vigil serve`; `get`, `post` and so on are httpx calls, `socket` opens a WebSocket."""

    def __init__(self, process: subprocess.Popen[str], base_url: str) -> None:
        self.process = process
        self.base_url = base_url
        self.http = httpx.Client(base_url=base_url, timeout=10.0)

    def socket(self, path: str) -> ClientConnection:
        return connect(self.base_url.replace("http", "ws", 1) + path, open_timeout=10, max_size=None)

    def watch(self, url: str, **fields: Any) -> str:
        """POST a stream, return its id."""
        answer = self.http.post("/v1/streams", json={"url": url, **fields})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def stream(self, stream_id: str) -> dict[str, Any]:
        return dict(self.http.get(f"/v1/streams/{stream_id}").json())

    def wait_for_state(self, stream_id: str, state: str, within_s: float) -> list[str]:
        """Every state:code seen on the way to `state`, which must come within the time."""
        seen: list[str] = []

        def arrived() -> bool:
            answer = self.stream(stream_id)
            label = f"{answer['state']}:{answer.get('code')}"
            if not seen or seen[-1] != label:
                seen.append(label)
            return bool(answer["state"] == state)

        wait_until(arrived, within_s, f"state {state}", lambda: str(seen))
        return seen

    def alerts(self, **query: str) -> list[dict[str, Any]]:
        answer = self.http.get("/v1/alerts", params=query).json()
        return list(answer["alerts"] if isinstance(answer, dict) else answer)


def wait_until(done: Callable[[], bool], within_s: float, what: str, seen: Callable[[], str] = lambda: "") -> float:
    """Poll until done; the seconds it took."""
    start = time.monotonic()
    while not done():
        assert time.monotonic() - start < within_s, f"no {what} within {within_s} s {seen()}"
        time.sleep(0.05)
    return time.monotonic() - start


def receive(socket: ClientConnection, within_s: float) -> dict[str, Any]:
    return dict(json.loads(socket.recv(timeout=within_s)))


def children(pid: int) -> list[int]:
    """Every process below `pid`."""
    tasks = Path(f"/proc/{pid}/task")
    try:
        direct = [int(word) for task in tasks.iterdir() for word in (task / "children").read_text().split()]
    except FileNotFoundError:
        return []
    return direct + [below for child in direct for below in children(child)]


@contextmanager
def running(*options: str, environment: dict[str, str] | None = None, stderr: IO[str] | None = None) -> Iterator[Product]:
    """`vigil serve --port 0 OPTIONS` until the block ends, then SIGTERM; it must leave by itself. `stderr` takes its log."""
    process = subprocess.Popen(
        [sys.executable, "-m", "service.cli", "serve", "--port", "0", "--allow-network", "127.0.0.0/8", *options],
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    product = Product(process, _address(process))
    try:
        yield product
    finally:
        product.http.close()
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def _address(process: subprocess.Popen[str]) -> str:
    """Wait for the line on standard output that names the page."""
    assert process.stdout is not None
    lines: list[str] = []
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline and process.poll() is None:
            if not selector.select(timeout=0.2):
                continue
            line = process.stdout.readline()
            lines.append(line)
            found = re.search(r"http://[\d.]+:\d+", line)
            if found:
                return found.group()
    process.kill()
    raise AssertionError(f"the service did not say that it is ready: {lines}")
