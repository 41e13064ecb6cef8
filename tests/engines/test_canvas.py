"""The canvas rule: the picture's own aspect, multiples of 32, within the budget of pixels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.canvas import MIN_SIDE, STRIDE, Canvas, fit_canvas

DEFAULT = 448 * 256


@pytest.mark.parametrize(
    ("source_hw", "max_pixels", "expected"),
    [
        ((720, 1280), DEFAULT, Canvas(256, 448, 252, 448)),
        ((1080, 1920), DEFAULT, Canvas(256, 448, 252, 448)),
        ((1280, 720), DEFAULT, Canvas(448, 256, 448, 252)),
        ((480, 640), DEFAULT, Canvas(288, 384, 288, 384)),
        ((320, 320), 320 * 320, Canvas(320, 320, 320, 320)),
        ((720, 1280), 320 * 192, Canvas(192, 320, 180, 320)),
        ((10, 10), 64 * 64, Canvas(64, 64, 64, 64)),
    ],
)
def test_usual_pictures_get_the_canvas_worked_out_by_hand(source_hw: tuple[int, int], max_pixels: int, expected: Canvas) -> None:
    assert fit_canvas(*source_hw, max_pixels) == expected


@given(st.integers(1, 8000), st.integers(1, 8000), st.integers(64 * 64, 512 * 512))
def test_every_canvas_keeps_its_promises(height: int, width: int, max_pixels: int) -> None:
    canvas = fit_canvas(height, width, max_pixels)
    assert canvas.height % STRIDE == canvas.width % STRIDE == 0
    assert min(canvas.height, canvas.width) >= MIN_SIDE
    assert canvas.height * canvas.width <= max_pixels
    assert 1 <= canvas.content_height <= canvas.height
    assert 1 <= canvas.content_width <= canvas.width
    scale = min(canvas.height / height, canvas.width / width)
    assert abs(canvas.content_height - max(1, height * scale)) <= 1
    assert abs(canvas.content_width - max(1, width * scale)) <= 1


@pytest.mark.parametrize(("height", "width", "max_pixels"), [(0, 10, DEFAULT), (10, -1, DEFAULT), (10, 10, 64 * 64 - 1)])
def test_impossible_pictures_and_budgets_are_refused(height: int, width: int, max_pixels: int) -> None:
    with pytest.raises(ValueError, match="got"):
        fit_canvas(height, width, max_pixels)
