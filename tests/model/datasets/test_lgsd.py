"""A user's folder of labelled clips: found, split by clip, and its annotated frames with their pixels."""

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from model.annotations import FORMAT, Clip, Entity, Frame, write_clip_annotation
from model.datasets.lgsd import pictures, read_folder, split_by_clip

WIDTH, HEIGHT = 64, 48


def _video(path: Path, count: int) -> None:
    """Frame i is grey of value 20 i."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(count):
            frame = av.VideoFrame.from_ndarray(np.full((HEIGHT, WIDTH, 3), 20 * index, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _folder(root: Path, name: str, indices: tuple[int, ...] = (0, 3, 4), count: int = 6, video: str = "v.mp4") -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    frames = tuple(Frame(index, index / 5, (Entity(0, "person", (0.1, 0.1, 0.5, 0.9)),), ()) for index in indices)
    write_clip_annotation(folder / "clip.json", Clip(FORMAT, name.split("/")[-1], video, WIDTH, HEIGHT, frames))
    if video.endswith(".mp4"):
        _video(folder / video, count)
    return folder


def test_the_annotated_frames_of_a_video_come_with_their_own_pixels(tmp_path: Path) -> None:
    _folder(tmp_path, "a")
    (labelled,) = read_folder(tmp_path)
    found = [(frame.index, round(float(picture.mean()) / 20)) for frame, picture in pictures(labelled)]
    assert found == [(0, 0), (3, 3), (4, 4)]


def test_a_folder_of_pictures_counts_from_one_as_ffmpeg_does(tmp_path: Path) -> None:
    folder = _folder(tmp_path, "a", indices=(1, 2), video="frames")
    (folder / "frames").mkdir()
    for number in (2, 3):
        Image.new("RGB", (WIDTH, HEIGHT), (number, 0, 0)).save(folder / "frames" / f"{number:06d}.png")
    (labelled,) = read_folder(tmp_path)
    assert [int(picture[0, 0, 0]) for _, picture in pictures(labelled)] == [2, 3]
    (folder / "frames" / "000003.png").unlink()
    with pytest.raises(ValueError, match=r"000003.png cannot be read"):
        list(pictures(labelled))


def test_a_video_that_is_too_short_or_of_another_size_or_torn_is_said(tmp_path: Path) -> None:
    _folder(tmp_path, "short", indices=(0, 9))
    (labelled,) = read_folder(tmp_path)
    with pytest.raises(ValueError, match="ends before frame 9"):
        list(pictures(labelled))
    labelled.video.write_bytes(b"no video")
    with pytest.raises(ValueError, match=r"v.mp4 cannot be decoded"):
        list(pictures(labelled))
    _video(labelled.video, 12)
    write_clip_annotation(
        labelled.video.with_name("clip.json"), Clip(FORMAT, "short", "v.mp4", 32, 32, labelled.clip.frames)
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"\(48, 64, 3\), the annotation says \(32, 32, 3\)"):
        list(pictures(read_folder(tmp_path)[0]))


def test_what_is_missing_or_ambiguous_in_a_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds no clip: expected NAME/clip.json"):
        read_folder(tmp_path)
    folder = _folder(tmp_path / "one", "a", video="missing")
    with pytest.raises(ValueError, match="video 'missing' does not lie beside it"):
        read_folder(tmp_path / "one")
    (folder / "missing").mkdir()
    _folder(tmp_path / "one", "deeper/a")
    with pytest.raises(ValueError, match="are both named 'a'"):
        read_folder(tmp_path / "one")
    write_clip_annotation(_folder(tmp_path / "two", "b") / "clip.json", Clip(FORMAT, "b", "../../x", 8, 8, ()))
    with pytest.raises(ValueError, match=r"video '../../x' does not lie beside it"):
        read_folder(tmp_path / "two")
    _folder(tmp_path / "three", "c", indices=(3, 1))
    with pytest.raises(ValueError, match="expected at least one, with rising numbers"):
        read_folder(tmp_path / "three")


def test_the_split_follows_train_and_test_folders_else_a_hash_of_names(tmp_path: Path) -> None:
    for name in ("train/a", "train/b", "test/c"):
        _folder(tmp_path / "marked", name)
    marked = split_by_clip(read_folder(tmp_path / "marked"))
    assert ([one.clip.name for one in marked.train], [one.clip.name for one in marked.held_out]) == (["a", "b"], ["c"])
    for index in range(7):
        _folder(tmp_path / "plain", f"clip{index}")
    plain = split_by_clip(read_folder(tmp_path / "plain"))
    assert (len(plain.train), len(plain.held_out)) == (5, 2)
    assert not {one.clip.name for one in plain.train} & {one.clip.name for one in plain.held_out}
    _folder(tmp_path / "marked", "loose")
    with pytest.raises(ValueError, match="expected all of them, or none"):
        split_by_clip(read_folder(tmp_path / "marked"))


def test_a_single_clip_cannot_be_split(tmp_path: Path) -> None:
    _folder(tmp_path, "a")
    with pytest.raises(ValueError, match="1 clips cannot be split"):
        split_by_clip(read_folder(tmp_path))
