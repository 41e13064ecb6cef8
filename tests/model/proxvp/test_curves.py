"""Oscillation figures on curves worked out by hand."""

import math

import pytest

from model.proxvp.curves import hf_energy, max_drawdown, steps_to_target, upward_variation


@pytest.mark.parametrize(
    ("losses", "expected"),
    [([4.0, 3.0, 2.0, 1.0], 0.0), ([4.0, 3.0, 3.5, 1.0, 2.0], 0.5), ([1.0, 2.0], math.inf)],
)
def test_upward_variation_is_all_rises_over_the_whole_fall(losses: list[float], expected: float) -> None:
    assert upward_variation(losses) == pytest.approx(expected)


def test_a_straight_curve_has_no_fast_part_and_a_zigzag_has_its_own_size() -> None:
    """Around a mean over nine points of alternating +-1 (sum +-1, so +-1/9) lie alternating +-8/9 ... of standard deviation 8/9."""
    line = [10.0 - 0.1 * step for step in range(60)]
    zigzag = [value + (1.0 if step % 2 else -1.0) for step, value in enumerate(line)]
    assert hf_energy(line) == pytest.approx(0.0, abs=1e-9)
    assert hf_energy(zigzag) == pytest.approx(8.0 / 9.0, abs=0.01)


def test_a_curve_too_short_for_its_fast_part_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 20"):
        hf_energy([1.0] * 10)


def test_drawdown_is_the_largest_rise_above_the_lowest_so_far() -> None:
    assert max_drawdown([5.0, 2.0, 3.0, 1.0, 2.5]) == pytest.approx(1.5)


def test_steps_to_target_is_the_first_point_at_or_below_it() -> None:
    assert steps_to_target([0, 4, 8, 12], [3.0, 2.0, 1.0, 1.5], 1.0) == 8
    assert steps_to_target([0, 4], [3.0, 2.0], 1.0) is None
