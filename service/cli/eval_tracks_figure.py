"""A picture of `vigil eval-tracks`: relation filters as curves (delay, cover against flicker, falsehood), identities as bars."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from service.cli.eval_tracks_measure import Point, Report, SetReport
from service.cli.eval_tracks_variants import FILTERS, SHIPPED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW_HEIGHT, WIDTH = 4.2, 19.0
BAR = 0.38


def require_matplotlib() -> None:
    """ValueError that says how to get it, before anything long has run."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ValueError(f"the picture needs matplotlib ({error}): pip install matplotlib") from error


def draw(report: Report, path: Path) -> None:
    """One row of four charts for each set of clips. The file is a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, ROW_HEIGHT * len(report.sets)), layout="constrained")
    rows = np.asarray(figure.subplots(len(report.sets), 4, squeeze=False))
    for (late, steady, true, same), one in zip(rows, report.sets, strict=True):
        late.set(xlabel="published changes per true change (flicker)", ylabel="delay of finds, 95 % (s)")
        _draw_curves(late, one, lambda point: (point.edges.flicker, point.edges.delay_p95_s))
        steady.set(xlabel="edge changes published per minute", ylabel="true edges' time that is published")
        _draw_curves(steady, one, lambda point: (point.edge_changes_per_minute, point.covered))
        true.set(xlabel="false edge minutes per hour", ylabel="true edges' time that is published")
        _draw_curves(true, one, lambda point: (point.edges.false_edge_minutes_per_hour, point.covered))
        true.legend(fontsize=8)
        late.set_title(f"{one.name}: {one.clips} clips, {one.judged} frames judged", fontsize=10)
        _draw_identities(same, one)
    figure.suptitle(f"{report.checkpoint} through the service's pipeline; curves: thresholds moved, ring: as they are")
    figure.savefig(path, dpi=100)


def _draw_curves(axes: "Axes", one: SetReport, place: Callable[[Point], tuple[float, float]]) -> None:
    for relation_filter in FILTERS:
        points = [point for point in one.curves if point.relations_by == relation_filter.name]
        across, up = zip(*map(place, points), strict=True)
        (line,) = axes.plot(across, up, marker=".", label=relation_filter.name)
        at = [place(point) for point in points if point.log_odds == 0.0]
        axes.plot(*zip(*at, strict=True), "o", markersize=10, fillstyle="none", color=line.get_color())


def _draw_identities(axes: "Axes", one: SetReport) -> None:
    rows = [variant for variant in one.variants if variant.relations_by == SHIPPED]
    at = np.arange(len(rows))
    other = axes.twinx()
    axes.bar(at - BAR / 2, [row.identities.switches for row in rows], BAR, color="tab:blue")
    other.bar(at + BAR / 2, [100.0 * row.identities.duplicate_rate for row in rows], BAR, color="tab:orange")
    for bars, rates in ((axes, [row.identities.switches for row in rows]), (other, [row.identities.duplicate_rate for row in rows])):
        bars.set_ylim(0.0, 1.0 if not any(rates) else None)
    axes.set_ylabel("identity switches", color="tab:blue")
    other.set_ylabel("duplicates, % of published entities", color="tab:orange")
    axes.set_xticks(at, [f"{row.identities_by}\nIDF1 {row.identities.idf1:.3f}" for row in rows])
