"""The guarded opener, against real HTTP and HTTPS servers on loopback. 127.0.0.2 plays the inner network."""

import threading
import time
from pathlib import Path

import pytest

from service.errors import StreamError
from service.ingest.address import AddressGuard
from service.ingest.http_io import HttpLimits, HttpOpener
from tests.servers.hls_origin import HlsOrigin, PlaylistMode, Redirect, Segment
from tests.servers.silent import SilentServer
from tests.servers.tls import Certificate

LIMITS = HttpLimits(object_bytes=2 << 20, playlist_bytes=1000, connect_s=1.0, total_s=1.0)


def opener(url: str, guard: AddressGuard) -> HttpOpener:
    return HttpOpener(url, guard, LIMITS)


@pytest.fixture
def plan(small_segments: list[Path]) -> list[Segment]:
    return [Segment(path) for path in small_segments]


def test_an_object_comes_whole(plan: list[Segment], guard: AddressGuard) -> None:
    with HlsOrigin(plan) as origin:
        body = opener(origin.url, guard)(f"{origin.base}/segments/0.ts?n=0", 1, {})
        assert body.read() == plan[0].path.read_bytes()
        assert body.read(10) == b""
        body.close()


@pytest.mark.parametrize(
    ("mode", "code"),
    [
        ("404", "not_found"),
        ("403", "auth_failed"),
        ("500", "connection_failed"),
        ("hang", "timeout"),
        ("drip", "timeout"),
        ("drip_headers", "timeout"),
        ("endless_redirect", "connection_failed"),
    ],
)
def test_each_way_of_not_answering_has_its_code_and_ends_in_time(
    plan: list[Segment], guard: AddressGuard, mode: PlaylistMode, code: str
) -> None:
    with HlsOrigin(plan) as origin:
        origin.playlist_mode = mode
        begun_s = time.monotonic()
        with pytest.raises(StreamError) as failed:
            opener(origin.url, guard).prefetch(origin.url)
    assert failed.value.code == code
    assert time.monotonic() - begun_s < 2.0


@pytest.mark.parametrize(
    ("page", "code"), [(b"x" * (3 << 20), "too_large"), (b"#EXTM3U\n" + b"#" * 2000, "too_large"), (b"<html>", "codec_unsupported")]
)
def test_what_is_too_long_or_no_playlist_is_refused(plan: list[Segment], guard: AddressGuard, page: bytes, code: str) -> None:
    with HlsOrigin(plan) as origin:
        origin.pages["/x"] = page
        with pytest.raises(StreamError) as failed:
            opener(origin.url, guard).prefetch(f"{origin.base}/x")
    assert failed.value.code == code


def test_nobody_listening_is_a_failed_connection(guard: AddressGuard) -> None:
    with pytest.raises(StreamError, match="Connection refused") as failed:
        opener("http://127.0.0.1:1/x", guard).prefetch("http://127.0.0.1:1/x")
    assert failed.value.code == "connection_failed"


def test_a_server_that_does_not_speak_http_is_said_so(guard: AddressGuard, plan: list[Segment], certificate: Certificate) -> None:
    with HlsOrigin(plan, tls=certificate.server_context()) as origin:
        url = f"http://127.0.0.1:{origin.port}/live.m3u8"
        with pytest.raises(StreamError) as failed:
            opener(url, guard).prefetch(url)
    assert failed.value.code == "connection_failed"


def test_https_is_verified_by_name(
    plan: list[Segment], guard: AddressGuard, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    with HlsOrigin(plan, tls=certificate.server_context()) as origin:
        named, numbered = f"https://localhost:{origin.port}/live.m3u8", f"https://127.0.0.1:{origin.port}/live.m3u8"
        with pytest.raises(StreamError, match="fails TLS: self-signed") as untrusted:
            opener(named, guard).prefetch(named)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.certificate))
        with pytest.raises(StreamError, match="IP address mismatch") as misnamed:
            opener(numbered, guard).prefetch(numbered)
        assert opener(named, guard).prefetch(named).edge
    assert untrusted.value.code == misnamed.value.code == "tls"


def test_credentials_go_to_their_own_server_only_and_into_no_message(plan: list[Segment], guard: AddressGuard) -> None:
    with HlsOrigin(plan) as origin, HlsOrigin(plan) as other:
        url = f"http://user:hunter2@127.0.0.1:{origin.port}/away"
        origin.pages["/away"] = Redirect(f"{other.base}/gone?token=t")
        with pytest.raises(StreamError) as failed:
            opener(url, guard).prefetch(url)
        assert origin.authorizations == ["Basic dXNlcjpodW50ZXIy"]
        assert other.authorizations == [None]
    assert not any(secret in str(failed.value) for secret in ("hunter2", "user", "token", "gone"))


def test_a_byte_range_asked_by_ffmpeg_reaches_the_server(plan: list[Segment], guard: AddressGuard) -> None:
    seen: list[str | None] = []
    with HlsOrigin(plan) as origin:

        def page(handler: object) -> None:
            seen.append(handler.headers.get("Range"))  # type: ignore[attr-defined]
            handler._send(206, b"part")  # type: ignore[attr-defined]

        origin.pages["/whole.mp4"] = page
        read = opener(origin.url, guard)(f"{origin.base}/whole.mp4", 1, {"offset": "100", "end_offset": "300"}).read()
    assert (seen, read) == (["bytes=100-299"], b"part")


def test_cancel_ends_a_fetch_that_hangs_and_every_later_one(guard: AddressGuard) -> None:
    with SilentServer() as silent:
        url = f"http://127.0.0.1:{silent.port}/x"
        slow = HttpOpener(url, guard, HttpLimits(total_s=20.0))
        timer = threading.Timer(0.2, slow.cancel)
        timer.start()
        begun_s = time.monotonic()
        with pytest.raises(StreamError):
            slow(url, 1, {})
        assert time.monotonic() - begun_s < 1.0
        assert slow(url, 1, {}).read() == b""
        assert silent.contacts == 1
        timer.join()


def test_after_the_first_failure_ffmpeg_gets_nothing_more(plan: list[Segment], guard: AddressGuard) -> None:
    with HlsOrigin(plan) as origin:
        opened = opener(origin.url, guard)
        with pytest.raises(StreamError):
            opened(f"{origin.base}/missing.ts", 1, {})
        assert opened(f"{origin.base}/segments/0.ts", 1, {}).read() == b""
        assert opened.failure is not None
        assert origin.hits == ["/missing.ts"]


def test_nothing_is_ever_written(guard: AddressGuard) -> None:
    with pytest.raises(StreamError, match="write"):
        opener("http://127.0.0.1:1/x", guard)("http://127.0.0.1:1/x", 2, {})
