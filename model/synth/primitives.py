"""Things that the furniture package lacks or has too few of, built from a seed: `build(label, rng)`, split into train and test by seed.

    rng = thing_rng("train", "cup", 17)              # the 17th cup of the train side; test numbers make other cups
    cup = build("cup", rng)                          # any kind of it; build("cup", rng, "mug") a named one; kinds("cup") lists them
    node = scene.add(to_pyrender(cup.parts, cup.vertices_V3, cup.normals_V3, cup.glowing), pose=...)   # from model.synth.mesh
    blanket = drape_blanket(body_vertices_V3, (x, z), (1.4, 1.8), mattress_y, rng)                        # over a lying body, in its axes

Own frame of a thing: y up, front at +z, base centre at the origin, metres, as it stands or lies on a table or floor. Kinds that end in
`held` are in the holder's frame: the holder looks along +z, so pages and screens look
along -z (turn by -90 degrees about x for someone on the back). To put a thing in a hand, move its
`grip_3` to the palm. A doorknob sticks out of the plane z = 0. `size` is (width, height, depth) of the bounding box.
Legend: V vertices.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from model.synth import things_cloth, things_room, things_table
from model.synth.mesh import Solid, assemble
from model.synth.moment import Float, Part
from model.synth.things_table import Made

Point = tuple[float, float, float]
Builder = Callable[[np.random.Generator], Made]
FIRST_TEST_SEED = 1_000_000

BUILDERS: dict[str, dict[str, Builder]] = {
    "apple": {"apple": things_table.apple},
    "backpack": {"backpack": things_cloth.backpack},
    "banana": {"banana": things_table.banana},
    "baseball bat": {"bat": things_room.bat},
    "blanket": {"folded": things_cloth.blanket_folded, "crumpled": things_cloth.blanket_crumpled},
    "book": {"closed": things_table.book_closed, "open": things_table.book_open, "held": things_table.book_held},
    "bottle": {"bottle": things_table.bottle},
    "bowl": {"bowl": things_table.bowl, "dish": things_table.dish},
    "box": {"carton": things_room.carton, "open": things_room.carton_open, "packet": things_room.packet},
    "broom": {"broom": things_room.broom, "mop": things_room.mop},
    "cake": {"cake": things_table.cake},
    "cell phone": {"lying": things_table.phone, "held": things_table.phone_held},
    "clothes": {"folded": things_cloth.clothes_folded, "heap": things_cloth.clothes_heap, "hanging": things_cloth.shirt_hanging},
    "cup": {"mug": things_table.mug, "beaker": things_table.beaker},
    "donut": {"donut": things_table.donut},
    "doorknob": {"doorknob": things_room.doorknob},
    "groceries": {"bag": things_room.groceries},
    "handbag": {"handbag": things_cloth.handbag},
    "keyboard": {"keyboard": things_room.keyboard},
    "knife": {"knife": things_table.knife},
    "laptop": {"open": things_room.laptop},
    "medicine": {"bottle": things_table.pill_bottle, "blister": things_table.blister},
    "mirror": {"wall": things_room.mirror, "held": things_room.mirror_hand},
    "orange": {"orange": things_table.orange},
    "paper": {"sheet": things_table.paper_sheet, "notebook": things_table.notebook, "held": things_table.paper_held},
    "picture": {"framed": things_room.picture},
    "pillow": {"pillow": things_cloth.pillow},
    "pizza": {"pizza": things_table.pizza},
    "remote": {"remote": things_table.remote},
    "sandwich": {"sandwich": things_table.sandwich},
    "shoe": {"shoe": things_cloth.shoe},
    "sports ball": {"ball": things_room.ball},
    "suitcase": {"suitcase": things_room.suitcase},
    "towel": {"hanging": things_cloth.towel_hanging, "folded": things_cloth.towel_folded, "held": things_cloth.towel_held},
    "tv": {"set": things_room.tv, "screen": things_room.tv_screen},
    "vacuum": {"canister": things_room.vacuum_canister, "upright": things_room.vacuum_upright},
    "wine glass": {"wine glass": things_table.wine_glass},
}
NEVER_BY_CHANCE = {"tv": ("screen",)}


@dataclass(frozen=True, slots=True)
class Primitive:
    """One thing of its own; `glowing` numbers the parts that shine (screens)."""

    label: str
    kind: str
    parts: tuple[Part, ...]
    vertices_V3: Float
    normals_V3: Float
    size: Point
    grip_3: Point
    glowing: tuple[int, ...]


def labels() -> tuple[str, ...]:
    """What can be built, words of moderation-v1."""
    return tuple(BUILDERS)


def kinds(label: str) -> tuple[str, ...]:
    """The kinds of a label. Raises ValueError for a label that cannot be built."""
    if label not in BUILDERS:
        raise ValueError(f"nothing builds {label!r}; known are {', '.join(BUILDERS)}")
    return tuple(BUILDERS[label])


def thing_rng(split: Literal["train", "test"], label: str, number: int) -> np.random.Generator:
    """The generator of one identity: no train thing has a test thing's seed, whatever their numbers (below a million)."""
    if not 0 <= number < FIRST_TEST_SEED:
        raise ValueError(f"a thing's number is in 0..{FIRST_TEST_SEED - 1}, got {number}")
    first = {"train": 0, "test": FIRST_TEST_SEED}
    if split not in first:
        raise ValueError(f"a split is train or test, got {split!r}")
    return np.random.default_rng([zlib.crc32(label.encode()), first[split] + number])


def build(label: str, rng: np.random.Generator, kind: str | None = None) -> Primitive:
    """A thing of this label; of any kind when none is named, but then never one that only makes sense in a hand or on another thing."""
    known = kinds(label)
    if kind is None:
        free = [name for name in known if name != "held" and name not in NEVER_BY_CHANCE.get(label, ())]
        kind = free[int(rng.integers(len(free)))]
    if kind not in known:
        raise ValueError(f"no kind {kind!r} of {label!r}; known are {', '.join(known)}")
    return _primitive(label, kind, BUILDERS[label][kind](rng))


def drape_blanket(
    points_V3: npt.ArrayLike, centre: tuple[float, float], size: tuple[float, float], floor_y: float, rng: np.random.Generator
) -> Primitive:
    """A blanket of `size` (along x and z) about `centre` (x, z) over points and over `floor_y`; stays in the axes of the points."""
    return _primitive("blanket", "draped", things_cloth.drape(points_V3, centre, size, floor_y, rng))


def _primitive(label: str, kind: str, made: Made) -> Primitive:
    solid: Solid = assemble(made.pieces)
    width, height, depth = np.ptp(solid.vertices_V3, axis=0)
    size = (float(width), float(height), float(depth))
    return Primitive(label, kind, solid.parts, solid.vertices_V3, solid.normals_V3, size, made.grip_3, made.glowing)
