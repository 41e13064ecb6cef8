"""What playlists say."""

import pytest

from service.ingest.playlist import Variant, choose_variant, is_playlist, parse_playlist

MEDIA = b"""#EXTM3U
#EXT-X-VERSION:3
#EXT-X-TARGETDURATION:6
#EXT-X-MEDIA-SEQUENCE:7
#EXTINF:6.0,
a.ts
#EXTINF:6.0,
b.ts
"""
MASTER = b"""#EXTM3U
#EXT-X-STREAM-INF:BANDWIDTH=64000,CODECS="mp4a.40.2"
audio.m3u8
#EXT-X-STREAM-INF:AVERAGE-BANDWIDTH=1,BANDWIDTH=900000,RESOLUTION=640x360,CODECS="avc1.4d401e,mp4a.40.2"
low/live.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=6000000,RESOLUTION=1920x1080
http://other.example/high.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=3000000,RESOLUTION=1280x720
/mid/live.m3u8?t=1
"""


def test_a_media_playlist_has_an_edge_and_a_target_duration() -> None:
    playlist = parse_playlist(MEDIA, "http://a.example/x/live.m3u8")
    assert (playlist.variants, playlist.edge, playlist.target_duration_s) == ((), "7+2 b.ts", 6.0)
    assert not playlist.ended
    assert parse_playlist(MEDIA + b"#EXT-X-ENDLIST\n", "http://a.example/").ended


def test_a_key_makes_it_encrypted_unless_the_method_is_none() -> None:
    key = b'#EXT-X-KEY:METHOD=%s,URI="k"\n'
    assert parse_playlist(MEDIA + key % b"AES-128", "http://a.example/").encrypted
    assert not parse_playlist(MEDIA + key % b"NONE", "http://a.example/").encrypted


def test_a_master_playlist_names_its_variants_by_full_address() -> None:
    variants = parse_playlist(MASTER, "http://a.example/x/master.m3u8").variants
    assert variants == (
        Variant("http://a.example/x/audio.m3u8", 0, 64000, has_video=False),
        Variant("http://a.example/x/low/live.m3u8", 640 * 360, 900000, has_video=True),
        Variant("http://other.example/high.m3u8", 1920 * 1080, 6000000, has_video=True),
        Variant("http://a.example/mid/live.m3u8?t=1", 1280 * 720, 3000000, has_video=True),
    )


@pytest.mark.parametrize(
    ("enough", "chosen"), [(1280 * 720, 1280 * 720), (1, 640 * 360), (1280 * 720 + 1, 1920 * 1080), (10**9, 1920 * 1080)]
)
def test_the_cheapest_variant_that_is_large_enough_is_watched(enough: int, chosen: int) -> None:
    assert choose_variant(parse_playlist(MASTER, "http://a.example/").variants, enough).pixels == chosen


@pytest.mark.parametrize(
    ("data", "expected"), [(MEDIA, True), (b"\xef\xbb\xbf" + MEDIA, True), (b"\n" + MEDIA, True), (b"<html>", False), (b"", False)]
)
def test_a_playlist_is_known_by_its_first_line(data: bytes, expected: bool) -> None:
    assert is_playlist(data) is expected


@pytest.mark.parametrize("target", ["999999999", "-1", "nan", "", "1e9"])
def test_a_senseless_target_duration_is_bounded(target: str) -> None:
    assert 0.0 <= parse_playlist(f"#EXTM3U\n#EXT-X-TARGETDURATION:{target}\na.ts\n".encode(), "http://a.example/").target_duration_s <= 60.0
