"""Geometry of person-thing pairs from boxes alone: 45 numbers a pair. Pure arithmetic, differentiable, exportable; learns nothing.

B batch, N entities, R pairs, G geometry columns. Boxes are in units of the canvas height: x runs from 0 to the aspect ratio.
"""

import torch
from torch import Tensor

BORDER = 0.03
"""A side this near to the canvas's edge counts as cut, fading linearly: canvases carry up to 2 % padding."""
LIMIT = 4.0
NUM_COLUMNS = 45


def to_height_units(boxes_BN4: Tensor, aspect_B: Tensor) -> Tensor:
    """Fractions of the canvas to units of its height, clipped to the canvas."""
    ones_B = torch.ones_like(aspect_B)
    return boxes_BN4.clamp(0.0, 1.0) * torch.stack([aspect_B, ones_B, aspect_B, ones_B], 1)[:, None]


def sides(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Width and height, never below half a percent."""
    size = (boxes[..., 2:] - boxes[..., :2]).clamp(min=0.005)
    return size[..., 0], size[..., 1]


def overlap(a: Tensor, b: Tensor) -> Tensor:
    """Area that two boxes share; broadcasts."""
    size = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0.0)
    return size[..., 0] * size[..., 1]


def gaps(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Free space between two boxes along x and y; 0 where they overlap."""
    space = torch.maximum(b[..., :2] - a[..., 2:], a[..., :2] - b[..., 2:]).clamp(min=0.0)
    return space[..., 0], space[..., 1]


def containment(boxes_BN4: Tensor) -> Tensor:
    """(B, N, N): the share of box i that lies in box j."""
    width_BN, height_BN = sides(boxes_BN4)
    return overlap(boxes_BN4[:, :, None], boxes_BN4[:, None]) / (width_BN * height_BN)[:, :, None]


def pair_geometry(person_BR4: Tensor, thing_BR4: Tensor, aspect_B: Tensor) -> Tensor:
    """(B, R, G): where the thing is relative to the person, how large, how much they overlap, and which sides the canvas cuts."""
    columns = [*_offsets(person_BR4, thing_BR4), *_sizes(person_BR4, thing_BR4, aspect_B), *_overlaps(person_BR4, thing_BR4)]
    columns += [*_places(person_BR4, thing_BR4, aspect_B), *_cuts(person_BR4, aspect_B), *_cuts(thing_BR4, aspect_B)]
    return torch.stack(columns, 2)


def _middle(boxes: Tensor) -> tuple[Tensor, Tensor]:
    return (boxes[..., 0] + boxes[..., 2]) / 2, (boxes[..., 1] + boxes[..., 3]) / 2


def _offsets(person: Tensor, thing: Tensor) -> list[Tensor]:
    """Sides and middle of the thing from those of the person, in person sizes (11)."""
    width, height = sides(person)
    (person_x, person_y), (thing_x, thing_y) = _middle(person), _middle(thing)
    across, down = (thing_x - person_x) / width, (thing_y - person_y) / height
    edges = [(thing[..., 1] - person[..., 1]) / height, (thing[..., 3] - person[..., 3]) / height]
    edges += [(thing[..., 1] - person[..., 3]) / height, (thing[..., 3] - person[..., 1]) / height]
    edges += [(thing[..., 0] - person[..., 0]) / width, (thing[..., 2] - person[..., 2]) / width]
    gap_x, gap_y = gaps(person, thing)
    return [value.clamp(-LIMIT, LIMIT) for value in (across, across.abs(), down, *edges, gap_x / height, gap_y / height)]


def _sizes(person: Tensor, thing: Tensor, aspect_B: Tensor) -> list[Tensor]:
    """Logarithms of size ratios and shapes (10)."""
    (width, height), (thing_width, thing_height) = sides(person), sides(thing)
    ratios = [thing_width / width, thing_height / height, thing_width * thing_height / (width * height)]
    ratios += [width / height, thing_width / thing_height, height, thing_height, width / aspect_B[:, None], width, thing_width]
    return [ratio.log() for ratio in ratios]


def _overlaps(person: Tensor, thing: Tensor) -> list[Tensor]:
    """Overlap with the whole person and with its thirds: head, trunk, legs (8)."""
    (width, height), (thing_width, thing_height) = sides(person), sides(thing)
    shared, area, thing_area = overlap(person, thing), width * height, thing_width * thing_height
    columns = [shared / thing_area, shared / area, shared / (area + thing_area - shared)]
    top = person[..., 1]
    for start, end in ((0.0, 0.2), (0.2, 0.55), (0.55, 0.8), (0.8, 1.0), (0.9, 1.0)):
        part = torch.stack([person[..., 0], top + start * height, person[..., 2], top + end * height], -1)
        columns.append(overlap(part, thing) / (area * (end - start)))
    return columns


def _places(person: Tensor, thing: Tensor, aspect_B: Tensor) -> list[Tensor]:
    """Where in the picture (8)."""
    aspect_B1 = aspect_B[:, None]
    x, _ = _middle(person)
    thing_x, _ = _middle(thing)
    flat = aspect_B1.expand_as(x)
    return [
        x / aspect_B1,
        thing_x / aspect_B1,
        person[..., 1],
        person[..., 3],
        thing[..., 1],
        thing[..., 3],
        thing[..., 0] / aspect_B1,
        flat,
    ]


def _cuts(boxes: Tensor, aspect_B: Tensor) -> list[Tensor]:
    """1 where a side lies on the canvas's edge, fading to 0 at `BORDER` from it (4)."""
    aspect_B1 = aspect_B[:, None]
    room = (boxes[..., 0] / aspect_B1, boxes[..., 1], 1 - boxes[..., 2] / aspect_B1, 1 - boxes[..., 3])
    return [(1.0 - space / BORDER).clamp(0.0, 1.0) for space in room]
