"""The demo's origin is real live HLS: a player reads over the seam of the loop, and any readable file can be looped."""

import itertools
import urllib.error
import urllib.request
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest

from service.cli.live_origin import WINDOW, LiveOrigin
from service.cli.segments import cut, plan

FPS = 10


def write_video(path: Path, seconds: float, gop_s: float = 1.0, codec: str = "libx264", pix_fmt: str = "yuv420p") -> Path:
    """Frame n is flat grey of 8 * (n % 30)."""
    with av.open(str(path), "w") as container:
        stream = cast(av.VideoStream, container.add_stream(codec, rate=FPS))
        stream.width, stream.height, stream.pix_fmt = 64, 48, pix_fmt
        stream.gop_size = round(gop_s * FPS)
        for index in range(round(seconds * FPS)):
            picture = np.full((48, 64, 3), 8 * (index % 30), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def three_seconds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("clip") / "three.mp4", 3.0)


@pytest.fixture(scope="module")
def origin(three_seconds: Path) -> Iterator[LiveOrigin]:
    with LiveOrigin(three_seconds) as running:
        yield running


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return str(answer.read().decode())


def header(playlist: str, name: str) -> int:
    return int(next(line for line in playlist.splitlines() if line.startswith(f"#EXT-X-{name}:")).partition(":")[2])


def frames_and_damage(url: str, num_frames: int) -> tuple[list[av.VideoFrame], list[bool]]:
    frames: list[av.VideoFrame] = []
    damage: list[bool] = []
    with av.open(url, timeout=(10, 10), options={"http_persistent": "0"}) as container:
        for packet in container.demux(container.streams.video[0]):
            damage.append(packet.is_corrupt)
            frames += packet.decode()
            if len(frames) >= num_frames:
                break
    return frames, damage


def test_a_real_client_reads_undamaged_frames_over_the_seam(origin: LiveOrigin) -> None:
    frames, damage = frames_and_damage(origin.url, 3 * FPS + 15)
    assert {(frame.width, frame.height) for frame in frames} == {(64, 48)}
    jumps_back = [later < earlier for earlier, later in itertools.pairwise(float(frame.time or 0.0) for frame in frames)]
    assert sum(jumps_back) in (1, 2)
    assert not any(damage)


def test_the_media_sequence_only_grows_and_the_window_slides(origin: LiveOrigin) -> None:
    playlists = [fetch(origin.url)]
    while header(playlists[-1], "MEDIA-SEQUENCE") < header(playlists[0], "MEDIA-SEQUENCE") + 2:
        playlists.append(fetch(origin.url))
    sequences = [header(playlist, "MEDIA-SEQUENCE") for playlist in playlists]
    assert sequences == sorted(sequences)
    assert playlists[-1].count("#EXTINF") <= WINDOW
    assert "ENDLIST" not in playlists[-1]


def test_the_seam_is_marked_and_counted_when_it_leaves_the_window(origin: LiveOrigin) -> None:
    numbered: dict[str, bool] = {}
    playlist = fetch(origin.url)
    while header(playlist, "MEDIA-SEQUENCE") < 8:
        playlist = fetch(origin.url)
        lines = playlist.splitlines()
        for index, line in enumerate(lines):
            if line.endswith(".ts"):
                numbered[line] = lines[index - 2] == "#EXT-X-DISCONTINUITY"
    assert {name for name, seam in numbered.items() if seam} >= {"6.ts", "9.ts"}
    assert not numbered["7.ts"]
    assert header(playlist, "DISCONTINUITY-SEQUENCE") == 2


def test_what_left_the_window_or_was_never_there_is_404(origin: LiveOrigin) -> None:
    for name in ("999999.ts", "secret.txt", "..%2f..%2fetc%2fpasswd", "-1.ts"):
        with pytest.raises(urllib.error.HTTPError, match="404") as caught:
            fetch(origin.url.replace("live.m3u8", name))
        caught.value.close()


def test_packets_are_copied_not_coded_again(three_seconds: Path) -> None:
    wanted = plan(three_seconds)
    segments = list(cut(wanted))
    assert wanted.copy
    assert [round(segment.duration_s, 2) for segment in segments] == [1.0, 1.0, 1.0]
    assert sum(len(segment.data) for segment in segments) < 3 * three_seconds.stat().st_size + 20_000


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "gop_s"),
    [
        ("far-key-frames.mp4", "libx264", "yuv420p", 8.0),
        ("colours.mp4", "libx264", "yuv444p", 1.0),
        ("old.avi", "mpeg4", "yuv420p", 1.0),
        ("picture.gif", "gif", "rgb8", 1.0),
    ],
)
def test_what_hls_cannot_carry_is_coded_again_in_segments_of_a_second(
    tmp_path: Path, name: str, codec: str, pix_fmt: str, gop_s: float
) -> None:
    path = write_video(tmp_path / name, 6.0, gop_s, codec, pix_fmt)
    wanted = plan(path)
    segments = list(cut(wanted))
    assert not wanted.copy
    assert sum(segment.duration_s for segment in segments) == pytest.approx(6.0, abs=0.3)
    assert max(segment.duration_s for segment in segments) <= wanted.target_s


def test_every_segment_can_be_decoded_alone_and_none_is_lost(three_seconds: Path, tmp_path: Path) -> None:
    counts = []
    for index, segment in enumerate(cut(plan(three_seconds))):
        path = tmp_path / f"{index}.ts"
        path.write_bytes(segment.data)
        with av.open(str(path)) as container:
            counts.append(sum(1 for _ in container.decode(video=0)))
    assert counts == [FPS, FPS, FPS]


def test_a_bad_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("not a video")
    sound = tmp_path / "sound.wav"
    with av.open(str(sound), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
        frame.rate, frame.time_base, frame.pts = 8000, Fraction(1, 8000), 0
        container.mux(stream.encode(frame))
    for path, words in ((text, "not a video"), (sound, "no video"), (tmp_path / "absent.mp4", "no such file")):
        with pytest.raises(ValueError, match=words):
            LiveOrigin(path)
    with pytest.raises(ValueError, match="at least"):
        LiveOrigin(write_video(tmp_path / "blink.mp4", 0.2))
