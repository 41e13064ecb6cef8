"""Things at the places where boxes alone mislead: beside seats, at the wall behind, next to resting hands, blankets and pillows."""

from dataclasses import replace

import numpy as np

from model.world import things
from model.world.scene import AROUND, COVER, CROUCH, FLOOR, LIE, NUM_PEOPLE, SIT, SUPPORT, TABLE, TABLE_TOP, People, Things
from model.world.space import axes, choose, heading, spread
from model.world.things import HUNG, INDEX, SIZE_C3, Bool, Float, Int, is_any

FLANKED_SHARE = 0.45
"""How often each of two things stands right beside the seat or bed of person 0."""
WALL_SHARE = 0.4
AT_HAND_SHARE = 0.3
NOTHING, BLANKET_ON, BLANKET_NEAR, PILLOW = range(4)
LYING_SHARES = (0.25, 0.35, 0.1, 0.3)
SEATED_SHARES = (0.5, 0.12, 0.13, 0.25)
"""What lies on or by a person who lies, and who sits on something soft."""


def vary(rng: np.random.Generator, classes: Int) -> Float:
    """Sizes of things of these classes."""
    out: Float = SIZE_C3[classes] * np.exp(rng.normal(0, 0.14, (*classes.shape, 1))) * np.exp(rng.normal(0, 0.11, (*classes.shape, 3)))
    return out


def pick(rng: np.random.Generator, choices: Int, *shape: int) -> Int:
    """Random classes of a pool."""
    return choices[rng.integers(0, len(choices), shape)]


def flank_seats(rng: np.random.Generator, drawn: Things) -> None:
    """Things right beside what carries person 0, at any depth along it: beside, not in front."""
    count = len(drawn.present_ST)
    shape, slots = (count, 2), slice(AROUND.start, AROUND.start + 2)
    seat = drawn.size_ST3[:, SUPPORT.start]
    there = drawn.present_ST[:, [SUPPORT.start]] & is_any(drawn.class_ST[:, [SUPPORT.start]], "@seat, bed")
    chosen = there & (rng.random(shape) < FLANKED_SHARE)
    class_ = np.where(chosen, pick(rng, things.FLANKING, *shape), drawn.class_ST[:, slots])
    size = np.where(spread(chosen), vary(rng, class_), drawn.size_ST3[:, slots])
    aside = (seat[:, [0]] / 2 + size[..., 0] / 2 + rng.uniform(0.0, 0.35, shape)) * np.array([-1.0, 1.0])
    along = rng.uniform(-0.5, 0.35, shape) * np.maximum(seat[:, [1]], 0.6)
    local = np.stack([aside, along, np.zeros(shape)], -1)
    yaw = drawn.yaw_ST[:, [SUPPORT.start]]
    centre = drawn.centre_ST3[:, [SUPPORT.start]] + np.einsum("stx,stxj->stj", local, axes(np.broadcast_to(yaw, shape)))
    _put(drawn, slots, chosen, class_, size, centre, np.broadcast_to(yaw, shape), lift=np.zeros(shape))
    lamps = chosen & is_any(class_, "light, vase")
    drawn.centre_ST3[:, slots, 2] += np.where(lamps, rng.uniform(0.4, 0.9, shape), 0.0)


def furnish_wall(rng: np.random.Generator, drawn: Things) -> None:
    """Furniture and pictures behind person 0, who faces +x: standing at a wall, or hung on it."""
    count = len(drawn.present_ST)
    shape, slots = (count, 1), slice(AROUND.start + 2, AROUND.start + 3)
    chosen = rng.random(shape) < WALL_SHARE
    class_ = np.where(chosen, pick(rng, things.AT_THE_WALL, *shape), drawn.class_ST[:, slots])
    size = vary(rng, class_)
    back = rng.uniform(0.45, 2.5, shape) + size[..., 1] / 2
    centre = np.stack([-back, rng.normal(0, 0.9, shape), np.zeros(shape)], -1)
    lift = np.where(is_any(class_, HUNG), rng.uniform(0.6, 1.7, shape), 0.0)
    _put(drawn, slots, chosen, class_, size, centre, np.full(shape, np.pi / 2), lift)


def _put(drawn: Things, slots: slice, chosen: Bool, class_: Int, size: Float, centre: Float, yaw: Float, lift: Float) -> None:
    centre = centre.copy()
    centre[..., 2] = size[..., 2] / 2 + lift
    at = spread(chosen)
    drawn.class_ST[:, slots] = np.where(chosen, class_, drawn.class_ST[:, slots])
    drawn.size_ST3[:, slots] = np.where(at, size, drawn.size_ST3[:, slots])
    drawn.centre_ST3[:, slots] = np.where(at, centre, drawn.centre_ST3[:, slots])
    drawn.yaw_ST[:, slots] = np.where(chosen, yaw, drawn.yaw_ST[:, slots])
    drawn.present_ST[:, slots] |= chosen


def set_at_hand(rng: np.random.Generator, people: People, drawn: Things) -> None:
    """Things on the table next to where person 0's forearms rest: near a hand, held only if the hand goes there."""
    count = len(drawn.present_ST)
    shape, slots = (count, 2), slice(TABLE_TOP.start, TABLE_TOP.start + 2)
    chosen = drawn.present_ST[:, [TABLE]] & (rng.random(shape) < AT_HAND_SHARE)
    height = people.height_SQ[:, [0]]
    place = np.stack([0.2 * height + rng.normal(0.05, 0.09, shape), 0.11 * height * [-1.0, 1.0] + rng.normal(0, 0.09, shape)], -1)
    table, turn = drawn.size_ST3[:, [TABLE], :2], axes(drawn.yaw_ST[:, TABLE])[:, :2, :2]
    local = np.einsum("sij,stj->sti", turn, place - drawn.centre_ST3[:, [TABLE], :2]).clip(-0.47 * table, 0.47 * table)
    centre = drawn.centre_ST3[:, [TABLE], :2] + np.einsum("sti,sij->stj", local, turn)
    drawn.centre_ST3[:, slots, :2] = np.where(spread(chosen), centre, drawn.centre_ST3[:, slots, :2])
    drawn.present_ST[:, slots] |= chosen


def cover(rng: np.random.Generator, people: People, drawn: Things) -> People:
    """Blankets on the legs of people who lie or sit on something soft, or beside them; pillows under heads and behind backs."""
    shape = people.pose_SQ.shape
    lies = people.supported_SQ & (people.pose_SQ == LIE)
    soft = is_any(drawn.class_ST[:, SUPPORT], "bed, couch")
    seated = people.supported_SQ & np.isin(people.pose_SQ, [SIT, FLOOR, CROUCH]) & soft
    drawn_kinds = [rng.choice(4, shape, p=shares) for shares in (LYING_SHARES, SEATED_SHARES)]
    kind: Int = np.select([lies, seated], drawn_kinds, NOTHING)
    forward, left, height = heading(people.facing_SQ), heading(people.facing_SQ + np.pi / 2), spread(people.height_SQ)
    aside = rng.choice([-1.0, 1.0], shape) * rng.uniform(0.3, 0.7, shape)
    legs = forward * height * spread(np.where(lies, rng.uniform(0.05, 0.3, shape), rng.uniform(0.1, 0.22, shape)))
    near = left * spread(aside) + forward * spread(rng.uniform(-0.4, 0.6, shape))
    head = -forward * height * spread(np.where(lies, rng.uniform(0.36, 0.5, shape), 0.16))
    where = choose([spread(kind == one) for one in (BLANKET_ON, BLANKET_NEAR, PILLOW)], [legs, near, head])
    on = kind == BLANKET_ON
    class_ = np.where(kind == PILLOW, INDEX["pillow"], INDEX["blanket"])
    size = vary(rng, class_)
    blanket = np.stack([rng.uniform(0.5, 0.8, shape) * people.height_SQ, size[..., 1], rng.uniform(0.1, 0.28, shape)], -1)
    size = np.where(spread(on), blanket, size)
    size[..., 2] = np.where((kind == PILLOW) & ~lies, 0.35, size[..., 2])
    centre = people.root_SQ3 + where
    centre[..., 2] = people.base_SQ + size[..., 2] / 2
    drawn.class_ST[:, COVER], drawn.size_ST3[:, COVER], drawn.centre_ST3[:, COVER] = class_, size, centre
    drawn.yaw_ST[:, COVER] = people.facing_SQ + np.where(kind == PILLOW, np.pi / 2, 0.0)
    drawn.present_ST[:, COVER] = (kind != NOTHING) & people.present_SQ
    assert drawn.present_ST[:, COVER].shape[1] == NUM_PEOPLE
    return replace(people, covered_SQ=on)
