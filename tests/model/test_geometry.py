"""Geometry of pairs, by hand: a canvas twice as wide as high."""

import pytest
import torch

from model.geometry import BORDER, NUM_COLUMNS, containment, gaps, overlap, pair_geometry, to_height_units

PERSON = (0.5, 0.2, 0.75, 1.0)
CUP = (0.7, 0.5, 0.8, 0.6)


def columns(person: tuple[float, ...], thing: tuple[float, ...], aspect: float = 2.0) -> torch.Tensor:
    aspect_B = torch.tensor([aspect])
    boxes = to_height_units(torch.tensor([[person, thing]]), aspect_B)
    return pair_geometry(boxes[:, :1], boxes[:, 1:], aspect_B)[0, 0]


def test_boxes_are_measured_in_heights_of_the_canvas_and_cut_at_its_edge() -> None:
    boxes = to_height_units(torch.tensor([[[-0.1, 0.5, 0.25, 1.2]]]), torch.tensor([2.0]))
    torch.testing.assert_close(boxes[0, 0], torch.tensor([0.0, 0.5, 0.5, 1.0]))


def test_offsets_are_in_person_sizes() -> None:
    """Person 1.0-1.5 x .2-1.0 (middle 1.25, .6), cup 1.4-1.6 x .5-.6 (middle 1.5, .55)."""
    found = columns(PERSON, CUP)[:11]
    expected = [0.5, 0.5, -0.0625, 0.375, -0.5, -0.625, 0.5, 0.8, 0.2, 0.0, 0.0]
    torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-4, atol=1e-5)


def test_a_gap_is_the_free_space_between_two_boxes() -> None:
    a, b = torch.tensor([0.0, 0.0, 1.0, 1.0]), torch.tensor([1.5, 0.2, 2.0, 3.0])
    assert [float(side) for side in gaps(a, b)] == [0.5, 0.0]
    assert float(overlap(a, b)) == 0.0


def test_containment_is_the_share_of_the_row_inside_the_column() -> None:
    boxes = torch.tensor([[[0.0, 0.0, 1.0, 1.0], [0.5, 0.0, 1.5, 0.5]]])
    torch.testing.assert_close(containment(boxes)[0], torch.tensor([[1.0, 0.25], [0.5, 1.0]]))


@pytest.mark.parametrize(("right", "flag"), [(1.0, 1.0), (1.0 - BORDER / 2, 0.5), (0.9, 0.0)])
def test_a_side_at_the_edge_counts_as_cut_even_with_a_little_padding(right: float, flag: float) -> None:
    found = columns((0.2, 0.2, 0.6, 0.8), (0.4, 0.4, right, 0.6))
    assert float(found[-2]) == pytest.approx(flag, abs=1e-4)


def test_an_unused_slot_has_finite_geometry() -> None:
    found = columns((0.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0))
    assert found.shape == (NUM_COLUMNS,)
    assert bool(torch.isfinite(found).all())
