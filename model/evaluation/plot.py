"""A picture of every predicate's precision and recall at its threshold with intervals, and its average precision. Knows no measuring."""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from model.evaluation.intervals import Interval
from model.evaluation.operating import PredicateRow
from model.evaluation.report import SetReport

LINE, TOP, LEFT, BAR, GAP = 30, 84, 160, 300, 96
SIZE = 13
PRECISION, RECALL = (31, 99, 180), (214, 108, 20)
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
