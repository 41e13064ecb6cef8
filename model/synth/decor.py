"""How a room is painted and lit, at random. Knows no furniture."""

import numpy as np

from model.render.room import Look, Texture, plaster, smooth_noise, wood

BOARDS = ((168, 122, 82), (120, 82, 52), (196, 164, 124), (88, 66, 50), (150, 140, 128))
SIDE = 256


def random_look(rng: np.random.Generator) -> Look:
    """Boards, carpet or tiles; plain, striped or papered walls; from evening lamps to bright day."""
    level = float(rng.uniform(0.65, 1.35))
    warm = float(rng.uniform(0.78, 1.0))
    sun_x, sun_z = float(rng.uniform(-2, 2)), float(rng.uniform(-2.5, 2.5))
    pale = int(rng.integers(205, 250))
    return Look(
        floor=_floor(rng),
        wall=_wall(rng),
        ceiling=(pale, pale, pale - 4),
        ambient=0.36 * level * float(rng.uniform(0.85, 1.15)),
        sun=float(rng.uniform(0.5, 1.9)) * level,
        sun_colour=(1.0, float(rng.uniform(0.9, 1.0)), warm),
        sun_from=(sun_x, 3.0, sun_z if abs(sun_z) > 0.3 else 1.2),
        lamp=float(rng.uniform(1.8, 3.2)) * level,
        lamp_colour=(1.0, 0.96, warm),
    )


def _floor(rng: np.random.Generator) -> Texture:
    kind = rng.random()
    if kind < 0.5:
        board = np.array(BOARDS[int(rng.integers(len(BOARDS)))]) * rng.uniform(0.85, 1.12)
        return wood(rng, (int(board[0]), int(board[1]), int(board[2])), side=SIDE, planks=int(rng.choice([4, 8])))
    if kind < 0.8:
        carpet = rng.uniform(70, 190, 3) * 0.6 + rng.uniform(70, 190) * 0.4
        return _clip(carpet + rng.normal(0, 9, (SIDE, SIDE, 1)) + smooth_noise(rng, SIDE, SIDE, 16)[..., None] * 6)
    return _tiles(rng)


def _tiles(rng: np.random.Generator) -> Texture:
    picture = np.ones((SIDE, SIDE, 3)) * (rng.uniform(120, 225) + rng.uniform(-12, 12, 3)) + smooth_noise(rng, SIDE, SIDE, 8)[..., None] * 4
    step = int(rng.choice([64, 128]))
    joints = np.arange(SIDE) % step < 3
    picture[joints], picture[:, joints] = picture[joints] * 0.72, picture[:, joints] * 0.72
    return _clip(picture)


def _wall(rng: np.random.Generator) -> Texture:
    colour = np.clip(rng.uniform(140, 235) * rng.uniform(0.86, 1.1, 3), 60, 245)
    picture = plaster(rng, (int(colour[0]), int(colour[1]), int(colour[2])), SIDE).astype(np.float64)
    kind = int(rng.integers(6))
    if kind == 0:
        picture[:, np.arange(SIDE) % 32 < 16] *= rng.uniform(0.82, 0.95)
    if kind == 1:
        picture[np.arange(SIDE) % 64 < 3] *= 0.82
    if kind == 2:
        rows, columns = np.mgrid[:SIDE, :SIDE]
        picture[(np.hypot(rows % 32 - 16, columns % 32 - 16) < 5)] *= 0.8
    return _clip(picture)


def _clip(picture: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Texture:
    return np.clip(picture, 0, 255).astype(np.uint8)
