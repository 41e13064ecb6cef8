"""`python -m deploy.grafana.preview`: draws a dashboard's JSON from a Prometheus, where no Grafana is at hand to look at it.

An aid to judge layout and content: the same grid, expressions, units, words and colours, but not Grafana's drawing.
"""

import argparse
import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from deploy.grafana.panel_data import Line, Source, Span, colour_of, field_config, table_of, worded, written

COLUMNS, COLUMN_IN, ROW_IN, HEAD_IN, GAP_IN = 24, 0.7, 0.36, 0.5, 0.09
TITLE_IN, LEGEND_LINE_IN = 0.24, 0.15
MOST_IN_LEGEND = 5
NOTE = "drawn from the panels' expressions, not by Grafana"
COLOURS = {"orange": "#e8861a", "yellow": "#d9a514", "green": "#3d9f3a", "red": "#d0342c", "dark-red": "#8c1512", "blue": "#3274d9"}


def draw(dashboard: Mapping[str, Any], source: Source) -> Figure:
    """The whole dashboard."""
    depth = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
    figure = plt.figure(figsize=(COLUMNS * COLUMN_IN, depth * ROW_IN + HEAD_IN), facecolor="#f4f5f5")
    figure.text(0.006, 1 - 0.5 * HEAD_IN / figure.get_figheight(), dashboard["title"], fontsize=15, va="center", weight="bold")
    figure.text(0.994, 1 - 0.5 * HEAD_IN / figure.get_figheight(), NOTE, fontsize=9, va="center", ha="right", color="#666666")
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            grid = panel["gridPos"]
            height = 1 - (HEAD_IN + (grid["y"] + 0.5) * ROW_IN) / figure.get_figheight()
            figure.text(0.006, height, f"▾ {panel['title']}", fontsize=10, va="center", weight="bold", color="#444444")
        else:
            _panel(figure, panel, source)
    return figure


def _panel(figure: Figure, panel: Mapping[str, Any], source: Source) -> None:
    card = figure.add_axes(_place(figure, panel["gridPos"], 0.0, 0.0))
    card.set(xticks=[], yticks=[], facecolor="white")
    for spine in card.spines.values():
        spine.set_color("#dddddd")
    title = figure.text(0, 0, panel["title"], fontsize=8, weight="bold", va="top")
    left, bottom, _, height = _place(figure, panel["gridPos"], 0.0, 0.0)
    title.set_position((left + 0.004, bottom + height - 0.06 / figure.get_figheight()))
    kinds = {"timeseries": _lines, "stat": _stat, "bargauge": _bars, "table": _table, "state-timeline": _states}
    kinds[panel["type"]](figure, panel, source)


def _place(figure: Figure, grid: Mapping[str, int], left_in: float, under_in: float) -> tuple[float, float, float, float]:
    """Figure fractions of a grid cell, less room at the left, at the bottom and (with room at the left) for the title."""
    wide, tall = figure.get_figwidth(), figure.get_figheight()
    top_in = tall - HEAD_IN - grid["y"] * ROW_IN - GAP_IN / 2 - (TITLE_IN if left_in else 0.0)
    bottom_in = tall - HEAD_IN - (grid["y"] + grid["h"]) * ROW_IN + GAP_IN / 2 + under_in
    left = grid["x"] * COLUMN_IN + GAP_IN / 2 + left_in
    right = (grid["x"] + grid["w"]) * COLUMN_IN - GAP_IN / 2 - (0.12 if left_in else 0.0)
    return left / wide, bottom_in / tall, (right - left) / wide, (top_in - bottom_in) / tall


def _colour(name: str) -> str:
    return COLOURS.get(name, name)


def _empty(axes: Axes, text: str) -> None:
    axes.axis("off")
    axes.text(0.5, 0.5, text, ha="center", va="center", fontsize=10, color="#999999", transform=axes.transAxes)


def _lines(figure: Figure, panel: Mapping[str, Any], source: Source) -> None:
    lines = sorted(source.lines(panel), key=lambda line: line.name)
    shown = min(len(lines), MOST_IN_LEGEND)
    axes = figure.add_axes(_place(figure, panel["gridPos"], 0.62, 0.3 + LEGEND_LINE_IN * shown))
    if not lines:
        _empty(axes, "No data")
        return
    config = panel["fieldConfig"]["defaults"]
    colours = [_line_colour(panel, line, at) for at, line in enumerate(lines)]
    if config["custom"].get("stacking"):
        times = sorted({time_s for line in lines for time_s, _ in line.points})
        values = [[_number(dict(line.points).get(time_s, 0.0)) for time_s in times] for line in lines]
        axes.stackplot(times, values, colors=colours, alpha=0.55, linewidth=0.6)
    else:
        style = "steps-post" if config["custom"].get("lineInterpolation") == "stepAfter" else "default"
        for line, colour in zip(lines, colours, strict=True):
            axes.plot(*zip(*line.points, strict=True), color=colour, linewidth=1.0, drawstyle=style)
    _frame(axes, panel, source, lines)
    _legend(axes, lines, colours, config["unit"])


def _number(value: float) -> float:
    return 0.0 if math.isnan(value) else value


def _line_colour(panel: Mapping[str, Any], line: Line, at: int) -> str:
    fixed = field_config(panel, line.name).get("color", {}).get("fixedColor")
    return _colour(fixed) if fixed else f"C{at % 10}"


def _frame(axes: Axes, panel: Mapping[str, Any], source: Source, lines: list[Line]) -> None:
    config = panel["fieldConfig"]["defaults"]
    axes.set_xlim(source.span.start_s, source.span.end_s)
    bottom, top = axes.get_ylim()
    axes.set_ylim(config.get("min", bottom), config.get("max") or max(top, 1e-9))
    for step in config["thresholds"]["steps"]:
        if step["value"] is not None and any(line.points for line in lines) and step["value"] < axes.get_ylim()[1]:
            axes.axhline(step["value"], color=_colour(step["color"]), linestyle="--", linewidth=0.8)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: time.strftime("%H:%M:%S", time.gmtime(value))))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: written(value, config["unit"])))
    axes.locator_params(nbins=4)
    axes.tick_params(labelsize=6, length=2, color="#bbbbbb")
    axes.grid(color="#eeeeee", linewidth=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _legend(axes: Axes, lines: list[Line], colours: list[str], unit: str) -> None:
    room = axes.get_position().height * (axes.figure.get_figheight() if isinstance(axes.figure, Figure) else 1.0)
    for at, (line, colour) in enumerate(zip(lines, colours, strict=True)):
        y = -(0.26 + LEGEND_LINE_IN * at) / room
        if at == MOST_IN_LEGEND - 1 and len(lines) > MOST_IN_LEGEND:
            axes.text(0, y, f"... and {len(lines) - at} more", fontsize=6, va="top", color="#666666", transform=axes.transAxes)
            return
        peak = max((value for _, value in line.points if not math.isnan(value)), default=math.nan)
        axes.text(0, y, f"━ {line.name or 'value'}", fontsize=6, va="top", color=colour, transform=axes.transAxes)
        axes.text(0.8, y, written(line.last, unit), fontsize=6, va="top", ha="right", transform=axes.transAxes)
        axes.text(1.0, y, f"max {written(peak, unit)}", fontsize=6, va="top", ha="right", transform=axes.transAxes)


def _stat(figure: Figure, panel: Mapping[str, Any], source: Source) -> None:
    axes = figure.add_axes(_place(figure, panel["gridPos"], 0.05, 0.05))
    axes.axis("off")
    lines = source.lines(panel)
    if not lines:
        _empty(axes, panel["fieldConfig"]["defaults"].get("noValue", "No data"))
        return
    mode = panel["options"]["textMode"]
    for at, line in enumerate(lines):
        text, colour = worded(field_config(panel, line.name), line.last)
        x = (at + 0.5) / len(lines)
        if mode == "name":
            text = line.name
        elif mode == "value_and_name":
            axes.text(x, 0.95, line.name, ha="center", va="top", fontsize=7, color="#555555", transform=axes.transAxes)
        size = min(20.0, 62.0 * axes.get_position().width * COLUMNS / (len(lines) * max(3, len(text))))
        axes.text(x, 0.42, text, ha="center", va="center", fontsize=size, weight="bold", color=_colour(colour), transform=axes.transAxes)


def _bars(figure: Figure, panel: Mapping[str, Any], source: Source) -> None:
    lines = source.lines(panel)
    axes = figure.add_axes(_place(figure, panel["gridPos"], 0.1, 0.1))
    if not lines:
        _empty(axes, panel["fieldConfig"]["defaults"].get("noValue", "No data"))
        return
    config = panel["fieldConfig"]["defaults"]
    for at, line in enumerate(lines):
        colour = _colour(colour_of(config["thresholds"]["steps"], line.last))
        axes.barh(-at, line.last, height=0.35, color=colour, alpha=0.75)
        axes.text(0, -at + 0.24, f"{line.name}: {written(line.last, config['unit'])}", fontsize=7, va="bottom")
    axes.set_ylim(min(-4.5, -len(lines) + 0.4), 0.8)
    axes.axis("off")


def _table(figure: Figure, panel: Mapping[str, Any], source: Source) -> None:
    axes = figure.add_axes(_place(figure, panel["gridPos"], 0.06, 0.06))
    headings, rows = table_of(panel, source)
    if not rows:
        _empty(axes, panel["fieldConfig"]["defaults"].get("noValue", "No data"))
        return
    axes.axis("off")
    room_in = axes.get_position().height * figure.get_figheight()
    longest = [max(len(heading), *(len(row[at][0]) for row in rows)) + 2 for at, heading in enumerate(headings)]
    lefts = [sum(longest[:at]) / sum(longest) for at in range(len(headings))]
    for at, row in enumerate([[(heading, "#777777") for heading in headings], *rows]):
        y = 1 - 0.19 * at / room_in
        if y < 0.05:
            break
        for x, (text, colour) in zip(lefts, row, strict=True):
            axes.text(x, y, text, fontsize=7, va="top", color=_colour(colour), transform=axes.transAxes)


def _states(figure: Figure, panel: Mapping[str, Any], source: Source) -> None:
    lines = source.lines(panel)
    axes = figure.add_axes(_place(figure, panel["gridPos"], 0.9, 0.3))
    if not lines:
        _empty(axes, "No data")
        return
    for at, line in enumerate(lines):
        said = ""
        for time_s, value in line.points:
            text, colour = worded(field_config(panel, line.name), value)
            axes.broken_barh([(time_s, source.span.step_s)], (-at - 0.4, 0.8), facecolor=_colour(colour))
            if text != said:
                axes.text(time_s, -at, f" {text}", fontsize=6, va="center", color="white", clip_on=True)
            said = text
    axes.set_yticks([-at for at in range(len(lines))], [line.name for line in lines])
    axes.set_xlim(source.span.start_s, source.span.end_s)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: time.strftime("%H:%M:%S", time.gmtime(value))))
    axes.tick_params(labelsize=6, length=2)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def save(file: Path, out: Path, url: str, variables: Mapping[str, str], span: Span) -> None:
    """Draw the dashboard in `file` and write a PNG."""
    mpl.use("agg")
    source = Source(url, variables, span)
    try:
        figure = draw(json.loads(file.read_text()), source)
    finally:
        source.close()
    figure.savefig(out, dpi=75)
    plt.close(figure)


def main() -> None:
    """One dashboard of a running Prometheus."""
    parser = argparse.ArgumentParser(prog="python -m deploy.grafana.preview", description=__doc__)
    parser.add_argument("dashboard", type=Path, help="a file of deploy/grafana/dashboards")
    parser.add_argument("out", type=Path, help="the PNG to write")
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090", metavar="URL")
    parser.add_argument("--minutes", type=float, default=60.0, help="how far it looks back")
    parser.add_argument("--shard", default=".*")
    parser.add_argument("--stream", default="", help="the stream that vigil-stream.json is about")
    chosen = parser.parse_args()
    end_s = time.time()
    span = Span(end_s - 60 * chosen.minutes, end_s, max(1.0, 60 * chosen.minutes / 240))
    range_s = f"{60 * chosen.minutes:.0f}s"
    variables = {
        "shard": chosen.shard,
        "stream": chosen.stream,
        "__rate_interval": f"{max(20.0, 4 * span.step_s):.0f}s",
        "__range": range_s,
    }
    save(chosen.dashboard, chosen.out, chosen.prometheus, variables, span)


if __name__ == "__main__":
    main()
