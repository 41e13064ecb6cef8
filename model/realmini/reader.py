"""RealMini's annotations, alone or paired with decoded pixels. Knows no network; the folder of clips is the caller's.

H W picture, 3 = RGB.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from model.annotations import Clip, Frame, read_clip

ANNOTATIONS = Path(__file__).parent / "annotations"


class LabelledFrame(NamedTuple):
    """One key frame with its pixels (uint8)."""

    clip: Clip
    frame: Frame
    image_HW3: npt.NDArray[np.uint8]


def load_realmini(folder: Path = ANNOTATIONS) -> tuple[Clip, ...]:
    """Every annotated clip, by name. Raises ValueError where the folder holds none or one cannot be read."""
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise ValueError(f"{folder} holds no annotations (*.json)")
    return tuple(read_clip(path) for path in paths)


def realmini_frames(clips_folder: Path, clips: Iterable[Clip] | None = None) -> Iterator[LabelledFrame]:
    """Every key frame with its pixels, clip by clip in time order. Raises ValueError where a video is absent or not the one labelled."""
    for clip in load_realmini() if clips is None else clips:
        wanted = {frame.index: frame for frame in clip.frames}
        for index, image_HW3 in decoded(video_of(clip, clips_folder), frozenset(wanted)):
            yield LabelledFrame(clip, wanted[index], image_HW3)


def video_of(clip: Clip, clips_folder: Path) -> Path:
    """The clip's video, after its checksum was compared."""
    path = clips_folder / clip.video
    if not path.is_file():
        raise ValueError(f"{path} is absent: {clip.name} was labelled on {clip.video} from {clip.source}, put it into {clips_folder}")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != clip.sha256:
        raise ValueError(f"{path} is not the video that was labelled: its sha256 is {found}, expected {clip.sha256}")
    return path


def decoded(video: Path, wanted: frozenset[int]) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
    """The wanted frames by number, in time order. Raises ValueError where the video ends before the last of them."""
    import av

    left = set(wanted)
    with av.open(str(video)) as container:
        for index, picture in enumerate(container.decode(video=0)):
            if not left:
                return
            if index in left:
                left.discard(index)
                yield index, np.asarray(picture.to_ndarray(format="rgb24"), np.uint8)
    if left:
        raise ValueError(f"{video} has no frames {sorted(left)}")
