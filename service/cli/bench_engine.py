"""The engine's part of `vigil bench`: checkpoints in turns, or backends by threads and batches. The measuring is engines/bench.py's."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from engines.bench import EngineReport, EngineResult, Setting, measure_engines

MAX_THREADS = 8


def measure_engine(
    backend: str, model_dirs: Sequence[Path], max_pixels: int, seconds: float, on_step: Callable[[], None]
) -> list[EngineResult]:
    """Every checkpoint on every thread count from one to the cores, frame by frame. ValueError for a bad backend or checkpoint."""
    counts = range(1, min(MAX_THREADS, os.cpu_count() or 1) + 1)
    settings = [Setting(backend, folder, max_pixels, threads) for folder in model_dirs for threads in counts]
    report = measure_engines(settings, [1], seconds, on_step)
    if report.skipped:
        raise ValueError("; ".join(report.skipped))
    return report.results


def measure_backends(
    backends: Sequence[str], model_dirs: Sequence[Path], max_pixels: Sequence[int], batches: Sequence[int], seconds: float,
    on_step: Callable[[], None],
) -> EngineReport:  # fmt: skip
    """Every backend, checkpoint and canvas on one thread and on all cores, by batch; what cannot run here is said in the report."""
    counts = sorted({1, min(MAX_THREADS, os.cpu_count() or 1)})
    settings = [
        Setting(backend, folder, pixels, threads)
        for backend in backends
        for folder in model_dirs
        for pixels in max_pixels
        for threads in counts
    ]
    return measure_engines(settings, batches, seconds, on_step)
