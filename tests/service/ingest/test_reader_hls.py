"""The reader on live HLS, with every fault of the origin switched on and off again."""

from pathlib import Path
from typing import Literal

import pytest

from service.ingest.address import AddressGuard
from tests.servers.hls_origin import HlsOrigin, Segment
from tests.servers.nginx_rtmp import NginxRtmp
from tests.servers.process import wait_until
from tests.servers.publisher import FfmpegPublisher
from tests.service.ingest.watch import Watch, is_growing


@pytest.fixture
def plan(segments: list[Path]) -> list[Segment]:
    return [Segment(path) for path in segments]


def test_bursts_are_released_at_their_pace(plan: list[Segment], guard: AddressGuard) -> None:
    with HlsOrigin(plan) as origin, Watch(origin.url, guard) as watch:
        watch.until_state("live", timeout_s=2.0)
        watch.until_frames(60)
    media_s = watch.frames[-1].media_s - watch.frames[0].media_s
    wall_s = watch.frames[-1].captured_at_s - watch.frames[0].captured_at_s
    assert wall_s == pytest.approx(media_s, rel=0.2)
    assert watch.mailbox.drops.get("superseded", 0) < 5
    assert watch.names == ["connecting", "live"]


def test_nginx_serves_the_same_stream_as_hls(nginx: NginxRtmp, video_720p: Path, guard: AddressGuard) -> None:
    with FfmpegPublisher(video_720p, nginx.rtmp_url("hls")):
        wait_until(nginx.hls_file("hls").exists, "nginx to write HLS")
        with Watch(nginx.hls_url("hls"), guard) as watch:
            watch.until_frames(40)
    assert is_growing(watch.frames)
    assert watch.names == ["connecting", "live"]


def test_an_origin_that_answers_404_for_a_while_is_waited_for(plan: list[Segment], guard: AddressGuard) -> None:
    with HlsOrigin(plan) as origin, Watch(origin.url, guard) as watch:
        watch.until_state("live")
        origin.playlist_mode = "404"
        watch.until_state("reconnecting", timeout_s=4.0)
        watch.watch_for(2.0)  # many more failures than a first connect is given
        assert watch.state == "reconnecting"
        origin.playlist_mode = "ok"
        watch.until_state("live", timeout_s=4.0)
        watch.until_frames(5)
    assert set(watch.codes) == {"not_found"}
    assert watch.codes.count("not_found") > 4
    assert is_growing(watch.frames)


def test_a_frozen_playlist_stalls_and_is_not_played_again(plan: list[Segment], guard: AddressGuard) -> None:
    with HlsOrigin(plan) as origin, Watch(origin.url, guard) as watch:
        watch.until_state("live")
        origin.frozen = True
        watch.until_state("reconnecting", timeout_s=8.0)
        frozen = len(watch.frames)
        watch.watch_for(1.5)
        assert len(watch.frames) == frozen
        assert watch.state == "reconnecting"
        origin.frozen = False
        watch.until_state("live", timeout_s=4.0)
    assert "stalled" in watch.names
    assert set(watch.codes) == {"timeout"}


def test_timestamps_that_start_anew_with_each_segment_do_not_stop_a_sampled_stream(segments: list[Path], guard: AddressGuard) -> None:
    with HlsOrigin([Segment(segments[1], discontinuity=True)]) as origin, Watch(origin.url, guard, fps=2.0) as watch:
        watch.until_frames(9)
    assert watch.names == ["connecting", "live"]
    assert is_growing(watch.frames)
    assert watch.frames[-1].captured_at_s - watch.frames[0].captured_at_s == pytest.approx(4.0, abs=1.5)


@pytest.mark.parametrize("mode", ["hang", "half"])
def test_a_segment_that_does_not_come_whole_stalls_and_recovers(
    plan: list[Segment], guard: AddressGuard, mode: Literal["hang", "half"]
) -> None:
    with HlsOrigin(plan) as origin, Watch(origin.url, guard) as watch:
        watch.until_state("live")
        origin.segment_mode = mode
        watch.until_state("reconnecting", timeout_s=8.0)
        origin.segment_mode = "ok"
        watch.until_state("live", timeout_s=6.0)
    assert watch.names[:4] == ["connecting", "live", "stalled", "reconnecting"]


def test_an_origin_that_never_had_the_stream_fails_after_a_few_tries(plan: list[Segment], guard: AddressGuard) -> None:
    with HlsOrigin(plan) as origin, Watch(f"{origin.base}/nothing.m3u8", guard) as watch:
        watch.until_state("failed", timeout_s=5.0)
        assert len(origin.hits) == 4
    assert set(watch.codes) == {"not_found"}


def test_wrong_credentials_fail_at_once(plan: list[Segment], guard: AddressGuard) -> None:
    with HlsOrigin(plan) as origin:
        origin.playlist_mode = "403"
        with Watch(origin.url, guard) as watch:
            watch.until_state("failed")
        assert len(origin.hits) == 1
    assert watch.codes == ["auth_failed"]


def test_discontinuities_and_a_change_of_size_keep_media_time_growing(
    segments: list[Path], small_segments: list[Path], guard: AddressGuard
) -> None:
    plan = [Segment(segments[0], True), Segment(small_segments[0], True), Segment(segments[2], True), Segment(small_segments[1], True)]
    with HlsOrigin(plan) as origin, Watch(origin.url, guard) as watch:
        watch.until_frames(100)
    assert watch.names == ["connecting", "live"]
    assert is_growing(watch.frames)
    assert watch.frames[-1].media_s - watch.frames[0].media_s < 6.0
    assert {frame.image_HW3.shape for frame in watch.frames} == {(256, 448, 3), (288, 384, 3)}


def test_a_stream_that_turns_into_another_codec_is_reopened(segments: list[Path], hevc_segments: list[Path], guard: AddressGuard) -> None:
    with HlsOrigin([Segment(segments[0]), Segment(segments[1])]) as origin, Watch(origin.url, guard) as watch:
        watch.until_state("live")
        origin.plan = [Segment(hevc_segments[0], True), Segment(hevc_segments[1], True)]
        watch.until_state("reconnecting", timeout_s=8.0)
        watch.until_state("live", timeout_s=8.0)
        watch.until_frames(10)
    assert "codec_unsupported" in watch.codes
    assert watch.frames[-1].source_hw == (240, 320)


def test_a_playlist_with_an_end_ends(plan: list[Segment], guard: AddressGuard) -> None:
    with HlsOrigin(plan[:2], ends=True) as origin, Watch(origin.url, guard) as watch:
        watch.until_state("ended", timeout_s=6.0)
    assert len(watch.frames) == 50
    assert watch.names == ["connecting", "live", "ended"]


def test_an_endless_segment_fails_as_too_large(plan: list[Segment], guard: AddressGuard) -> None:
    with HlsOrigin(plan) as origin:
        origin.segment_mode = "endless"
        with Watch(origin.url, guard) as watch:
            watch.until_state("failed", timeout_s=8.0)
    assert watch.codes[-1] == "too_large"


def test_only_one_variant_of_a_master_playlist_is_fetched(plan: list[Segment], guard: AddressGuard) -> None:
    with HlsOrigin(plan) as origin, HlsOrigin(plan) as unwanted:
        origin.pages["/master.m3u8"] = (
            f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9000000,RESOLUTION=1920x1080\n{unwanted.url}\n"
            f"#EXT-X-STREAM-INF:BANDWIDTH=3000000,RESOLUTION=1280x720\n{origin.url}\n"
        ).encode()
        with Watch(f"{origin.base}/master.m3u8", guard) as watch:
            watch.until_frames(10)
        assert unwanted.hits == []


def test_stop_ends_a_reader_that_waits_for_a_hanging_server(plan: list[Segment], guard: AddressGuard) -> None:
    with HlsOrigin(plan) as origin, Watch(origin.url, guard) as watch:
        watch.until_state("live")
        origin.playlist_mode = "hang"
        watch.watch_for(1.2)
        watch.reader.stop()
        assert watch.reader.join(1.5)
