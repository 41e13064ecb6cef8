"""Draws two people a scene: size, pose, what they are on. Where they are among the furniture is the room's business."""

import numpy as np

from model.world import things
from model.world.scene import CROUCH, FLOOR, JUMP, LEAN, LIE, NUM_PEOPLE, SIT, STAND, People
from model.world.things import Bool, Float, Int, is_any

ADULT_POSES = (0.34, 0.32, 0.09, 0.06, 0.08, 0.08, 0.03)
CHILD_POSES = (0.32, 0.22, 0.06, 0.08, 0.03, 0.15, 0.14)
"""Shares of stand, sit, lie, crouch, lean, floor, jump."""

SUPPORTED = {STAND: 0.15, SIT: 1.0, LIE: 0.9, CROUCH: 0.3, LEAN: 0.0, FLOOR: 0.45, JUMP: 0.6}
CHILD_STANDS_ON = 0.5
BABY_SHARE = 0.25
"""Of children: too small to stand, mostly on beds and couches."""
BABY_POSES = (0.0, 0.1, 0.3, 0.2, 0.0, 0.4, 0.0)
BABY_SUPPORTED = 0.75
"""How often a pose happens on a thing rather than on the floor."""

TILT = {
    STAND: (0.03, 0.08),
    SIT: (0.05, 0.22),
    LIE: (-1.35, 0.12),
    CROUCH: (0.5, 0.25),
    LEAN: (0.65, 0.17),
    FLOOR: (0.1, 0.25),
    JUMP: (0.0, 0.15),
}
"""Forward lean of the trunk, mean and spread in radians."""


def draw_people(rng: np.random.Generator, count: int) -> tuple[People, Int]:
    """People at the origin, and the class of thing each would be on (S, Q)."""
    shape = (count, NUM_PEOPLE)
    child = rng.random(shape) < 0.25
    baby = child & (rng.random(shape) < BABY_SHARE)
    pose = np.where(child, rng.choice(7, shape, p=CHILD_POSES), rng.choice(7, shape, p=ADULT_POSES))
    pose = np.where(baby, rng.choice(7, shape, p=BABY_POSES), pose)
    chance = np.where(baby, BABY_SUPPORTED, np.vectorize(SUPPORTED.__getitem__)(pose))
    supported = rng.random(shape) < np.where(child & (pose == STAND), CHILD_STANDS_ON, chance)
    support = _support_class(rng, pose)
    present = np.stack([np.ones(count, bool), rng.random(count) < 0.5], 1)
    shares = present[:, 1] & supported[:, 0] & (pose[:, 0] == SIT) & is_any(support[:, 0], "couch, bench, bed") & (rng.random(count) < 0.35)
    pose[:, 1], supported[:, 1] = np.where(shares, SIT, pose[:, 1]), supported[:, 1] & ~shares
    facing = np.stack([np.zeros(count), rng.uniform(-np.pi, np.pi, count)], 1)
    people = People(
        present_SQ=present,
        height_SQ=_heights(rng, child, baby),
        girth_SQ=np.exp(rng.normal(0, 0.15, shape)),
        pose_SQ=pose,
        facing_SQ=facing,
        root_SQ3=np.zeros((*shape, 3)),
        supported_SQ=supported,
        shares_S=shares,
        base_SQ=np.zeros(shape),
        tilt_SQ=_tilt(rng, pose),
        roll_SQ=np.where((pose == LIE) & (rng.random(shape) < 0.4), rng.uniform(-1.4, 1.4, shape), 0.0),
        covered_SQ=np.zeros(shape, bool),
        limbs_SQA4=rng.normal(size=(*shape, 2, 4)),
    )
    return people, support


def _heights(rng: np.random.Generator, child: Bool, baby: Bool) -> Float:
    tall: Float = np.where(child, rng.uniform(0.75, 1.4, child.shape), rng.normal(1.69, 0.09, child.shape))
    return np.where(baby, rng.uniform(0.55, 0.85, child.shape), tall)


def _support_class(rng: np.random.Generator, pose: Int) -> Int:
    def one_of(choices: Int) -> Int:
        return choices[rng.integers(0, len(choices), pose.shape)]

    sit, lie, stand, romp = (one_of(choices) for choices in (things.SIT_ON, things.LIE_ON, things.STAND_ON, things.ROMP_ON))
    romping: Bool = np.isin(pose, [CROUCH, FLOOR, JUMP])
    return np.select([pose == SIT, pose == LIE, romping], [sit, lie, romp], stand)


def _tilt(rng: np.random.Generator, pose: Int) -> Float:
    mean, deviation = (np.vectorize({pose: pair[part] for pose, pair in TILT.items()}.__getitem__)(pose) for part in (0, 1))
    out: Float = rng.normal(mean, deviation)
    return out
