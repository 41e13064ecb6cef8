"""Contact sheets of a checkpoint's triplets on rendered clips: false and missed ones, or right ones, with boxes and words. Draws only.

H W picture.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from model.evaluation.canvas import paint
from model.evaluation.failures import Box, End, Outcomes, Shown, chosen, one_a_pair
from model.synth.dataset import frames_of
from model.synth.sheet import COLOURS, GROUND, grid

TILES = 12
COLUMNS = 4
PICTURE_SIZE = (432, 252)
CAPTION_PX, HEADLINE_PX, MARGIN_PX = 64, 66, 6
TITLE_SIZE, TEXT_SIZE = 22, 15
LEAST_SHARE = 0.45
"""A cut shows at least this share of the canvas's width and height, so that one sees where it is."""
AROUND = 1.3
"""How much larger than both boxes together a cut is."""
SUBJECT, OBJECT = COLOURS[7], COLOURS[6]
LEGEND = "Green: subject, orange: object."
INK, FAINT, WHY = (245, 245, 245), (160, 165, 172), (255, 214, 120)


class Part(NamedTuple):
    """Tiles under one headline; every caption begins with `opening`."""

    title: str
    counts: str
    opening: str
    shown: Sequence[Shown]


def write_failures(path: Path, name: str, found: Outcomes, folders: Sequence[Path]) -> None:
    """The surest false and the largest missed triplets; `folders` are those of the clips that outcomes number. The file is a PNG."""
    said, true = len(found.right) + len(found.false), len(found.right) + len(found.missed)
    false, missed = (Counter(one.fault for one in those) for those in (found.false, found.missed))
    parts = [
        Part(
            f"{name}: said, but not true: {len(found.false)} of {said} published triplets",
            f"{false['ends']} with a thing that is not there, misnamed or said twice; {false['relation']} between two right things."
            " Shown: the surest.",
            "said",
            chosen(found.false, TILES),
        ),
        Part(
            f"{name}: true, but not said: {len(found.missed)} of {true} true triplets of published predicates",
            f"{missed['ends']} for want of a sure and rightly named thing; {missed['relation']} with both found."
            " Shown: the largest; boxes are the true ones.",
            "missed",
            chosen(one_a_pair(found.missed), TILES),
        ),
    ]
    _write(path, parts, folders)


def write_found(path: Path, name: str, found: Outcomes, folders: Sequence[Path]) -> None:
    """The surest right triplets, as `write_failures` does it."""
    said = len(found.right) + len(found.false)
    title = f"{name}: said and true: {len(found.right)} of {said} published triplets"
    _write(path, [Part(title, "Shown: the surest.", "said", chosen(found.right, 2 * TILES))], folders)


def _write(path: Path, parts: Sequence[Part], folders: Sequence[Path]) -> None:
    drawn = [_draw_part(part, folders) for part in parts]
    path.parent.mkdir(parents=True, exist_ok=True)
    grid(drawn, 1).save(path, optimize=True)


def _draw_part(part: Part, folders: Sequence[Path]) -> Image.Image:
    """A headline with the tiles below it."""
    width = COLUMNS * (PICTURE_SIZE[0] + MARGIN_PX)
    tiles = [_draw_tile(part.opening, one, folders[one.clip]) for one in part.shown]
    below = [grid(tiles, COLUMNS)] if tiles else []
    whole = Image.new("RGB", (width, HEADLINE_PX + sum(one.height for one in below)), GROUND)
    pen = ImageDraw.Draw(whole)
    pen.text((MARGIN_PX, 6), part.title, INK, ImageFont.load_default(TITLE_SIZE))
    pen.text((MARGIN_PX, 36), f"{part.counts} {LEGEND}", FAINT, ImageFont.load_default(TEXT_SIZE))
    for one in below:
        whole.paste(one, (0, HEADLINE_PX))
    return whole


def _draw_tile(opening: str, one: Shown, clip_folder: Path) -> Image.Image:
    """The cut picture with both boxes, what was said or missed, why, and where to find it."""
    image = Image.fromarray(paint(frames_of(clip_folder)[one.frame]).image_HW3)
    cut = cut_around(one.subject.box, one.object.box)
    width, height = PICTURE_SIZE
    tile = Image.new("RGB", (width + MARGIN_PX, height + CAPTION_PX), GROUND)
    source = (cut[0] * image.width, cut[1] * image.height, cut[2] * image.width, cut[3] * image.height)
    tile.paste(_with_boxes(image.resize(PICTURE_SIZE, Image.Resampling.BICUBIC, source), one, cut), (0, 0))
    pen, font = ImageDraw.Draw(tile), ImageFont.load_default(TEXT_SIZE)
    place = f"{clip_folder.name}, frame {one.frame}"
    said = f" {one.prob:.2f}" if one.prob else ""
    pen.text((2, height + 3), f"{opening}: {one.subject.word} {one.predicate} {one.object.word}{said}", INK, font)
    pen.text((2, height + 22), one.why, WHY, font)
    pen.text((width - 2, height + 41), place, FAINT, ImageFont.load_default(12), anchor="ra")
    return tile


def _with_boxes(picture: Image.Image, one: Shown, cut: Box) -> Image.Image:
    pen = ImageDraw.Draw(picture)
    for end, colour in ((one.object, OBJECT), (one.subject, SUBJECT)):
        _draw_end(pen, end, cut, colour)
    return picture


def _draw_end(pen: ImageDraw.ImageDraw, end: End, cut: Box, colour: tuple[int, int, int]) -> None:
    """A box, and its name on a plate in its upper left corner."""
    width, height = PICTURE_SIZE
    x0, x1 = (round((x - cut[0]) / (cut[2] - cut[0]) * (width - 1)) for x in (end.box[0], end.box[2]))
    y0, y1 = (round((y - cut[1]) / (cut[3] - cut[1]) * (height - 1)) for y in (end.box[1], end.box[3]))
    pen.rectangle((x0, y0, x1, y1), outline=colour, width=2)
    font = ImageFont.load_default(13)
    text = end.word if end.score >= 1.0 else f"{end.word} {end.score:.2f}"
    plate = pen.textbbox((min(x0 + 4, width - 90), max(y0 + 2, 1)), text, font)
    pen.rectangle((plate[0] - 3, plate[1] - 2, plate[2] + 3, plate[3] + 2), fill=GROUND)
    pen.text((min(x0 + 4, width - 90), max(y0 + 2, 1)), text, colour, font)


def cut_around(subject: Box, object_: Box) -> Box:
    """The part of the canvas to show: both boxes with some room, in the canvas's own proportions, moved inside it."""
    low_2 = [min(subject[axis], object_[axis]) for axis in (0, 1)]
    high_2 = [max(subject[axis], object_[axis]) for axis in (2, 3)]
    share = min(1.0, max(LEAST_SHARE, *(AROUND * (high - low) for low, high in zip(low_2, high_2, strict=True))))
    x0, y0 = (min(max((low + high - share) / 2, 0.0), 1.0 - share) for low, high in zip(low_2, high_2, strict=True))
    return x0, y0, x0 + share, y0 + share
