"""The reader on real RTMP: nginx-rtmp, pushed to by ffmpeg."""

import itertools
import time
from pathlib import Path

import pytest

from service.ingest.address import AddressGuard
from service.ingest.effort import Effort
from service.settings import Settings
from tests.servers.nginx_rtmp import NginxRtmp
from tests.servers.publisher import FfmpegPublisher
from tests.servers.silent import SilentServer
from tests.service.ingest.watch import Watch, is_growing


def test_a_720p_stream_is_live_within_three_seconds_at_its_full_rate(nginx: NginxRtmp, video_720p: Path, guard: AddressGuard) -> None:
    with FfmpegPublisher(video_720p, nginx.rtmp_url("full")):
        time.sleep(0.5)
        begun_s = time.monotonic()
        with Watch(nginx.rtmp_url("full"), guard, start_s=30.0) as watch:
            watch.until_state("live")
            assert time.monotonic() - begun_s < 3.0
            watch.watch_for(2.0)
    assert watch.names == ["connecting", "live"]
    assert is_growing(watch.frames)
    first, last = watch.frames[0], watch.frames[-1]
    assert 30.0 <= first.media_s < 30.3  # the clock begins at 30.0; in the mailbox the newest picture may have taken the first one's place
    assert len(watch.frames) / (last.media_s - first.media_s) > 22
    assert last.image_HW3.shape == (256, 448, 3)
    assert (last.content_hw, last.source_hw, last.seq) == ((252, 448), (720, 1280), 0)
    assert abs(last.captured_at_s - time.time()) < 2.0
    stats = watch.reader.stats
    assert (stats.width, stats.height) == (1280, 720)
    assert 20 < stats.fps < 30


def test_a_killed_publisher_is_seen_and_its_return_too(nginx: NginxRtmp, video_720p: Path, guard: AddressGuard) -> None:
    with FfmpegPublisher(video_720p, nginx.rtmp_url("back")) as publisher, Watch(nginx.rtmp_url("back"), guard) as watch:
        watch.until_state("live")
        publisher.kill()
        watch.until_state("reconnecting", timeout_s=3.0)
        before = watch.frames[-1]
        time.sleep(1.5)
        publisher.start()
        watch.until_state("live")
        watch.until_frames(5)
    assert watch.names[:4] == ["connecting", "live", "stalled", "reconnecting"]
    assert watch.codes[0] == "timeout"
    assert is_growing(watch.frames)
    after = next(frame for frame in watch.frames if frame.captured_at_s > before.captured_at_s + 1.0)
    assert abs((after.media_s - before.media_s) - (after.captured_at_s - before.captured_at_s)) < 1.0
    assert watch.reader.reconnects >= 1
    exposed = watch.metrics.expose().decode()
    assert 'vigil_stalls_total{stream="cam"} 1.0' in exposed
    assert 'vigil_reconnects_total{code="timeout",stream="cam"}' in exposed


def test_a_lower_rate_drops_frames_as_sampled(nginx: NginxRtmp, video_720p: Path, guard: AddressGuard) -> None:
    with FfmpegPublisher(video_720p, nginx.rtmp_url("slow")), Watch(nginx.rtmp_url("slow"), guard, fps=5.0) as watch:
        watch.until_frames(8)
    media_s = watch.frames[-1].media_s - watch.frames[0].media_s
    assert abs(7 / media_s - 5.0) < 0.5
    assert watch.mailbox.drops["sampled"] > 20
    assert 'cause="sampled"' in watch.metrics.expose().decode()


def test_effort_falls_to_key_frames_and_comes_back_on_the_same_connection(nginx: NginxRtmp, video_720p: Path, guard: AddressGuard) -> None:
    with FfmpegPublisher(video_720p, nginx.rtmp_url("effort")), Watch(nginx.rtmp_url("effort"), guard) as watch:
        watch.until_frames(10)
        watch.reader.set_effort(Effort(key_frames_only=True))
        watch.watch_for(0.5)
        before = len(watch.frames)
        watch.until_frames(3)
        gaps_s = [right.media_s - left.media_s for left, right in itertools.pairwise(watch.frames[before:])]
        assert gaps_s == pytest.approx([1.0] * len(gaps_s), abs=0.1)
        watch.reader.set_effort(Effort())
        begun_s = time.monotonic()
        watch.until_frames(25)
        assert time.monotonic() - begun_s < 3.0
    assert watch.names == ["connecting", "live"]
    assert is_growing(watch.frames)
    assert watch.mailbox.drops["overload"] > 40
    assert watch.mailbox.drops.get("sampled", 0) == 0


def test_a_silent_server_is_tried_again_and_no_secret_is_said(guard: AddressGuard) -> None:
    settings = Settings(open_timeout_s=0.6, read_timeout_s=0.5, stall_after_s=0.5, backoff_base_s=0.1, backoff_max_s=0.2)
    with SilentServer() as silent:
        url = f"rtmp://user:hunter2@127.0.0.1:{silent.port}/live/streamkey"
        with Watch(url, guard, settings=settings) as watch:
            watch.watch_for(2.5)
        assert silent.contacts >= 2
    assert set(watch.codes) == {"timeout"}
    assert not any(secret in message for _, _, message in watch.states for secret in ("hunter2", "user", "streamkey"))


def test_a_forbidden_address_fails_at_once(guard: AddressGuard) -> None:
    with SilentServer("127.0.0.2") as inner, Watch(f"rtmp://127.0.0.2:{inner.port}/live/x", guard) as watch:
        watch.until_state("failed")
        assert watch.codes == ["forbidden_address"]
        assert inner.contacts == 0


def test_an_address_of_another_kind_fails_with_a_sentence(guard: AddressGuard) -> None:
    with Watch("file:///etc/passwd", guard) as watch:
        watch.until_state("failed")
    assert watch.codes == ["forbidden_address"]
    assert "begins with one of" in watch.states[-1][2]


def test_connects_stay_within_the_budget(guard: AddressGuard) -> None:
    settings = Settings(backoff_base_s=0.001, backoff_max_s=0.001, connects_per_minute=20)  # five at once, then one each 3 s
    with Watch("rtmp://127.0.0.1:1/live/x", guard, settings=settings) as watch:
        watch.watch_for(1.5)
        assert watch.reader.reconnects == 5
    assert set(watch.codes) == {"connection_failed"}


def test_stop_ends_a_live_reader_at_once(nginx: NginxRtmp, video_720p: Path, guard: AddressGuard) -> None:
    with FfmpegPublisher(video_720p, nginx.rtmp_url("stop")), Watch(nginx.rtmp_url("stop"), guard) as watch:
        watch.until_state("live")
        begun_s = time.monotonic()
        watch.reader.stop()
        assert watch.reader.join(2.0)
        assert time.monotonic() - begun_s < 1.0
        assert watch.mailbox.closed
    assert watch.names == ["connecting", "live"]
