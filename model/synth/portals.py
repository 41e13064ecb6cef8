"""Doors and doorways made for a wall: leaf, frame, knob, and what one sees through an open one. Knows no room's plan.

Own frame: y up, front +z, base centre at the origin, metres; the wall is at the back.
"""

import math
from dataclasses import dataclass

import numpy as np

from model.synth import solids
from model.synth.mesh import Colour, Piece, assemble, to_pyrender
from model.synth.moment import Matrix
from model.synth.pictures import any_colour
from model.synth.stock import Form

LEAF_M, HEIGHT_M, FRAME_M = 0.86, 2.04, 0.07
DEEP_M = 0.44
KNOB_M = 1.0


@dataclass(frozen=True, slots=True)
class Portal:
    """What is put on a wall: the leaf and, of an open one, the doorway that stays; `knob` and `leaf_pose` in the portal's frame."""

    leaf: Form
    leaf_pose: Matrix
    knob: Matrix
    doorway: Form | None


def portal(rng: np.random.Generator, *, is_open: bool) -> Portal:
    """A door that is shut, or a doorway with its leaf turned into the room."""
    paint = any_colour(rng, (0.0, 0.45), (0.45, 0.95))
    trim = any_colour(rng, (0.0, 0.2), (0.6, 0.98))
    side = float(rng.choice([-1.0, 1.0]))
    panels = _leaf(rng, paint)
    if not is_open:
        leaf = _form("door", [*panels, *_frame(0.09, trim)])
        return Portal(leaf, np.eye(4), _knob_at(side * (LEAF_M / 2 - 0.07)), None)
    angle = side * float(rng.uniform(1.0, 1.75))
    hinge = _shift(side * LEAF_M / 2, DEEP_M / 2)
    turn = hinge @ _turn(angle) @ _shift(-side * LEAF_M / 2, 0.0)
    beyond = _beyond(rng)
    doorway = _form("doorway", [*_frame(DEEP_M, trim), beyond])
    return Portal(_form("door", panels), turn, turn @ _knob_at(-side * (LEAF_M / 2 - 0.07)), doorway)


def _leaf(rng: np.random.Generator, paint: Colour) -> list[Piece]:
    pieces = [solids.box(LEAF_M, HEIGHT_M, 0.04).painted(paint)]
    shade = (paint[0] * 0.86, paint[1] * 0.86, paint[2] * 0.86)
    for level in range(int(rng.integers(0, 4))):
        pieces.append(solids.box(LEAF_M * 0.7, 0.48, 0.05).moved(y=0.16 + level * 0.62).painted(shade))
    return pieces


def _frame(depth: float, trim: Colour) -> list[Piece]:
    post = solids.box(FRAME_M, HEIGHT_M + FRAME_M, depth)
    side = (LEAF_M + FRAME_M) / 2
    top = solids.box(LEAF_M + 2 * FRAME_M, FRAME_M, depth).moved(y=HEIGHT_M)
    return [solids.joined([post.moved(x=-side), post.moved(x=side), top]).painted(trim)]


def _beyond(rng: np.random.Generator) -> Piece:
    """A dim or bright room beyond: floor, wall, and the edge between."""
    light = float(rng.uniform(0.25, 0.9))
    picture = np.ones((96, 48, 3)) * np.array(any_colour(rng, (0.0, 0.25), (0.6, 1.0))) * 255 * light
    picture[72:] = np.array(any_colour(rng, (0.1, 0.5), (0.35, 0.8))) * 255 * light
    picture *= np.linspace(1.0, 0.75, 48)[None, :, None]
    return solids.front_quad(LEAF_M, HEIGHT_M, 0.0, -DEEP_M / 2 + 0.01).painted(np.clip(picture, 0, 255).astype(np.uint8))


def _knob_at(x: float) -> Matrix:
    at = _shift(x, 0.025)
    at[1, 3] = KNOB_M
    return at


def _shift(x: float, z: float) -> Matrix:
    out = np.eye(4)
    out[0, 3], out[2, 3] = x, z
    return out


def _turn(angle: float) -> Matrix:
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([[cos, 0.0, sin, 0.0], [0.0, 1.0, 0.0, 0.0], [-sin, 0.0, cos, 0.0], [0.0, 0.0, 0.0, 1.0]])


def _form(name: str, pieces: list[Piece]) -> Form:
    solid = assemble(pieces)
    return Form(name, to_pyrender(solid.parts, solid.vertices_V3, solid.normals_V3))
