"""Soft things: pillows, blankets, towels, clothes, bags, shoes. Each builder takes a generator and returns a Made.

`drape` lays a blanket over any points (a lying body, a bed's edge). Legend: R C rows and columns of cloth, V points.
"""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from model.synth import pictures, solids
from model.synth.mesh import Piece
from model.synth.pictures import any_cloth, any_colour
from model.synth.things_table import BLACK, WHITE, Made

Floats = npt.NDArray[np.float64]


def pillow(rng: np.random.Generator) -> Made:
    """Square cushion or bed pillow, lying."""
    width, depth = rng.uniform(0.38, 0.5), rng.uniform(0.36, 0.48)
    if rng.random() < 0.5:
        width, depth = rng.uniform(0.6, 0.75), rng.uniform(0.4, 0.5)
    height = float(rng.uniform(0.1, 0.16))
    x_RC, z_RC = np.meshgrid(np.linspace(-1, 1, 20), np.linspace(1, -1, 20))
    swell_RC = np.sqrt(np.maximum(0.0, (1 - np.abs(x_RC) ** 2.6) * (1 - np.abs(z_RC) ** 2.6)))
    dent_RC = pictures.smooth_noise(rng, 20, 20, 5) * 0.012 * swell_RC
    cloth, pieces = any_cloth(rng), []
    for side, mirrored in ((1.0, 1.0), (-1.0, -1.0)):
        y_RC = height / 2 + side * height / 2 * swell_RC + dent_RC
        pieces.append(solids.sheet(np.stack([x_RC * mirrored * width / 2, y_RC, z_RC * depth / 2], 2)).painted(cloth))
    return Made(pieces, (0.0, height / 2, float(depth) / 2 - 0.05))


def blanket_folded(rng: np.random.Generator) -> Made:
    """A flat stack of layers with round edges."""
    return _stack(rng, float(rng.uniform(0.45, 0.6)), float(rng.uniform(0.32, 0.45)), int(rng.integers(3, 6)), 0.028)


def blanket_crumpled(rng: np.random.Generator) -> Made:
    """Thrown down: folds that run anyhow, ragged outline."""
    return _heap(rng, float(rng.uniform(0.9, 1.3)), float(rng.uniform(0.7, 1.0)), 0.1)


def towel_hanging(rng: np.random.Generator) -> Made:
    """Over a bar or hook: hangs with folds; its base is its hem."""
    width, height = float(rng.uniform(0.35, 0.55)), float(rng.uniform(0.6, 0.95))
    x_RC, y_RC = np.meshgrid(np.linspace(-width / 2, width / 2, 28), np.linspace(0.0, height, 20))
    phase, waves = rng.uniform(0, 6.28), rng.uniform(18, 30)
    fold_RC = 0.022 * np.sin(x_RC * waves + phase) * (1.1 - y_RC / height) + 0.006 * np.sin(y_RC * 14 + x_RC * 9)
    front = solids.sheet(np.stack([x_RC, y_RC, 0.015 + fold_RC], 2)).painted(_towelling(rng))
    return Made([front], (0.0, height - 0.04, 0.02))


def towel_folded(rng: np.random.Generator) -> Made:
    """A small stack."""
    return _stack(rng, float(rng.uniform(0.26, 0.36)), float(rng.uniform(0.18, 0.26)), int(rng.integers(2, 5)), 0.02, _towelling(rng))


def towel_held(rng: np.random.Generator) -> Made:
    """A cloth that a hand holds by its middle: hangs in a bunch below the grip."""
    height, around = float(rng.uniform(0.25, 0.42)), np.linspace(0, 2 * np.pi, 33)
    rows, waves, phase = [], int(rng.integers(4, 7)), rng.uniform(0, 6.28)
    for t in np.linspace(0, 1, 14):
        radius = (0.02 + 0.085 * (1 - t) ** 1.3) * (1 + 0.35 * (1 - t) * np.sin(waves * around + phase))
        lift = 0.05 * (1 - t) * np.sin(2 * around + phase) + 0.05 * (1 - t)
        rows.append(np.stack([radius * np.cos(around), height * t + lift, 0.7 * radius * np.sin(around)], 1))
    return Made([solids.sheet(np.array(rows)).painted(_towelling(rng))], (0.0, height, 0.0))


def clothes_folded(rng: np.random.Generator) -> Made:
    """Two to five folded garments, each of its own cloth."""
    pieces, y = [], 0.0
    for _ in range(int(rng.integers(2, 6))):
        layer = _slab(rng, float(rng.uniform(0.26, 0.34)), float(rng.uniform(0.2, 0.28)), 0.03).painted(any_cloth(rng))
        pieces.append(layer.moved(float(rng.uniform(-0.015, 0.015)), y, float(rng.uniform(-0.015, 0.015))))
        y += 0.03
    return Made(pieces, (0.0, 0.0, 0.1))


def clothes_heap(rng: np.random.Generator) -> Made:
    """Two garments thrown down."""
    low, high = _heap(rng, 0.55, 0.45, 0.09), _heap(rng, 0.4, 0.34, 0.1)
    return Made([*low.pieces, *(piece.moved(float(rng.uniform(-0.1, 0.1)), 0.04) for piece in high.pieces)], (0.0, 0.1, 0.0))


def shirt_hanging(rng: np.random.Generator) -> Made:
    """On a hanger: body and two sleeves, its base is its hem."""
    cloth = any_cloth(rng)
    body = _panel([(-0.24, 0.0), (-0.22, 0.3), (-0.2, 0.52), (-0.08, 0.6), (0.08, 0.6), (0.2, 0.52), (0.22, 0.3), (0.24, 0.0)], rng)
    sleeves = [_panel([(s * 0.19, 0.36), (s * 0.2, 0.52), (s * 0.16, 0.57), (s * 0.3, 0.3), (s * 0.26, 0.24)], rng) for s in (-1, 1)]
    hook = solids.tube([[0.0, 0.6, 0.0], [0.0, 0.66, 0.0], [0.02, 0.68, 0.0], [0.035, 0.66, 0.0]], 0.003, 6).painted((0.3, 0.3, 0.32))
    return Made([body.painted(cloth), *(sleeve.painted(cloth) for sleeve in sleeves), hook], (0.0, 0.62, 0.0))


def backpack(rng: np.random.Generator) -> Made:
    """Stands with its straps at -z, as they lie on the back of someone at -z; its pocket shows at +z."""
    width, height, depth = float(rng.uniform(0.28, 0.34)), float(rng.uniform(0.4, 0.48)), float(rng.uniform(0.15, 0.2))
    cloth, trim = any_cloth(rng), any_colour(rng, (0.0, 0.5), (0.08, 0.4))
    body = _cushion(width, height, depth).painted(cloth)
    pocket = _cushion(width * 0.74, height * 0.42, depth * 0.45).moved(0.0, height * 0.06, depth * 0.48).painted(cloth)
    zips = [solids.box(width * 0.7, 0.008, 0.008).moved(0.0, height * y, depth * z).painted(trim) for y, z in ((0.5, 0.5), (0.8, 0.44))]
    straps = []
    for x in (-0.28, 0.28):
        bow = [[width * x, height * (0.1 + 0.8 * t), -depth * 0.45 - 0.06 * np.sin(np.pi * t)] for t in np.linspace(0, 1, 9)]
        straps.append(solids.tube(bow, 0.014, 8))
    loop = solids.tube([[0.04 * np.cos(a), height * 0.97 + 0.04 * np.sin(a), -depth * 0.3] for a in np.linspace(0, np.pi, 9)], 0.007, 8)
    return Made([body, pocket, *zips, solids.joined([*straps, loop]).painted(trim)], (0.0, height + 0.01, -depth * 0.3))


def handbag(rng: np.random.Generator) -> Made:
    """Leather or cloth, one bow handle."""
    width, height, depth = float(rng.uniform(0.25, 0.36)), float(rng.uniform(0.19, 0.27)), float(rng.uniform(0.09, 0.14))
    colour = any_colour(rng, (0.2, 0.8), (0.2, 0.75))
    body = _cushion(width, height, depth).painted(any_cloth(rng) if rng.random() < 0.4 else colour)
    flap = (
        solids.box(width * 0.9, height * 0.34, 0.006)
        .moved(0.0, height * 0.62, depth * 0.47)
        .painted((colour[0] * 0.7, colour[1] * 0.7, colour[2] * 0.7))
    )
    clasp = solids.box(0.03, 0.025, 0.01).moved(0.0, height * 0.62, depth * 0.5).painted((0.8, 0.65, 0.25))
    bow, rise = [], float(rng.uniform(0.12, 0.2))
    for a in np.linspace(0, np.pi, 15):
        bow.append([width * 0.36 * np.cos(a), height * 0.93 + rise * np.sin(a), 0.0])
    return Made([body, flap, clasp, solids.tube(bow, 0.008, 8).painted(BLACK)], (0.0, height * 0.93 + rise, 0.0))


def shoe(rng: np.random.Generator) -> Made:
    """One shoe, its toe along +z."""
    length, width, height = float(rng.uniform(0.25, 0.3)), float(rng.uniform(0.09, 0.105)), float(rng.uniform(0.085, 0.12))
    along, around = np.linspace(0, 1, 15), np.linspace(0, 2 * np.pi, 21)
    rows, soles = [], []
    for t in along:
        half = width / 2 * np.interp(t, [0, 0.08, 0.35, 0.7, 0.92, 1], [0.3, 0.75, 0.75, 1.0, 0.75, 0.2])
        top = height * np.interp(t, [0, 0.1, 0.35, 0.6, 0.9, 1], [0.8, 1.0, 0.95, 0.6, 0.42, 0.25])
        rows.append(
            np.stack(
                [half * np.cos(around), 0.02 + (top - 0.02) * np.maximum(0, np.sin(around)) ** 0.6, np.full(21, (t - 0.5) * length)], 1
            )
        )
        soles.append(
            np.stack([half * 1.06 * np.cos(around), 0.012 + 0.012 * np.sign(np.sin(around)), np.full(21, (t - 0.5) * length * 1.02)], 1)
        )
    upper, lace = any_colour(rng, (0.0, 0.8), (0.12, 0.95)), any_colour(rng, (0.0, 0.3), (0.6, 1.0))
    laces = [
        solids.rod([-0.022, height * k, z * length], [0.022, height * k, z * length], 0.004)
        for z, k in ((0.02, 0.78), (0.08, 0.7), (0.14, 0.62))
    ]
    opening = solids.ball(width * 0.3, 0.015).stretched(z=1.5).moved(0.0, height * 0.95, -length * 0.27).painted((0.08, 0.07, 0.07))
    pieces = [solids.sheet(np.array(rows)).painted(upper), solids.sheet(np.array(soles)).painted(WHITE if rng.random() < 0.6 else BLACK)]
    return Made([*pieces, solids.joined(laces).painted(lace), opening], (0.0, height, -length * 0.3))


def drape(
    points_V3: npt.ArrayLike, centre: tuple[float, float], size: tuple[float, float], floor_y: float, rng: np.random.Generator
) -> Made:
    """A blanket of `size` (x, z metres) over points such as a lying body's vertices, in their axes; `floor_y` is what they lie on.

    Not moved to a base of its own: vertices are where the cloth is.
    """
    cells, points = 64, np.asarray(points_V3, np.float64)
    (x0, z0), (w, d) = (centre[0] - size[0] / 2, centre[1] - size[1] / 2), size
    column, row = ((points[:, 0] - x0) / w * cells).astype(int), ((points[:, 2] - z0) / d * cells).astype(int)
    inside = (column >= 0) & (column < cells) & (row >= 0) & (row < cells)
    height_RC = np.full((cells, cells), floor_y)
    np.maximum.at(height_RC, (row[inside], column[inside]), points[inside, 1])
    wide = ndimage.grey_dilation(height_RC, size=(5, 5))
    height_RC = np.maximum(ndimage.gaussian_filter(wide, 1.6), ndimage.gaussian_filter(ndimage.grey_dilation(height_RC, size=(3, 3)), 0.6))
    folds_RC = pictures.smooth_noise(rng, cells, cells, 9) * 0.012 + pictures.smooth_noise(rng, cells, cells, 22) * 0.006
    z_RC, x_RC = np.meshgrid(z0 + d * (np.arange(cells) + 0.5) / cells, x0 + w * (np.arange(cells) + 0.5) / cells, indexing="ij")
    cloth = solids.sheet(np.stack([x_RC, height_RC + 0.022 + folds_RC, z_RC], 2)).painted(any_cloth(rng))
    return Made([cloth], (centre[0], floor_y + 0.2, centre[1]))


def _towelling(rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    cloth = pictures.cloth(rng, "plain", any_colour(rng, (0.05, 0.7), (0.45, 0.95)), (0.0, 0.0, 0.0), 96).astype(np.float64)
    cloth[6:12] *= 0.72
    cloth[82:90] *= 0.72
    return np.clip(cloth + rng.normal(0, 7, (96, 96, 1)), 0, 255).astype(np.uint8)


def _stack(
    rng: np.random.Generator, width: float, depth: float, layers: int, thick: float, cloth: npt.NDArray[np.uint8] | None = None
) -> Made:
    paint = any_cloth(rng) if cloth is None else cloth
    pieces = []
    for layer in range(layers):
        slab = _slab(rng, width * float(rng.uniform(0.95, 1.0)), depth * float(rng.uniform(0.95, 1.0)), thick)
        pieces.append(slab.moved(y=layer * thick).painted(paint))
    return Made(pieces, (0.0, 0.0, depth / 2 - 0.08))


def _slab(rng: np.random.Generator, width: float, depth: float, thick: float) -> Piece:
    """A folded layer: a flat cushion with a rounded rim and a slightly uneven top."""
    angle_R, x_C = np.linspace(-np.pi, np.pi, 17), np.linspace(-0.5, 0.5, 12)
    across_R = np.sign(np.cos(angle_R)) * np.abs(np.cos(angle_R)) ** 0.3 * depth / 2
    up_R = np.sign(np.sin(angle_R)) * np.abs(np.sin(angle_R)) ** 0.6 * thick / 2
    uneven_RC = pictures.smooth_noise(rng, 17, 12, 4) * 0.004 * (up_R[:, None] > 0)
    x_RC = np.broadcast_to(x_C * width, (17, 12))
    return solids.sheet(np.stack([x_RC, thick / 2 + up_R[:, None] + uneven_RC, np.broadcast_to(across_R[:, None], (17, 12))], 2))


def _heap(rng: np.random.Generator, width: float, depth: float, height: float) -> Made:
    size = 36
    x_RC, z_RC = np.meshgrid(np.linspace(-1, 1, size), np.linspace(1, -1, size))
    edge_RC = 1 + 0.18 * pictures.smooth_noise(rng, size, size, 6)
    folds_RC = np.abs(pictures.smooth_noise(rng, size, size, 7)) + 0.5 * np.abs(pictures.smooth_noise(rng, size, size, 13))
    rim_RC = np.clip(1.15 - np.maximum(np.abs(x_RC), np.abs(z_RC)) ** 3, 0.05, 1.0)
    y_RC = 0.01 + height * folds_RC * rim_RC
    y_RC -= min(0.0, float(y_RC.min()))
    return Made(
        [solids.sheet(np.stack([x_RC * edge_RC * width / 2, y_RC, z_RC * edge_RC.T * depth / 2], 2)).painted(any_cloth(rng))],
        (0.0, height * 0.6, 0.0),
    )


def _cushion(width: float, height: float, depth: float) -> Piece:
    """A stuffed block with round edges, base at y = 0."""
    along, around = np.linspace(-np.pi / 2, np.pi / 2, 13), np.linspace(0, 2 * np.pi, 29)
    power = 0.35
    cos_R, sin_R = np.abs(np.cos(along)) ** power, np.sign(np.sin(along)) * np.abs(np.sin(along)) ** power
    cos_C, sin_C = np.sign(np.cos(around)) * np.abs(np.cos(around)) ** power, np.sign(np.sin(around)) * np.abs(np.sin(around)) ** power
    x_RC, z_RC = cos_R[:, None] * sin_C[None] * width / 2, cos_R[:, None] * cos_C[None] * depth / 2
    return solids.sheet(np.stack([x_RC, np.broadcast_to((1 + sin_R[:, None]) * height / 2, x_RC.shape), z_RC], 2))


def _panel(outline: list[tuple[float, float]], rng: np.random.Generator) -> Piece:
    """Two-sided garment panel of 3 cm, as flat cloth."""
    points = np.array(outline)
    if np.sum(points[:, 0] * np.roll(points[:, 1], -1) - np.roll(points[:, 0], -1) * points[:, 1]) < 0:
        points = points[::-1]
    return solids.prism([(float(x), float(y)) for x, y in points], 0.03 + 0.02 * float(rng.random()))
