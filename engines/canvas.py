"""Which canvas a picture is analysed on: multiples of 32 at the picture's own aspect, never squashed. Pure arithmetic."""

from dataclasses import dataclass

STRIDE = 32
MIN_SIDE = 2 * STRIDE


@dataclass(frozen=True, slots=True)
class Canvas:
    """The network's input size and the part of it, from the top left, that the picture fills. Pixels."""

    height: int
    width: int
    content_height: int
    content_width: int


def fit_canvas(source_height: int, source_width: int, max_pixels: int) -> Canvas:
    """The largest canvas within `max_pixels` that wastes little: area times the square of the filled share is greatest.

    Raises ValueError when a side is not positive or `max_pixels` holds no canvas at all.
    """
    if source_height <= 0 or source_width <= 0:
        raise ValueError(f"a picture has positive sides, got {source_width}x{source_height}")
    if max_pixels < MIN_SIDE * MIN_SIDE:
        raise ValueError(f"max_pixels is at least {MIN_SIDE * MIN_SIDE}, got {max_pixels}")
    candidates = [
        _place(source_height, source_width, height, width)
        for height in range(MIN_SIDE, max_pixels // MIN_SIDE + 1, STRIDE)
        for width in range(MIN_SIDE, max_pixels // height + 1, STRIDE)
    ]
    return max(candidates, key=lambda canvas: canvas.content_height * canvas.content_width * _filled(canvas) ** 2)


def _filled(canvas: Canvas) -> float:
    return canvas.content_height * canvas.content_width / (canvas.height * canvas.width)


def _place(source_height: int, source_width: int, height: int, width: int) -> Canvas:
    scale = min(height / source_height, width / source_width)
    content_height = min(height, max(1, round(source_height * scale)))
    content_width = min(width, max(1, round(source_width * scale)))
    return Canvas(height, width, content_height, content_width)
