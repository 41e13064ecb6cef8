"""One connection: what is refused before it is decoded, and how RTMP addresses are pinned."""

import socket
import time
from pathlib import Path

import pytest

from service.errors import StreamError
from service.ingest.address import AddressGuard, Endpoint
from service.ingest.rtmp import pin_rtmp
from service.ingest.source import LiveSource, SourceLimits, live_start_index
from tests.servers.hls_origin import HlsOrigin, Segment, cut_segments
from tests.servers.nginx_rtmp import NginxRtmp
from tests.servers.oversize import make_oversize
from tests.servers.process import wait_until
from tests.servers.publisher import FfmpegPublisher, run_ffmpeg
from tests.servers.silent import SilentServer
from tests.servers.tls import Certificate, TlsProxy

LIMITS = SourceLimits(open_timeout_s=2.0, read_timeout_s=1.0, stall_after_s=1.0, max_source_pixels=3840 * 2160)


def failure(url: str, guard: AddressGuard) -> StreamError:
    source = LiveSource(url, guard, LIMITS)
    try:
        source.open()
        for _ in source.pictures():
            pass
    except StreamError as error:
        return error
    finally:
        source.close()
    raise AssertionError("the source came to a good end")


@pytest.mark.parametrize(
    ("url", "pinned", "tcurl"),
    [
        ("rtmp://cam.example/live/key", "rtmp://9.9.9.9:1935/live/key", "rtmp://cam.example/live"),
        ("rtmp://cam.example:99/live/key?t=1", "rtmp://9.9.9.9:99/live/key?t=1", "rtmp://cam.example:99/live"),
        ("rtmp://u:p@cam.example/app/inst/key", "rtmp://u:p@9.9.9.9:1935/app/inst/key", "rtmp://cam.example/app/inst"),
        ("rtmp://cam.example/vod/mp4:a/b", "rtmp://9.9.9.9:1935/vod/mp4:a/b", "rtmp://cam.example/vod"),
    ],
)
def test_ffmpeg_is_given_the_vetted_address_and_the_server_the_name(url: str, pinned: str, tcurl: str) -> None:
    port = 99 if ":99" in url else 1935
    target = pin_rtmp(url, Endpoint("cam.example", port, "9.9.9.9"))
    assert (target.url, dict(target.options)) == (pinned, {"rtmp_tcurl": tcurl})


def test_rtmps_is_verified_against_the_name() -> None:
    target = pin_rtmp("rtmps://cam.example/live/key", Endpoint("cam.example", 443, "2606:4700::1"))
    assert target.url == "rtmps://[2606:4700::1]:443/live/key"
    assert (target.options["tls_verify"], target.options["verifyhost"]) == ("1", "cam.example")


@pytest.mark.parametrize(("target_s", "index"), [(0.0, -3), (0.5, -3), (1.0, -2), (2.0, -2), (6.0, -2)])
def test_play_begins_far_enough_behind_the_edge_to_be_smooth(target_s: float, index: int) -> None:
    assert live_start_index(target_s) == index


def test_rtmp_is_watched_by_name_through_a_pinned_address(nginx: NginxRtmp, video_720p: Path, guard: AddressGuard) -> None:
    url = nginx.rtmp_url("pinned").replace("127.0.0.1", "localhost")
    with FfmpegPublisher(video_720p, url):
        source = LiveSource(url, guard, LIMITS)
        source.open()
        picture = next(source.pictures())
        source.close()
    assert (picture.frame.width, picture.frame.height) == (1280, 720)


def test_rtmps_plays_with_a_trusted_certificate_and_not_without(
    nginx: NginxRtmp, video_720p: Path, guard: AddressGuard, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FfmpegPublisher(video_720p, nginx.rtmp_url("tls")), TlsProxy(nginx.rtmp_port, certificate.server_context()) as proxy:
        assert failure(f"rtmps://localhost:{proxy.port}/live/tls", guard).code == "tls"
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.certificate))
        assert failure(f"rtmps://127.0.0.1:{proxy.port}/live/tls", guard).code == "tls"
        source = LiveSource(f"rtmps://localhost:{proxy.port}/live/tls", guard, LIMITS)
        source.open()
        assert next(source.pictures()).frame.width == 1280
        source.close()


def test_a_silent_rtmp_server_is_a_timeout(guard: AddressGuard) -> None:
    begun_s = time.monotonic()
    with SilentServer() as silent:
        failed = failure(f"rtmp://user:hunter2@127.0.0.1:{silent.port}/live/streamkey", guard)
    assert failed.code == "timeout"
    assert time.monotonic() - begun_s < 2 * LIMITS.open_timeout_s + 1.0
    assert "hunter2" not in str(failed)
    assert "streamkey" not in str(failed)


def test_an_rtmp_server_that_has_no_such_stream_is_not_found(folder: Path, guard: AddressGuard) -> None:
    with NginxRtmp(folder / "strict", idle_streams=False) as strict:
        assert failure(strict.rtmp_url("nobody"), guard).code == "not_found"


def test_a_refused_rtmp_connection_is_said_so(guard: AddressGuard) -> None:
    failed = failure("rtmp://127.0.0.1:1/live/x", guard)
    assert (failed.code, str(failed)) == ("connection_failed", "rtmp://127.0.0.1:1 refuses the connection")


def test_an_inner_rtmp_address_is_never_contacted(guard: AddressGuard) -> None:
    with SilentServer("127.0.0.2") as inner:
        assert failure(f"rtmp://127.0.0.2:{inner.port}/live/x", guard).code == "forbidden_address"
        assert inner.contacts == 0


def test_a_stream_that_claims_twenty_thousand_pixels_is_too_large(tmp_path: Path, guard: AddressGuard) -> None:
    with HlsOrigin([Segment(make_oversize(tmp_path, 20000, 800, ".ts"))]) as origin:
        failed = failure(origin.url, guard)
    assert failed.code == "too_large"
    assert failed.permanent
    assert "20000x800" in str(failed)


def test_a_stream_that_grows_too_large_on_the_way_is_stopped(tmp_path: Path, small_segments: list[Path], guard: AddressGuard) -> None:
    huge = make_oversize(tmp_path, 4000, 4000, ".ts")
    with HlsOrigin([Segment(small_segments[0]), Segment(huge, discontinuity=True)], segment_s=0.5) as origin:
        failed = failure(origin.url, guard)
    assert failed.code == "too_large"
    assert "4000x4000" in str(failed)


def test_sound_alone_is_no_video(tmp_path: Path, guard: AddressGuard) -> None:
    run_ffmpeg("-f", "lavfi", "-i", "sine=duration=2", "-c:a", "aac", str(tmp_path / "tone.ts"))
    with HlsOrigin([Segment(path) for path in cut_segments(tmp_path / "tone.ts", tmp_path)]) as origin:
        failed = failure(origin.url, guard)
    assert (failed.code, str(failed)) == ("codec_unsupported", f"{origin.base} sends no video")


def test_text_is_no_video(tmp_path: Path, guard: AddressGuard) -> None:
    (tmp_path / "a.ts").write_text("hello " * 1000)
    with HlsOrigin([Segment(tmp_path / "a.ts")]) as origin:
        assert failure(origin.url, guard).code == "codec_unsupported"


def test_a_port_that_talks_something_else_fails_with_a_sentence(guard: AddressGuard) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        failed = failure(f"http://127.0.0.1:{port}/live.m3u8", guard)
    assert failed.code == "timeout"


def test_wait_for_hls_of_the_same_server(nginx: NginxRtmp, video_720p: Path, guard: AddressGuard) -> None:
    with FfmpegPublisher(video_720p, nginx.rtmp_url("both")):
        wait_until(nginx.hls_file("both").exists, "nginx to write HLS")
        source = LiveSource(nginx.hls_url("both"), guard, LIMITS)
        source.open()
        assert next(source.pictures()).frame.height == 720
        source.close()
