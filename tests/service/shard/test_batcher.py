"""Whose frame is next: fair over streams and canvases, full or due batches, nothing old."""

from collections import Counter, deque
from itertools import pairwise

import pytest

from service.shard.batcher import Batcher

WIDE, TALL = (64, 96), (96, 64)


def batcher(streams: int, best_batch: int = 1, max_delay_s: float = 0.0, stale_after_s: float = 10.0) -> Batcher[str]:
    made: Batcher[str] = Batcher(best_batch=best_batch, max_delay_s=max_delay_s, stale_after_s=stale_after_s)
    for stream in range(streams):
        made.join(stream)
    return made


def taken(batches: Batcher[str], now_s: float = 0.0) -> list[str]:
    batch = batches.take(now_s)
    return batch.frames if batch else []


def test_nothing_waits_for_nothing() -> None:
    batches = batcher(2)
    assert batches.wait_s(0.0) is None
    assert batches.take(0.0) is None


def test_a_full_batch_goes_at_once_and_a_smaller_one_when_its_first_frame_has_waited_long_enough() -> None:
    batches = batcher(5, best_batch=3, max_delay_s=0.002)
    batches.add(0, WIDE, 1.0, "a", 1.0)
    batches.add(1, WIDE, 1.001, "b", 1.001)
    assert batches.wait_s(1.001) == pytest.approx(0.001)
    assert taken(batches, 1.001) == []
    assert batches.wait_s(1.0025) == 0.0
    assert taken(batches, 1.0025) == ["a", "b"]
    for stream, name in enumerate("cdef", 1):
        batches.add(stream, WIDE, 2.0, name, 2.0)
    assert batches.wait_s(2.0) == 0.0
    assert taken(batches, 2.0) == ["d", "e", "f"], "those who were served longest ago"


def test_nobody_waits_for_company_that_cannot_come() -> None:
    batches = batcher(2, best_batch=8, max_delay_s=5.0)
    batches.add(0, WIDE, 0.0, "a", 0.0)
    assert taken(batches) == []
    batches.add(1, TALL, 0.0, "b", 0.0)
    assert taken(batches) == ["a"]
    batches.leave(0)
    assert taken(batches) == ["b"]


def test_a_batch_is_never_larger_than_the_best_and_has_one_canvas() -> None:
    batches = batcher(7, best_batch=4)
    for stream in range(7):
        batches.add(stream, TALL if stream == 2 else WIDE, 0.0, str(stream), 0.0)
    assert [taken(batches) for _ in range(4)] == [["0", "1", "3", "4"], ["2"], ["5", "6"], []]


def test_a_frame_that_is_too_old_is_handed_back_and_its_stream_keeps_its_turn() -> None:
    batches = batcher(3, stale_after_s=0.5)
    batches.add(0, WIDE, 0.0, "old", 0.0)
    batches.add(1, WIDE, 0.9, "young", 0.9)
    batches.add(2, WIDE, 0.9, "third", 0.9)
    batch = batches.take(1.0)
    assert batch is not None
    assert (batch.stale, batch.frames) == (["old"], [])
    assert taken(batches, 1.0) == ["young"]
    batches.add(0, WIDE, 1.0, "fresh", 1.0)
    assert taken(batches, 1.0) == ["fresh"]
    assert taken(batches, 1.0) == ["third"]


def test_frames_that_come_at_the_same_moments_to_an_engine_that_is_too_slow_are_all_served_in_the_end() -> None:
    batches, served = batcher(4, stale_after_s=0.5), Counter[str]()
    for moment in range(6):
        now_s = 3.0 * moment
        for stream in range(4):
            batches.add(stream, WIDE, now_s, str(stream), now_s)
            served.update(taken(batches, now_s) if stream == 0 else [])  # the engine was idle: who comes first is served at once
        while batches.wait_s(now_s) is not None:
            now_s += 0.6
            served.update(taken(batches, now_s))
    assert served == {"0": 6, "1": 3, "2": 3, "3": 3}


def test_a_stream_that_leaves_takes_its_frame_along() -> None:
    batches = batcher(2)
    batches.add(0, WIDE, 0.0, "gone", 0.0)
    batches.add(1, WIDE, 0.0, "stays", 0.0)
    batches.leave(0)
    assert taken(batches) == ["stays"]
    assert batches.wait_s(0.0) is None


@pytest.mark.parametrize(("best_batch", "num_tall"), [(1, 0), (1, 1), (1, 8), (4, 0), (8, 8)])
def test_streams_that_always_have_a_frame_are_served_alike(best_batch: int, num_tall: int) -> None:
    batches = batcher(16, best_batch)
    for stream in range(16):
        batches.add(stream, TALL if stream < num_tall else WIDE, 0.0, str(stream), 0.0)
    served = serve(batches, 400, num_tall)
    assert max(served.values()) <= 1.2 * min(served.values())


def test_a_lone_canvas_among_many_waits_no_longer_than_one_round() -> None:
    batches = batcher(16, best_batch=4)
    for stream in range(16):
        batches.add(stream, TALL if stream == 0 else WIDE, 0.0, str(stream), 0.0)
    turns = []
    for turn in range(100):
        frames = taken(batches)
        turns += [turn] * ("0" in frames)
        for name in frames:
            batches.add(int(name), TALL if name == "0" else WIDE, 0.0, name, 0.0)
    assert max(later - earlier for earlier, later in pairwise(turns)) <= 5


def serve(batches: Batcher[str], rounds: int, num_tall: int) -> Counter[str]:
    """Every served stream has the next frame ready."""
    served: Counter[str] = Counter()
    for _ in range(rounds):
        frames = taken(batches)
        served.update(frames)
        for name in frames:
            batches.add(int(name), TALL if int(name) < num_tall else WIDE, 0.0, name, 0.0)
    return served


def test_a_slow_stream_is_never_behind_a_fast_one() -> None:
    batches = batcher(2)
    for _ in range(5):
        batches.add(0, WIDE, 0.0, "fast", 0.0)
        assert taken(batches) == ["fast"]
    batches.add(0, WIDE, 0.0, "fast", 0.0)
    batches.add(1, WIDE, 0.0, "slow", 0.0)
    assert taken(batches) == ["slow"]


def test_where_every_frame_gets_old_while_it_waits_all_streams_are_still_served_alike() -> None:
    """A network of 30 ms a frame; a stream that is answered has a fresh frame there a millisecond later, a step of the loop takes 0.1."""
    batches, now_s, served, stale = batcher(64, stale_after_s=0.5), 0.0, Counter[str](), 0
    coming = deque((0.0, str(stream)) for stream in range(64))
    while sum(served.values()) < 1000:
        while coming and coming[0][0] <= now_s:
            sent_s, name = coming.popleft()
            batches.add(int(name), WIDE, sent_s, name, now_s)
        batch = batches.take(now_s)
        now_s += 0.03 if batch and batch.frames else 0.0001
        if batch:
            stale += len(batch.stale)
            served.update(batch.frames)
            coming.extend((now_s + 0.001, name) for name in (*batch.stale, *batch.frames))
    assert stale > 300
    assert len(served) == 64
    assert max(served.values()) <= 1.2 * min(served.values())
