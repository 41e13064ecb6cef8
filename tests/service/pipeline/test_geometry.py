import numpy as np
import pytest

from service.pipeline.geometry import cosine, jensen_shannon, overlap
from service.types import Box

UNIT = (0.0, 0.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("a", "b", "iou", "giou", "inside"),
    [
        (UNIT, UNIT, 1.0, 1.0, 1.0),
        (UNIT, (0.5, 0.0, 1.5, 1.0), 1 / 3, 1 / 3, 0.5),
        (UNIT, (2.0, 0.0, 3.0, 1.0), 0.0, -1 / 3, 0.0),
        (UNIT, (0.25, 0.25, 0.75, 0.75), 0.25, 0.25, 1.0),
        (UNIT, (1.0, 1.0, 2.0, 2.0), 0.0, -0.5, 0.0),
    ],
)
def test_overlap_of_two_boxes_is_as_computed_by_hand(a: Box, b: Box, iou: float, giou: float, inside: float) -> None:
    found = overlap(np.array([a]), np.array([b]))
    assert found.iou[0, 0] == pytest.approx(iou, abs=1e-6)
    assert found.giou[0, 0] == pytest.approx(giou, abs=1e-6)
    assert found.inside[0, 0] == pytest.approx(inside, abs=1e-6)


@pytest.mark.parametrize(
    ("p", "q", "bits"),
    [
        ((1.0, 0.0), (1.0, 0.0), 0.0),
        ((1.0, 0.0), (0.0, 1.0), 1.0),
        ((1.0, 0.0), (0.5, 0.5), 0.311278),
    ],
)
def test_jensen_shannon_in_bits_is_as_computed_by_hand(p: tuple[float, ...], q: tuple[float, ...], bits: float) -> None:
    assert jensen_shannon(np.array([p]), np.array([q]))[0, 0] == pytest.approx(bits, abs=1e-5)


def test_pooling_the_unlikely_classes_changes_little() -> None:
    rng = np.random.default_rng(0)
    p, q = (rng.dirichlet(np.full(101, 0.02), size=6) for _ in range(2))
    assert np.abs(jensen_shannon(p, q) - jensen_shannon(p, q, ignore=0.0)).max() < 0.05


def test_nothing_compared_with_something_is_an_empty_table() -> None:
    none, some = np.zeros((0, 4)), np.array([UNIT])
    assert overlap(none, some).iou.shape == (0, 1)
    assert jensen_shannon(some, none).shape == (1, 0)
    assert cosine(none, some).shape == (0, 1)


def test_a_zero_vector_is_like_nothing() -> None:
    assert cosine(np.zeros((1, 3)), np.ones((1, 3)))[0, 0] == 0.0
