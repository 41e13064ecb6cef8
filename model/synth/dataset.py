"""Reads a SynthHome folder: which clips it holds, what is true of them, and their pictures as decoding gives them back. Knows no renderer.

The folder: `{train,test}/<clip name>/` with `clip.json` (model.annotations) and `clip.mp4` (H.264). F frames, H W picture.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model.annotations import Clip, read_clip

SPLITS = ("train", "test")
ANNOTATION, VIDEO = "clip.json", "clip.mp4"
APART_SHARE = 0.1
"""Of the train split, its last clips: no weight is fitted on them, thresholds come from them."""

Pictures = npt.NDArray[np.uint8]


def clip_folders(folder: Path, split: str) -> list[Path]:
    """The folders of a split's complete clips, in order of their names. Raises ValueError where there is none."""
    if split not in SPLITS:
        raise ValueError(f"a split is one of {', '.join(SPLITS)}, got {split!r}")
    found = sorted(path.parent for path in (folder / split).glob(f"[!.]*/{ANNOTATION}"))
    if not found:
        raise ValueError(f"no clips in {folder / split}: make them with `vigil data synth-home --out {folder}`")
    return found


def clips(folder: Path, split: str) -> list[Clip]:
    """What is true of every clip of a split, in the order of `clip_folders`."""
    return [read_clip(path / ANNOTATION) for path in clip_folders(folder, split)]


def frames_of(clip_folder: Path) -> Pictures:
    """All pictures of a clip (F, H, W, 3), RGB. Raises ValueError where the video cannot be read or does not fit its annotation."""
    try:
        import av
    except ImportError as error:
        raise ValueError(f"decoding clips needs PyAV ({error}): pip install av") from error
    clip = read_clip(clip_folder / ANNOTATION)
    path = clip_folder / clip.video
    try:
        with av.open(str(path)) as container:
            pictures = [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in container.decode(video=0)]
    except (OSError, av.error.FFmpegError) as error:
        raise ValueError(f"{path} cannot be decoded: {error}") from error
    return _fitting(path, pictures, clip)


def _fitting(path: Path, pictures: Sequence[Pictures], clip: Clip) -> Pictures:
    expected = (len(clip.frames), clip.height, clip.width, 3)
    sizes = {picture.shape for picture in pictures}
    if len(pictures) != expected[0] or sizes != {expected[1:]}:
        raise ValueError(f"{path} has {len(pictures)} pictures of {sorted(sizes)}, its annotation says {expected}")
    return np.stack(pictures)
