"""Media time, pace and rate limit, by hand-computed tables and properties."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.ingest.clock import FrameSampler, LiveEdgePacer, MediaClock, PlayoutPacer


def test_steady_timestamps_pass_as_they_are_from_the_start_time_on() -> None:
    clock = MediaClock(100.0)
    assert [clock.advance(7.0 + 0.04 * n, 0.0) for n in range(3)] == pytest.approx([100.0, 100.04, 100.08])


@pytest.mark.parametrize(
    ("pts_s", "waited_s", "step_s"),
    [
        (10.50, 0.0, 0.50),  # a gap within reason is believed
        (15.00, 0.0, 5.00),
        (15.01, 0.0, 0.04),  # a jump is not: one frame passed
        (15.01, 2.0, 2.00),  # or what the wall says
        (10.00, 0.0, 0.04),  # standing still
        (3.00, 0.0, 0.04),  # back
        (3.00, 1.5, 1.50),
        (None, 0.0, 0.04),  # no timestamp
    ],
)
def test_each_kind_of_step(pts_s: float | None, waited_s: float, step_s: float) -> None:
    clock = MediaClock()
    clock.advance(9.96, 0.0)
    before_s = clock.advance(10.0, 0.0)
    assert clock.advance(pts_s, waited_s) - before_s == pytest.approx(step_s)


def test_after_a_reconnect_the_wall_says_how_long_it_took() -> None:
    clock = MediaClock()
    clock.advance(50.0, 1000.0)
    clock.interrupt()
    assert clock.advance(50.04, 1020.0) == pytest.approx(20.0)
    assert clock.advance(50.08, 1020.04) == pytest.approx(20.04)


@given(
    frames=st.lists(
        st.tuples(st.none() | st.floats(-1e9, 1e9, allow_nan=False), st.floats(0.0, 100.0), st.booleans()), min_size=2, max_size=50
    )
)
def test_media_time_only_grows_whatever_the_source_does(frames: list[tuple[float | None, float, bool]]) -> None:
    clock, now_s, media = MediaClock(), 0.0, []
    for pts_s, waited_s, interrupted in frames:
        now_s += waited_s
        if interrupted:
            clock.interrupt()
        media.append(clock.advance(pts_s, now_s))
    assert all(right > left for left, right in itertools.pairwise(media))


def test_a_burst_is_released_at_its_pace() -> None:
    pacer = PlayoutPacer(buffer_s=0.1)
    assert [pacer.admit(0.04 * n, 5.0) for n in range(3)] == pytest.approx([0.1, 0.14, 0.18])


def test_after_a_late_frame_the_schedule_moves_back_once() -> None:
    pacer = PlayoutPacer(buffer_s=0.0)
    assert pacer.admit(0.0, 5.0) == 0.0
    assert pacer.admit(0.04, 6.0) == 0.0  # .96 s late: out at once
    assert pacer.admit(0.08, 6.0) == pytest.approx(0.04)  # the next keeps its distance


def test_the_live_edge_releases_at_once_and_drops_what_comes_half_a_second_late() -> None:
    pacer = LiveEdgePacer()
    assert [pacer.admit(media_s, media_s + 3.0) for media_s in (0.0, 0.04, 0.08)] == [0.0, 0.0, 0.0]
    assert pacer.admit(1.0, 4.4) == 0.0  # .4 s late
    assert pacer.admit(2.0, 5.6) is None  # .6 s late
    assert pacer.admit(2.2, 5.6) == 0.0  # caught up to .4 s


def test_a_lasting_delay_is_accepted_after_half_a_second() -> None:
    pacer = LiveEdgePacer()
    pacer.admit(0.0, 0.0)
    verdicts = [pacer.admit(0.1 * n, 0.1 * n + 2.0) for n in range(1, 10)]
    assert verdicts == [None] * 6 + [0.0] * 3


def test_ten_of_twenty_five_frames_a_second_are_kept_evenly() -> None:
    sampler = FrameSampler(10.0)
    kept = [n for n in range(25) if sampler.keeps(0.04 * n)]
    assert kept == [0, 3, 5, 8, 10, 13, 15, 18, 20, 23]


def test_without_a_limit_every_frame_is_kept() -> None:
    sampler = FrameSampler(None)
    assert all(sampler.keeps(0.04 * n) for n in range(10))


@given(fps=st.floats(0.2, 60.0), steps=st.lists(st.floats(0.001, 3.0), min_size=1, max_size=200))
def test_the_rate_stays_within_the_limit(fps: float, steps: list[float]) -> None:
    sampler = FrameSampler(fps)
    times = list(itertools.accumulate(steps))
    kept = [time_s for time_s in times if sampler.keeps(time_s)]
    assert len(kept) <= (times[-1] - times[0]) * fps * 1.01 + 2


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        FrameSampler(0.0)
