"""The whole-method table for people: mean and spread over seeds as markdown, and as a picture of bars with whiskers (Pillow)."""

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from PIL import Image, ImageDraw, ImageFont

from model.evaluation.recall import AT
from model.machine import Machine
from model.rivals.adds import Adds
from model.rivals.cost import Cost
from model.rivals.kept_sets import Counted
from model.rivals.set_report import SetFigures
from model.rivals.table import ROWS, Result, Setup, over_seeds

SCALE = 2
WIDTH, BAR, GAP, LEFT, TOP, RIGHT = 900, 15, 16, 290, 46, 60
INK, GRID, PAPER = (40, 40, 40), (228, 228, 228), (255, 255, 255)
ONLINE = "+ association and relation filter (over time, above)"
COLOURS = ((38, 84, 168), (230, 145, 36))


class Figures(Struct, frozen=True):
    """One row over its seeds: (mean, standard deviation); recalls, mean recalls and F1 in the order of AT."""

    row: str
    title: str
    seeds: int
    recall: list[tuple[float, float]]
    mean_recall: list[tuple[float, float]]
    f1: list[tuple[float, float]]
    mean_average_precision: tuple[float, float]
    parameters: int
    flops: int
    cpu_s: tuple[float, float]


class Report(Struct, frozen=True):
    """What the JSON holds: the tables over reported entities by constraint, those on judged sets, what parts add, what rows cost, which
    file says what happens over time, and every run behind it all."""

    machine: Machine
    setup: Setup
    tables: dict[str, list[Figures]]
    counted: list[Counted]
    sets: list[SetFigures]
    adds: list[Adds]
    costs: list[Cost]
    threads: int
    over_time: str
    results: list[Result]


def figures(results: list[Result], constraint: str) -> list[Figures]:
    """One line a row, in the order of ROWS."""
    out = []
    for name, row in ROWS.items():
        own = [result for result in results if result.row == name]
        if not own:
            continue
        at = [[one for one in result.at if one.constraint == constraint] for result in own]
        recall, mean_recall, f1 = (
            [over_seeds([getattr(one[index], field) for one in at]) for index in range(len(AT))]
            for field in ("recall", "mean_recall", "f1")
        )
        quality, cpu_s = over_seeds([one.mean_average_precision for one in own]), over_seeds([one.cpu_s for one in own])
        cost = own[0].parameters, own[0].flops
        out.append(Figures(name, row.title, len(own), recall, mean_recall, f1, quality, *cost, cpu_s))
    return out


def markdown(table: list[Figures], costs: Sequence[Cost] = ()) -> str:
    """Recalls in per cent, mean ± standard deviation over seeds; then what rows cost, as far as it was measured."""
    names = [f"{name}@{k}" for name in ("R", "mR", "F1") for k in AT]
    names += ["mAP", "parameters", "head MFLOP", "CPU s", "network parameters", "network GFLOP", "FPS to plain", "ms"]
    lines = ["| row | " + " | ".join(names) + " |", "|" + "---|" * (len(names) + 1)]
    cost_of = {one.row: one for one in costs}
    for row in table:
        cells = [_cell(one, 100.0) for one in (*row.recall, *row.mean_recall, *row.f1)]
        cells += [
            _cell(row.mean_average_precision, 1.0, 3),
            f"{row.parameters / 1e3:.0f} k",
            f"{row.flops / 1e6:.1f}",
            f"{row.cpu_s[0]:.0f}",
        ]
        lines.append(f"| {row.title} | " + " | ".join([*cells, *_cost_cells(cost_of.get(row.row))]) + " |")
    lines.append(f"| {ONLINE} | " + " | ".join("-" for _ in names) + " |")
    return "\n".join(lines)


def _cost_cells(cost: Cost | None) -> list[str]:
    if cost is None:
        return ["-"] * 4
    return [f"{cost.parameters / 1e6:.2f} M", f"{cost.flops / 1e9:.3f}", f"{cost.pace:.2f}", f"{cost.ms:.0f}"]


def draw_bars(table: list[Figures], path: Path, heading: str) -> None:
    """R@20 and mR@20 of every row with their spread over seeds."""
    bars = [(row.recall[1], row.mean_recall[1]) for row in table]
    top = max(mean + spread for pair in bars for mean, spread in pair) * 1.05 or 1.0
    height = TOP + len(table) * (2 * BAR + GAP) + 24
    sheet = Image.new("RGB", (WIDTH * SCALE, height * SCALE), PAPER)
    pen = ImageDraw.Draw(sheet)
    font, small = ImageFont.load_default(13 * SCALE), ImageFont.load_default(11 * SCALE)
    pen.text((12 * SCALE, 12 * SCALE), heading, INK, font)
    for index, (row, pair) in enumerate(zip(table, bars, strict=True)):
        y = TOP + index * (2 * BAR + GAP)
        pen.text(((LEFT - 10) * SCALE, (y + BAR) * SCALE), row.title, INK, font, anchor="rm")
        for line, (mean, spread) in enumerate(pair):
            low, high = y + line * BAR, y + line * BAR + BAR - 2
            middle, x = (low + high) / 2, [LEFT + value / top * (WIDTH - LEFT - RIGHT) for value in (mean - spread, mean, mean + spread)]
            pen.rectangle([LEFT * SCALE, low * SCALE, x[1] * SCALE, high * SCALE], COLOURS[line])
            pen.line([x[0] * SCALE, middle * SCALE, x[2] * SCALE, middle * SCALE], INK, SCALE)
            pen.text(((x[2] + 6) * SCALE, middle * SCALE), f"{100 * mean:.1f}", INK, small, anchor="lm")
    for line, name in enumerate(("R@20", "mR@20")):
        pen.text(((WIDTH - 150 + 70 * line) * SCALE, 12 * SCALE), name, COLOURS[line], font)
    pen.line([LEFT * SCALE, (TOP - 6) * SCALE, LEFT * SCALE, (height - 20) * SCALE], GRID, SCALE)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.resize((WIDTH, height), Image.Resampling.LANCZOS).save(path, optimize=True)


def _cell(figure: tuple[float, float], scale: float, digits: int = 1) -> str:
    return f"{scale * figure[0]:.{digits}f} ± {scale * figure[1]:.{digits}f}"
