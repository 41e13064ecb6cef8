"""Larger things of rooms: mirror, picture, screens, vacuum, broom, boxes, groceries, sports things, doorknob. Generator in, Made out.

Base centre at the origin, front at +z.
"""

import numpy as np

from model.synth import pictures, solids
from model.synth.pictures import any_colour
from model.synth.things_table import BLACK, STEEL, WHITE, Made


def mirror(rng: np.random.Generator) -> Made:
    """A framed glass to hang or lean; its picture is a pale reflection."""
    width, height = float(rng.uniform(0.35, 0.75)), float(rng.uniform(0.5, 1.5))
    frame = solids.box(width, height, 0.03).painted(any_colour(rng, (0.1, 0.6), (0.15, 0.8)))
    glass = solids.front_quad(width - 0.07, height - 0.07, 0.035, 0.0156).painted(pictures.reflection(rng))
    return Made([frame, glass], (width / 2, height / 2, 0.0))


def mirror_hand(rng: np.random.Generator) -> Made:
    """Round with a handle, upright; the glass looks at the holder (-z)."""
    radius, colour = float(rng.uniform(0.06, 0.085)), any_colour(rng)
    disc = solids.cylinder(radius, 0.012, 28).turned(0, 90.0).moved(y=0.12 + radius, z=-0.006).painted(colour)
    glass = solids.front_quad(radius * 1.35, radius * 1.35, 0.12 + radius * 0.33, 0.0075).turned(1, 180.0).painted(pictures.reflection(rng))
    return Made([disc, glass, solids.box(0.022, 0.13, 0.012).painted(colour)], (0.0, 0.06, 0.0))


def picture(rng: np.random.Generator) -> Made:
    """A framed picture for a wall or shelf."""
    width, height = float(rng.uniform(0.2, 0.8)), float(rng.uniform(0.2, 0.6))
    frame = solids.box(width, height, 0.02).painted(any_colour(rng, (0.0, 0.6), (0.1, 0.9)))
    mount = solids.front_quad(width - 0.04, height - 0.04, 0.02, 0.0106).painted(WHITE)
    art = solids.front_quad(width - 0.09, height - 0.09, 0.045, 0.0112).painted(pictures.scenery(rng, int(160 * width / height), 160))
    return Made([frame, mount, art], (width / 2, height / 2, 0.0))


def tv(rng: np.random.Generator) -> Made:
    """A flat set on a foot, with a lit picture."""
    width = float(rng.uniform(0.8, 1.35))
    height = width * 9 / 16
    body = solids.box(width + 0.03, height + 0.03, 0.045).moved(y=0.06).painted(BLACK)
    screen = solids.front_quad(width, height, 0.075, 0.0232).painted(pictures.scenery(rng, 192, 108))
    foot = solids.joined([solids.box(width * 0.4, 0.015, 0.2), solids.box(0.08, 0.08, 0.03)]).painted(BLACK)
    return Made([body, screen, foot], (width / 2, height / 2, 0.0), (1,))


def tv_screen(rng: np.random.Generator) -> Made:
    """Only the lit picture, 1 m wide, to put before a set of the furniture package (scale it)."""
    return Made([solids.front_quad(1.0, 0.5625).painted(pictures.scenery(rng, 192, 108))], (0.5, 0.28, 0.0), (0,))


def laptop(rng: np.random.Generator) -> Made:
    """Open; whoever uses it sits at +z and sees the lit screen."""
    width, depth, tilt = float(rng.uniform(0.3, 0.38)), float(rng.uniform(0.21, 0.26)), float(rng.uniform(-25.0, -8.0))
    shell = (0.75, 0.76, 0.78) if rng.random() < 0.5 else any_colour(rng, (0.0, 0.4), (0.12, 0.4))
    base = solids.box(width, 0.016, depth).painted(shell)
    board = solids.flat_quad(width * 0.88, depth * 0.5, 0.0166).moved(z=-depth * 0.12).painted(pictures.keys(rng))
    lid = solids.box(width, depth, 0.008).turned(0, tilt).moved(0.0, 0.014, -depth / 2).painted(shell)
    screen = solids.front_quad(width - 0.02, depth - 0.026, 0.013, 0.0046).turned(0, tilt).moved(0.0, 0.014, -depth / 2)
    return Made([base, board, lid, screen.painted(pictures.desktop(rng))], (0.0, 0.02, depth * 0.3), (3,))


def keyboard(rng: np.random.Generator) -> Made:
    """A desk keyboard, lying."""
    top = solids.flat_quad(0.43, 0.13, 0.0186).painted(pictures.keys(rng))
    return Made([solids.box(0.44, 0.018, 0.14).painted(any_colour(rng, (0.0, 0.2), (0.1, 0.8))), top], (0.0, 0.02, 0.03))


def vacuum_canister(rng: np.random.Generator) -> Made:
    """A body on wheels, a hose that rises to a tube, and the floor nozzle before it."""
    colour = any_colour(rng, (0.4, 0.9), (0.3, 0.85))
    body = solids.ball(0.15, 0.22).stretched(z=1.5).moved(0.0, 0.03, -0.3).painted(colour)
    wheels = [solids.cylinder(0.08, 0.04).turned(2, 90.0).moved(x, 0.08, -0.38) for x in (-0.1, 0.14)]
    nozzle = solids.box(0.28, 0.04, 0.1).moved(z=0.5).painted(BLACK)
    pipe = solids.rod([0.0, 0.04, 0.5], [0.0, 0.9, 0.1], 0.016).painted(STEEL)
    t = np.linspace(0, 1, 15)
    bow = np.stack([0.14 * np.sin(np.pi * t), 0.9 - 0.72 * t + 0.1 * np.sin(np.pi * t), 0.1 - 0.3 * t - 0.18 * np.sin(np.pi * t)], 1)
    return Made([body, solids.joined([*wheels, solids.tube(bow.tolist(), 0.02)]).painted(BLACK), nozzle, pipe], (0.0, 0.88, 0.11))


def vacuum_upright(rng: np.random.Generator) -> Made:
    """A stick or upright cleaner that leans to its handle."""
    colour, lean = any_colour(rng, (0.4, 0.9), (0.3, 0.85)), float(rng.uniform(0.3, 0.5))
    head = solids.box(0.28, 0.07, 0.16).moved(z=0.1).painted(BLACK)
    tank = solids.cylinder(0.065, 0.4).turned(0, -np.degrees(np.arctan(lean))).moved(0.0, 0.12, 0.05).painted(colour)
    stick = solids.rod([0.0, 0.05, 0.08], [0.0, 1.05, 0.08 - lean], 0.014).painted(STEEL)
    handle = solids.tube(
        [[0.0, 1.0, 0.1 - lean], [0.0, 1.08, 0.08 - lean], [0.0, 1.12, 0.0 - lean], [0.0, 1.06, -0.04 - lean]], 0.015
    ).painted(BLACK)
    return Made([head, tank, stick, handle], (0.0, 1.08, 0.04 - lean))


def broom(rng: np.random.Generator) -> Made:
    """A stick, a head and bristles."""
    colour, length = any_colour(rng, (0.4, 0.9), (0.3, 0.85)), float(rng.uniform(1.2, 1.45))
    stick = solids.rod([0.0, 0.24, 0.0], [0.0, length, 0.0], 0.012).painted(any_colour(rng, (0.2, 0.6), (0.3, 0.8)))
    head = solids.box(0.28, 0.05, 0.06).moved(y=0.2).painted(colour)
    bristles = []
    for x in np.linspace(-0.13, 0.13, 22):
        bristles.append(solids.tube([[x, 0.21, 0.0], [x * 1.35, 0.0, float(rng.uniform(-0.03, 0.03))]], 0.007, 5))
    return Made(
        [stick, head, solids.joined(bristles).painted((0.72, 0.6, 0.34) if rng.random() < 0.5 else colour)], (0.0, length * 0.75, 0.0)
    )


def mop(rng: np.random.Generator) -> Made:
    """A stick with a skirt of strings."""
    length = float(rng.uniform(1.2, 1.4))
    stick = solids.rod([0.0, 0.2, 0.0], [0.0, length, 0.0], 0.012).painted(any_colour(rng, (0.2, 0.8), (0.3, 0.9)))
    strings = []
    for a in np.linspace(0, 2 * np.pi, 24, endpoint=False):
        r = float(rng.uniform(0.09, 0.15))
        strings.append(
            solids.tube(
                [
                    [0.02 * np.cos(a), 0.24, 0.02 * np.sin(a)],
                    [0.6 * r * np.cos(a), 0.13, 0.6 * r * np.sin(a)],
                    [r * np.cos(a), 0.0, r * np.sin(a)],
                ],
                0.01,
                5,
            )
        )
    return Made([stick, solids.joined(strings).painted((0.78, 0.76, 0.7))], (0.0, length * 0.75, 0.0))


def carton(rng: np.random.Generator) -> Made:
    """A closed cardboard box."""
    width, height, depth = rng.uniform((0.25, 0.16, 0.22), (0.5, 0.38, 0.4))
    return Made([solids.box(width, height, depth).painted(pictures.cardboard(rng))], (width / 2, height * 0.3, 0.0))


def carton_open(rng: np.random.Generator) -> Made:
    """With its flaps up and dark inside."""
    width, height, depth = rng.uniform((0.25, 0.18, 0.22), (0.45, 0.32, 0.36))
    board = pictures.cardboard(rng)
    flaps = []
    for x, z, size, yaw in (
        (0.0, depth / 2, width, 0.0),
        (0.0, -depth / 2, width, 180.0),
        (width / 2, 0.0, depth, 90.0),
        (-width / 2, 0.0, depth, -90.0),
    ):
        flaps.append(solids.front_quad(size, 0.1).turned(0, 50.0).turned(1, yaw).moved(x, height, z))
    inside = solids.flat_quad(width * 0.98, depth * 0.98, height + 0.001).painted((0.2, 0.15, 0.1))
    return Made(
        [solids.box(width, height, depth).painted(board), inside, solids.joined(flaps).painted(board)], (width / 2, height * 0.3, 0.0)
    )


def packet(rng: np.random.Generator) -> Made:
    """A printed box such as cereal or a parcel."""
    width, height, depth = rng.uniform((0.14, 0.1, 0.05), (0.26, 0.3, 0.1))
    front = solids.front_quad(width, height, 0.0, depth / 2 + 0.0006).painted(pictures.cover(rng))
    return Made([solids.box(width, height, depth).painted(any_colour(rng, (0.2, 0.9))), front], (width / 2, height / 2, 0.0))


def groceries(rng: np.random.Generator) -> Made:
    """A paper bag with things that look out of it."""
    width, height, depth = 0.28, float(rng.uniform(0.28, 0.36)), 0.17
    paper = pictures.cloth(rng, "plain", (0.73, 0.56, 0.37), (0.0, 0.0, 0.0), 96)
    pieces = [
        solids.box(width, height, depth).painted(paper),
        solids.flat_quad(width * 0.97, depth * 0.97, height + 0.001).painted((0.2, 0.15, 0.1)),
    ]
    for x in np.linspace(-0.09, 0.09, 4):
        colour, z = any_colour(rng, (0.3, 0.9), (0.35, 0.95)), float(rng.uniform(-0.03, 0.03))
        kind = int(rng.integers(4))
        thing = (
            solids.cylinder(0.028, 0.12),
            solids.ball(0.045),
            solids.box(0.055, 0.1, 0.05),
            solids.lathe([(0.03, 0.0), (0.03, 0.07), (0.012, 0.12), (0.0, 0.14)]),
        )[kind]
        pieces.append(thing.moved(float(x), height - 0.02, z).painted(colour))
    bread = solids.tube([[0.07, height - 0.1, 0.04], [0.09, height + 0.08, 0.04], [0.12, height + 0.2, 0.05]], [0.028, 0.03, 0.008])
    return Made([*pieces, bread.painted((0.8, 0.6, 0.35))], (0.0, height * 0.4, depth / 2))


def suitcase(rng: np.random.Generator) -> Made:
    """Upright on wheels with its handle out."""
    width, height, depth = float(rng.uniform(0.34, 0.45)), float(rng.uniform(0.5, 0.65)), float(rng.uniform(0.2, 0.26))
    colour = any_colour(rng, (0.1, 0.9), (0.15, 0.8))
    body = solids.box(width, height, depth).moved(y=0.04).painted(colour)
    ribs = [solids.box(width * 0.06, height * 0.9, 0.01).moved(x * width, 0.04 + height * 0.05, depth / 2) for x in (-0.3, -0.1, 0.1, 0.3)]
    top = height + 0.04
    bow = solids.tube(
        [
            [-0.09, top, -0.06],
            [-0.09, top + 0.28, -0.06],
            [-0.08, top + 0.3, -0.06],
            [0.08, top + 0.3, -0.06],
            [0.09, top + 0.28, -0.06],
            [0.09, top, -0.06],
        ],
        0.008,
    )
    wheels = [solids.cylinder(0.025, 0.02).turned(2, 90.0).moved(x * width, 0.025, z * depth) for x in (-0.4, 0.4) for z in (-0.3, 0.3)]
    shade = (colour[0] * 0.75, colour[1] * 0.75, colour[2] * 0.75)
    return Made([body, solids.joined(ribs).painted(shade), solids.joined([bow, *wheels]).painted(BLACK)], (0.0, top + 0.3, -0.06))


def ball(rng: np.random.Generator) -> Made:
    """Striped, football- or basketball-sized."""
    radius = float(rng.uniform(0.09, 0.125))
    stripes = pictures.cloth(rng, str(rng.choice(["stripe", "check", "plain"])), any_colour(rng, (0.4, 0.9), (0.5, 0.95)), WHITE, 96)
    return Made([solids.ball(radius).painted(stripes)], (radius, radius, 0.0))


def bat(rng: np.random.Generator) -> Made:
    """A baseball bat standing on its grip end."""
    length = float(rng.uniform(0.76, 0.86))
    shape = [(0.0, 0.0), (0.018, 0.0), (0.018, 0.012), (0.012, 0.025), (0.013, 0.3), (0.028, 0.58), (0.033, 0.72), (0.03, 0.97), (0.0, 1.0)]
    colour = (0.8, 0.63, 0.4) if rng.random() < 0.6 else any_colour(rng, (0.0, 0.9), (0.2, 0.8))
    grip = solids.lathe([(0.0145, 0.03), (0.0145, 0.22)]).painted(BLACK)
    return Made([solids.lathe([(r, h * length) for r, h in shape]).painted(colour), grip], (0.0, 0.12, 0.0))


def doorknob(rng: np.random.Generator) -> Made:
    """For a door leaf in the plane z = 0: sticks out to +z, its axis at y = 0.03."""
    colour = [(0.78, 0.64, 0.33), (0.72, 0.73, 0.75), (0.25, 0.24, 0.23)][int(rng.integers(3))]
    if rng.random() < 0.5:
        knob = solids.lathe(
            [
                (0.0, 0.0),
                (0.03, 0.0),
                (0.03, 0.008),
                (0.011, 0.01),
                (0.011, 0.04),
                (0.026, 0.05),
                (0.03, 0.065),
                (0.022, 0.08),
                (0.0, 0.084),
            ]
        )
        return Made([knob.turned(0, 90.0).moved(y=0.03).painted(colour)], (0.0, 0.03, 0.07))
    plate = solids.box(0.045, 0.18, 0.008).moved(0.0, -0.06, 0.004)
    lever = solids.tube([[0.0, 0.03, 0.0], [0.0, 0.03, 0.045], [0.01, 0.03, 0.055], [0.12, 0.03, 0.055]], 0.009)
    return Made([solids.joined([plate, lever]).moved(y=0.06).painted(colour)], (0.07, 0.09, 0.055))
