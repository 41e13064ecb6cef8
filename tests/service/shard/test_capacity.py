"""What an engine holds, and how busy it is."""

import pytest

from engines.fake import FakeEngine
from service.shard.capacity import Capacity
from service.shard.engine_process import measure


def test_it_is_the_median_of_full_batches() -> None:
    capacity = Capacity(best_batch=4)
    assert capacity.frames_per_s == 0.0
    for number, took_s in enumerate([0.04, 0.04, 9.0]):
        capacity.note(4, took_s, float(number))
    capacity.note(1, 0.03, 4.0)
    assert capacity.frames_per_s == pytest.approx(100.0)


def test_a_smaller_batch_counts_where_it_shows_that_the_engine_holds_more() -> None:
    capacity = Capacity(best_batch=4)
    capacity.try_out(4, 0.4)
    capacity.note(1, 0.2, 0.0)
    assert capacity.frames_per_s == pytest.approx(10.0), "one frame in 0.2 s says nothing against 10 frames a second"
    for _ in range(3):
        capacity.note(1, 0.02, 0.0)
    assert capacity.frames_per_s == pytest.approx(50.0)


def test_it_follows_an_engine_that_becomes_slower() -> None:
    capacity = Capacity(best_batch=1)
    for took_s in [0.01] * 100 + [0.05] * 64:
        capacity.note(1, took_s, 0.0)
    assert capacity.frames_per_s == pytest.approx(20.0)


def test_load_is_the_busy_share_of_the_last_second_and_goes_when_nothing_comes() -> None:
    capacity = Capacity(best_batch=1)
    for number in range(11):
        capacity.note(1, 0.06, 5.0 + number / 10)
    assert capacity.load == pytest.approx(0.66, abs=0.07)
    capacity.roll(7.5)
    capacity.roll(9.0)
    assert capacity.load == 0.0


def test_an_engine_is_measured_before_anyone_is_connected_and_its_memories_are_empty_again() -> None:
    engine = FakeEngine(num_streams=4, max_pixels=64 * 96, frame_s=0.01, best_batch=2)
    capacity = Capacity(best_batch=2)
    measure(engine, capacity)
    assert 50.0 < capacity.frames_per_s < 100.0
    assert all(engine.read_memory(slot).counts_P.max() == 0.0 for slot in range(4))
