"""Small things of tables and hands from solids: vessels, food, paper, phones, medicine. Each builder takes a generator and returns a Made.

Base centre at the origin as it stands or lies on a table; `held` kinds are in the holder's frame (the holder looks along +z, and sees
pages and screens, which look along -z).
"""

from dataclasses import dataclass

import numpy as np

from model.synth import pictures, solids
from model.synth.mesh import Colour, Piece
from model.synth.pictures import any_colour

WHITE, STEEL, BLACK, WOOD = (0.93, 0.92, 0.89), (0.78, 0.79, 0.81), (0.09, 0.09, 0.1), (0.55, 0.38, 0.22)


@dataclass(frozen=True, slots=True)
class Made:
    """Pieces of a thing, where a palm goes to hold it, and which pieces shine."""

    pieces: list[Piece]
    grip_3: tuple[float, float, float]
    glowing: tuple[int, ...] = ()


def mug(rng: np.random.Generator) -> Made:
    """With a handle at +x and coffee inside; half of the mugs wear a band."""
    radius, height, colour = float(rng.uniform(0.036, 0.045)), float(rng.uniform(0.085, 0.11)), any_colour(rng, (0.0, 0.8), (0.35, 0.95))
    wall = [(0.0, 0.0), (radius * 0.95, 0.0), (radius, 0.01), (radius, height), (radius - 0.004, height), (radius - 0.004, 0.012)]
    angle = np.linspace(-1.35, 1.35, 11)
    ear = [[radius + 0.027 * np.cos(a) - 0.004, height * 0.5 + height * 0.3 * np.sin(a), 0.0] for a in angle]
    pieces = [solids.lathe(wall).painted(colour), solids.tube(ear, 0.006, 8).painted(colour)]
    pieces.append(solids.cylinder(radius - 0.005, height * 0.8).painted((0.24, 0.14, 0.08)))
    if rng.random() < 0.5:
        pieces.append(_band(radius + 0.0006, height * 0.5, rng).moved(y=height * 0.25))
    return Made(pieces, (radius * 0.4, height / 2, radius))


def beaker(rng: np.random.Generator) -> Made:
    """A cup without a handle: paper, plastic or a glass of juice."""
    low, high, height = float(rng.uniform(0.026, 0.034)), float(rng.uniform(0.036, 0.045)), float(rng.uniform(0.09, 0.14))
    colour, drink = any_colour(rng, (0.0, 0.7), (0.5, 1.0)), any_colour(rng, (0.5, 0.9), (0.4, 0.9))
    wall = [(0.0, 0.0), (low, 0.0), (high, height), (high - 0.003, height), (low - 0.003, 0.008)]
    return Made([solids.lathe(wall).painted(colour), solids.cylinder(low, height * 0.85).painted(drink)], (0.0, height / 2, high))


def bottle(rng: np.random.Generator) -> Made:
    """Water, soda or wine: body, neck, cap and a printed band."""
    radius, height = float(rng.uniform(0.031, 0.042)), float(rng.uniform(0.21, 0.31))
    colour, neck = any_colour(rng, (0.2, 0.9), (0.2, 0.8)), float(rng.uniform(0.6, 0.72))
    profile = [(0.0, 0.0), (radius * 0.95, 0.0), (radius, 0.01), (radius, height * neck), (radius * 0.75, height * (neck + 0.1))]
    profile += [(0.014, height * (neck + 0.18)), (0.013, height * 0.94), (0.0, height * 0.94)]
    cap = solids.cylinder(0.016, height * 0.07).moved(y=height * 0.93).painted(any_colour(rng, (0.4, 0.9)))
    band = _band(radius + 0.0008, height * 0.26, rng).moved(y=height * 0.25)
    return Made([solids.lathe(profile).painted(colour), cap, band], (0.0, height * 0.4, radius))


def wine_glass(rng: np.random.Generator) -> Made:
    """Pale glass with a drink to about half of it."""
    radius, height = float(rng.uniform(0.033, 0.043)), float(rng.uniform(0.17, 0.22))
    glass, stem = (0.8, 0.84, 0.87), height * 0.45
    drink = (0.42, 0.05, 0.1) if rng.random() < 0.6 else (0.86, 0.76, 0.36)
    foot = [(0.0, 0.0), (radius * 0.9, 0.0), (radius * 0.85, 0.004), (0.005, 0.008), (0.004, stem)]
    bowl = [(0.004, stem), (radius * 0.7, stem + height * 0.1), (radius, stem + height * 0.25), (radius * 0.8, height)]
    level = [
        (0.003, stem + 0.003),
        (radius * 0.71, stem + height * 0.1),
        (radius * 1.015, stem + height * 0.26),
        (0.0, stem + height * 0.26),
    ]
    return Made(
        [solids.lathe(foot).painted(glass), solids.lathe(bowl).painted(glass), solids.lathe(level).painted(drink)], (0.0, stem * 0.8, 0.012)
    )


def bowl(rng: np.random.Generator) -> Made:
    """Deep, with something to eat in it."""
    radius, height, colour = float(rng.uniform(0.065, 0.1)), float(rng.uniform(0.05, 0.08)), any_colour(rng, (0.0, 0.6), (0.5, 1.0))
    wall = [
        (0.0, 0.0),
        (radius * 0.5, 0.0),
        (radius * 0.8, height * 0.4),
        (radius, height),
        (radius - 0.005, height),
        (radius * 0.7, height * 0.4),
    ]
    food = [
        solids.ball(radius * 0.28).moved(float(x), height * 0.55, float(z)) for x, z in rng.uniform(-radius * 0.35, radius * 0.35, (5, 2))
    ]
    filling = solids.cylinder(radius * 0.84, height * 0.68).painted(any_colour(rng, (0.3, 0.8), (0.5, 0.9)))
    return Made(
        [solids.lathe(wall, 28).painted(colour), filling, solids.joined(food).painted(any_colour(rng, (0.4, 0.9)))],
        (radius, height / 2, 0.0),
    )


def dish(rng: np.random.Generator) -> Made:
    """A flat plate, empty or with a meal."""
    radius, colour = float(rng.uniform(0.1, 0.14)), any_colour(rng, (0.0, 0.25), (0.75, 1.0))
    wall = [(0.0, 0.0), (radius * 0.6, 0.0), (radius, 0.02), (radius - 0.004, 0.023), (radius * 0.62, 0.007), (0.0, 0.006)]
    pieces = [solids.lathe(wall, 32).painted(colour)]
    for x, z in rng.uniform(-radius * 0.35, radius * 0.35, (int(rng.integers(0, 5)), 2)):
        pieces.append(
            solids.ball(float(rng.uniform(0.02, 0.04)), 0.03).moved(float(x), 0.006, float(z)).painted(any_colour(rng, (0.4, 0.9)))
        )
    return Made(pieces, (radius, 0.015, 0.0))


def phone(rng: np.random.Generator) -> Made:
    """Lies on its back, the lit screen up."""
    pieces, depth = _phone(rng)
    return Made([piece.moved(y=-0.0775).turned(0, -90.0).moved(y=depth / 2) for piece in pieces], (0.0, depth, 0.0), (1,))


def phone_held(rng: np.random.Generator) -> Made:
    """Upright in a hand: the screen looks at the holder, the back with its camera away."""
    pieces, depth = _phone(rng)
    return Made([piece.turned(1, 180.0) for piece in pieces], (0.0, 0.06, depth / 2), (1,))


def paper_sheet(rng: np.random.Generator) -> Made:
    """One printed sheet, lying."""
    return Made([solids.flat_quad(0.21, 0.297, 0.002).painted(pictures.page(rng))], (0.0, 0.0, 0.12))


def paper_held(rng: np.random.Generator) -> Made:
    """A printed sheet upright, slightly bent, its print towards the holder."""
    x_RC, y_RC = np.meshgrid(np.linspace(0.105, -0.105, 9), np.linspace(0.0, 0.297, 9))
    bent = solids.sheet(np.stack([x_RC, y_RC, 0.02 * (x_RC / 0.105) ** 2 + 0.01 * np.sin(y_RC * 9)], 2))
    return Made([bent.painted(pictures.page(rng))], (0.0, 0.03, 0.01))


def notebook(rng: np.random.Generator) -> Made:
    """A ruled pad with a spiral at its top, lying open."""
    width, depth = 0.15, 0.21
    cover = solids.box(width, 0.012, depth).painted(any_colour(rng))
    rings = [solids.rod([x, 0.006, -depth / 2 - 0.005], [x, 0.017, -depth / 2 + 0.006], 0.003) for x in np.linspace(-0.065, 0.065, 12)]
    sheet = solids.flat_quad(width - 0.006, depth - 0.01, 0.0125).painted(pictures.page(rng, ruled=True))
    return Made([cover, solids.joined(rings).painted(STEEL), sheet], (0.0, 0.0, 0.06))


def book_closed(rng: np.random.Generator) -> Made:
    """Lies with its front up; the spine at -x."""
    (width, depth), thick = rng.uniform((0.12, 0.18), (0.17, 0.245)), float(rng.uniform(0.016, 0.04))
    front, back = pictures.cover(rng), any_colour(rng)
    pages = solids.box(width - 0.006, thick - 0.004, depth - 0.008).moved(0.003, 0.002).painted((0.93, 0.9, 0.84))
    boards = [
        solids.box(width, 0.0025, depth),
        solids.box(width, 0.0025, depth).moved(y=thick - 0.0025),
        solids.box(0.003, thick, depth).moved(-width / 2),
    ]
    top = solids.flat_quad(width, depth, thick + 0.0006).painted(front)
    return Made([solids.joined(boards).painted(back), pages, top], (width / 2 - 0.03, thick / 2, 0.0))


def book_open(rng: np.random.Generator) -> Made:
    """Lies open on its back, two pages up."""
    return Made(_open_book(rng), (0.0, 0.0, 0.1))


def book_held(rng: np.random.Generator) -> Made:
    """Open before the holder's face: pages look along -z and a little up."""
    pieces = [piece.turned(1, 180.0).turned(0, -65.0).moved(y=0.1) for piece in _open_book(rng)]
    return Made(pieces, (0.0, 0.02, 0.05))


def sandwich(rng: np.random.Generator) -> Made:
    """Two triangles of bread with a filling."""
    bread = (0.84, 0.68, 0.44) if rng.random() < 0.6 else (0.55, 0.38, 0.24)
    layers = [
        (0.016, 1.0, bread),
        (0.006, 1.07, (0.36, 0.62, 0.24)),
        (0.006, 1.0, (0.93, 0.78, 0.3)),
        (0.006, 1.04, (0.8, 0.36, 0.32)),
        (0.016, 1.0, bread),
    ]
    pieces, y = [], 0.0
    for thick, size, colour in layers:
        triangle = solids.prism([(-0.07 * size, -0.045 * size), (0.07 * size, -0.045 * size), (0.0, 0.085 * size)], thick)
        pieces.append(triangle.turned(0, -90.0).moved(y=y + thick / 2).painted(colour))
        y += thick
    return Made(pieces, (0.0, y / 2, 0.04))


def pizza(rng: np.random.Generator) -> Made:
    """Crust, sauce and slices of salami and olives."""
    radius = float(rng.uniform(0.11, 0.16))
    crust = solids.lathe([(0.0, 0.0), (radius, 0.0), (radius * 1.02, 0.012), (radius * 0.9, 0.018), (0.0, 0.012)], 28).painted(
        (0.8, 0.58, 0.32)
    )
    top = solids.cylinder(radius * 0.88, 0.015, 28).painted((0.9, 0.68, 0.3))
    pieces = [crust, top]
    for i in range(14):
        a, r = rng.uniform(0, 6.28), radius * 0.8 * float(rng.random()) ** 0.5
        colour = ((0.72, 0.18, 0.13), (0.2, 0.2, 0.16), (0.3, 0.5, 0.2))[i % 3]
        pieces.append(solids.cylinder(0.02 if i % 3 == 0 else 0.01, 0.004, 10).moved(r * np.cos(a), 0.0145, r * np.sin(a)).painted(colour))
    return Made(pieces, (0.0, 0.01, radius))


def banana(rng: np.random.Generator) -> Made:
    """One, bent, lying."""
    bend, length = float(rng.uniform(0.9, 1.4)), float(rng.uniform(0.15, 0.2))
    angle = np.linspace(-bend / 2, bend / 2, 13)
    radius = np.interp(np.linspace(0, 1, 13), [0, 0.06, 0.2, 0.8, 0.94, 1], [0.002, 0.007, 0.017, 0.017, 0.006, 0.004])
    path = [[length / bend * np.sin(a), 0.018, length / bend * (1 - np.cos(a))] for a in angle]
    return Made([solids.tube(path, radius, 10).painted((0.93, 0.79 + float(rng.uniform(-0.06, 0.06)), 0.2))], (0.0, 0.018, 0.0))


def apple(rng: np.random.Generator) -> Made:
    """Red, green or yellow, with a stalk."""
    return Made(_fruit(rng, [(0.75, 0.14, 0.12), (0.5, 0.68, 0.2), (0.88, 0.7, 0.25)][int(rng.integers(3))], 0.038), (0.0, 0.036, 0.036))


def orange(rng: np.random.Generator) -> Made:
    """An orange."""
    return Made(_fruit(rng, (0.95, 0.52, 0.1), 0.038), (0.0, 0.037, 0.036))


def donut(rng: np.random.Generator) -> Made:
    """A ring with icing."""
    angle = np.linspace(0, 2 * np.pi, 25)
    ring = [[0.032 * np.cos(a), 0.016, 0.032 * np.sin(a)] for a in angle]
    dough, icing = solids.tube(ring, 0.017, 12), solids.tube(ring, 0.0175, 12).stretched(y=0.6).moved(y=0.0115)
    return Made([dough.painted((0.78, 0.55, 0.3)), icing.painted(any_colour(rng, (0.2, 0.6), (0.4, 0.95)))], (0.0, 0.016, 0.045))


def cake(rng: np.random.Generator) -> Made:
    """Round, two layers, cherries on top."""
    radius, height = float(rng.uniform(0.09, 0.13)), float(rng.uniform(0.07, 0.1))
    pieces = [solids.cylinder(radius, height, 28).painted(any_colour(rng, (0.1, 0.5), (0.6, 1.0)))]
    pieces.append(solids.cylinder(radius * 1.01, height * 0.2, 28).moved(y=height * 0.85).painted(any_colour(rng, (0.0, 0.5), (0.5, 1.0))))
    cherries = [
        solids.ball(0.012).moved(radius * 0.75 * np.cos(a), height * 1.04, radius * 0.75 * np.sin(a)) for a in np.arange(8) * np.pi / 4
    ]
    return Made([*pieces, solids.joined(cherries).painted((0.75, 0.08, 0.12))], (0.0, 0.0, radius))


def pill_bottle(rng: np.random.Generator) -> Made:
    """Orange or white with a white cap and a label."""
    radius, height = float(rng.uniform(0.018, 0.028)), float(rng.uniform(0.06, 0.09))
    colour = [(0.9, 0.45, 0.1), (0.92, 0.92, 0.9), (0.3, 0.5, 0.75)][int(rng.integers(3))]
    cap = solids.cylinder(radius * 1.05, height * 0.22).moved(y=height * 0.8).painted(WHITE)
    return Made(
        [solids.cylinder(radius, height * 0.85).painted(colour), cap, _band(radius + 0.0006, height * 0.5, rng).moved(y=height * 0.15)],
        (0.0, height / 2, radius),
    )


def blister(rng: np.random.Generator) -> Made:
    """A foil card with ten pills."""
    pills = [solids.ball(0.006, 0.007).moved(x, 0.001, z) for x in np.linspace(-0.036, 0.036, 5) for z in (-0.012, 0.012)]
    return Made(
        [solids.box(0.095, 0.001, 0.055).painted(STEEL), solids.joined(pills).painted(any_colour(rng, (0.0, 0.6), (0.6, 1.0)))],
        (0.0, 0.0, 0.02),
    )


def knife(rng: np.random.Generator) -> Made:
    """A kitchen knife lying on its side, the blade at +x."""
    length = float(rng.uniform(0.13, 0.2))
    blade = solids.prism([(0.0, 0.0), (length * 0.75, 0.0), (length, 0.02), (length, 0.024), (0.0, 0.03)], 0.002)
    handle = solids.box(0.11, 0.024, 0.015).moved(-0.055, 0.003).painted(BLACK if rng.random() < 0.5 else WOOD)
    return Made([piece.turned(0, -90.0).moved(y=0.0075) for piece in (blade.painted(STEEL), handle)], (-0.055, 0.008, -0.015))


def remote(rng: np.random.Generator) -> Made:
    """A dark bar with rows of buttons, lying."""
    buttons = [solids.box(0.008, 0.003, 0.006).moved(x, 0.018, z) for x in (-0.012, 0.0, 0.012) for z in np.linspace(-0.07, 0.05, 8)]
    body = solids.box(0.045, 0.018, 0.18).painted(any_colour(rng, (0.0, 0.2), (0.08, 0.3)))
    return Made([body, solids.joined(buttons).painted(any_colour(rng, (0.0, 0.5), (0.5, 0.9)))], (0.0, 0.0, 0.03))


def _band(radius: float, height: float, rng: np.random.Generator) -> Piece:
    return solids.lathe([(radius, 0.0), (radius, height)], 24).painted(pictures.label_strip(rng))


def _fruit(rng: np.random.Generator, colour: Colour, radius: float) -> list[Piece]:
    size = float(rng.uniform(0.9, 1.1))
    stalk = solids.rod([0.0, 1.8 * radius * size, 0.0], [0.006, 1.8 * radius * size + 0.015, 0.0], 0.002)
    return [solids.ball(radius * size, radius * 1.88 * size).painted(colour), stalk.painted((0.3, 0.22, 0.12))]


def _phone(rng: np.random.Generator) -> tuple[list[Piece], float]:
    width, height, depth = 0.075, 0.155, 0.009
    case = solids.box(width, height, depth).painted(any_colour(rng, (0.0, 0.6), (0.06, 0.6)) if rng.random() < 0.5 else BLACK)
    screen = solids.front_quad(width - 0.006, height - 0.012, 0.006, depth / 2 + 0.0006).painted(pictures.phone_screen(rng))
    camera = solids.box(0.022, 0.026, 0.002).moved(0.02, height - 0.035, -depth / 2 - 0.0005).painted((0.04, 0.04, 0.05))
    return [case, screen, camera], depth


def _open_book(rng: np.random.Generator) -> list[Piece]:
    width, depth, thick = float(rng.uniform(0.125, 0.165)), float(rng.uniform(0.19, 0.24)), float(rng.uniform(0.012, 0.022))
    pieces = [solids.box(width * 2 + 0.008, 0.003, depth + 0.008).painted(any_colour(rng))]
    u = np.linspace(0, 1, 9)
    arch = 0.003 + thick * (1 - 0.35 * u) * np.minimum(1.0, u * 6 + 0.25)
    for side in (-1.0, 1.0):
        x_C, y_C = (side * width * u, arch) if side > 0 else (side * width * u[::-1], arch[::-1])
        rows = [np.stack([x_C, y_C, np.full(9, z)], 1) for z in (depth / 2, -depth / 2)]
        pieces.append(solids.sheet(np.array(rows)).painted(pictures.page(rng)))
        edges = [
            np.stack([x_C, y, np.full(9, z)], 1)
            for z in (depth / 2, -depth / 2)
            for y in (np.full(9, 0.003), arch if side > 0 else arch[::-1])
        ]
        pieces.append(solids.joined([solids.sheet(np.array(edges[:2])), solids.sheet(np.array(edges[2:]))]).painted((0.93, 0.9, 0.84)))
    return pieces
