"""Who the dressed people are: shape, skin, hair and clothes of every identity, train and test apart. Pure data.

Shape numbers are anny's (0..1; gender 0 is male and 1 female; age 1/3 is a child of about ten, 2/3 a young adult, 1 an old person).
"""

from colorsys import hsv_to_rgb
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

Colour = tuple[int, int, int]
_Word = TypeVar("_Word", bound=str)

NUM_DRAWN, DRAWN_SEED = 48, 91
"""People of train who are drawn instead of named: a head that reads bodies learns the dozen named ones by heart."""

BROWN, BLACK, BLOND, GREY, RED, DARK = (82, 52, 32), (24, 20, 19), (165, 125, 75), (150, 148, 145), (125, 60, 30), (48, 33, 25)
PALE, FAIR, OLIVE, TAN, BROWNISH, DEEP = (236, 196, 174), (219, 175, 148), (196, 150, 118), (168, 121, 90), (124, 84, 62), (84, 56, 44)


@dataclass(frozen=True, slots=True)
class Shape:
    """anny's phenotype: `african`, `asian` and `caucasian` are shares of the face."""

    gender: float
    age: float
    muscle: float
    weight: float
    height: float
    proportions: float
    african: float
    asian: float
    caucasian: float


@dataclass(frozen=True, slots=True)
class Person:
    """One identity: the same face, hair and clothes in every posture."""

    name: str
    split: Literal["train", "test"]
    height_m: float
    shape: Shape
    skin: Colour
    hair: Colour
    hair_style: Literal["short", "long", "bald"]
    sleeve: Literal["short", "long"]
    bottom: Literal["trousers", "skirt", "shorts"]
    pattern: Literal["plain", "stripe", "plaid", "denim", "dots"]
    top: Colour
    top_other: Colour
    lower: Colour
    shoes: Colour
    seed: int


def _male(age: float, muscle: float, weight: float, height: float, face: tuple[float, float, float]) -> Shape:
    return Shape(0.0, age, muscle, weight, height, 0.6, *face)


def _female(age: float, muscle: float, weight: float, height: float, face: tuple[float, float, float]) -> Shape:
    return Shape(1.0, age, muscle, weight, height, 0.6, *face)


AFRICA, ASIA, EUROPE, MIXED = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.3, 0.3, 0.4)

NAMED: tuple[Person, ...] = (
    Person("t01", "train", 1.78, _male(0.60, 0.55, 0.45, 0.55, EUROPE), FAIR, BROWN, "short", "short", "trousers", "plain",
           (58, 92, 128), (40, 60, 90), (52, 56, 66), (60, 45, 35), 1),
    Person("t02", "train", 1.66, _female(0.58, 0.45, 0.40, 0.50, EUROPE), PALE, BLOND, "long", "long", "trousers", "stripe",
           (222, 218, 208), (48, 62, 110), (58, 78, 118), (190, 185, 178), 2),
    Person("t03", "train", 1.75, _male(0.75, 0.45, 0.70, 0.50, EUROPE), FAIR, GREY, "short", "long", "trousers", "plaid",
           (150, 52, 44), (40, 40, 48), (88, 78, 62), (40, 34, 30), 3),
    Person("t04", "train", 1.68, _female(0.70, 0.40, 0.62, 0.45, AFRICA), DEEP, BLACK, "long", "short", "trousers", "dots",
           (222, 170, 52), (240, 236, 220), (40, 40, 46), (110, 40, 44), 4),
    Person("t05", "train", 1.84, _male(0.58, 0.62, 0.40, 0.60, AFRICA), BROWNISH, BLACK, "short", "short", "shorts", "plain",
           (206, 208, 210), (120, 120, 120), (62, 70, 58), (222, 222, 220), 5),
    Person("t06", "train", 1.58, _female(0.62, 0.45, 0.38, 0.45, ASIA), FAIR, BLACK, "long", "short", "skirt", "plain",
           (196, 84, 96), (160, 60, 80), (46, 48, 60), (30, 30, 32), 6),
    Person("t07", "train", 1.70, _male(0.64, 0.50, 0.55, 0.48, ASIA), OLIVE, DARK, "short", "long", "trousers", "plain",
           (74, 96, 74), (50, 70, 50), (44, 50, 74), (70, 70, 74), 7),
    Person("t08", "train", 1.60, _female(0.92, 0.35, 0.55, 0.42, EUROPE), PALE, GREY, "short", "long", "trousers", "plain",
           (118, 96, 136), (90, 70, 110), (92, 92, 98), (84, 62, 54), 8),
    Person("t09", "train", 1.40, _male(0.34, 0.45, 0.45, 0.50, EUROPE), PALE, BLOND, "short", "short", "shorts", "stripe",
           (214, 70, 54), (236, 232, 224), (60, 78, 112), (46, 90, 160), 9),
    Person("t10", "train", 1.34, _female(0.36, 0.45, 0.42, 0.50, MIXED), TAN, DARK, "long", "long", "trousers", "dots",
           (240, 158, 176), (250, 246, 240), (84, 96, 138), (220, 120, 140), 10),
    Person("t11", "train", 1.88, _male(0.68, 0.70, 0.58, 0.62, MIXED), TAN, BLACK, "bald", "short", "trousers", "plain",
           (34, 36, 40), (60, 60, 60), (112, 100, 82), (52, 52, 56), 11),
    Person("t12", "train", 1.69, _female(0.66, 0.50, 0.72, 0.50, MIXED), OLIVE, RED, "long", "long", "trousers", "plaid",
           (56, 118, 122), (214, 206, 190), (60, 56, 54), (96, 66, 46), 12),
    Person("e01", "test", 1.76, _male(0.62, 0.50, 0.52, 0.52, MIXED), OLIVE, BLACK, "short", "short", "trousers", "stripe",
           (70, 120, 88), (226, 224, 214), (96, 84, 66), (36, 36, 40), 101),
    Person("e02", "test", 1.72, _female(0.64, 0.48, 0.46, 0.52, AFRICA), BROWNISH, DARK, "long", "long", "trousers", "plain",
           (232, 226, 212), (200, 190, 170), (70, 88, 124), (146, 106, 76), 102),
    Person("e03", "test", 1.73, _male(0.88, 0.40, 0.62, 0.45, EUROPE), PALE, GREY, "short", "long", "trousers", "plain",
           (92, 104, 122), (60, 70, 90), (70, 64, 58), (58, 42, 34), 103),
    Person("e04", "test", 1.68, _female(0.56, 0.52, 0.35, 0.58, EUROPE), FAIR, RED, "long", "short", "shorts", "plain",
           (60, 60, 68), (90, 90, 96), (84, 104, 140), (226, 222, 214), 104),
    Person("e05", "test", 1.42, _male(0.35, 0.45, 0.50, 0.55, ASIA), FAIR, BLACK, "short", "short", "trousers", "plaid",
           (240, 186, 60), (60, 100, 160), (56, 62, 70), (190, 60, 50), 105),
    Person("e06", "test", 1.57, _female(0.72, 0.42, 0.66, 0.46, ASIA), OLIVE, BROWN, "short", "short", "skirt", "dots",
           (64, 78, 140), (226, 222, 230), (90, 60, 74), (40, 36, 40), 106),
)  # fmt: skip


def _drawn(number: int) -> Person:
    """A train identity that follows from its number: faces, shapes and clothes that nobody chose."""
    rng = np.random.default_rng([DRAWN_SEED, number])
    female, child = bool(rng.random() < 0.5), bool(rng.random() < 0.2)
    age = rng.uniform(0.3, 0.4) if child else rng.uniform(0.55, 0.95)
    muscle, weight, tall, proportions = rng.uniform((0.35, 0.25, 0.4, 0.4), (0.7, 0.8, 0.65, 0.8))
    face = rng.dirichlet((0.5, 0.5, 0.5))
    shape = Shape(float(female), float(age), float(muscle), float(weight), float(tall), float(proportions), *(float(part) for part in face))
    height_m = rng.uniform(1.15, 1.5) if child else rng.normal(1.65 if female else 1.78, 0.06)
    skins, hairs = (PALE, FAIR, OLIVE, TAN, BROWNISH, DEEP), (BROWN, BLACK, BLOND, GREY, RED, DARK)
    lightness = float(face @ np.array([4.5, 1.5, 1.0])) + rng.normal(0.0, 0.6)
    return Person(
        f"d{number:02d}", "train", float(height_m), shape,
        skin=_near(rng, skins[int(np.clip(round(lightness), 0, len(skins) - 1))], 12), hair=_near(rng, hairs[rng.integers(len(hairs))], 15),
        hair_style=_one(rng, ("long", "long", "short") if female else ("short", "short", "short", "short" if child else "bald")),
        sleeve=_one(rng, ("short", "long")),
        bottom=_one(rng, ("trousers", "trousers", "shorts", "skirt") if female else ("trousers", "trousers", "shorts")),
        pattern=_one(rng, ("plain", "plain", "stripe", "plaid", "denim", "dots")),
        top=_any_colour(rng), top_other=_any_colour(rng), lower=_any_colour(rng), shoes=_any_colour(rng), seed=200 + number,
    )  # fmt: skip


def _one(rng: np.random.Generator, words: tuple[_Word, ...]) -> _Word:
    return words[int(rng.integers(len(words)))]


def _near(rng: np.random.Generator, colour: Colour, spread: float) -> Colour:
    red, green, blue = (
        int(value) for value in np.clip(np.array(colour) + rng.normal(0, 1, 3) * spread * 0.4 + rng.normal() * spread, 0, 255)
    )
    return red, green, blue


def _any_colour(rng: np.random.Generator) -> Colour:
    """As clothes are: a third grey, black or white, the rest of any hue, seldom loud."""
    if rng.random() < 0.35:
        return _near(rng, (grey := int(rng.uniform(20, 235)), grey, grey), 6)
    red, green, blue = hsv_to_rgb(rng.random(), rng.uniform(0.25, 0.8), rng.uniform(0.25, 0.95))
    return int(255 * red), int(255 * green), int(255 * blue)


PEOPLE: tuple[Person, ...] = (*NAMED, *(_drawn(number) for number in range(NUM_DRAWN)))
