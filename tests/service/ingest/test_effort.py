"""Which pictures are wanted, by hand-computed tables and properties."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.ingest.effort import FULL_EFFORT, KEY_WAIT_S, Demand, Effort


def taken(demand: Demand, times: list[float], keys: set[int]) -> list[int]:
    """The numbers of the pictures that are taken, in order of presentation."""
    chosen = []
    for number, at_s in enumerate(times):
        if demand.wants(at_s, is_key=number in keys):
            demand.took(at_s, is_key=number in keys)
            chosen.append(number)
    return chosen


def at_25_fps(count: int, start_s: float = 7.0) -> list[float]:
    return [start_s + 0.04 * number for number in range(count)]


def test_without_a_limit_every_picture_is_wanted() -> None:
    demand = Demand()
    assert demand.is_full
    assert taken(demand, at_25_fps(10), {0}) == list(range(10))


def test_two_of_twenty_five_are_the_key_frame_and_the_one_between() -> None:
    assert taken(Demand(2.0), at_25_fps(75), {0, 25, 50}) == [0, 13, 25, 38, 50, 63]


@pytest.mark.parametrize(
    ("keys", "chosen"),
    [
        ({0, 18}, [0, 13, 25, 38]),  # .72 s: more than half an interval before 1.0 s, so it is left
        ({0, 22}, [0, 13, 22, 38]),  # .88 s: taken in place of 1.0 s; the grid stays, the next is due at 1.5 s
        ({0, 14}, [0, 13, 25, 38]),  # just after one was taken
    ],
)
def test_a_key_frame_may_be_taken_early_and_the_grid_stays(keys: set[int], chosen: list[int]) -> None:
    assert taken(Demand(2.0), at_25_fps(50), keys) == chosen


def test_a_key_frame_that_comes_a_little_late_moves_the_grid() -> None:
    times = [0.0, 0.49, 0.51, 0.9, 1.005, 1.02]
    assert taken(Demand(2.0), times, {0, 2}) == [0, 2, 5]
    assert taken(Demand(2.0), times, {0}) == [0, 2, 4]


def test_the_lower_of_the_users_rate_and_the_efforts_holds() -> None:
    assert len(taken(Demand(5.0, Effort(fps=2.0)), at_25_fps(250), set())) == 20
    assert len(taken(Demand(2.0, Effort(fps=5.0)), at_25_fps(250), set())) == 20


def test_key_frames_alone_and_where_they_are_rare_one_picture_now_and_then() -> None:
    only_keys = Effort(key_frames_only=True)
    assert taken(Demand(None, only_keys), at_25_fps(100), {0, 25, 50, 75}) == [0, 25, 50, 75]
    assert taken(Demand(None, only_keys), at_25_fps(250), {0}) == [0, round(KEY_WAIT_S * 25), round(2 * KEY_WAIT_S * 25)]
    assert taken(Demand(0.5, only_keys), at_25_fps(100), {0, 25, 50, 75}) == [0, 25, 75]


def test_a_change_of_effort_counts_from_the_next_picture_on() -> None:
    demand = Demand()
    assert taken(demand, at_25_fps(10), {0}) == list(range(10))
    demand.set_effort(Effort(fps=2.0))
    assert taken(demand, at_25_fps(50, 7.4), set()) == [12, 24, 37, 49]
    demand.set_effort(FULL_EFFORT)
    assert taken(demand, at_25_fps(5, 9.4), set()) == list(range(5))


def test_timestamps_that_go_back_begin_a_new_grid() -> None:
    demand = Demand(2.0)
    assert taken(demand, at_25_fps(20, 100.0), {0}) == [0, 13]
    assert taken(demand, at_25_fps(20, 3.0), set()) == [0, 13]
    demand.restart()
    assert taken(demand, at_25_fps(20, 2.9), set()) == [0, 13]


@pytest.mark.parametrize(
    ("fps", "effort", "cause"),
    [
        (None, FULL_EFFORT, "sampled"),
        (2.0, FULL_EFFORT, "sampled"),
        (2.0, Effort(fps=5.0), "sampled"),
        (5.0, Effort(fps=2.0), "overload"),
        (None, Effort(fps=2.0), "overload"),
        (2.0, Effort(key_frames_only=True), "overload"),
    ],
)
def test_what_is_passed_over_is_so_for_the_user_or_for_want_of_means(fps: float | None, effort: Effort, cause: str) -> None:
    assert Demand(fps, effort).cause == cause


@given(
    fps=st.floats(0.2, 60.0),
    steps=st.lists(st.tuples(st.floats(0.001, 3.0), st.booleans()), min_size=1, max_size=200),
)
def test_the_rate_stays_within_the_limit_wherever_key_frames_are(fps: float, steps: list[tuple[float, bool]]) -> None:
    times = list(itertools.accumulate(step for step, _ in steps))
    chosen = taken(Demand(fps), times, {number for number, (_, is_key) in enumerate(steps) if is_key})
    assert len(chosen) <= (times[-1] - times[0]) * fps * 1.01 + 2


@pytest.mark.parametrize("fps", [0.0, -1.0])
def test_a_rate_of_nothing_is_refused(fps: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Effort(fps=fps)
    with pytest.raises(ValueError, match="above 0"):
        Demand(fps)
