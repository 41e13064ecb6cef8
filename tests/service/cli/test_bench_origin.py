"""The origin of a load test: many live playlists from one cut, each with a phase of its own."""

import urllib.error
import urllib.request
from pathlib import Path

import av
import pytest

from service.cli.bench_origin import SharedShelf, origin_process, paint_clip
from service.cli.live_origin import KEPT, WINDOW
from service.cli.segments import Segment

TARGET_S = 2
SEGMENTS = [Segment(b"a", 1.0), Segment(b"b", 1.5), Segment(b"c", 0.5)]


@pytest.fixture
def shelf() -> SharedShelf:
    return SharedShelf(SEGMENTS, TARGET_S)


def header(playlist: str, name: str) -> int:
    return int(next(line for line in playlist.splitlines() if line.startswith(f"#EXT-X-{name}:")).partition(":")[2])


def named(playlist: str) -> list[str]:
    return [line for line in playlist.splitlines() if line.endswith(".ts")]


def test_a_playlist_moves_on_by_a_segment_when_one_is_complete(shelf: SharedShelf) -> None:
    """A pass takes 3 s: the window begins 10 s in, after 3 passes and 1 s, so segments 0 to 9 are out; 1.5 s later the next is."""
    begun_s = shelf._begun_s
    firsts = [header(shelf.playlist(0, begun_s + after_s), "MEDIA-SEQUENCE") for after_s in (0.01, 1.49, 1.51, 1.99, 2.01, 3.01)]
    assert firsts == [5, 5, 6, 6, 7, 8]
    assert named(shelf.playlist(0, begun_s + 0.01)) == ["5.ts", "6.ts", "7.ts", "8.ts", "9.ts"]


def test_the_seam_of_the_loop_is_marked_and_counted_when_it_has_left(shelf: SharedShelf) -> None:
    lines = shelf.playlist(0, shelf._begun_s + 0.01).splitlines()
    marked = [lines[index + 2] for index, line in enumerate(lines) if line == "#EXT-X-DISCONTINUITY"]
    assert marked == ["6.ts", "9.ts"]
    assert header("\n".join(lines), "DISCONTINUITY-SEQUENCE") == 1


def test_streams_have_phases_of_their_own(shelf: SharedShelf) -> None:
    playlists = {shelf.playlist(stream, shelf._begun_s + 0.01) for stream in range(8)}
    assert len(playlists) >= 3


def test_what_a_playlist_names_is_served_and_what_is_not_out_or_long_gone_is_not(shelf: SharedShelf) -> None:
    content = shelf.find("0/live.m3u8")
    assert content is not None
    assert all(shelf.find(f"0/{name}") for name in named(content.body.decode()))
    assert len(named(content.body.decode())) == WINDOW
    [*_, newest] = (int(name.removesuffix(".ts")) for name in named(content.body.decode()))
    for path in (f"0/{newest + 9}.ts", f"0/{newest - WINDOW - KEPT}.ts", "0/secret.txt", "x/live.m3u8", ""):
        assert shelf.find(path) is None, path


def test_the_recording_has_every_segment_once_and_an_end(shelf: SharedShelf) -> None:
    content = shelf.find("whole.m3u8")
    assert content is not None
    assert named(content.body.decode()) == ["0.ts", "1.ts", "2.ts"]
    assert content.body.decode().endswith("#EXT-X-ENDLIST\n")
    assert [item.body for item in map(shelf.find, ("0.ts", "1.ts", "2.ts")) if item] == [b"a", b"b", b"c"]


def test_two_players_read_from_one_process_which_ends_with_the_block(tmp_path: Path) -> None:
    clip = paint_clip(tmp_path / "painted.mp4", 4.0)
    with origin_process(clip) as origin:
        for stream in (0, 7):
            with av.open(origin.url(stream), "r", timeout=(10, 10), options={"http_persistent": "0"}) as container:
                frame = next(container.decode(video=0))
                assert (frame.width, frame.height) == (320, 192)
        assert Path(f"/proc/{origin.pid}").exists()
    assert not Path(f"/proc/{origin.pid}").exists()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(origin.url(0), timeout=1)


def test_a_file_that_cannot_be_played_is_refused_in_a_sentence(tmp_path: Path) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("not a video")
    with pytest.raises(ValueError, match="not a video"), origin_process(text):
        pass
