"""A picture of `vigil eval-tracks`: relation filters as curves of delay and finds against flicker and falsehood, identities as bars."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from service.cli.eval_tracks_measure import Report, SetReport
from service.cli.eval_tracks_variants import FILTERS, SHIPPED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW_HEIGHT, WIDTH = 4.2, 15.0
BAR = 0.38


def require_matplotlib() -> None:
    """ValueError that says how to get it, before anything long has run."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ValueError(f"the picture needs matplotlib ({error}): pip install matplotlib") from error


def draw(report: Report, path: Path) -> None:
    """One row of three charts for each set of clips. The file is a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, ROW_HEIGHT * len(report.sets)), layout="constrained")
    rows = np.asarray(figure.subplots(len(report.sets), 3, squeeze=False))
    for (late, found, same), one in zip(rows, report.sets, strict=True):
        _draw_curves(late, found, one)
        _draw_identities(same, one)
    figure.suptitle(f"{report.checkpoint} through the service's pipeline; curves: thresholds moved, ring: as they are")
    figure.savefig(path, dpi=110)


def _draw_curves(late: "Axes", found: "Axes", one: SetReport) -> None:
    for relation_filter in FILTERS:
        points = [point for point in one.curves if point.relations_by == relation_filter.name]
        for axes, across, up in (
            (late, [point.edges.flicker for point in points], [point.edges.delay_p95_s for point in points]),
            (
                found,
                [point.edges.false_edge_minutes_per_hour for point in points],
                [point.edges.found / max(point.edges.spells, 1) for point in points],
            ),
        ):
            (line,) = axes.plot(across, up, marker=".", label=relation_filter.name)
            at = [row for row, point in enumerate(points) if point.log_odds == 0.0]
            axes.plot([across[row] for row in at], [up[row] for row in at], "o", markersize=10, fillstyle="none", color=line.get_color())
    late.set(
        title=f"{one.name}: {one.clips} clips", xlabel="published changes per true change (flicker)", ylabel="delay of finds, 95 % (s)"
    )
    found.set(xlabel="false edge minutes per hour", ylabel="share of true spells found")
    found.legend(fontsize=8)


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
