"""Painting decoded pictures onto the canvas."""

from fractions import Fraction

import av
import numpy as np
import pytest

from service.errors import StreamError
from service.ingest.decode import PAD_GREY, Painter, shown_size

BUDGET = 448 * 256


def picture(width: int, height: int, rgb: tuple[int, int, int] = (200, 40, 90)) -> av.VideoFrame:
    image_HW3 = np.empty((height, width, 3), np.uint8)
    image_HW3[:] = rgb
    return av.VideoFrame.from_ndarray(image_HW3, format="rgb24").reformat(format="yuv420p")


def test_a_720p_picture_fills_252_of_256_rows_and_the_rest_is_grey() -> None:
    painted = Painter(BUDGET).paint(picture(1280, 720))
    assert painted.image_HW3.shape == (256, 448, 3)
    assert (painted.content_hw, painted.source_hw) == ((252, 448), (720, 1280))
    assert (painted.image_HW3[252:] == PAD_GREY).all()
    assert np.abs(painted.image_HW3[:252].astype(int) - (200, 40, 90)).max() <= 6


def test_a_fine_pattern_becomes_its_mean_not_an_alias() -> None:
    stripes_HW3 = np.zeros((720, 1280, 3), np.uint8)
    stripes_HW3[:, ::2] = 255
    painted = Painter(BUDGET).paint(av.VideoFrame.from_ndarray(stripes_HW3, format="rgb24"))
    assert np.abs(painted.image_HW3[10:240, 10:430].astype(int) - 127).max() <= 40


def test_the_canvas_follows_a_change_of_size() -> None:
    painter = Painter(BUDGET)
    assert painter.paint(picture(1280, 720)).image_HW3.shape == (256, 448, 3)
    assert painter.paint(picture(640, 480)).image_HW3.shape == (288, 384, 3)
    assert painter.paint(picture(720, 1280)).content_hw == (448, 252)


@pytest.mark.parametrize(
    ("aspect", "shown_hw"),
    [
        (None, (576, 720)),
        (Fraction(1), (576, 720)),
        (Fraction(64, 45), (576, 1024)),
        (Fraction(0), (576, 720)),
        (Fraction(100), (576, 720)),
    ],
)
def test_pixels_that_are_not_square_are_shown_as_a_player_would(aspect: Fraction | None, shown_hw: tuple[int, int]) -> None:
    assert shown_size(picture(720, 576), aspect) == shown_hw


def test_every_picture_has_its_own_array() -> None:
    painter = Painter(BUDGET)
    first = painter.paint(picture(640, 360, (255, 0, 0))).image_HW3
    kept = first.copy()
    painter.paint(picture(640, 360, (0, 255, 0)))
    assert (first == kept).all()


@pytest.mark.parametrize("pixels", ["yuv420p", "nv12"])
@pytest.mark.parametrize("colorspace", [1, 6, 9])
@pytest.mark.parametrize("color_range", [1, 2])
def test_colours_come_out_as_full_size_conversion_gives_them(pixels: str, colorspace: int, color_range: int) -> None:
    blocks_HW3 = np.kron(np.random.default_rng(0).integers(0, 256, (9, 16, 3), np.uint8), np.ones((80, 80, 1), np.uint8))
    frame = av.VideoFrame.from_ndarray(blocks_HW3, format="rgb24").reformat(format=pixels)
    frame.colorspace, frame.color_range = colorspace, color_range
    plain_HW3 = frame.to_ndarray(format="rgb24")[40::80, 40::80]
    painted_HW3 = Painter(BUDGET).paint(frame).image_HW3[14:252:28, 14:448:28]
    assert np.abs(painted_HW3.astype(int) - plain_HW3).max() <= 4


@pytest.mark.parametrize("pixels", ["rgb24", "gray", "yuv444p", "yuv422p10le", "yuvj420p", "pal8"])
def test_every_usual_pixel_format_is_painted(pixels: str) -> None:
    assert Painter(BUDGET).paint(av.VideoFrame(640, 360, pixels)).content_hw == (252, 448)


def test_a_pixel_format_that_swscale_does_not_know_is_an_unsupported_codec() -> None:
    with pytest.raises(StreamError, match="pictures in rgbaf32le cannot be converted") as caught:
        Painter(BUDGET).paint(av.VideoFrame(640, 360, "rgbaf32le"))
    assert caught.value.code == "codec_unsupported"
