"""A contact sheet of a SynthHome split: middle frames with boxes, names, relations, palms and gaze drawn, to be looked at. Draws only.

H W picture.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from model.annotations import Clip, Entity, Frame, Point
from model.render.sight import Pixels
from model.synth.dataset import clip_folders, frames_of
from model.vocabulary import NULL_PREDICATES

SHORT = {"in_front_of": "front", "on_the_side_of": "side", "looking_at": "looks", "have_it_on_the_back": "on back"}
COLOURS = ((230, 60, 60), (60, 200, 90), (70, 130, 255), (240, 190, 40), (200, 90, 230), (60, 210, 220), (255, 140, 60), (160, 220, 60))
GROUND = (20, 20, 20)
LINE_PX = 11
COLUMNS = 3


def write_sheet(path: Path, folder: Path, splits: Sequence[str], clips: dict[str, list[Clip]], num_clips: int = 24, scale: int = 2) -> None:
    """Evenly chosen clips of all splits, `num_clips` in all, each twice as large as it is."""
    chosen = [(split, number) for split in splits for number in _spread(len(clips[split]), num_clips // len(splits))]
    tiles = [_tile(clips[split][number], clip_folders(folder, split)[number], scale) for split, number in chosen]
    grid(tiles, COLUMNS).save(path)


def grid(tiles: Sequence[Image.Image], columns: int) -> Image.Image:
    """Pictures in rows, each in a cell as large as the largest."""
    width, height = max(tile.width for tile in tiles), max(tile.height for tile in tiles)
    sheet = Image.new("RGB", (columns * width, -(-len(tiles) // columns) * height), GROUND)
    for index, tile in enumerate(tiles):
        sheet.paste(tile, (index % columns * width, index // columns * height))
    return sheet


def _spread(count: int, wanted: int) -> list[int]:
    return [int(number) for number in np.unique(np.linspace(0, count - 1, min(wanted, count)).round())]


def _tile(clip: Clip, clip_folder: Path, scale: int) -> Image.Image:
    middle = len(clip.frames) // 2
    return draw_frame(frames_of(clip_folder)[middle], clip.frames[middle], clip.name, scale)


def draw_frame(picture_HW3: Pixels, frame: Frame, title: str, scale: int = 2) -> Image.Image:
    """One annotated frame, with what holds written below it."""
    height, width, _ = picture_HW3.shape
    size = (width * scale, height * scale)
    text = _sentences(frame)
    tile = Image.new("RGB", (size[0], size[1] + LINE_PX * 15), GROUND)
    tile.paste(Image.fromarray(picture_HW3).resize(size, Image.Resampling.BICUBIC), (0, 0))
    pen = ImageDraw.Draw(tile)
    for entity in frame.entities:
        _draw_entity(pen, entity, size)
    pen.text((2, size[1]), f"{title} frame {frame.index}{' blurred' if frame.blurred else ''}", fill=(255, 255, 255))
    per_column = 14
    for index, sentence in enumerate(text[: per_column * 3]):
        place = (2 + index // per_column * (size[0] // 3), size[1] + LINE_PX * (1 + index % per_column))
        pen.text(place, sentence, fill=(200, 200, 200))
    return tile


def _sentences(frame: Frame) -> list[str]:
    """What says something, a person and a thing a line."""
    names = {entity.id: f"{entity.label}{entity.id}" for entity in frame.entities}
    spoken: dict[tuple[int, int], list[str]] = {}
    people = {entity.id for entity in frame.entities if entity.label == "person"}
    for relation in frame.relations:
        if relation.predicate not in NULL_PREDICATES or relation.predicate == "unsure":
            forward = relation.subject in people
            pair = (relation.subject, relation.object) if forward else (relation.object, relation.subject)
            word = SHORT.get(relation.predicate, relation.predicate)
            spoken.setdefault(pair, []).append(word if forward else f"({word})")
    return [f"{names[person]} {names[thing]}: {' '.join(words)}" for (person, thing), words in spoken.items()]


def _draw_entity(pen: ImageDraw.ImageDraw, entity: Entity, size: tuple[int, int]) -> None:
    colour = COLOURS[entity.id % len(COLOURS)]
    x0, y0, x1, y1 = entity.box
    corners = [*_at((x0, y0), size), *_at((x1, y1), size)]
    pen.rectangle((corners[0], corners[1], corners[2] - 1, corners[3] - 1), outline=colour)
    pen.text((corners[0] + 2, corners[1]), f"{entity.label}{entity.id} {entity.visible:.1f}", fill=colour)
    if entity.body is None:
        return
    body = entity.body
    for hand in (body.left, body.right):
        x, y = _at(hand.point, size)
        fill = (255, 255, 0) if hand.touches is not None else (255, 255, 255)
        pen.ellipse((x - 4, y - 4, x + 4, y + 4), outline=fill, fill=fill if hand.seen else None)
    x, y = _at(body.head, size)
    reach = 0.09 * size[1]
    pen.line((x, y, x + reach * body.gaze[0], y + reach * body.gaze[1]), fill=(255, 0, 255) if body.face_seen else (90, 0, 90), width=2)
    pen.text((corners[0] + 2, corners[1] + LINE_PX), body.posture, fill=colour)


def _at(point: Point, size: tuple[int, int]) -> tuple[int, int]:
    return round(point[0] * size[0]), round(point[1] * size[1])
