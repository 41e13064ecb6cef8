"""Writes pictures as a short H.264 clip that loops and cuts well. Knows no scene."""

from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

CRF = 28


def write_clip(
    path: Path, pictures: Iterable[npt.NDArray[np.uint8]], fps: int, width: int, height: int, *, crf: int = CRF, preset: str = "slow"
) -> None:
    """One key frame a second and none in between, so that segments of whole seconds can be cut without coding again."""
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.gop_size = fps
        stream.options = {"crf": str(crf), "preset": preset, "bf": "2", "sc_threshold": "0", "x264-params": "open-gop=0"}
        for picture_HW3 in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture_HW3, format="rgb24")))
        container.mux(stream.encode(None))
