"""A folder of labelled livestream clips (LGSD-style): per clip a folder with clip.json (model.annotations) and its video beside it.

    FOLDER/[train|test/]NAME/clip.json      "video": "stream.mp4"
    FOLDER/[train|test/]NAME/stream.mp4     or a folder of pictures 000001.png ..., counted from 1 as ffmpeg does

The annotation may cover all frames of the video or some; `pictures` gives exactly those. H W picture.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model.annotations import Clip, Frame, read_clip

ANNOTATION = "clip.json"
HELD_OUT_EVERY = 5

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Labelled:
    """A clip's truth and where its frames are; `split` is train or test where the folder says so, else empty."""

    clip: Clip
    video: Path
    split: str


@dataclass(frozen=True, slots=True)
class Split:
    """What to learn from and what to judge on; no clip is in both."""

    train: tuple[Labelled, ...]
    held_out: tuple[Labelled, ...]


def read_folder(folder: Path) -> tuple[Labelled, ...]:
    """Every clip below the folder, by path. Raises ValueError where there is none, a video is missing or two share a name."""
    paths = sorted(folder.rglob(ANNOTATION))
    if not paths:
        raise ValueError(f"{folder} holds no clip: expected NAME/{ANNOTATION} with its video beside it")
    clips = [_labelled(folder, path) for path in paths]
    names: dict[str, Path] = {}
    for one in clips:
        other = names.setdefault(one.clip.name, one.video)
        if other is not one.video:
            raise ValueError(f"{other.parent} and {one.video.parent} are both named {one.clip.name!r}: names are unique in a folder")
    return tuple(clips)


def _labelled(folder: Path, path: Path) -> Labelled:
    clip = read_clip(path)
    video = path.parent / clip.video
    if Path(clip.video).name != clip.video or not video.exists():
        raise ValueError(f"{path}: video {clip.video!r} does not lie beside it")
    indices = [frame.index for frame in clip.frames]
    if not indices or indices != sorted(set(indices)) or indices[0] < 0:
        raise ValueError(f"{path}: frames {indices[:8]}..., expected at least one, with rising numbers from 0")
    top = path.relative_to(folder).parts[0]
    return Labelled(clip, video, top if top in ("train", "test") else "")


def split_by_clip(clips: tuple[Labelled, ...]) -> Split:
    """By the folders train/ and test/ where there are both, else every fifth clip by the SHA-1 of its name is held out."""
    marked = {one.split for one in clips}
    if marked == {"train", "test"}:
        sides = [one.split == "test" for one in clips]
    elif len(marked) == 1:
        sides = _by_hash([one.clip.name for one in clips])
    else:
        raise ValueError("some clips are in train/ or test/ and some are not: expected all of them, or none")
    train, held_out = (tuple(one for one, out in zip(clips, sides, strict=True) if out is side) for side in (False, True))
    if not train or not held_out:
        raise ValueError(f"{len(clips)} clips cannot be split into some to learn from and some to judge on: at least 2 are needed")
    return Split(train, held_out)


def _by_hash(names: list[str]) -> list[bool]:
    order = sorted(names, key=lambda name: sha1(name.encode()).hexdigest())
    chosen = set(order[::HELD_OUT_EVERY])
    return [name in chosen for name in names]


def pictures(labelled: Labelled) -> Iterator[tuple[Frame, Picture]]:
    """Each annotated frame with its picture (H, W, 3) RGB. Raises ValueError where one is missing or of another size."""
    expected = (labelled.clip.height, labelled.clip.width, 3)
    found = _from_folder(labelled) if labelled.video.is_dir() else _from_video(labelled)
    for frame, picture in found:
        if picture.shape != expected:
            raise ValueError(f"{labelled.video}, frame {frame.index}: {picture.shape}, the annotation says {expected}")
        yield frame, picture


def _from_folder(labelled: Labelled) -> Iterator[tuple[Frame, Picture]]:
    from PIL import Image

    for frame in labelled.clip.frames:
        path = labelled.video / f"{frame.index + 1:06d}.png"
        try:
            with Image.open(path) as image:
                yield frame, np.asarray(image.convert("RGB"))
        except OSError as error:
            raise ValueError(f"{path} cannot be read as a picture: {error}") from error


def _from_video(labelled: Labelled) -> Iterator[tuple[Frame, Picture]]:
    import av

    wanted = {frame.index: frame for frame in labelled.clip.frames}
    try:
        with av.open(str(labelled.video)) as container:
            for index, decoded in enumerate(container.decode(video=0)):
                if index in wanted:
                    yield wanted.pop(index), np.asarray(decoded.to_ndarray(format="rgb24"), np.uint8)
                if not wanted:
                    return
    except (OSError, IndexError, av.error.FFmpegError) as error:
        raise ValueError(f"{labelled.video} cannot be decoded: {error}") from error
    raise ValueError(f"{labelled.video} ends before frame {min(wanted)}, which its annotation lists")
