"""One /metrics page for the operator: every name of the house, readable by Prometheus, and no series of a deleted stream."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.e2e.product import Product, running, wait_until
from tests.repository.metrics_page import names_by_label
from tests.servers.hls_origin import HlsOrigin, Segment, cut_segments
from tests.servers.process import require_binary

ONLY_AFTER_TROUBLE = {"vigil_reconnects_total"}
OF_THE_PROCESSES = (
    "vigil_queue_seconds_bucket",
    "vigil_infer_seconds_bucket",
    "vigil_batch_size_bucket",
    "vigil_engine_ready",
    "vigil_engine_fell_back",
    'vigil_device_memory_bytes{device="cpu",kind="used"',
    'vigil_device_memory_bytes{device="cpu",kind="total"',
    'vigil_redis_seconds_bucket{call="publish"',
    'vigil_redis_seconds_bucket{call="save"',
    'vigil_redis_seconds_bucket{call="status"',
    'vigil_http_seconds_bucket{le="0.005",method="POST",process="api",route="/v1/streams",status="201"',
    'vigil_ws_messages_total{kind="graph",process="api"',
    'process_resident_memory_bytes{process="engine"',
    'process_cpu_seconds_total{process="worker-1"',
    'process_cpu_seconds_total{process="api"',
    'process_cpu_seconds_total{process="supervisor"',
    'vigil_build_info{process="api",version="',
)

pytestmark = pytest.mark.timeout(90)


def names_of(product: Product, stream_id: str) -> set[str]:
    """The metrics that have a series of this stream."""
    lines = product.http.get("/metrics").text.splitlines()
    return {line.split("{")[0] for line in lines if f'stream="{stream_id}"' in line}


def value_of(product: Product, series: str) -> float:
    """Of the one series that begins so."""
    [line] = [line for line in product.http.get("/metrics").text.splitlines() if line.startswith(series)]
    return float(line.rpartition(" ")[2])


def test_a_stream_has_its_series_while_it_lives_and_none_after(tmp_path: Path, bright_720p25: Path, cup_policy: Path) -> None:
    of_a_stream = names_by_label("stream") - ONLY_AFTER_TROUBLE
    plan = [Segment(path) for path in cut_segments(bright_720p25, tmp_path / "hls")]
    with running("--engine", "fake", "--policies", str(cup_policy)) as product, HlsOrigin(plan) as origin:
        stream_id, other_id = product.watch(origin.url), product.watch(origin.url)
        for each in (stream_id, other_id):
            wait_until(lambda each=each: of_a_stream <= names_of(product, each), 20, f"series of {each}")  # type: ignore[misc]
        with product.socket(f"/v1/streams/{stream_id}/graph") as socket:
            socket.recv(timeout=5)
        wait_until(lambda: value_of(product, f'vigil_stream_risk{{process="worker-1",stream="{other_id}"}}') == 4.0, 10, "a high risk")
        text = product.http.get("/metrics").text
        assert [name for name in OF_THE_PROCESSES if not re.search(rf"^{re.escape(name)}", text, re.MULTILINE)] == []
        promtool = require_binary("promtool")
        checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
        assert product.http.delete(f"/v1/streams/{stream_id}").status_code == 204
        wait_until(lambda: not names_of(product, stream_id), 10, "end of its series", lambda: str(names_of(product, stream_id)))
        assert of_a_stream <= names_of(product, other_id)


def test_a_stream_that_cannot_be_reached_is_blind_all_along_and_prometheus_is_told_where_to_ask() -> None:
    with running("--engine", "fake", environment={"VIGIL_SHARD": "north"}) as product:
        stream_id = product.watch("http://127.0.0.1:9/live.m3u8")
        blind = f'vigil_blind_seconds_total{{process="worker-1",stream="{stream_id}"}}'
        wait_until(lambda: blind in product.http.get("/metrics").text and value_of(product, blind) > 1.0, 15, "blind time")
        before_s = value_of(product, blind)
        wait_until(lambda: value_of(product, blind) > before_s + 1.5, 10, "more blind time")
        address = product.base_url.removeprefix("http://")
        assert product.http.get("/v1/metrics/targets").json() == [{"targets": [address], "labels": {"shard": "north"}}]
