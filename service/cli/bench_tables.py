"""A report as tables, in Markdown that is also read in a terminal; and the part of docs/benchmark.md that is made from them."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from engines.bench import EngineReport
from service.cli.bench_batcher import BatcherResult
from service.cli.bench_peers import PeersResult
from service.cli.bench_report import Report, Verdict
from service.cli.bench_stages import StagesResult
from service.cli.bench_stream import StreamResult
from service.cli.bench_streams import LoadPoint, StreamsResult

BEGIN = "<!-- written by `vigil bench --page`: what stands between here and the end mark is replaced -->"
END = "<!-- end of what is written by vigil bench -->"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table with even columns; the first is text, the others are numbers."""
    widths = [max(len(cells[column]) for cells in (head, *rows)) for column in range(len(head))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return [_row(head, widths), _row(rule, widths), *(_row(cells, widths) for cells in rows)]


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        cell.ljust(width) if column == 0 else cell.rjust(width) for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "| " + " | ".join((first, *others)) + " |"


def number(value: float | None, digits: int = 1) -> str:
    """A dash for what is not known."""
    return "-" if value is None else f"{value:.{digits}f}"


def machine_lines(report: Report) -> list[str]:
    """Where it was measured, and a warning when other work ran beside it."""
    machine = report.machine
    lines = [f"{machine.processor}, {machine.cores} cores, {machine.system}, Python {machine.python}, {machine.measured_at}"]
    if machine.load_before > 0.5:
        lines.append(f"The machine was busy (load {machine.load_before:.1f}): times are too long, ratios within the run hold better.")
    return lines


def verdict_lines(verdicts: Sequence[Verdict]) -> list[str]:
    """What is asked, what was found."""
    rows = [(one.what, one.asked, one.found, "holds" if one.holds else "MISSED") for one in verdicts]
    return table(("asked on two cores", "limit", "found", "verdict"), rows)


def engine_lines(result: EngineReport) -> list[str]:
    """One row for each setting."""
    head = ("engine", "canvas", "threads", "batch", "p50 ms", "p95 ms", "frames/s", "time a frame", "GFLOP/s", "of ceiling", "MiB")
    rows = [
        (
            f"{one.backend}, {one.checkpoint}, {one.precision}",
            f"{one.width}x{one.height}",
            f"{one.threads}",
            f"{one.batch}",
            number(one.p50_ms),
            number(one.p95_ms),
            number(one.fps),
            f"{one.ratio:.2f} x",
            number(one.gflops),
            "-" if one.ceiling_share is None else f"{one.ceiling_share:.0%}",
            number(one.memory_mib, 0),
        )
        for one in result.results
    ]
    ceilings = [f"Ceiling on {one.threads} threads: {one.best:.0f} GFLOP/s." for one in result.ceilings]
    return [*table(head, rows), "", *ceilings, *(f"Not run: {reason}" for reason in _reasons(result.skipped))]


def _reasons(skipped: Sequence[str]) -> list[str]:
    """Without the setting that each begins with, each once."""
    return list(dict.fromkeys(reason.partition(": ")[2] or reason for reason in skipped))


def stages_lines(result: StagesResult) -> list[str]:
    """Milliseconds of processor time; then the steps inside, in microseconds."""
    head = ("CPU ms a frame", "worker", "engine", "redis", "all", "floor", "ratio", "what the floor is")
    rows = [
        (
            stage.stage,
            number(stage.worker_us / 1000, 3),
            number(stage.engine_us / 1000, 3),
            number(stage.redis_us / 1000, 3),
            number(stage.cpu_us / 1000, 3),
            number(stage.floor_us / 1000, 4) if stage.floor else "-",
            "-" if stage.ratio is None else f"{stage.ratio:.1f} x",
            stage.floor or "-",
        )
        for stage in result.stages
    ]
    inside = "; ".join(f"{step.step} {step.cpu_us:.0f}" for step in result.steps)
    seen = f"{result.frames} frames with {result.things} things and {result.relations} relations"
    found = f"{seen}; stored state {result.blob_bytes / 1024:.1f} KiB."
    return [*table(head, rows), "", found, f"Microseconds of the worker inside the stages: {inside}."]


def batcher_lines(results: Sequence[BatcherResult], cost_us: float) -> list[str]:
    """One row for each number of streams."""
    head = ("streams", "frames/s", "CPU us a frame", "mean batch", "mean wait ms", "most over fewest frames")
    rows = [
        (
            f"{one.streams}",
            number(one.frames_per_s, 0),
            number(one.cpu_us),
            number(one.mean_batch, 2),
            number(one.queue_mean_ms, 2),
            number(one.fairness, 2),
        )
        for one in results
    ]
    return [f"A network that sleeps {cost_us:g} us a frame; every stream always has its next frame ready.", "", *table(head, rows)]


STREAMS_HEAD = (
    *(
        "streams",
        "live",
        "asked",
        "FPS min",
        "mean",
        "max",
        "max/min",
        "worst 10 s",
        "age p50",
        "p95 ms",
        "engine ms",
        "cores",
        "CPU ms/frame",
    ),
    *("RSS MiB", "origin", "others"),
)


def streams_lines(result: StreamsResult) -> list[str]:
    """Rates and ages by number of streams; then what each process took."""
    shortest_s = min(one.seconds for one in result.points)
    about = f"{result.source}; engine: {result.engine}; at least {shortest_s:.0f} s each."
    rows = [_streams_row(one) for one in result.points]
    return [about, "", *table(STREAMS_HEAD, rows), "", *(_streams_words(one) for one in result.points)]


def _streams_row(one: LoadPoint) -> tuple[str, ...]:
    return (
        f"{one.streams}" + (f" ({one.refused} refused)" if one.refused else ""),
        f"{one.live}",
        f"{one.asked_fps:g}",
        number(one.fps_min, 2),
        number(one.fps_mean, 2),
        number(one.fps_max, 2),
        number(one.spread, 2),
        number(one.window_fps_min, 2),
        number(one.age_p50_ms, 0),
        number(one.age_p95_ms, 0),
        number(one.engine_ms),
        number(one.cores, 2),
        number(one.cpu_ms_per_frame),
        number(one.rss_mib, 0),
        number(one.origin_cores, 2),
        number(one.other_cores, 2),
    )


def _streams_words(one: LoadPoint) -> str:
    shares = ", ".join(f"{process.name} {process.cores:.2f}" for process in one.processes if process.cores >= 0.005)
    drops = ", ".join(f"{count} {cause}" for cause, count in sorted(one.drops.items())) or "none"
    return f"- {one.streams} at once: frames not analysed: {drops}. Cores: {shares}."


def stream_lines(result: StreamResult, cores: int) -> list[str]:
    """One stream as a user sees it."""
    lines = [
        f"{result.url}: {result.state}.",
        f"After POST: {result.first_snapshot_s:.2f} s to the first snapshot, {result.first_delta_s:.2f} s to the first delta.",
        f"{result.analysed_fps:.1f} analysed FPS over {result.seconds:.0f} s; {result.lost_seqs} messages lost; longest gap "
        f"{result.longest_gap_ms:.0f} ms.",
        f"Capture to WebSocket: p50 {result.p50_ms:.0f} ms, p95 {result.p95_ms:.0f} ms, max {result.max_ms:.0f} ms.",
    ]
    if not result.processes:
        return lines
    head = ("process", "share of a core", "CPU ms a frame", "RSS MiB at start", "at end")
    rows = [
        (
            use.name,
            f"{use.cores:.1%}",
            number(result.cpu_ms_per_frame(use), 2),
            number(use.rss_start_mib, 0),
            number(use.rss_end_mib, 0),
        )
        for use in result.processes
    ]
    total = f"All processes: {result.cores:.2f} cores, {result.cores / cores:.0%} of this machine's {cores}."
    others = f"Other programs, the source among them: {result.other_cores:.2f} cores."
    return [*lines, "", *table(head, rows), "", total, others]


def peers_lines(result: PeersResult) -> list[str]:
    """Contenders in turns."""
    head = ("contender", "threads", "picture", "M parameters", "frames", "FPS", "CPU ms a frame", "pace over plain loop")
    rows = [
        (
            one.name,
            f"{one.threads}",
            f"{one.width}x{one.height}",
            number(one.parameters_m),
            f"{one.frames}",
            number(one.fps, 2),
            number(one.cpu_ms),
            f"{one.ratio:.2f} x",
        )
        for one in result.contenders
    ]
    told = result.published
    words = (
        f"{told.name} as published: {told.parameters_m:g} M parameters (rebuilt here: {told.rebuilt_parameters_m:.1f} M), "
        f"{told.fps:g} FPS on {told.device} ({told.source})."
    )
    clip = f"{result.clip}, {result.source_width}x{result.source_height}, each as fast as it goes, in turns."
    return [clip, "", *table(head, rows), "", words]


class Section(NamedTuple):
    """One part of a report; `name` is also its plot's."""

    name: str
    title: str
    lines: list[str]


def sections(report: Report) -> list[Section]:
    """Every part that was measured, in reading order."""
    made = (
        report.engine and Section("engine", "Engine", engine_lines(report.engine)),
        report.stages and Section("stages", "Stages", stages_lines(report.stages)),
        report.batcher and Section("batcher", "Batcher", batcher_lines(report.batcher, report.batcher_cost_us)),
        report.simulated and Section("simulated", "Streams, simulated", streams_lines(report.simulated)),
        report.streams and Section("streams", "Streams, real", streams_lines(report.streams)),
        report.stream and Section("stream", "One stream", stream_lines(report.stream, report.machine.cores)),
        report.peers and Section("peers", "Peers", peers_lines(report.peers)),
        report.verdicts and Section("verdicts", "Asked and found", verdict_lines(report.verdicts)),
    )
    return [section for section in made if section]


def fill_page(page: Path, report: Report, results: Path, plots: Mapping[str, Path]) -> None:
    """Put tables and plots between the page's marks. ValueError when it has none."""
    text = page.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ValueError(f"{page}: the two marks between which the figures go are not there")
    lines = [f"From [{results.name}]({_relative(results, page)}): {' '.join(machine_lines(report))}", ""]
    for name, title, body in sections(report):
        lines += [f"### {title}", "", *body, ""]
        if name in plots:
            lines += [f"![{title}]({_relative(plots[name], page)})", ""]
    page.write_text(text[: text.index(BEGIN)] + "\n".join([BEGIN, "", *lines, END]) + text[text.index(END) + len(END) :])


def _relative(target: Path, page: Path) -> str:
    return Path(os.path.relpath(target.resolve(), page.resolve().parent)).as_posix()
