"""Files for replay."""

import itertools
from pathlib import Path

import pytest

from service.ingest.file import probe_file, read_file
from tests.servers.oversize import make_oversize
from tests.servers.publisher import make_video, run_ffmpeg

BUDGET = 448 * 256
CLIPS = Path(__file__).parents[3] / "../shared/clips"


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.gif"])
def test_mp4_mkv_and_gif_are_read_whole(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    run_ffmpeg("-f", "lavfi", "-i", "testsrc2=size=320x240:rate=10:duration=2", str(path))
    frames = list(read_file(path, BUDGET))
    info = probe_file(path)
    assert (info.width, info.height, info.fps) == (320, 240, 10.0)
    assert info.duration_s == pytest.approx(2.0, abs=0.11)
    assert len(frames) == 20
    assert info.num_frames == pytest.approx(20, abs=1)
    assert [frame.seq for frame in frames] == list(range(20))
    assert [frame.media_s for frame in frames] == pytest.approx([0.1 * n for n in range(20)], abs=0.01)
    assert frames[0].source_hw == (240, 320)


def test_a_lower_rate_takes_fewer_frames_and_the_estimate_agrees(video_720p: Path) -> None:
    frames = list(read_file(video_720p, BUDGET, fps=5.0))
    assert len(frames) == 20
    assert probe_file(video_720p, fps=5.0).num_frames == 20
    assert all(right.media_s - left.media_s == pytest.approx(0.2, abs=0.041) for left, right in itertools.pairwise(frames))


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no such file"):
        probe_file(tmp_path / "nothing.mp4")


@pytest.mark.parametrize("content", [b"", b"just text\n" * 100, bytes(range(256)) * 400])
def test_what_is_not_a_video_is_said_not_to_be_one(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.mp4"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"not a video|no video|no picture"):
        list(read_file(path, BUDGET))


def test_a_sound_file_holds_no_video(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    run_ffmpeg("-f", "lavfi", "-i", "sine=duration=1", str(path))
    with pytest.raises(ValueError, match="holds no video"):
        probe_file(path)


@pytest.mark.parametrize(("width", "height"), [(20000, 64), (20000, 800), (4000, 4000)])
def test_a_small_file_that_claims_a_huge_picture_is_too_large(tmp_path: Path, width: int, height: int) -> None:
    path = make_oversize(tmp_path, width, height, ".mkv")
    assert path.stat().st_size < 100_000
    with pytest.raises(ValueError, match=f"{width}x{height}; at most"):
        list(read_file(path, BUDGET))


def test_text_in_a_foreign_encoding_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "title.avi"
    run_ffmpeg("-f", "lavfi", "-i", "testsrc2=size=64x64:rate=10:duration=1", "-metadata", "title=TITLE-HERE", str(path))
    path.write_bytes(path.read_bytes().replace(b"TITLE-HERE", b"\xff\xfe\xc3(\xe9\xe8\xff\xff\xff\xff"))
    assert len(list(read_file(path, BUDGET))) == 10


def test_a_playlist_on_disk_opens_nothing_else(tmp_path: Path, video_720p: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text(f"ffconcat version 1.0\nfile {video_720p}\n")
    with pytest.raises(ValueError, match="not a video"):
        probe_file(path)


def test_a_damaged_file_gives_the_frames_that_are_whole(tmp_path: Path) -> None:
    path = make_video(tmp_path / "whole.ts", size="320x240", duration_s=2.0)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 5000] = b"\x00" * 5000
    path.write_bytes(data)
    assert 20 < len(list(read_file(path, BUDGET))) <= 50


def test_real_clips_have_as_many_frames_as_they_say() -> None:
    clip = CLIPS / "intel-signing-eat.mkv"
    if not clip.exists():
        pytest.skip("the shared clips are not on this machine")
    assert abs(len(list(read_file(clip, BUDGET))) - probe_file(clip).num_frames) <= 1
