"""What users see of a process that dies behind the API, or of the API itself."""

import os
import signal
from pathlib import Path

import httpx
import psutil

from tests.e2e.product import receive, running, wait_until
from tests.servers.hls_origin import HlsOrigin, Segment, cut_segments


def test_a_killed_api_is_back_on_its_address_and_no_stream_noticed(tmp_path: Path, bright_720p25: Path, cup_policy: Path) -> None:
    segments = [Segment(path) for path in cut_segments(bright_720p25, tmp_path / "segments")]
    with HlsOrigin(segments) as origin, running("--engine", "fake", "--policies", str(cup_policy)) as product:
        stream_id = product.watch(origin.url)
        product.wait_for_state(stream_id, "live", 20.0)
        with product.socket(f"/v1/streams/{stream_id}/graph") as feed:
            seq = receive(feed, 10.0)["seq"]
        [api] = [child for child in psutil.Process(product.process.pid).children() if child.name() == "vigil-api"]
        os.kill(api.pid, signal.SIGKILL)
        wait_until(lambda: answers(product.http), 30.0, "answer on the same address")
        with product.socket(f"/v1/streams/{stream_id}/graph?since={seq}") as feed:
            assert receive(feed, 10.0)["seq"] == seq + 1, "the API that came back has every delta since"
        assert product.stream(stream_id)["reconnects"] == 0
        text = product.http.get("/metrics").text
        assert 'vigil_worker_restarts_total{process="supervisor",worker="api"} 1.0' in text


def answers(http: httpx.Client) -> bool:
    try:
        return http.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False
