"""A live stream end to end, as a user sees it: POST, then a WebSocket client that looks at the clock. Knows no part's insides.

Latency is wall time at the client minus the frame's `captured_at_s`; run it on the service's machine, or with clocks in step.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
from msgspec import Struct
from websockets.sync.client import ClientConnection, connect

from service.cli.bench_processes import Others, ProcessLoad, Watched
from service.types import GraphDelta, GraphMessage, GraphSnapshot

READY_WITHIN_S = 60.0
FIRST_WITHIN_S = 30.0
RECEIVE_WITHIN_S = 10.0
SETTLE_S = 5.0


class StreamResult(Struct):
    """Times from POST to the first messages; then, over `seconds`, what came and how late."""

    url: str
    first_snapshot_s: float
    first_delta_s: float
    seconds: float
    messages: int
    analysed_fps: float
    p50_ms: float
    p95_ms: float
    max_ms: float
    longest_gap_ms: float
    lost_seqs: int
    state: str
    processes: list[ProcessLoad]
    other_cores: float

    @property
    def cores(self) -> float:
        """Cores that all processes of the service took."""
        return sum(process.cores for process in self.processes)

    def cpu_ms_per_frame(self, process: ProcessLoad) -> float:
        """Processor time of one process for one analysed frame."""
        return process.cores * 1000 / self.analysed_fps


@contextmanager
def own_service(options: Sequence[str], settings: Mapping[str, str] | None = None) -> Iterator[tuple[str, int]]:
    """`vigil serve` with these options and VIGIL_* variables on a free port; (address, pid). Only errors of its log are shown."""
    command = [sys.executable, "-m", "service.cli", "serve", "--port", "0", "--log-level", "error", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **(settings or {})})
    assert process.stdout is not None
    try:
        found = re.search(r"http://\S+", process.stdout.readline())
        if found is None:
            raise ValueError("the service did not start; see above")
        yield found.group(), process.pid
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


@contextmanager
def rtmp_source(file: Path) -> Iterator[str]:
    """The file, looped at its own pace by the system's ffmpeg, which answers one RTMP player itself."""
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        raise ValueError("--rtmp needs the program ffmpeg; give the URL of a stream with --stream instead")
    if not file.is_file():
        raise ValueError(f"{file}: there is no such file")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"rtmp://127.0.0.1:{probe.getsockname()[1]}/live/bench"
    source = [ffmpeg, "-nostdin", "-hide_banner", "-loglevel", "fatal", "-re", "-stream_loop", "-1", "-i", str(file)]
    process = subprocess.Popen([*source, "-an", "-c:v", "copy", "-f", "flv", "-listen", "1", url])
    try:
        yield url
    finally:
        process.kill()
        process.wait()


def measure_stream(api: str, url: str, seconds: float, pid: int, on_second: Callable[[str], None]) -> StreamResult:
    """POST `url`, watch it for `seconds`, delete it. A pid of 0 is one that is not known.

    ValueError when the service refuses the stream or nothing comes.
    """
    with httpx.Client(base_url=api, timeout=10.0) as http:
        posted_s = time.monotonic()
        stream_id = _post(http, url)
        try:
            with connect(f"{api.replace('http', 'ws', 1)}/v1/streams/{stream_id}/graph", max_size=None) as feed:
                first_snapshot_s, first_delta_s = _first_messages(feed, posted_s, http, stream_id)
                _drain(feed, min(SETTLE_S, seconds / 2))
                service, others, started_s = Watched(pid), Others(), time.monotonic()
                seqs, at_s, late_ms = _watch(feed, seconds, on_second)
                took_s = time.monotonic() - started_s
                loads = service.loads()
                other_cores = others.cores(loads)
            state = str(http.get(f"/v1/streams/{stream_id}").json()["state"])
        finally:
            http.delete(f"/v1/streams/{stream_id}")
    if len(seqs) < 2:
        raise ValueError(f"no graph came within {seconds:g} s; the stream is {state}")
    p50_ms, p95_ms, max_ms = (float(value) for value in np.percentile(late_ms, [50, 95, 100]))
    return StreamResult(
        url=url,
        first_snapshot_s=first_snapshot_s,
        first_delta_s=first_delta_s,
        seconds=took_s,
        messages=len(seqs),
        analysed_fps=(len(seqs) - 1) / (at_s[-1] - at_s[0]),
        p50_ms=p50_ms,
        p95_ms=p95_ms,
        max_ms=max_ms,
        longest_gap_ms=float(np.diff(at_s).max() * 1000),
        lost_seqs=seqs[-1] - seqs[0] + 1 - len(seqs),
        state=state,
        processes=loads,
        other_cores=other_cores,
    )


def _post(http: httpx.Client, url: str) -> str:
    answer = http.post("/v1/streams", json={"url": url, "name": "bench"})
    if answer.status_code != 201:
        raise ValueError(f"the service refused the stream: {answer.json().get('detail', answer.text)}")
    return str(answer.json()["id"])


def _first_messages(feed: ClientConnection, posted_s: float, http: httpx.Client, stream_id: str) -> tuple[float, float]:
    first_snapshot_s = 0.0
    while time.monotonic() < posted_s + FIRST_WITHIN_S:
        try:
            message = _receive(feed, 1.0)
        except TimeoutError:
            continue
        now_s = time.monotonic() - posted_s
        if isinstance(message, GraphSnapshot):
            first_snapshot_s = first_snapshot_s or now_s
        if isinstance(message, GraphDelta):
            return first_snapshot_s, now_s
    shown: dict[str, Any] = http.get(f"/v1/streams/{stream_id}").json()
    raise ValueError(f"nothing came within {FIRST_WITHIN_S:g} s: the stream is {shown['state']} {shown['code'] or ''} {shown['message']}")


def _receive(feed: ClientConnection, within_s: float) -> GraphMessage | None:
    """None for a message of another kind (a note about the stream's state)."""
    text = feed.recv(timeout=within_s)
    if json.loads(text).get("type") not in ("snapshot", "delta"):
        return None
    message: GraphMessage = msgspec.json.decode(text, type=GraphMessage)
    return message


def _drain(feed: ClientConnection, seconds: float) -> None:
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        _receive(feed, RECEIVE_WITHIN_S)


def _watch(feed: ClientConnection, seconds: float, on_second: Callable[[str], None]) -> tuple[list[int], list[float], list[float]]:
    """Sequence numbers, arrival (monotonic) and lateness of every graph message."""
    seqs: list[int] = []
    at_s: list[float] = []
    late_ms: list[float] = []
    start_s = next_s = time.monotonic()
    while time.monotonic() < start_s + seconds:
        message = _receive(feed, RECEIVE_WITHIN_S)
        if message is None:
            continue
        seqs.append(message.seq)
        at_s.append(time.monotonic())
        late_ms.append((time.time() - message.captured_at_s) * 1000)
        if at_s[-1] >= next_s + 1.0:
            next_s += 1.0
            on_second(f"{len(seqs) / (at_s[-1] - start_s):.1f} FPS, p50 {float(np.median(late_ms)):.0f} ms")
    return seqs, at_s, late_ms
