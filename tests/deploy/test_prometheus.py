"""deploy/prometheus/prometheus.yml: promtool takes it, and a real Prometheus finds by it the shards that Vigil names."""

import json
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.compose_file import ROOT
from tests.servers.process import end_process, free_port, require_binary, wait_until

CONFIG = ROOT / "deploy" / "prometheus" / "prometheus.yml"
RULES = ROOT / "deploy" / "prometheus" / "rules"


class Shard(HTTPServer):
    """Names itself to Prometheus as Vigil does, and has a page of metrics."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: Shard

    def do_GET(self) -> None:
        pages = {
            "/v1/metrics/targets": (
                "application/json",
                [{"targets": [f"127.0.0.1:{self.server.server_port}"], "labels": {"shard": "main"}}],
            ),
            "/metrics": ("text/plain; version=0.0.4", None),
        }
        kind, answer = pages[self.path]
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode() if answer else b"vigil_test_value 7\n")

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def shard() -> Iterator[Shard]:
    with Shard() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def check(path: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([require_binary("promtool"), "check", "config", str(path)], capture_output=True, text=True, check=False)


def test_promtool_takes_the_configuration_with_its_rules() -> None:
    checked = check(CONFIG)
    assert checked.returncode == 0, checked.stderr
    assert "SUCCESS" in checked.stdout
    assert yaml.safe_load(CONFIG.read_text())["rule_files"] == [f"{RULES.name}/*.yml"]


def test_promtool_refuses_a_key_that_prometheus_does_not_know(tmp_path: Path) -> None:
    broken = tmp_path / "prometheus.yml"
    broken.write_text(CONFIG.read_text().replace("refresh_interval", "refresh_every"))
    checked = check(broken)
    assert checked.returncode != 0
    assert "refresh_every" in checked.stderr


def get(port: int, path: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return json.load(answer)["data"]


def targets(port: int) -> dict[str, str]:
    """{job: health} of all active targets; none while Prometheus starts."""
    try:
        return {target["labels"]["job"]: target["health"] for target in get(port, "/api/v1/targets")["activeTargets"]}
    except (urllib.error.URLError, ConnectionError):
        return {}


def test_a_real_prometheus_finds_and_scrapes_the_shard_that_vigil_names(shard: Shard, tmp_path: Path) -> None:
    binary, port = require_binary("prometheus"), free_port()
    text = (
        CONFIG.read_text()
        .replace("http://vigil:8000", f"http://127.0.0.1:{shard.server_port}")
        .replace("localhost:9090", f"127.0.0.1:{port}")
    )
    assert "vigil:8000" not in text
    config = tmp_path / "prometheus.yml"
    config.write_text(text.replace("5s", "1s").replace("4s", "1s"))
    command = [binary, f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'data'}", f"--web.listen-address=127.0.0.1:{port}"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: targets(port) == {"vigil": "up", "prometheus": "up"}, "both targets to be up", 40.0)
        wait_until(lambda: bool(get(port, "/api/v1/query?query=vigil_test_value")["result"]), "a sample", 10.0)
        (sample,) = get(port, "/api/v1/query?query=vigil_test_value")["result"]
        assert sample["metric"] == {
            "__name__": "vigil_test_value", "instance": f"127.0.0.1:{shard.server_port}", "job": "vigil", "shard": "main",
        }  # fmt: skip
        assert sample["value"][1] == "7"
    finally:
        end_process(process)
