"""A user's whole way on real servers: POST a live stream, subscribe, see it break and come back, be alerted once."""

import os
import signal
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection

from tests.e2e.conftest import EVENT_S
from tests.e2e.product import Product, children, receive, running, wait_until
from tests.servers.hls_origin import HlsOrigin, Segment, cut_segments
from tests.servers.nginx_rtmp import NginxRtmp
from tests.servers.publisher import FfmpegPublisher

DOWN_S = 20.0
BACK_WITHIN_S = 30.0

pytestmark = pytest.mark.timeout(180)


def first_snapshot_and_delta(socket: ClientConnection, within_s: float) -> tuple[dict[str, Any], dict[str, Any]]:
    deadline = time.monotonic() + within_s
    snapshot = receive(socket, within_s)
    delta = receive(socket, deadline - time.monotonic())
    return snapshot, delta


def test_a_real_rtmp_stream_gives_a_snapshot_and_deltas_within_three_seconds(nginx: NginxRtmp, moving_720p25: Path) -> None:
    with running() as product, FfmpegPublisher(moving_720p25, nginx.rtmp_url("cam")):
        time.sleep(1.0)
        begun_s = time.monotonic()
        stream_id = product.watch(nginx.rtmp_url("cam"))
        with product.socket(f"/v1/streams/{stream_id}/graph") as socket:
            snapshot, delta = first_snapshot_and_delta(socket, 3.0 - (time.monotonic() - begun_s))
        assert snapshot["type"] == "snapshot"
        assert delta["type"] == "delta"
        assert delta["seq"] == snapshot["seq"] + 1
        assert (product.stream(stream_id)["width"], product.stream(stream_id)["height"]) == (1280, 720)


def test_a_live_hls_url_gives_a_snapshot_and_deltas_within_three_seconds(tmp_path: Path, moving_720p25: Path) -> None:
    plan = [Segment(path) for path in cut_segments(moving_720p25, tmp_path / "hls")]
    with running("--engine", "fake") as product, HlsOrigin(plan) as origin:
        begun_s = time.monotonic()
        stream_id = product.watch(origin.url)
        with product.socket(f"/v1/streams/{stream_id}/graph") as socket:
            snapshot, delta = first_snapshot_and_delta(socket, 3.0 - (time.monotonic() - begun_s))
        assert (snapshot["type"], delta["type"]) == ("snapshot", "delta")


def test_a_publisher_killed_for_twenty_seconds_comes_back_by_itself_and_nothing_alerts_twice(
    nginx: NginxRtmp, bright_720p25: Path, cup_policy: Path
) -> None:
    publisher = FfmpegPublisher(bright_720p25, nginx.rtmp_url("cam"))
    with running("--engine", "fake", "--policies", str(cup_policy)) as product, publisher:
        stream_id = product.watch(nginx.rtmp_url("cam"))
        product.wait_for_state(stream_id, "live", 10)
        wait_until(lambda: len(product.alerts()) == 1, 10, "alert")
        publisher.kill()
        down_at_s = time.monotonic()
        wait_until(lambda: product.stream(stream_id)["state"] != "live", 10, "state that says the picture stands")
        time.sleep(DOWN_S - (time.monotonic() - down_at_s))
        assert product.stream(stream_id)["state"] in ("stalled", "reconnecting", "connecting")
        publisher.start()
        product.wait_for_state(stream_id, "live", BACK_WITHIN_S)
        time.sleep(3.0)
        assert len(product.alerts()) == 1


def test_an_origin_that_answers_404_for_twenty_seconds_comes_back_by_itself(tmp_path: Path, bright_720p25: Path, cup_policy: Path) -> None:
    plan = [Segment(path) for path in cut_segments(bright_720p25, tmp_path / "hls")]
    with running("--engine", "fake", "--policies", str(cup_policy)) as product, HlsOrigin(plan) as origin:
        stream_id = product.watch(origin.url)
        product.wait_for_state(stream_id, "live", 10)
        wait_until(lambda: len(product.alerts()) == 1, 10, "alert")
        origin.playlist_mode = "404"
        origin.segment_mode = "404"
        wait_until(lambda: product.stream(stream_id)["state"] == "reconnecting", 12, "state reconnecting")
        wait_until(lambda: product.stream(stream_id)["code"] == "not_found", 10, "code not_found", lambda: str(product.stream(stream_id)))
        time.sleep(DOWN_S - 5)
        origin.playlist_mode = "ok"
        origin.segment_mode = "ok"
        product.wait_for_state(stream_id, "live", BACK_WITHIN_S)
        time.sleep(3.0)
        assert len(product.alerts()) == 1


def test_a_killed_worker_gives_its_stream_back_with_ids_seq_and_incident(tmp_path: Path, bright_720p25: Path, cup_policy: Path) -> None:
    plan = [Segment(path) for path in cut_segments(bright_720p25, tmp_path / "hls")]
    with running("--engine", "fake", "--policies", str(cup_policy)) as product, HlsOrigin(plan) as origin:
        stream_id = product.watch(origin.url)
        product.wait_for_state(stream_id, "live", 10)
        wait_until(lambda: len(product.alerts()) == 1, 10, "alert")
        before = product.http.get(f"/v1/streams/{stream_id}/graph").json()
        epoch = product.stream(stream_id)["epoch"]
        worker = product.stream(stream_id)["worker"]
        os.kill(_pid_of(product, worker), signal.SIGKILL)
        wait_until(lambda: product.stream(stream_id)["epoch"] > epoch, 10, "new owner")
        product.wait_for_state(stream_id, "live", 10)
        wait_until(lambda: product.http.get(f"/v1/streams/{stream_id}/graph").json()["seq"] > before["seq"] + 25, 10, "newer graph")
        after = product.http.get(f"/v1/streams/{stream_id}/graph").json()
        assert {node["id"] for node in before["nodes"]} == {node["id"] for node in after["nodes"]}
        assert len(product.alerts()) == 1


def test_the_whole_service_killed_and_started_again_on_its_data_loses_nothing(
    tmp_path: Path, bright_720p25: Path, cup_policy: Path
) -> None:
    plan = [Segment(path) for path in cut_segments(bright_720p25, tmp_path / "hls")]
    options = ("--engine", "fake", "--policies", str(cup_policy), "--data", str(tmp_path / "data"))
    with HlsOrigin(plan) as origin:
        with running(*options) as product:
            stream_id = product.watch(origin.url)
            product.wait_for_state(stream_id, "live", 10)
            wait_until(lambda: len(product.alerts()) == 1, 10, "alert")
            time.sleep(2.5)
            before = product.http.get(f"/v1/streams/{stream_id}/graph").json()
            below = children(product.process.pid)
            for pid in [product.process.pid, *below]:
                os.kill(pid, signal.SIGKILL)
        with running(*options) as product:
            product.wait_for_state(stream_id, "live", 15)
            time.sleep(3.0)
            after = product.http.get(f"/v1/streams/{stream_id}/graph").json()
            assert after["seq"] > before["seq"] - 60
            assert {node["id"] for node in before["nodes"]} == {node["id"] for node in after["nodes"]}
            assert len(product.alerts()) == 1


def test_person_holding_cup_for_a_second_alerts_once_per_event_on_socket_and_list(
    nginx: NginxRtmp, events_720p25: Path, cup_policy: Path
) -> None:
    events = 3
    with (
        running("--engine", "fake", "--policies", str(cup_policy)) as product,
        FfmpegPublisher(events_720p25, nginx.rtmp_url("cam")),
        product.socket("/v1/alerts") as socket,
    ):
        product.watch(nginx.rtmp_url("cam"))
        heard: dict[str, str] = {}
        deadline = time.monotonic() + (events + 1) * 2 * EVENT_S + 10
        while len(heard) < events and time.monotonic() < deadline:
            alert = receive(socket, deadline - time.monotonic())
            heard.setdefault(alert["id"], alert["summary"])
        time.sleep(1.0)
        listed = product.alerts()
        assert len(heard) == events
        assert {alert["id"] for alert in listed} == set(heard)
        assert all("holding cup" in summary for summary in heard.values())
        times_s = sorted(alert["created_at_s"] for alert in listed)
        gaps_s = [later - earlier for earlier, later in pairwise(times_s)]
        assert all(abs(gap_s - 2 * EVENT_S) < 1.5 for gap_s in gaps_s), gaps_s


def _pid_of(product: Product, worker: str) -> int:
    """The process of a worker: its name shows in `ps` and `top`."""
    names = {pid: Path(f"/proc/{pid}/comm").read_text().strip() for pid in children(product.process.pid)}
    found = [pid for pid, name in names.items() if name == f"vigil-{worker}"]
    assert len(found) == 1, names
    return found[0]
