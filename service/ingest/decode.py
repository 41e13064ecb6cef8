"""From a decoded picture to the network's canvas: swscale area filter straight to network size, RGB, padded with grey. Knows no stream.

H W are canvas pixels.
"""

from dataclasses import dataclass
from fractions import Fraction

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.video.reformatter import Interpolation, VideoReformatter

from engines.canvas import Canvas, fit_canvas
from service.errors import StreamError

PAD_GREY = 127
_SANE_ASPECT = (0.25, 4.0)


@dataclass(frozen=True, slots=True)
class Painted:
    """A picture on its canvas; `content_hw` is the top left part that it fills, `source_hw` its own size."""

    image_HW3: npt.NDArray[np.uint8]
    content_hw: tuple[int, int]
    source_hw: tuple[int, int]


class Painter:
    """Paints the pictures of one stream; the canvas follows the stream's size and pixel shape."""

    def __init__(self, max_pixels: int) -> None:
        self._max_pixels = max_pixels
        self._reformatter = VideoReformatter()
        self._shown_hw = (0, 0)
        self._canvas = Canvas(0, 0, 0, 0)

    def paint(self, picture: av.VideoFrame, pixel_aspect: Fraction | None = None) -> Painted:
        """`pixel_aspect` is a pixel's width over its height, None for square. A new array each call, so that the caller may keep it.

        Raises StreamError("codec_unsupported") for a pixel format that swscale does not know.
        """
        canvas = self._canvas_for(shown_size(picture, pixel_aspect))
        small = self._reformatter.reformat(picture, canvas.content_width, canvas.content_height, "rgb24", interpolation=Interpolation.AREA)
        image_HW3 = np.full((canvas.height, canvas.width, 3), PAD_GREY, np.uint8)
        image_HW3[: canvas.content_height, : canvas.content_width] = _pixels(small)
        return Painted(image_HW3, (canvas.content_height, canvas.content_width), (picture.height, picture.width))

    def _shrink(self, picture: av.VideoFrame, canvas: Canvas) -> av.VideoFrame:
        width, height = canvas.content_width, canvas.content_height
        try:
            return self._reformatter.reformat(picture, width, height, "rgb24", interpolation=Interpolation.AREA)
        except (av.error.FFmpegError, ValueError) as error:
            raise StreamError("codec_unsupported", f"pictures in {picture.format.name} cannot be converted: {error}") from None

    def _canvas_for(self, shown_hw: tuple[int, int]) -> Canvas:
        if shown_hw != self._shown_hw:
            self._shown_hw = shown_hw
            self._canvas = fit_canvas(*shown_hw, self._max_pixels)
        return self._canvas


def shown_size(picture: av.VideoFrame, pixel_aspect: Fraction | None) -> tuple[int, int]:
    """Height and width in square pixels, as a player would show the picture; a senseless aspect counts as square."""
    if not pixel_aspect or not _SANE_ASPECT[0] <= pixel_aspect <= _SANE_ASPECT[1]:
        return picture.height, picture.width
    return picture.height, max(1, round(picture.width * pixel_aspect))


def _pixels(rgb: av.VideoFrame) -> npt.NDArray[np.uint8]:
    """A view of an rgb24 frame's pixels, without the padding of its rows."""
    plane = rgb.planes[0]
    rows: npt.NDArray[np.uint8] = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)  # type: ignore[call-overload]
    return rows[: rgb.height, : rgb.width * 3].reshape(rgb.height, rgb.width, 3)
