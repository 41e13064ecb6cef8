"""Changing the engine while it serves: with the fake engine, real threads, and every way in which it can go wrong."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from engines.fake import DIM, OBJECTS, PREDICATES, FakeEngine
from engines.protocol import Engine, Float, Memory, SceneGraph, UInt8
from engines.swap import SwapOutcome, SwappingEngine, SwapReport

NUM_STREAMS = 3
PIXELS = 64 * 64
PICTURE = np.full((1, 64, 64, 3), 200, np.uint8)
WAIT_S = 10.0


class Counted(FakeEngine):
    """A fake engine that knows how many of its kind are open, and can be told to fail."""

    num_open = 0
    most_open = 0

    def __init__(self, name: str = "first", *, model_hash: str = "one", num_streams: int = NUM_STREAMS, max_pixels: int = PIXELS) -> None:
        super().__init__(num_streams=num_streams, max_pixels=max_pixels, model_hash=model_hash)
        self.name = name
        self.is_closed = False
        self.raises = ""
        self.gives_nan = False
        self.calls = 0
        self.prompts: float | None = None
        Counted.num_open += 1
        Counted.most_open = max(Counted.most_open, Counted.num_open)

    def infer(self, images_BHW3: UInt8, slots: Sequence[int], dt_s: Sequence[float]) -> list[SceneGraph]:
        assert not self.is_closed
        if self.raises:
            raise RuntimeError(self.raises)
        self.calls += 1
        graphs = super().infer(images_BHW3, slots, dt_s)
        if self.gives_nan:
            return [replace(graph, scores_N=graph.scores_N * np.float32("nan")) for graph in graphs]
        return graphs

    def read_memory(self, slot: int) -> Memory:
        assert not self.is_closed
        if self.raises:
            raise RuntimeError(self.raises)
        return super().read_memory(slot)

    def replace_prototypes(self, objects_CD: Float, predicates_KD: Float) -> None:
        super().replace_prototypes(objects_CD, predicates_KD)
        self.prompts = float(objects_CD[0, 0])

    def close(self) -> None:
        assert not self.is_closed
        self.is_closed = True
        Counted.num_open -= 1


@pytest.fixture(autouse=True)
def _all_are_closed() -> Iterator[None]:
    Counted.num_open = Counted.most_open = 0
    yield
    assert Counted.num_open == 0
    assert Counted.most_open <= 2
    assert not [thread for thread in threading.enumerate() if thread.name == "vigil-swap"]


def look(engine: Engine, slot: int = 0) -> SceneGraph:
    return engine.infer(PICTURE, [slot], [0.04])[0]


def wait_for(engine: SwappingEngine, *, serve: bool = False) -> SwapReport:
    """Poll, as a server does between its batches, until there is a report."""
    until_s = time.monotonic() + WAIT_S
    while (report := engine.poll()) is None:
        assert time.monotonic() < until_s
        if serve:
            look(engine)
        time.sleep(0.001)
    return report


def seen(engine: Engine, slot: int = 0) -> float:
    """How often the memory of a slot has seen a person."""
    return float(engine.read_memory(slot).counts_P[0])


def swapped(new: Counted, old: Counted, *, trial_frames: int = 3) -> SwappingEngine:
    """`new` has just taken over from `old`, whose slot 0 has seen two frames."""
    engine = SwappingEngine(old, trial_frames=trial_frames)
    look(engine)
    look(engine)
    engine.prepare(lambda: new)
    wait_for(engine)
    return engine


def test_no_call_is_refused_while_another_engine_opens_and_takes_over() -> None:
    old, engines = Counted("old"), []

    def open_slowly() -> Engine:
        time.sleep(0.2)
        engines.append(Counted("new"))
        return engines[0]

    engine = SwappingEngine(old, trial_frames=20)
    engine.prepare(open_slowly)
    assert wait_for(engine, serve=True).outcome is SwapOutcome.SWITCHED
    calls = old.calls
    assert calls > 10
    assert wait_for(engine, serve=True).outcome is SwapOutcome.KEPT
    assert (old.is_closed, old.calls, engines[0].calls) == (True, calls, 20)
    assert seen(engine) == calls + 20
    engine.close()


def test_memories_of_used_slots_go_over_and_unused_ones_are_empty() -> None:
    new = Counted("new")
    look(new, 1)
    engine = swapped(new, Counted("old"))
    assert [seen(engine, slot) for slot in range(NUM_STREAMS)] == [2, 0, 0]
    engine.close()


@pytest.mark.parametrize(
    ("wrong", "why"), [({"raises": "out of memory"}, "it raised: out of memory"), ({"gives_nan": True}, "numbers that are not finite")]
)
def test_the_old_engine_answers_and_serves_again_when_the_new_one_fails(wrong: dict[str, str | bool], why: str) -> None:
    new, old = Counted("new"), Counted("old")
    engine = swapped(new, old)
    look(engine)
    for name, value in wrong.items():
        setattr(new, name, value)
    assert look(engine).is_finite()
    report = wait_for(engine)
    assert (report.outcome, old.is_closed, new.is_closed) == (SwapOutcome.ROLLED_BACK, False, True)
    assert why in report.why
    assert seen(engine) == 3
    assert not engine.is_busy
    engine.close()


def test_a_new_engine_that_cannot_read_its_memory_is_rolled_back_too() -> None:
    new = Counted("new")
    engine = swapped(new, Counted("old"))
    new.raises = "device lost"
    assert seen(engine) == 2
    assert wait_for(engine).outcome is SwapOutcome.ROLLED_BACK
    engine.close()


def test_after_a_roll_back_a_slot_is_as_its_newest_owner_left_it() -> None:
    new = Counted("new")
    engine = swapped(new, Counted("old"))
    engine.write_memory(0, None)
    new.raises = "out of memory"
    look(engine)
    assert seen(engine) == 1
    engine.close()


def test_a_batch_made_for_a_larger_engine_is_run_in_parts_by_the_old_one() -> None:
    class Wide(Counted):
        @property
        def spec(self):  # type: ignore[no-untyped-def]
            return replace(super().spec, max_batch=16)

    sizes = {"num_streams": 12}
    new, old = Wide("new", **sizes), Counted("old", **sizes)  # type: ignore[arg-type]
    engine = swapped(new, old)
    new.raises = "out of memory"
    assert len(engine.infer(np.repeat(PICTURE, 12, 0), range(12), [0.04] * 12)) == 12
    assert old.calls == 2 + 2
    engine.close()


def test_a_wrong_batch_is_the_callers_fault_and_ends_no_trial() -> None:
    engine = swapped(Counted("new"), Counted("old"))
    with pytest.raises(ValueError, match="slots are distinct"):
        engine.infer(PICTURE, [NUM_STREAMS], [0.0])
    assert engine.poll() is None
    assert engine.is_busy
    engine.close()


def raising(error: Exception) -> Callable[[], Engine]:
    def open_new() -> Engine:
        raise error

    return open_new


@pytest.mark.parametrize(
    "error", [ValueError("no such folder"), RuntimeError("CUDA error"), OSError("disk full"), ImportError("no module")]
)
def test_an_engine_that_does_not_open_leaves_the_old_one_serving(error: Exception) -> None:
    engine = SwappingEngine(Counted("old"))
    engine.prepare(raising(error))
    report = wait_for(engine, serve=True)
    assert (report.outcome, report.why, report.spec) == (SwapOutcome.NOT_OPENED, str(error), engine.spec)
    look(engine)
    assert not engine.is_busy
    engine.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_leaves_the_old_one_serving() -> None:
    engine = SwappingEngine(Counted("old"))
    engine.prepare(raising(KeyError("a bug")))
    report = wait_for(engine)
    assert (report.outcome, report.why) == (SwapOutcome.NOT_OPENED, "its thread died; the log has the traceback")
    engine.close()


def test_an_engine_that_fails_its_check_is_closed_and_never_serves() -> None:
    new, old = Counted("new"), Counted("old")

    def check(engine: Engine) -> None:
        raise ValueError(f"{engine.spec.backend} sees other things")

    engine = SwappingEngine(old)
    engine.prepare(lambda: new, check)
    report = wait_for(engine, serve=True)
    assert (report.outcome, report.why) == (SwapOutcome.NOT_CHECKED, "fake sees other things")
    assert (new.is_closed, new.calls) == (True, 0)
    engine.close()


def test_an_engine_of_other_sizes_is_closed() -> None:
    new = Counted("new", num_streams=NUM_STREAMS + 1)
    engine = SwappingEngine(Counted("old"))
    engine.prepare(lambda: new)
    report = wait_for(engine)
    assert (report.outcome, new.is_closed) == (SwapOutcome.UNFIT, True)
    assert report.why == "streams and pixels are (4, 4096), expected (3, 4096)"
    engine.close()


def test_another_model_takes_over_without_memories_and_says_so() -> None:
    new, old = Counted("new", model_hash="two"), Counted("old")
    engine = SwappingEngine(old, trial_frames=1)
    look(engine)
    engine.prepare(lambda: new)
    report = wait_for(engine)
    assert (report.outcome, report.spec.model_hash) == (SwapOutcome.SWITCHED_MODEL, "two")
    assert seen(engine) == 0
    look(engine)
    assert wait_for(engine).outcome is SwapOutcome.KEPT
    engine.close()


def test_no_graph_of_the_old_model_reaches_a_client_of_the_new_one() -> None:
    new = Counted("new", model_hash="two")
    engine = swapped(new, Counted("old"))
    new.raises = "out of memory"
    with pytest.raises(RuntimeError, match="its clients must come again"):
        look(engine)
    assert wait_for(engine).outcome is SwapOutcome.ROLLED_BACK_MODEL
    assert (engine.spec.model_hash, seen(engine)) == ("one", 0)
    engine.close()


def test_prompts_put_in_while_running_go_over_to_an_engine_of_the_same_model() -> None:
    opened: list[Counted] = []

    def open_new(model_hash: str) -> Engine:
        opened.append(Counted("new", model_hash=model_hash))
        return opened[-1]

    engine = SwappingEngine(Counted("old"), trial_frames=1)
    engine.replace_prototypes(np.full((len(OBJECTS), DIM), 7.0, np.float32), np.zeros((len(PREDICATES), DIM), np.float32))
    for model_hash, expected in (("one", 7.0), ("two", None)):
        engine.prepare(partial(open_new, model_hash))
        wait_for(engine)
        assert opened[-1].prompts == expected
        look(engine)
        assert wait_for(engine).outcome is SwapOutcome.KEPT
    engine.close()


def test_a_second_swap_is_refused_until_the_first_is_over() -> None:
    engine = swapped(Counted("new"), Counted("old"), trial_frames=1)
    with pytest.raises(ValueError, match="an engine is being exchanged already"):
        engine.prepare(lambda: Counted("third"))
    look(engine)
    assert wait_for(engine).outcome is SwapOutcome.KEPT
    engine.prepare(lambda: Counted("third"))
    assert wait_for(engine).outcome is SwapOutcome.SWITCHED
    engine.close()


def test_fifty_swaps_leave_one_engine_and_no_thread() -> None:
    engine = SwappingEngine(Counted("0"), trial_frames=1)
    for number in range(1, 51):
        if number % 3 == 0:
            engine.prepare(raising(ValueError("no")))
            assert wait_for(engine, serve=True).outcome is SwapOutcome.NOT_OPENED
        else:
            new = Counted(str(number))
            engine.prepare(partial(next, iter([new])))
            assert wait_for(engine, serve=True).outcome is SwapOutcome.SWITCHED
            new.raises = "broken" if number % 2 else ""
            look(engine)
            assert wait_for(engine).outcome is (SwapOutcome.ROLLED_BACK if number % 2 else SwapOutcome.KEPT)
        assert Counted.num_open == 1
    assert seen(engine) > 0
    engine.close()


def test_closing_while_another_engine_opens_closes_both() -> None:
    engine = SwappingEngine(Counted("old"))
    opened = threading.Event()

    def open_slowly() -> Engine:
        opened.wait(WAIT_S)
        return Counted("new")

    engine.prepare(open_slowly)
    threading.Timer(0.1, opened.set).start()
    engine.close()
    assert Counted.num_open == 0
