"""The nouns of the box world: people, things, slots and poses. Knows neither how they are drawn nor how they are seen."""

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TypeVar

import numpy as np

from model.world.things import Bool, Float, Int

NUM_PEOPLE = 2
NUM_THINGS = 20
SUPPORT = slice(0, 2)
HELD_RIGHT = slice(2, 4)
HELD_LEFT = slice(4, 6)
WORN = slice(6, 8)
TABLE = 8
TABLE_TOP = slice(9, 13)
AROUND = slice(13, 18)
LOOSE = 17
COVER = slice(18, 20)
"""Slots of the things: one of each kind per person, then the shared ones."""

STAND, SIT, LIE, CROUCH, LEAN, FLOOR, JUMP = range(7)


@dataclass(frozen=True, slots=True)
class People:
    """Two people a scene: size, pose, where they are and which way they face (radians; 0 is +x).

    `base_SQ` is the height of what carries them; `tilt_SQ` how far the trunk leans forward, `roll_SQ` how far it turns about itself;
    `covered_SQ`: a blanket lies on them; `limbs_SQA4` are standard normal draws per side: thigh forward, thigh outward, thigh up,
    shin forward.
    """

    present_SQ: Bool
    height_SQ: Float
    girth_SQ: Float
    pose_SQ: Int
    facing_SQ: Float
    root_SQ3: Float
    supported_SQ: Bool
    shares_S: Bool
    base_SQ: Float
    tilt_SQ: Float
    roll_SQ: Float
    covered_SQ: Bool
    limbs_SQA4: Float


@dataclass(frozen=True, slots=True)
class Things:
    """Up to 20 things a scene: class (vocabulary index), size, centre and turn about z."""

    present_ST: Bool
    class_ST: Int
    size_ST3: Float
    centre_ST3: Float
    yaw_ST: Float


@dataclass(frozen=True, slots=True)
class Scene:
    """People and the things that do not move with their hands."""

    people: People
    things: Things


Draws = TypeVar("Draws")


def repeated(draws: Draws, times: int) -> Draws:
    """Every scene of a dataclass of arrays (or of such dataclasses) `times` times in a row: a clip before anything moves."""
    assert is_dataclass(draws)
    changed = {}
    for field in fields(draws):
        value = getattr(draws, field.name)
        changed[field.name] = np.repeat(value, times, axis=0) if isinstance(value, np.ndarray) else repeated(value, times)
    return replace(draws, **changed)  # type: ignore[type-var]
