"""Playlists that try to make the service open files or inner addresses: the inner server must never be contacted."""

import time
from pathlib import Path

import pytest

from service.errors import StreamError
from service.ingest.address import AddressGuard
from service.ingest.source import LiveSource, SourceLimits
from tests.servers.hls_origin import HlsOrigin, Redirect, Segment
from tests.servers.silent import SilentServer

LIMITS = SourceLimits(open_timeout_s=2.0, read_timeout_s=1.0, stall_after_s=1.0, max_source_pixels=3840 * 2160)
HEAD = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0\n"


def listing(*segments: str, before: str = "") -> bytes:
    entries = "".join(f"#EXTINF:1.0,\n{segment}\n" for segment in segments)
    return f"{HEAD}{before}{entries}#EXT-X-ENDLIST\n".encode()


HOSTILE = {
    "segment": listing("{inner}/a.ts"),
    "second segment": listing("/segments/0.ts", "{inner}/a.ts"),
    "redirected segment": listing("/redirect"),
    "key": listing("/segments/0.ts", before='#EXT-X-KEY:METHOD=AES-128,URI="{inner}/key"\n'),
    "map": listing("/segments/0.ts", before='#EXT-X-MAP:URI="{inner}/init.mp4"\n'),
    "variant": b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{inner}/live.m3u8\n",
    "rendition": b'#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",URI="{inner}/a.m3u8"\n'
    b'#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"\n/gone.m3u8\n',
    "decimal address": listing("http://2130706434:{port}/a.ts"),
    "user part": listing("http://127.0.0.1@127.0.0.2:{port}/a.ts"),
    "tcp": listing("tcp://127.0.0.2:{port}/a.ts"),
    "rtmp": listing("rtmp://127.0.0.2:{port}/live/a.ts"),
    "gopher": listing("gopher://127.0.0.2:{port}/_GET%20/a.ts"),
    "crypto": listing("crypto+{inner}/a.ts"),
    "hls protocol": listing("hls+{inner}/a.m3u8"),
    "concat": listing("concat:{inner}/a.ts|{inner}/b.ts"),
    "file": listing("file://{secret}"),
    "plain path": listing("{secret}"),
    "subfile": listing("subfile,,start,0,end,99999,,:{secret}"),
    "data": listing("data:video/mp2t;base64,R0AREA=="),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_playlist_reaches_no_inner_server_and_no_file(name: str, small_segments: list[Path], guard: AddressGuard) -> None:
    plan = [Segment(path) for path in small_segments]
    with HlsOrigin(plan) as origin, SilentServer("127.0.0.2") as inner:
        marks = {"{inner}": f"http://127.0.0.2:{inner.port}", "{port}": str(inner.port), "{secret}": str(small_segments[1])}
        text = HOSTILE[name].decode()
        for mark, value in marks.items():
            text = text.replace(mark, value)
        origin.pages |= {"/x.m3u8": text.encode(), "/redirect": Redirect(f"http://127.0.0.2:{inner.port}/a.ts")}
        pictures, code = watch(f"{origin.base}/x.m3u8", guard)
        assert inner.contacts == 0
    allowed = {"forbidden_address", "codec_unsupported", "not_found"}
    assert code in allowed
    assert pictures <= (25 if name == "second segment" else 0)


def test_the_inner_server_would_have_counted_a_contact(small_segments: list[Path]) -> None:
    """The negative control: with a guard that allows 127.0.0.2, the same playlist does reach it."""
    from service.ingest.address import parse_networks

    with HlsOrigin([Segment(small_segments[0])]) as origin, SilentServer("127.0.0.2") as inner:
        origin.pages["/x.m3u8"] = listing(f"http://127.0.0.2:{inner.port}/a.ts")
        watch(f"{origin.base}/x.m3u8", AddressGuard(parse_networks(["127.0.0.0/8"])))
        assert inner.contacts > 0


@pytest.mark.parametrize(
    "page", [b"#EXTM3U\n" + b"#" * (10 << 20), HEAD.encode() + b"#EXTINF:1,\nx.ts\n" * 40_000, b"#EXTM3U\n", HEAD.encode()]
)
def test_a_playlist_of_senseless_size_ends_in_time(page: bytes, small_segments: list[Path], guard: AddressGuard) -> None:
    begun_s = time.monotonic()
    with HlsOrigin([Segment(small_segments[0])]) as origin:
        origin.pages["/x.m3u8"] = page
        pictures, code = watch(f"{origin.base}/x.m3u8", guard)
    assert pictures == 0
    assert code is not None
    assert time.monotonic() - begun_s < 5.0


def test_a_master_playlist_that_names_itself_is_refused(small_segments: list[Path], guard: AddressGuard) -> None:
    with HlsOrigin([Segment(small_segments[0])]) as origin:
        origin.pages["/x.m3u8"] = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n/x.m3u8\n"
        assert watch(f"{origin.base}/x.m3u8", guard) == (0, "codec_unsupported")
        assert len(origin.hits) == 2


def watch(url: str, guard: AddressGuard) -> tuple[int, str | None]:
    """Pictures seen, and the code of the error that ended it."""
    source, pictures = LiveSource(url, guard, LIMITS), 0
    try:
        source.open()
        for _ in source.pictures():
            pictures += 1
    except StreamError as error:
        return pictures, error.code
    finally:
        source.close()
    return pictures, None
