"""One /metrics page for the operator: every name of the house, readable by Prometheus, and no series of a deleted stream."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.e2e.product import Product, running, wait_until
from tests.servers.hls_origin import HlsOrigin, Segment, cut_segments
from tests.servers.process import require_binary

OF_A_LIVE_STREAM = (
    "vigil_stream_state",
    "vigil_frames_analysed_total",
    "vigil_decode_seconds_bucket",
    "vigil_graph_seconds_bucket",
    "vigil_frame_age_seconds_bucket",
    "vigil_alerts_total",
    "vigil_alert_latency_seconds_bucket",
)
OF_THE_PROCESS = ("vigil_queue_seconds_bucket", "vigil_infer_seconds_bucket", "vigil_batch_size_bucket", "vigil_engine_ready")

pytestmark = pytest.mark.timeout(90)


def names_of(product: Product, stream_id: str) -> set[str]:
    """The metrics that have a series of this stream."""
    lines = product.http.get("/metrics").text.splitlines()
    return {line.split("{")[0] for line in lines if f'stream="{stream_id}"' in line}


def test_a_stream_has_its_series_while_it_lives_and_none_after(tmp_path: Path, bright_720p25: Path, cup_policy: Path) -> None:
    plan = [Segment(path) for path in cut_segments(bright_720p25, tmp_path / "hls")]
    with running("--engine", "fake", "--policies", str(cup_policy)) as product, HlsOrigin(plan) as origin:
        stream_id, other_id = product.watch(origin.url), product.watch(origin.url)
        for each in (stream_id, other_id):
            wait_until(lambda each=each: set(OF_A_LIVE_STREAM) <= names_of(product, each), 15, f"series of {each}")  # type: ignore[misc]
        text = product.http.get("/metrics").text
        assert all(re.search(rf"^{name}", text, re.MULTILINE) for name in OF_THE_PROCESS)
        promtool = require_binary("promtool")
        checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert product.http.delete(f"/v1/streams/{stream_id}").status_code == 204
        wait_until(lambda: not names_of(product, stream_id), 10, "end of its series", lambda: str(names_of(product, stream_id)))
        assert set(OF_A_LIVE_STREAM) <= names_of(product, other_id)
