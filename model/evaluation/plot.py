"""Pictures of every predicate: precision and recall at its threshold with its average precision, and what parts of cues add to it.

Intervals are 95 %. Knows no measuring.
"""

import math
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from model.evaluation.cue_ablation import CueRow, CueTable
from model.evaluation.intervals import Interval
from model.evaluation.operating import PredicateRow
from model.evaluation.report import SetReport

LINE, TOP, LEFT, BAR, GAP = 30, 84, 160, 300, 96
SIZE = 13
CUE_LINE = 46
PRECISION, RECALL = (31, 99, 180), (214, 108, 20)
PART_COLOURS = ((31, 99, 180), (214, 108, 20), (36, 138, 84), (70, 74, 82))
QUALITY, INK, FAINT, PALE = (216, 222, 230), (30, 34, 40), (110, 116, 125), (236, 238, 241)


def draw_predicates(title: str, report: SetReport, path: Path) -> None:
    """One column of bars for each task; predicates in the vocabulary's order. The file is a PNG."""
    names = list(dict.fromkeys(row.name for table in report.predicates for row in table.rows))
    size = (LEFT + len(report.predicates) * (BAR + GAP), TOP + LINE * len(names) + 20)
    image = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(image)
    font = ImageFont.load_default(SIZE)
    pen.text((12, 10), f"{title} on {report.name}, {report.frames} frames of {report.clips} clips, 95 % intervals", INK, font)
    pen.text((12, 32), "precision at the threshold", PRECISION, font)
    pen.text((190, 32), "recall at the threshold", RECALL, font)
    pen.text((350, 32), "grey bar: average precision", FAINT, font)
    for line, name in enumerate(names):
        pen.text((12, TOP + LINE * line + 6), name, INK, font)
    for column, table in enumerate(report.predicates):
        left = LEFT + column * (BAR + GAP)
        pen.text((left, 56), table.task, INK, font)
        pen.text((left + BAR + 8, 58), "true, said", FAINT, ImageFont.load_default(10))
        for quarter in range(5):
            pen.line([(left + BAR * quarter / 4, TOP - 4), (left + BAR * quarter / 4, size[1] - 16)], PALE)
        for row in table.rows:
            _draw_row(pen, left, TOP + LINE * names.index(row.name), row)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, optimize=True)


def draw_cues(title: str, tables: Sequence[CueTable], path: Path) -> None:
    """One column for each table, around a line at 0: average precision lost without each part. The file is a PNG."""
    names = list(dict.fromkeys(row.name for table in tables for row in table.rows))
    reach = _reach(tables)
    image = Image.new("RGB", (LEFT + len(tables) * (BAR + GAP), TOP + CUE_LINE * len(names) + 40), "white")
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(SIZE)
    pen.text((12, 10), f"{title}: average precision lost without a part of the cues, 95 % intervals over clips", INK, font)
    for place, one in enumerate(tables[0].rows[0].without):
        pen.text((12 + 150 * place, 32), f"without {one.missing}", PART_COLOURS[place], font)
    for line, name in enumerate(names):
        pen.text((12, TOP + CUE_LINE * line + 16), name, INK, font)
    for column, table in enumerate(tables):
        left = LEFT + column * (BAR + GAP)
        pen.text((left, 56), f"{table.set}, {table.task}", INK, font)
        for quarter in range(5):
            at = left + BAR * quarter / 4
            pen.line([(at, TOP - 4), (at, image.height - 36)], FAINT if quarter == 2 else PALE)
            pen.text((at, image.height - 30), f"{100 * reach * (quarter / 2 - 1):+.0f}", FAINT, font, anchor="ma")
        for row in table.rows:
            _draw_cue_row(pen, left, TOP + CUE_LINE * names.index(row.name), row, reach)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, optimize=True)


def _draw_cue_row(pen: ImageDraw.ImageDraw, left: int, top: int, row: CueRow, reach: float) -> None:
    for place, one in enumerate(row.without):
        shares = Interval(*((value / reach + 1) / 2 for value in (one.adds.value, one.adds.low, one.adds.high)))
        _draw_interval(pen, left, top + 8 + 9 * place, shares, PART_COLOURS[place])
    pen.text((left + BAR + 8, top + 8), f"{row.true} true", FAINT, ImageFont.load_default(10))
    pen.text((left + BAR + 8, top + 20), f"in {row.clips} clips", FAINT, ImageFont.load_default(10))


def _reach(tables: Sequence[CueTable]) -> float:
    """Half the width of a column: the farthest end of an interval, in tenths."""
    gains = [one.adds for table in tables for row in table.rows for one in row.without]
    return max(0.1, math.ceil(10 * max(abs(end) for gain in gains for end in (gain.low, gain.high, gain.value))) / 10)


def _draw_row(pen: ImageDraw.ImageDraw, left: int, top: int, row: PredicateRow) -> None:
    pen.rectangle([left, top + 4, left + BAR * row.average_precision, top + LINE - 6], QUALITY)
    if row.said:
        _draw_interval(pen, left, top + 10, row.precision, PRECISION)
    if row.true:
        _draw_interval(pen, left, top + 19, row.recall, RECALL)
    pen.text((left + BAR + 8, top + 8), f"{row.true}, {row.said}", FAINT, ImageFont.load_default(10))


def _draw_interval(pen: ImageDraw.ImageDraw, left: int, y: int, share: Interval, colour: tuple[int, int, int]) -> None:
    at, low, high = (left + BAR * value for value in (share.value, share.low, share.high))
    pen.line([(low, y), (high, y)], colour, 1)
    pen.ellipse([at - 3, y - 3, at + 3, y + 3], colour)
