"""Blind seconds, counted by hand."""

import pytest

from service.shard.blind import MAX_LOST_S, BlindTime, longest_gap_s

SAW, COUNT, EXCUSED = "saw", "count", "excused"
Step = tuple[str, float]


@pytest.mark.parametrize(("fps", "gap_s"), [(None, 1.0), (25.0, 1.0), (2.0, 1.0), (1.0, 2.0), (0.1, 20.0)])
def test_frames_may_lie_a_second_apart_or_twice_their_asked_distance(fps: float | None, gap_s: float) -> None:
    assert longest_gap_s(fps) == gap_s


@pytest.mark.parametrize(
    ("fps", "steps", "grown"),
    [
        (None, [(SAW, 0.5), (COUNT, 0.9), (SAW, 1.4), (COUNT, 1.9)], [0.0, 0.0]),
        (None, [(SAW, 0.5), (COUNT, 1.5), (COUNT, 2.5), (COUNT, 3.5)], [0.0, 2.0, 1.0]),
        (None, [(SAW, 0.5), (COUNT, 2.0), (SAW, 2.25), (COUNT, 3.0), (COUNT, 4.0)], [1.5, 0.25, 1.75]),
        (None, [(SAW, 0.5), (SAW, 2.0), (COUNT, 2.5)], [1.5]),
        (None, [(COUNT, 0.75), (COUNT, 1.75), (COUNT, 2.75)], [0.0, 1.75, 1.0]),
        (0.5, [(COUNT, 0.25), (SAW, 4.0), (COUNT, 8.0), (COUNT, 8.5)], [0.0, 0.0, 4.5]),
        (None, [(SAW, 0.5), (COUNT, 3.0), (EXCUSED, 4.0), (EXCUSED, 60.0), (COUNT, 60.75), (COUNT, 62.0)], [2.5, 0.0, 0.0, 0.0, 2.0]),
        (None, [(SAW, 1.0), (SAW, 3.0), (EXCUSED, 3.5)], [2.0]),
    ],
    ids=[
        "a frame in time every time",
        "it grows while it is blind, from the last frame on",
        "the rest is counted with the next frame, and then nothing",
        "a gap that nobody asked about in between",
        "before the first frame",
        "a slow stream may be slow",
        "nothing counts while nothing is wanted",
        "what was blind before stays counted",
    ],
)
def test_seconds_are_counted_once(fps: float | None, steps: list[Step], grown: list[float]) -> None:
    blind, counted = BlindTime(0.0), []
    blind.count(0.0, is_wanted=True, fps=fps)
    for what, now_s in steps:
        if what == SAW:
            blind.saw(now_s)
        else:
            counted.append(blind.count(now_s, is_wanted=what == COUNT, fps=fps))
    assert counted == grown


@pytest.mark.parametrize(
    ("lost_s", "seen_after_s", "grown"),
    [(0.25, 0.5, 0.0), (3.0, 0.5, 3.5), (1e9, 0.0, MAX_LOST_S), (-5.0, 0.5, 0.0)],
    ids=["a quick change of owners is no gap", "a slow one is", "a day away counts as an hour", "a clock that was set back"],
)
def test_time_between_two_owners_counts_as_one_gap_with_what_follows(lost_s: float, seen_after_s: float, grown: float) -> None:
    blind = BlindTime(0.0)
    blind.lost(lost_s)
    blind.saw(seen_after_s)
    assert blind.count(seen_after_s + 0.5, is_wanted=True, fps=None) == grown
