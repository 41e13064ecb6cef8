"""The engine process: opens an engine, serves it (engine_server.py), tells the supervisor how it goes. Knows no stream and no Redis."""

import selectors
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import structlog

from engines.canvas import fit_canvas
from engines.factory import SHIPPED, Chosen, choose_engine
from engines.protocol import Engine
from engines.swap import SwapOutcome, SwappingEngine
from service import logs
from service.metrics import Metrics
from service.settings import Settings
from service.shard.capacity import Capacity
from service.shard.engine_server import EngineServer
from service.shard.messages import BEAT_EVERY_S, Beat, EngineReady, StartFailed
from service.shard.model_watch import ModelWatch
from service.shard.process import begin
from service.shard.swapper import USUAL_SOURCE_HW, ModelSwapper

log = structlog.get_logger()

TRIAL_BATCHES = 5


def main(settings: Settings, address: Path, parent: Connection) -> None:
    """Process main. Serves until the parent hangs up or says stop."""
    begin("engine", dies_with_parent=True)
    logs.configure(settings.log_level, as_json=settings.log_json, process="engine", shard=settings.shard)
    started_s = time.monotonic()
    try:
        chosen = _choose(settings, settings.model_dir)
    except ValueError as error:
        parent.send(StartFailed(str(error)))
        return
    engine, metrics = SwappingEngine(chosen.engine), Metrics(of_engine=True)
    server = EngineServer(engine, address, metrics)
    measure(engine, server.capacity)
    swapper = ModelSwapper(engine, ModelWatch(settings.model_dir or SHIPPED), lambda folder: _choose(settings, folder).engine, metrics)
    parent.send(_ready(chosen, server.capacity, metrics, time.monotonic() - started_s))
    try:
        serve(server, swapper.poll, metrics, parent)
    except (BrokenPipeError, ConnectionResetError):
        log.info("engine_orphaned")
    finally:
        server.close()
        engine.close()


def measure(engine: Engine, capacity: Capacity) -> None:
    """The fastest of a few full batches of a usual picture, before anyone is connected, while other processes still start.

    The memories are empty again afterwards.
    """
    spec = engine.spec
    slots = range(min(spec.best_batch, spec.max_batch, spec.num_streams))
    canvas = fit_canvas(*USUAL_SOURCE_HW, spec.max_pixels)
    images_BHW3 = np.full((len(slots), canvas.height, canvas.width, 3), 127, np.uint8)
    took_s = []
    for _ in range(TRIAL_BATCHES):
        started_s = time.monotonic()
        engine.infer(images_BHW3, slots, [0.0] * len(slots))
        took_s.append(time.monotonic() - started_s)
    capacity.try_out(len(slots), min(took_s))
    for slot in slots:
        engine.write_memory(slot, None)


def serve(server: EngineServer, between_batches: Callable[[float], None], metrics: Metrics, parent: Connection) -> None:
    """Until the parent hangs up or says stop."""
    server.selector.register(parent, selectors.EVENT_READ)
    next_beat_s = time.monotonic()
    while True:
        try:
            if parent in server.gather(BEAT_EVERY_S):
                return
            server.step()
        except RuntimeError as error:
            if not server.follow():
                raise
            log.error("model_rolled_back", why=str(error))
        now_s = time.monotonic()
        between_batches(now_s)
        server.follow()
        if now_s >= next_beat_s:
            server.report(now_s)
            parent.send(Beat(metrics.expose()))
            next_beat_s = now_s + BEAT_EVERY_S


def _choose(settings: Settings, model_dir: Path | None) -> Chosen:
    return choose_engine(
        settings.engine,
        model_dir=model_dir,
        num_streams=settings.max_streams,
        max_pixels=settings.max_pixels,
        threads=settings.engine_threads,
    )


def _ready(chosen: Chosen, capacity: Capacity, metrics: Metrics, load_s: float) -> EngineReady:
    spec = chosen.engine.spec
    metrics.engine_fell_back.set(chosen.fell_back)
    for outcome in SwapOutcome:
        metrics.engine_swaps.labels(outcome.name.lower())
    for one in chosen.passed_over:
        metrics.engine_passed_over.labels(one.backend, one.why).set(1)
    passed_over = tuple((one.backend, one.why) for one in chosen.passed_over)
    return EngineReady(spec.backend, spec.model, spec.model_hash, load_s, capacity.frames_per_s, passed_over)
