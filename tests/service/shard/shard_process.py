"""A whole shard (without the API) in processes of its own, for tests that kill some of them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from service.state.store import Store
from service.types import StreamSpec, StreamStatus
from tests.servers.process import wait_until

START = (
    "from service.bootstrap import serve; from service.settings import Settings; "
    "serve(Settings(), lambda url: print('READY', flush=True), with_api=False)"
)
POLICY = """\
- name: cup-in-hand
  severity: high
  mode: enforce
  when: {relation: {subject: person, predicate: [holding], object: cup, min_prob: 0.5}}
  for: 0.5s
  cooldown: 60s
"""


class ShardProcess:
    """A running shard; its log tells which process is which."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path, store: Store) -> None:
        self.process = process
        self.store = store
        self._log = log

    def events(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]

    def pid_of(self, name: str) -> int:
        """The newest process under this name."""
        pids = [event["pid"] for event in self.events() if event["event"] == "process_started" and event["name"] == name]
        assert isinstance(pids[-1], int)
        return pids[-1]

    def watch(self, stream_id: str, url: str) -> None:
        self.store.put_stream(StreamSpec(stream_id, url, stream_id, time.time()))

    def status(self, stream_id: str) -> StreamStatus:
        return self.store.get_status(stream_id) or StreamStatus(stream_id, "pending", 0.0)

    def wait_for_frames(self, stream_id: str, after_seq: int, within_s: float = 15.0) -> float:
        """Wait until frames after `after_seq` were published; the seconds it took."""
        start_s = time.monotonic()
        wait_until(lambda: self.last_seq(stream_id) > after_seq, f"frames of {stream_id} after {after_seq}", within_s)
        return time.monotonic() - start_s

    def last_seq(self, stream_id: str) -> int:
        return self.store.resume(stream_id, "fake-moderation-v1").seq

    def node_ids(self, stream_id: str) -> list[int]:
        snapshot = self.store.resume(stream_id, "fake-moderation-v1").snapshot
        return [node.id for node in snapshot.nodes] if snapshot else []

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


@contextmanager
def running_shard(folder: Path, redis_url: str, *, temporary: Path | None = None, **settings: str) -> Iterator[ShardProcess]:
    """Started and ready, with `temporary` as its TMPDIR; at the end SIGTERM unless it is gone already."""
    (folder / "policies.yaml").write_text(POLICY)
    log = folder / f"log-{time.monotonic_ns()}"
    own = {
        "redis_url": redis_url,
        "engine": "fake",
        "policies": str(folder / "policies.yaml"),
        "log_json": "1",
        "port": "0",
        "workers": "1",
    }
    own |= {"workers": "1", "allow_networks": '["127.0.0.0/8"]', "connects_per_minute": "6000", "max_pixels": "36864"}
    environment = {f"VIGIL_{name.upper()}": value for name, value in {**own, **settings}.items()}
    environment |= {"TMPDIR": str(temporary)} if temporary else {}
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", START], stdout=subprocess.PIPE, stderr=errors, text=True, env={**os.environ, **environment}
        )
    store = Store.connect(redis_url)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "READY\n", log.read_text()
        yield ShardProcess(process, log, store)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(10)
        process.stdout.close()
        store.close()
