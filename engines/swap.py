"""Change the engine while it serves: a second one opens beside it, takes over by pointer, and is on trial before the first is closed.

Never more than two engines are open. The serving thread calls everything here; only opening and checking run in a thread of their own.
Knows no backend, no stream and no clock.

    prepare -> opening, checked -> poll: SWITCHED -> so many frames on trial -> poll: KEPT
                      |                                     |
                      +-> poll: NOT_OPENED, NOT_CHECKED     +-> it raises or loses its numbers -> poll: ROLLED_BACK
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

import numpy as np

from engines.inputs import check_batch
from engines.protocol import Engine, EngineSpec, Float, Memory, SceneGraph, UInt8

TRIAL_FRAMES = 250
CLOSE_WAIT_S = 5.0
"""How long `close` waits for an engine that is just opening; a process that ends takes it along."""
FAILURES = (ValueError, RuntimeError, OSError, ImportError, MemoryError)
"""What opening or checking an engine may raise."""

T = TypeVar("T")


class SwapOutcome(Enum):
    """How a swap went; the value is for people, the name for a metric's label."""

    NOT_OPENED = "the new engine did not open; the old one serves on"
    NOT_CHECKED = "the new engine failed its check; the old one serves on"
    UNFIT = "the new engine has other sizes than the old one, which serves on"
    SWITCHED = "the new engine serves, with all memories; the old one waits while it is on trial"
    SWITCHED_MODEL = "an engine of another model serves, without memories: its clients must come again"
    KEPT = "the new engine has passed its trial; the old one is closed"
    ROLLED_BACK = "the new engine failed on trial; the old one serves again, with the memories of the switch"
    ROLLED_BACK_MODEL = "the engine of another model failed on trial; the old one serves again: its clients must come again"


@dataclass(frozen=True, slots=True)
class SwapReport:
    """An outcome, why in words (empty where there is nothing to say), and what the serving engine is now."""

    outcome: SwapOutcome
    why: str
    spec: EngineSpec


@dataclass(slots=True)
class _Trial:
    """The engine that served before, and how many frames the new one has still to pass."""

    old: Engine
    same_model: bool
    frames_left: int


@dataclass(frozen=True, slots=True)
class _Prompts:
    """Prototypes that were put in while running, and of which model they are."""

    model_hash: str
    objects_CD: Float
    predicates_KD: Float


class SwappingEngine:
    """The Engine protocol over an engine that can be exchanged. The caller polls between batches, and reads `spec` anew after a report.

    A batch that the new engine fails on trial is run by the old one, so that no call is refused; only between two different models
    `infer` raises RuntimeError then, because graphs of one model mean nothing to a client of the other.
    """

    def __init__(self, engine: Engine, *, trial_frames: int = TRIAL_FRAMES) -> None:
        self._current = engine
        self._trial_frames = trial_frames
        self._preparing: _Preparation | None = None
        self._trial: _Trial | None = None
        self._failed: Engine | None = None
        self._prompts: _Prompts | None = None
        self._reports: deque[SwapReport] = deque()

    @property
    def spec(self) -> EngineSpec:
        return self._current.spec

    def infer(self, images_BHW3: UInt8, slots: Sequence[int], dt_s: Sequence[float]) -> list[SceneGraph]:
        if self._trial is None:
            return self._current.infer(images_BHW3, slots, dt_s)
        check_batch(self.spec, images_BHW3, slots, dt_s)
        graphs = self._attempt(lambda engine: _infer_in_parts(engine, images_BHW3, slots, dt_s))
        if self._trial is None:
            return graphs
        if all(graph.is_finite() for graph in graphs):
            self._trial.frames_left -= len(graphs)
            return graphs
        self._roll_back("it gave numbers that are not finite")
        return _infer_in_parts(self._current, images_BHW3, slots, dt_s)

    def read_memory(self, slot: int) -> Memory:
        return self._attempt(lambda engine: engine.read_memory(slot))

    def write_memory(self, slot: int, memory: Memory | None) -> None:
        """While one engine is on trial the other is kept in step: a slot may have a new owner by the time of a roll back."""
        self._attempt(lambda engine: engine.write_memory(slot, memory))
        if self._trial is not None and self._trial.same_model:
            self._trial.old.write_memory(slot, memory)

    def replace_prototypes(self, objects_CD: Float, predicates_KD: Float) -> None:
        """Also for an engine of the same model that takes over later."""
        self._attempt(lambda engine: engine.replace_prototypes(objects_CD, predicates_KD))
        self._prompts = _Prompts(self.spec.model_hash, objects_CD, predicates_KD)
        if self._trial is not None and self._trial.same_model:
            self._trial.old.replace_prototypes(objects_CD, predicates_KD)

    def close(self) -> None:
        """Close every engine that is open."""
        late = self._preparing.wait(CLOSE_WAIT_S) if self._preparing is not None else None
        old = self._trial.old if self._trial is not None else None
        for engine in (self._current, old, late, self._failed):
            if engine is not None:
                engine.close()
        self._preparing = self._trial = self._failed = None

    @property
    def is_busy(self) -> bool:
        """A swap is going on: opening, on trial, or not yet polled to its end."""
        return bool(self._preparing or self._trial or self._failed or self._reports)

    def prepare(self, open_new: Callable[[], Engine], check: Callable[[Engine], None] | None = None) -> None:
        """Open (and warm up) another engine in a thread; `check` raises ValueError when it is not good enough, as an accuracy gate does.

        Raises ValueError while a swap is going on.
        """
        if self.is_busy:
            raise ValueError("an engine is being exchanged already: wait until it is kept or rolled back")
        self._preparing = _Preparation(open_new, check)

    def poll(self) -> SwapReport | None:
        """Take the next step of a swap, if one is due, and say what was done. Call it between batches until it returns None."""
        if self._failed is not None:
            failed, self._failed = self._failed, None
            failed.close()
        if self._reports:
            return self._reports.popleft()
        if self._trial is not None and self._trial.frames_left <= 0:
            return self._keep(self._trial)
        if self._preparing is not None and self._preparing.is_done:
            preparing, self._preparing = self._preparing, None
            return self._take_over(preparing)
        return None

    def _take_over(self, prepared: "_Preparation") -> SwapReport:
        if prepared.engine is None:
            return SwapReport(prepared.outcome, prepared.why, self.spec)
        new, old = prepared.engine, self._current
        sizes, expected = ((spec.num_streams, spec.max_pixels) for spec in (new.spec, old.spec))
        if sizes != expected:
            new.close()
            return SwapReport(SwapOutcome.UNFIT, f"streams and pixels are {sizes}, expected {expected}", self.spec)
        same_model = new.spec.model_hash == old.spec.model_hash
        try:
            self._furnish(new, same_model)
        except RuntimeError as error:
            new.close()
            return SwapReport(SwapOutcome.NOT_CHECKED, str(error), self.spec)
        self._current, self._trial = new, _Trial(old, same_model, self._trial_frames)
        return SwapReport(SwapOutcome.SWITCHED if same_model else SwapOutcome.SWITCHED_MODEL, "", self.spec)

    def _furnish(self, new: Engine, same_model: bool) -> None:
        """Give a new engine what the old one has gathered; what was left from warming up goes."""
        for slot in range(new.spec.num_streams):
            new.write_memory(slot, _sound(self._current.read_memory(slot)) if same_model else None)
        if self._prompts is not None and self._prompts.model_hash == new.spec.model_hash:
            new.replace_prototypes(self._prompts.objects_CD, self._prompts.predicates_KD)

    def _keep(self, trial: _Trial) -> SwapReport:
        self._trial = None
        trial.old.close()
        return SwapReport(SwapOutcome.KEPT, "", self.spec)

    def _attempt(self, call: Callable[[Engine], T]) -> T:
        """Ask the serving engine; when it fails on trial, the old one."""
        if self._trial is None:
            return call(self._current)
        try:
            return call(self._current)
        except RuntimeError as error:
            self._roll_back(f"it raised: {error}")
        return call(self._current)

    def _roll_back(self, why: str) -> None:
        """The old engine serves again; the new one is closed by the next poll. Raises RuntimeError between different models."""
        assert self._trial is not None
        trial, self._trial = self._trial, None
        self._failed, self._current = self._current, trial.old
        outcome = SwapOutcome.ROLLED_BACK if trial.same_model else SwapOutcome.ROLLED_BACK_MODEL
        self._reports.append(SwapReport(outcome, why, self.spec))
        if not trial.same_model:
            for slot in range(self.spec.num_streams):
                self._current.write_memory(slot, None)
            raise RuntimeError(f"{outcome.value} ({why})")


class _Preparation:
    """Opens and checks an engine in a thread. When `is_done`, either `engine` is there or `outcome` and `why` say what went wrong."""

    def __init__(self, open_new: Callable[[], Engine], check: Callable[[Engine], None] | None) -> None:
        self.engine: Engine | None = None
        self.outcome = SwapOutcome.NOT_OPENED
        self.why = "its thread died; the log has the traceback"
        self._thread = threading.Thread(target=self._run, args=(open_new, check), name="vigil-swap", daemon=True)
        self._thread.start()

    @property
    def is_done(self) -> bool:
        return not self._thread.is_alive()

    def wait(self, timeout_s: float) -> Engine | None:
        """The engine, if it is there in time."""
        self._thread.join(timeout_s)
        return self.engine

    def _run(self, open_new: Callable[[], Engine], check: Callable[[Engine], None] | None) -> None:
        try:
            engine = open_new()
        except FAILURES as error:
            self.why = str(error)
            return
        try:
            if check is not None:
                check(engine)
        except FAILURES as error:
            self.outcome, self.why = SwapOutcome.NOT_CHECKED, str(error)
            engine.close()
            return
        self.engine = engine


def _infer_in_parts(engine: Engine, images_BHW3: UInt8, slots: Sequence[int], dt_s: Sequence[float]) -> list[SceneGraph]:
    """A batch that was made up for an engine with a larger `max_batch` is run in parts."""
    width = engine.spec.max_batch
    starts = range(0, len(slots), width)
    parts = ((images_BHW3[at : at + width], slots[at : at + width], dt_s[at : at + width]) for at in starts)
    return [graph for part in parts for graph in engine.infer(*part)]


def _sound(memory: Memory) -> Memory | None:
    """A memory worth carrying: not empty, and all numbers."""
    numbers = bool(np.isfinite(memory.prototypes_PD).all() and np.isfinite(memory.counts_P).all())
    return memory if numbers and memory.counts_P.any() else None
