"""The relation filter's arithmetic on hand-computed numbers, and what must hold for any input."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.belief import MAX_LOG_ODDS, BeliefFilter, Pace, bounded, holds, logit, sigmoid

ONE = BeliefFilter([0.7], [Pace(3.0, 12.0, 0.14)])


def test_before_any_look_the_odds_are_those_of_the_two_stays() -> None:
    assert ONE.start_K.tolist() == pytest.approx([math.log(3 / 12)])


def test_left_alone_belief_forgets_where_it_began() -> None:
    from_above, from_below = (float(ONE.passed(np.array([[odds]]), 600.0)[0, 0]) for odds in (5.0, -5.0))
    assert from_above != pytest.approx(5.0, abs=1.0)
    for _ in range(200):
        from_above, from_below = (float(ONE.passed(np.array([[odds]]), 0.1)[0, 0]) for odds in (from_above, from_below))
    assert from_above == pytest.approx(from_below, abs=0.05)
    assert from_above == pytest.approx(math.log(3 / 12), abs=0.1)


def test_half_a_second_of_certainty_by_hand() -> None:
    belief = math.log(1 / 4)
    q = 0.2 * math.exp(-0.5 / 3) + 0.8 * (1 - math.exp(-0.5 / 12))
    expected = math.log(q / (1 - q)) + (1 - math.exp(-0.5 / 0.14)) * (math.log(0.95 / 0.05) - math.log(0.7 / 0.3))
    got = ONE.passed(np.array([[belief]]), 0.5) + ONE.evidence(np.array([[0.95]]), 0.5)
    assert got[0, 0] == pytest.approx(expected)


def test_a_probability_at_the_threshold_says_nothing() -> None:
    assert ONE.evidence(np.array([[0.7]]), 0.3)[0, 0] == pytest.approx(0.0)


def test_what_holds_goes_on_in_the_band_where_nothing_begins() -> None:
    odds, held = np.array([[0.0, 0.0, 0.6, -0.6]]), np.array([[True, False, False, True]])
    assert holds(odds, held).tolist() == [[True, False, True, False]]


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.001, 5)), min_size=1, max_size=60))
def test_beliefs_stay_bounded_and_never_jump_past_what_a_second_of_looks_can_do(looks: list[tuple[float, float]]) -> None:
    odds = ONE.start_K[None]
    for prob, dt_s in looks:
        odds = bounded(ONE.passed(odds, dt_s) + ONE.evidence(np.array([[prob]]), dt_s))
        assert np.isfinite(odds).all()
        assert abs(odds[0, 0]) <= MAX_LOG_ODDS


def test_rows_may_have_their_own_time() -> None:
    both = ONE.passed(np.zeros((2, 1)), np.array([[0.1], [2.0]]))
    assert both[:, 0].tolist() == [ONE.passed(np.zeros((1, 1)), dt_s)[0, 0] for dt_s in (0.1, 2.0)]


def test_logit_undoes_sigmoid_within_its_bounds() -> None:
    assert logit(sigmoid(np.array([-3.0, 0.0, 7.0]))).tolist() == pytest.approx([-3.0, 0.0, 7.0])
    assert logit(np.array([0.0, 1.0])).tolist() == pytest.approx([-9.21024, 9.21024], abs=1e-4)
