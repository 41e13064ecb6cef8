"""Two shards of Vigil under everything that a dashboard shows, watched by a real Prometheus, for the time that a test has.

Shard `main`: the fake engine, two workers, streams at two rates, one that stalls and comes back, one that never comes, an alert every
few seconds, clients, a worker that dies, webhooks, publishers with a right and a wrong key. Shard `cpu`: a real network.
"""

import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.deploy.monitoring import Prometheus
from tests.deploy.panels import RULES
from tests.e2e.product import Product, running, wait_until
from tests.servers.hls_origin import HlsOrigin, Segment, cut_segments
from tests.servers.publisher import make_video, run_ffmpeg
from tests.servers.webhook_receiver import Answer, WebhookReceiver

TOKEN = "a-token-of-the-media-server"
EVENT_S = 4
POLICY = """
- name: person-holding-cup
  severity: high
  mode: enforce
  when: {relation: {subject: person, predicate: holding, object: cup}}
  for: 0.5s
  cooldown: 1s
"""
MAIN = {
    "VIGIL_PUSH_URL": "rtmp://127.0.0.1:1/live",
    "VIGIL_HOOK_TOKEN": TOKEN,
    "VIGIL_STALL_AFTER_S": "2",
    "VIGIL_BACKOFF_BASE_S": "0.2",
    "VIGIL_SHARD": "main",
}
CPU = {"VIGIL_SHARD": "cpu", "VIGIL_SPARE_WORKER": "false"}


@dataclass(frozen=True, slots=True)
class Loaded:
    """What is running: `busy` is the stream that everything happens to."""

    prometheus: Prometheus
    product: Product
    busy: str
    pushed: str
    key: str

    def variables(self) -> dict[str, str]:
        """Values of the dashboards' variables; intervals as short as the test."""
        return {"shard": "main|cpu", "stream": self.busy, "__rate_interval": "30s", "__range": "60s"}

    def visit(self) -> None:
        """What clients and publishers ask, and what they ask wrongly."""
        for path in ("/v1/streams", "/v1/alerts", f"/v1/streams/{self.busy}/graph", "/v1/streams/nobody", "/healthz"):
            self.product.http.get(path)
        self.product.http.post("/v1/streams", json={"url": "no address"})
        for key, status in ((self.key, 200), ("wrong", 403)):
            form = {"app": "live", "name": self.pushed, "key": key, "clientid": "7"}
            answer = self.product.http.post("/v1/hooks/nginx-rtmp/publish", params={"token": TOKEN}, data=form)
            assert answer.status_code == status, answer.text


@contextmanager
def loaded(folder: Path) -> Iterator[Loaded]:
    """Everything that happens has happened when the block begins; the load goes on until it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cup.yaml").write_text(POLICY)
    events, moving = _videos(folder)
    with ExitStack() as stack:
        busy_origin, plain_origin = (stack.enter_context(HlsOrigin(plan)) for plan in (events, moving))
        receivers = [stack.enter_context(WebhookReceiver()) for _ in range(2)]
        main = stack.enter_context(running("--engine", "fake", "--workers", "2", "--policies", str(folder / "cup.yaml"), environment=MAIN))
        cpu = stack.enter_context(running("--max-pixels", "36864", "--workers", "1", environment=CPU))
        targets = [f"{product.base_url}/v1/metrics/targets" for product in (main, cpu)]
        prometheus = stack.enter_context(Prometheus(folder / "prometheus", target_urls=targets, rules=RULES))
        _subscribe(main, *receivers)
        busy = main.watch(busy_origin.url)
        main.watch(plain_origin.url, fps=2)
        main.watch(f"{plain_origin.base}/nothing.m3u8")
        cpu.watch(plain_origin.url, fps=1)
        main.wait_for_state(busy, "live", 30.0)
        stack.enter_context(_watching(main, busy))
        _die(main, "worker-1")
        main.wait_for_state(busy, "live", 30.0)
        busy_origin.frozen = True
        again = f'vigil_reconnects_total{{[^}}]*stream="{busy}"'
        wait_until(lambda: re.search(again, main.http.get("/metrics").text) is not None, 40.0, "a stall")
        busy_origin.frozen = False
        main.wait_for_state(busy, "live", 30.0)
        yield Loaded(prometheus, main, busy, *_pushed(main))


def _videos(folder: Path) -> tuple[list[Segment], list[Segment]]:
    """Dark, then bright, which the fake engine takes for a person who holds a cup; and a moving picture. Both small."""
    path = folder / "events.mp4"
    sources = [("-f", "lavfi", "-i", f"color=c={colour}:s=640x360:r=25:d={EVENT_S}") for colour in ("0x202020", "0xe0e0e0")]
    run_ffmpeg(
        *sources[0], *sources[1], *("-filter_complex", "[0:v][1:v]concat=n=2:v=1[v]", "-map", "[v]"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "25", "-pix_fmt", "yuv420p"), str(path),
    )  # fmt: skip
    moving = make_video(folder / "moving.mp4", size="640x360", fps=15)
    events, others = (cut_segments(video, folder / video.stem) for video in (path, moving))
    return [Segment(one) for one in events], [Segment(one) for one in others]


def _die(product: Product, name: str) -> None:
    """Kill one process of the service."""
    [child] = [child for child in psutil.Process(product.process.pid).children() if child.name() == f"vigil-{name}"]
    os.kill(child.pid, signal.SIGKILL)
    counted = f'vigil_worker_restarts_total{{process="supervisor",worker="{name}"}}'
    wait_until(lambda: counted in product.http.get("/metrics").text, 20.0, f"{name} to be started again")


def _pushed(product: Product) -> tuple[str, str]:
    """A stream that is pushed, and its key."""
    made = product.http.post("/v1/streams", json={"source": "push"})
    assert made.status_code == 201, made.text
    return str(made.json()["id"]), str(made.json()["publish"]["stream_key"].partition("?key=")[2])


def _subscribe(product: Product, takes: WebhookReceiver, fails: WebhookReceiver) -> None:
    """Two webhooks for every alert."""
    fails.usual = Answer(500)
    for receiver in (takes, fails):
        answer = product.http.post("/v1/webhooks", json={"url": receiver.url})
        assert answer.status_code == 201, answer.text


@contextmanager
def _watching(product: Product, stream_id: str) -> Iterator[None]:
    """One WebSocket client of each kind, each reading in a thread."""
    done = threading.Event()
    paths = (f"/v1/streams/{stream_id}/graph", f"/v1/streams/{stream_id}/preview", "/v1/alerts")
    threads = [threading.Thread(target=_read, args=(product, path, done), name=path) for path in paths]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()


def _read(product: Product, path: str, done: threading.Event) -> None:
    """Whatever comes, until done."""
    with product.socket(path) as socket:
        while not done.is_set():
            try:
                socket.recv(timeout=0.2)
            except TimeoutError:
                continue
