"""Puts what the model's folder holds into the engine that serves, when it changes; says in log and metric how it went. Knows no client."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import structlog

from engines.canvas import fit_canvas
from engines.protocol import Engine
from engines.swap import SwapOutcome, SwappingEngine
from service.metrics import Metrics
from service.shard.model_watch import ModelWatch

log = structlog.get_logger()

USUAL_SOURCE_HW = (720, 1280)
GOOD = (SwapOutcome.SWITCHED, SwapOutcome.SWITCHED_MODEL, SwapOutcome.KEPT)


class ModelSwapper:
    """`open_model` opens a folder; that and the check run in a thread while the old engine serves.

    One change at a time: while an engine is on trial (which takes frames) another change of the folder waits.
    """

    def __init__(self, engine: SwappingEngine, watch: ModelWatch, open_model: Callable[[Path], Engine], metrics: Metrics) -> None:
        self._engine = engine
        self._watch = watch
        self._open_model = open_model
        self._metrics = metrics

    def poll(self, now_s: float) -> None:
        """Between batches: take the next step, if there is one."""
        if not self._engine.is_busy:
            folder = self._watch.look(now_s)
            if folder is not None:
                log.info("model_found", folder=str(folder))
                self._engine.prepare(lambda: self._open_model(folder), check)
            return
        while (report := self._engine.poll()) is not None:
            outcome = report.outcome
            self._metrics.engine_swaps.labels(outcome.name.lower()).inc()
            tell = log.info if outcome in GOOD else log.error
            tell("model_swap", outcome=outcome.value, why=report.why, model=report.spec.model, model_hash=report.spec.model_hash)


def check(engine: Engine) -> None:
    """ValueError when a grey picture gives numbers that are not finite."""
    canvas = fit_canvas(*USUAL_SOURCE_HW, engine.spec.max_pixels)
    [graph] = engine.infer(np.full((1, canvas.height, canvas.width, 3), 127, np.uint8), [0], [0.0])
    if not graph.is_finite():
        raise ValueError(f"{engine.spec.model} gives numbers that are not finite")
