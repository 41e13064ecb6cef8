"""A picture on the canvas that the product would analyse it on: multiples of 32, aspect kept, grey where the picture does not reach.

The rule is that of the engines (engines/canvas.py; a test holds both together), which this package must not import.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

MAX_PIXELS = 448 * 256
STRIDE = 32
MIN_SIDE = 2 * STRIDE
PAD_GREY = 127

Picture = npt.NDArray[np.uint8]


class Painted(NamedTuple):
    """The canvas, and the share of its width and height that the picture fills from the top left."""

    image_HW3: Picture
    filled_2: tuple[float, float]


def paint(picture_HW3: Picture, max_pixels: int = MAX_PIXELS) -> Painted:
    """A picture that fits a canvas as it is stays as it is; others are scaled by area averaging."""
    height, width = picture_HW3.shape[:2]
    if height % STRIDE == width % STRIDE == 0 and height * width <= max_pixels:
        return Painted(picture_HW3, (1.0, 1.0))
    rows, columns, content_rows, content_columns = fit(height, width, max_pixels)
    image_HW3 = np.full((rows, columns, 3), PAD_GREY, np.uint8)
    small = Image.fromarray(picture_HW3).resize((content_columns, content_rows), Image.Resampling.BOX)
    image_HW3[:content_rows, :content_columns] = np.asarray(small)
    return Painted(image_HW3, (content_columns / columns, content_rows / rows))


def fit(height: int, width: int, max_pixels: int) -> tuple[int, int, int, int]:
    """Canvas height and width, and the picture's height and width on it: area times the square of the filled share is greatest."""
    sides = range(MIN_SIDE, max_pixels // MIN_SIDE + 1, STRIDE)
    places = [_place(height, width, rows, columns) for rows in sides for columns in sides if rows * columns <= max_pixels]
    return max(places, key=lambda place: (place[2] * place[3]) ** 3 / (place[0] * place[1]) ** 2)


def _place(height: int, width: int, rows: int, columns: int) -> tuple[int, int, int, int]:
    scale = min(rows / height, columns / width)
    return rows, columns, min(rows, max(1, round(height * scale))), min(columns, max(1, round(width * scale)))
