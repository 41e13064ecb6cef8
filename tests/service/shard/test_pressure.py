"""Fewer frames when the engine is the bottleneck, step by step and fairly, and back again when it is not."""

from collections.abc import Callable, Mapping
from itertools import pairwise

import pytest

from service.ingest.effort import FULL_EFFORT
from service.shard.pressure import Pressure, fair_rate

Rates = Mapping[str, float]


class World:
    """Streams that offer frames at their rates to an engine that holds `capacity` frames a second, in windows of a second."""

    def __init__(self, rates: Rates, capacity: float) -> None:
        self.rates, self.capacity = dict(rates), capacity
        self.pressure = Pressure()
        self.now_s = 0.0
        self.efforts: list[tuple[int, float]] = []
        self.pressure.tick(0.0)

    def run(self, windows: int, *, key_fps: float = 0.5) -> None:
        for _ in range(windows):
            self.now_s += 1.0
            self._window(key_fps)
            self.pressure.tick(self.now_s)
            self.efforts.append((self.pressure.level, self.pressure.cap_fps))

    def _window(self, key_fps: float) -> None:
        effort = self.pressure.effort
        most = min(effort.fps or 1000.0, key_fps if effort.key_frames_only else 1000.0)
        offered = {stream: min(rate, most) for stream, rate in self.rates.items()}
        fair = fair_rate(offered.values(), self.capacity)
        load = min(1.0, sum(offered.values()) / self.capacity)
        for stream, rate in offered.items():
            self.analysed = min(rate, fair)
            self.pressure.note(stream, load, analysed=round(100 * min(rate, fair)), lost=round(100 * (rate - min(rate, fair))))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Callable[[Rates, float], World]:
    """Notes are in hundredths of a frame, so that slow streams are not rounded away."""
    weigh = Pressure._weigh
    monkeypatch.setattr(Pressure, "_weigh", lambda self, tallies, window_s: weigh(self, tallies, 100 * window_s))
    return World


@pytest.mark.parametrize(
    ("rates", "capacity", "fair"),
    [
        ([25.0], 20.0, 20.0),
        ([25.0, 25.0], 20.0, 10.0),
        ([2.0, 25.0, 25.0], 20.0, 9.0),
        ([2.0, 3.0], 20.0, 3.0),
        ([], 20.0, 0.0),
    ],
)
def test_the_fair_rate_is_the_same_for_all_who_ask_for_more(rates: list[float], capacity: float, fair: float) -> None:
    assert fair_rate(rates, capacity) == fair


def test_an_engine_that_holds_all_leaves_all_at_full_rate(world: Callable[[Rates, float], World]) -> None:
    calm = world({"a": 25.0, "b": 25.0}, 60.0)
    calm.run(20)
    assert calm.pressure.effort is FULL_EFFORT
    assert set(calm.efforts) == {(0, 0.0)}


def test_streams_beyond_what_the_engine_holds_are_sampled_after_two_windows(world: Callable[[Rates, float], World]) -> None:
    busy = world({"slow": 2.0, "a": 25.0, "b": 25.0}, 22.0)
    busy.run(5)
    assert busy.efforts[0] == (0, 0.0)
    level, cap_fps = busy.efforts[1]
    assert level == 1
    assert 2.0 + 2 * cap_fps == pytest.approx(0.9 * 22.0, rel=0.01)
    assert set(busy.efforts[1:4]) == {(level, cap_fps)}


def test_a_rate_that_just_fits_is_tried_with_more_ever_more_seldom(world: Callable[[Rates, float], World]) -> None:
    busy = world({"slow": 2.0, "a": 25.0, "b": 25.0}, 22.0)
    busy.run(400)
    caps = [cap for _, cap in busy.efforts[1:]]
    lowered = [window for window, (earlier, later) in enumerate(pairwise(caps)) if later < earlier]
    assert len(lowered) <= 10
    assert max(caps) < 14.0
    assert sum(caps[-100:]) / 100 == pytest.approx(0.9 * 22.0 / 2 - 1.0, rel=0.15)
    assert lowered[-1] - lowered[-2] > 2 * (lowered[1] - lowered[0])


def test_a_passing_burst_does_not_hold_down_streams_that_the_engine_holds(world: Callable[[Rates, float], World]) -> None:
    steady = world({str(number): 2.0 for number in range(16)}, 16.0)
    steady.run(6)
    assert steady.pressure.level >= 1
    steady.capacity = 36.0
    steady.run(40)
    assert steady.pressure.effort is FULL_EFFORT


def test_far_too_many_streams_are_down_to_key_frames_and_never_to_nothing(world: Callable[[Rates, float], World]) -> None:
    busy = world({str(number): 25.0 for number in range(64)}, 22.0)
    busy.run(30)
    assert busy.pressure.level == 2
    assert busy.pressure.effort.key_frames_only
    assert busy.pressure.cap_fps > 0.2


def test_when_there_is_room_again_the_rate_comes_back_step_by_step(world: Callable[[Rates, float], World]) -> None:
    eased = world({str(number): 25.0 for number in range(64)}, 22.0)
    eased.run(10)
    eased.rates = {"0": 25.0}
    eased.run(200)
    levels = [level for level, _ in eased.efforts]
    assert levels[-1] == 1, "25 FPS do not fit into 22"
    assert 10.0 < eased.pressure.cap_fps < 22.0
    eased.capacity = 60.0
    eased.run(40)
    assert eased.pressure.effort is FULL_EFFORT
    caps = [cap for _, cap in eased.efforts if cap]
    assert all(later <= 2.01 * earlier for earlier, later in pairwise(caps))


def test_lost_frames_with_an_idle_engine_are_not_the_engines_doing() -> None:
    pressure = Pressure()
    for second in range(10):
        pressure.note("a", 0.2, analysed=5, lost=20)
        pressure.tick(float(second))
    assert pressure.effort is FULL_EFFORT


def test_a_worker_without_frames_decides_nothing() -> None:
    pressure = Pressure()
    assert not any(pressure.tick(float(second)) for second in range(20))
