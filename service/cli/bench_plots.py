"""Pictures of a report, one for each part. Needs matplotlib, which only the extra `train` installs; `has_matplotlib` says so before."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engines.bench import EngineReport
from service.cli.bench_batcher import BatcherResult
from service.cli.bench_peers import PeersResult
from service.cli.bench_report import MOST_STAGES_MS, Report
from service.cli.bench_stages import NETWORK_STAGES, StagesResult
from service.cli.bench_streams import StreamsResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MISSING = "no plots: matplotlib is not installed (pip install matplotlib, or the extra train)"
DPI = 110
PARTS = (("worker", "worker_us", "tab:blue"), ("engine", "engine_us", "tab:orange"), ("redis", "redis_us", "tab:green"))


def has_matplotlib() -> bool:
    """Whether `draw` can work here."""
    return importlib.util.find_spec("matplotlib") is not None


def draw(report: Report, results: Path) -> dict[str, Path]:
    """PNG files beside the results file; section name -> file."""
    made = {
        "engine": _engine(report.engine) if report.engine else None,
        "stages": _stages(report.stages) if report.stages else None,
        "batcher": _batcher(report.batcher, report.batcher_cost_us) if report.batcher else None,
        "simulated": _streams(report.simulated, report.machine.cores) if report.simulated else None,
        "streams": _streams(report.streams, report.machine.cores) if report.streams else None,
        "peers": _peers(report.peers) if report.peers else None,
    }
    files: dict[str, Path] = {}
    for name, figure in made.items():
        if figure is not None:
            files[name] = results.with_name(f"{results.stem}-{name}.png")
            figure.savefig(files[name], dpi=DPI)
    return files


def _figure(width: float, height: float, title: str) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(title, fontsize=11)
    return figure


def _engine(report: EngineReport) -> "Figure":
    names = [f"{one.backend} {one.checkpoint}\n{one.width}x{one.height}, {one.threads} thr., batch {one.batch}" for one in report.results]
    figure = _figure(9.0, 1.2 + 0.5 * len(names), "Engine: milliseconds a frame (bar: median call, line: 95 %)")
    axes = figure.subplots()
    for row, one in enumerate(report.results):
        axes.barh(row, one.p50_ms / one.batch, color="tab:orange")
        axes.plot([one.p50_ms / one.batch, one.p95_ms / one.batch], [row, row], color="black", linewidth=1)
        axes.annotate(f" {one.fps:.1f} frames/s", (max(one.p50_ms, one.p95_ms) / one.batch, row), va="center", fontsize=8)
    _rows(axes, names)
    axes.set_xlabel("ms a frame")
    axes.margins(x=0.15)
    return figure


def _stages(result: StagesResult) -> "Figure":
    figure = _figure(10.0, 4.8, f"Stages: processor time a frame by process; | marks the floor ({result.clip})")
    left, right = figure.subplots(1, 2, width_ratios=(3, 1))
    _stage_bars(left, [stage for stage in result.stages if stage.stage not in NETWORK_STAGES], result)
    network = [stage for stage in result.stages if stage.stage in NETWORK_STAGES]
    _stage_bars(right, network, result)
    right.set_title(f"the network ({result.backend})", fontsize=9)
    others_ms = result.without(*NETWORK_STAGES, "decode")
    left.set_title(f"all but network and decode: {others_ms:.2f} ms (asked: <= {MOST_STAGES_MS:g})", fontsize=9)
    left.legend(fontsize=8)
    return figure


def _stage_bars(axes: "Axes", stages: Sequence[object], result: StagesResult) -> None:
    shown = [stage for stage in result.stages if stage in stages]
    begin = np.zeros(len(shown))
    for label, field, colour in PARTS:
        long = np.array([getattr(stage, field) / 1000 for stage in shown])
        axes.barh(range(len(shown)), long, left=begin, color=colour, label=label)
        begin += long
    for row, stage in enumerate(shown):
        text = f" {stage.cpu_us / 1000:.2f}" + (f" ({stage.ratio:.1f} x)" if stage.ratio else "")
        axes.annotate(text, (max(float(begin[row]), stage.floor_us / 1000), row), va="center", fontsize=8)
        if stage.floor_us:
            axes.plot([stage.floor_us / 1000] * 2, [row - 0.45, row + 0.45], color="black", linewidth=2)
    _rows(axes, [stage.stage for stage in shown])
    axes.set_xlabel("CPU ms a frame")
    axes.margins(x=0.45 if len(shown) == 1 else 0.25)


def _batcher(results: Sequence[BatcherResult], cost_us: float) -> "Figure":
    figure = _figure(9.0, 3.6, f"Batcher: a network of {cost_us:g} us a frame, frames always ready")
    rate, cost = figure.subplots(1, 2)
    counts = [one.streams for one in results]
    rate.plot(counts, [one.frames_per_s for one in results], marker="o")
    rate.set_ylabel("frames/s through the engine process")
    cost.plot(counts, [one.cpu_us for one in results], marker="o", color="tab:orange")
    cost.set_ylabel("CPU us a frame, engine process")
    for axes in (rate, cost):
        _by_streams(axes, counts)
    return figure


def _streams(result: StreamsResult, machine_cores: int) -> "Figure":
    asked = result.points[0].asked_fps
    figure = _figure(12.0, 7.0, f"Streams at {asked:g} FPS: {result.source}; engine: {result.engine}")
    (rates, ages), (cores, cost) = figure.subplots(2, 2)
    points, counts = result.points, [point.streams for point in result.points]
    rates.fill_between(
        counts, [one.fps_min for one in points], [one.fps_max for one in points], alpha=0.3, label="slowest to fastest stream"
    )
    rates.plot(counts, [one.fps_mean for one in points], marker="o", label="mean")
    rates.plot(counts, [one.window_fps_min for one in points], color="tab:red", linewidth=1, label="slowest stream's worst 10 s")
    rates.axhline(asked, color="grey", linestyle="--", linewidth=1, label="asked")
    rates.set_ylabel("analysed FPS of a stream")
    ages.plot(counts, [one.age_p50_ms for one in points], marker="o", label="p50")
    ages.plot(counts, [one.age_p95_ms for one in points], marker="o", label="p95")
    ages.set_ylabel("capture to policy decision, ms")
    _stack_cores(cores, result, machine_cores)
    cost.plot(counts, [one.cpu_ms_per_frame for one in points], marker="o", color="tab:blue")
    cost.set_ylabel("CPU ms an analysed frame, all processes", color="tab:blue")
    memory = cost.twinx()
    memory.plot(counts, [one.rss_mib for one in points], marker="s", color="tab:purple")
    memory.set_ylabel("RSS of all processes, MiB", color="tab:purple")
    memory.set_ylim(0, 1.3 * max(one.rss_mib for one in points))
    for axes in (rates, ages, cores, cost):
        _by_streams(axes, counts)
    rates.set_ylim(0, 1.15 * max(asked, *(one.fps_max for one in points)))
    for axes in (rates, ages, cores):
        axes.legend(fontsize=8)
    return figure


def _stack_cores(axes: "Axes", result: StreamsResult, machine_cores: int) -> None:
    """Processes of one name are added up; the origin is drawn apart, it is not Vigil's."""
    counts = [point.streams for point in result.points]
    names = list(dict.fromkeys(process.name for point in result.points for process in point.processes if process.cores > 0.01))
    shares = [[sum(process.cores for process in point.processes if process.name == name) for point in result.points] for name in names]
    if names:
        axes.stackplot(counts, shares, labels=names, alpha=0.8)
    axes.plot(counts, [point.origin_cores for point in result.points], color="black", linestyle=":", label="the source (not Vigil)")
    axes.plot(counts, [point.other_cores for point in result.points], color="red", linestyle=":", label="other programs")
    axes.axhline(machine_cores, color="grey", linestyle="--", linewidth=1, label="cores of this machine")
    axes.set_ylabel("cores")


def _peers(result: PeersResult) -> "Figure":
    figure = _figure(
        9.0, 1.2 + 0.55 * len(result.contenders), f"Peers on {result.clip}, in turns: frames a second, each as fast as it goes"
    )
    axes = figure.subplots()
    for row, one in enumerate(result.contenders):
        axes.barh(row, one.fps, color="tab:blue" if one.name.startswith("vigil") else "tab:grey")
        axes.annotate(f" {one.fps:.2f} ({one.ratio:.2f} x)", (one.fps, row), va="center", fontsize=8)
    _rows(axes, [f"{one.name}\n{one.width}x{one.height}, {one.threads} thr." for one in result.contenders])
    axes.set_xlabel("frames/s (x: pace over the plain loop)")
    axes.margins(x=0.2)
    return figure


def _rows(axes: "Axes", names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.invert_yaxis()


def _by_streams(axes: "Axes", counts: Sequence[int]) -> None:
    if len(counts) > 1:
        axes.set_xscale("log", base=2)
    axes.set_xticks(counts, [f"{count}" for count in counts])
    axes.minorticks_off()
    axes.set_xlabel("streams")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
