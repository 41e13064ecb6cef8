"""The canvas of evaluation is the product's."""

import numpy as np
import pytest

from engines.canvas import fit_canvas
from model.evaluation.canvas import MAX_PIXELS, PAD_GREY, fit, paint
from service.settings import Settings


@pytest.mark.parametrize("size", [(720, 1280), (360, 640), (432, 768), (480, 640), (1080, 608), (244, 336), (100, 900)])
def test_a_picture_lies_where_the_engines_would_put_it(size: tuple[int, int]) -> None:
    canvas = fit_canvas(*size, MAX_PIXELS)
    assert fit(*size, MAX_PIXELS) == (canvas.height, canvas.width, canvas.content_height, canvas.content_width)


def test_the_largest_canvas_is_the_services_default() -> None:
    assert Settings().max_pixels == MAX_PIXELS


def test_what_the_picture_does_not_fill_is_grey() -> None:
    painted = paint(np.zeros((360, 640, 3), np.uint8))
    assert painted.image_HW3.shape == (256, 448, 3)
    assert painted.filled_2 == (1.0, 252 / 256)
    assert (painted.image_HW3[:252] == 0).all()
    assert (painted.image_HW3[252:] == PAD_GREY).all()


def test_a_picture_that_fits_a_canvas_is_left_alone() -> None:
    picture_HW3 = np.random.default_rng(0).integers(0, 255, (224, 384, 3), np.uint8)
    painted = paint(picture_HW3)
    assert painted.filled_2 == (1.0, 1.0)
    assert (painted.image_HW3 == picture_HW3).all()
