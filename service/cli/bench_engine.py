"""How fast an engine runs here: milliseconds a frame by checkpoint and number of threads, all settings taken in turns within one run."""

import os
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from msgspec import Struct

from engines.canvas import fit_canvas
from engines.factory import open_engine
from engines.protocol import Engine, UInt8

ROUND_FRAMES = 5
WARM_FRAMES = 3
SOURCE_HW = (720, 1280)


class EngineResult(Struct):
    """One setting. `ratio` is its median over that of the first checkpoint on one thread, in the same run."""

    checkpoint: str
    threads: int
    width: int
    height: int
    frames: int
    load_s: float
    p50_ms: float
    p95_ms: float
    fps: float
    ratio: float


def measure_engine(
    backend: str, model_dirs: Sequence[Path], max_pixels: int, seconds: float, on_step: Callable[[], None]
) -> list[EngineResult]:
    """Every checkpoint on every thread count from one to the cores, on the canvas of a 1280x720 source. ValueError for a bad backend or
    checkpoint."""
    counts = list(range(1, (os.cpu_count() or 1) + 1))[:8]
    settings = [(folder, threads) for folder in model_dirs for threads in counts]
    engines: list[Engine] = []
    loads_s: list[float] = []
    for folder, threads in settings:
        started_s = time.perf_counter()
        engines.append(open_engine(backend, model_dir=folder, num_streams=1, max_pixels=max_pixels, threads=threads))
        loads_s.append(time.perf_counter() - started_s)
    canvas = fit_canvas(*SOURCE_HW, max_pixels)
    pictures = [_picture(canvas.height, canvas.width, seed) for seed in range(8)]
    times_ms = _take_turns(engines, pictures, seconds, on_step)
    for engine in engines:
        engine.close()
    base_ms = statistics.median(times_ms[0])
    return [
        _result(folder.name, threads, canvas.width, canvas.height, load_s, times, base_ms)
        for (folder, threads), load_s, times in zip(settings, loads_s, times_ms, strict=True)
    ]


def _take_turns(engines: list[Engine], pictures: list[UInt8], seconds: float, on_step: Callable[[], None]) -> list[list[float]]:
    for engine in engines:
        _run(engine, pictures, WARM_FRAMES)
    times_ms: list[list[float]] = [[] for _ in engines]
    deadline_s = time.perf_counter() + seconds
    while time.perf_counter() < deadline_s or not times_ms[0]:
        for engine, times in zip(engines, times_ms, strict=True):
            times += _run(engine, pictures, ROUND_FRAMES)
        on_step()
    return times_ms


def _run(engine: Engine, pictures: list[UInt8], count: int) -> list[float]:
    times_ms: list[float] = []
    for number in range(count):
        started_s = time.perf_counter()
        engine.infer(pictures[number % len(pictures)][None], [0], [0.04])
        times_ms.append((time.perf_counter() - started_s) * 1000)
    return times_ms


def _result(
    checkpoint: str, threads: int, width: int, height: int, load_s: float, times_ms: list[float], base_ms: float
) -> EngineResult:  # fmt: skip
    p50_ms = statistics.median(times_ms)
    p95_ms = float(np.percentile(times_ms, 95))
    return EngineResult(checkpoint, threads, width, height, len(times_ms), load_s, p50_ms, p95_ms, 1000 / p50_ms, p50_ms / base_ms)


def _picture(height: int, width: int, seed: int) -> UInt8:
    """Large blocks of colour with a little noise: the cost of a network does not depend on it."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (height // 32, width // 32, 3)).repeat(32, 0).repeat(32, 1)
    noise = rng.integers(-8, 9, (height, width, 3))
    picture: UInt8 = np.clip(blocks + noise, 0, 255).astype(np.uint8)
    return picture
