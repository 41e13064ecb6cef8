"""What users see of a process that dies behind the API, or of the API itself."""

import os
import shutil
import signal
from itertools import pairwise
from pathlib import Path

import httpx
import psutil
import pytest

import model
from tests.e2e.product import receive, running, wait_until
from tests.servers.hls_origin import HlsOrigin, Segment, cut_segments
from tests.servers.publisher import make_video

CHECKPOINTS = Path(model.__file__).parent / "checkpoints"

pytestmark = pytest.mark.timeout(180)


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


def test_another_checkpoint_takes_over_in_flight_and_a_torn_one_does_not(tmp_path: Path) -> None:
    video = make_video(tmp_path / "small.mp4", size="320x192", fps=12)
    link = tmp_path / "current"
    link.symlink_to(CHECKPOINTS / "nano-v1")
    torn = shutil.copytree(CHECKPOINTS / "nano-v0", tmp_path / "torn")
    graph = torn / "nano-v0.onnx"
    graph.write_bytes(graph.read_bytes()[:-1])
    options = ("--engine", "onnxruntime", "--model-dir", str(link), "--max-pixels", "36864")
    with HlsOrigin([Segment(path) for path in cut_segments(video, tmp_path / "hls")]) as origin, running(*options) as product:
        stream_id = product.watch(origin.url)
        product.wait_for_state(stream_id, "live", 30.0)
        before = product.stream(stream_id)
        with product.socket(f"/v1/streams/{stream_id}/graph") as feed:
            messages = [receive(feed, 10.0)]
            for target, outcome in ((torn, "not_opened"), (CHECKPOINTS / "nano-v0", "switched_model")):
                point(link, target)
                counted = f'vigil_engine_swaps_total{{outcome="{outcome}",process="engine"}} 1.0'
                wait_until(lambda counted=counted: counted in product.http.get("/metrics").text, 60.0, outcome)  # type: ignore[misc]
                messages += [receive(feed, 10.0) for _ in range(24)]
        assert product.http.get("/readyz").json()["engine"] == "onnxruntime, nano-v0"
        assert [later["seq"] - earlier["seq"] for earlier, later in pairwise(messages)] == [1] * 48
        assert all(message["type"] == "delta" for message in messages[1:])
        assert max(later["captured_at_s"] - earlier["captured_at_s"] for earlier, later in pairwise(messages)) <= 1.0
        after = product.stream(stream_id)
        assert (after["state"], after["epoch"], after["reconnects"]) == ("live", before["epoch"], 0)


def point(link: Path, target: Path) -> None:
    """In one step, as one would."""
    fresh = link.with_name("fresh")
    fresh.symlink_to(target)
    fresh.rename(link)


def answers(http: httpx.Client) -> bool:
    try:
        return http.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False
