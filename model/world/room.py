"""Draws what stands around the people: what carries them, a table with things on it, furniture, loose things in the air."""

from dataclasses import replace

import numpy as np

from model.world import things
from model.world.people import draw_people
from model.world.scene import (
    AROUND,
    CROUCH,
    FLOOR,
    HELD_LEFT,
    HELD_RIGHT,
    JUMP,
    LEAN,
    LIE,
    LOOSE,
    NUM_THINGS,
    SIT,
    STAND,
    SUPPORT,
    TABLE,
    TABLE_TOP,
    WORN,
    People,
    Scene,
    Things,
)  # fmt: skip
from model.world.space import axes, choose, heading, spread
from model.world.surroundings import cover, flank_seats, furnish_wall, pick, set_at_hand, vary
from model.world.things import HUNG, SEAT_HEIGHT_C, Bool, Float, Int, is_any

LOOSE_SHARE = 0.25
OPPOSITE_SHARE = 0.5


def draw_scene(rng: np.random.Generator, count: int) -> Scene:
    """`count` furnished scenes; hands, and what they hold or wear, are placed by `hands`."""
    people, support_SQ = draw_people(rng, count)
    drawn = _draw_things(rng, count)
    people = _place_at_table(rng, people, drawn)
    people = _place_supports(rng, people, drawn, support_SQ)
    people = cover(rng, people, drawn)
    _fill_table(rng, drawn)
    set_at_hand(rng, people, drawn)
    _fill_room(rng, drawn)
    flank_seats(rng, drawn)
    furnish_wall(rng, drawn)
    _throw_loose_things(rng, people, drawn)
    drawn.present_ST[:, 1] &= people.present_SQ[:, 1]
    return Scene(people, drawn)


def _draw_things(rng: np.random.Generator, count: int) -> Things:
    """Classes and sizes of every slot but the supports; nothing is in place yet."""
    class_ST = np.zeros((count, NUM_THINGS), np.int64)
    class_ST[:, TABLE] = things.INDEX["dining table"]
    for slots, choices in (
        (HELD_RIGHT, things.HELD), (HELD_LEFT, things.HELD), (WORN, things.WORN), (TABLE_TOP, things.ON_TABLE), (AROUND, things.AROUND),
    ):  # fmt: skip
        class_ST[:, slots] = pick(rng, choices, count, slots.stop - slots.start)
    twins = rng.random(count) < 0.25
    class_ST[:, 10] = np.where(twins, class_ST[:, 9], class_ST[:, 10])
    class_ST[:, 11] = np.where(twins & (rng.random(count) < 0.6), class_ST[:, 9], class_ST[:, 11])
    present_ST = np.zeros((count, NUM_THINGS), bool)
    yaw_ST = rng.uniform(-np.pi, np.pi, (count, NUM_THINGS))
    return Things(present_ST, class_ST, vary(rng, class_ST), np.zeros((count, NUM_THINGS, 3)), yaw_ST)


def _place_at_table(rng: np.random.Generator, people: People, drawn: Things) -> People:
    """A table before person 0 in half of the scenes, sometimes elsewhere; person 1 opposite, beside on the same seat, or anywhere."""
    count = len(drawn.present_ST)
    pose_S = people.pose_SQ[:, 0]
    has_table = (rng.random(count) < 0.55) & ~np.isin(pose_S, [LIE, FLOOR])
    low = rng.random(count) < 0.15
    height = np.where(low, rng.uniform(0.4, 0.55, count), rng.uniform(0.68, 1.0, count))
    size = np.stack([rng.uniform(0.7, 2.2, count), rng.uniform(0.55, 1.1, count), height], -1)
    gap = 0.13 + np.where(pose_S == LEAN, rng.uniform(-0.05, 0.12, count), rng.uniform(0.02, 0.45, count))
    away = has_table & (rng.random(count) < 0.25)
    centre = np.stack([gap + size[:, 1] / 2, rng.uniform(-0.35, 0.35, count), size[:, 2] / 2], -1)
    centre[:, :2] += np.where(spread(away), rng.normal(0, 1.3, (count, 2)) + np.array([0.6, 0.0]), 0)
    drawn.size_ST3[:, TABLE], drawn.centre_ST3[:, TABLE], drawn.present_ST[:, TABLE] = size, centre, has_table
    drawn.yaw_ST[:, TABLE] = np.where(away, rng.uniform(-3, 3, count), np.pi / 2 + rng.normal(0, 0.08, count))
    opposite = has_table & ~away & people.present_SQ[:, 1] & ~people.shares_S & (rng.random(count) < OPPOSITE_SHARE)
    across = np.stack([2 * gap + size[:, 1], centre[:, 1] + rng.uniform(-0.5, 0.5, count), np.zeros(count)], -1)
    return _place_second_person(rng, people, opposite, across)


def _place_second_person(rng: np.random.Generator, people: People, opposite_S: Bool, across_S3: Float) -> People:
    count = len(opposite_S)
    anywhere = spread(rng.uniform(0.7, 3.5, count)) * heading(rng.uniform(-np.pi, np.pi, count))
    side = rng.uniform(0.5, 0.8, count) * rng.choice([-1, 1], count)
    beside = np.stack([rng.normal(0, 0.08, count), side, np.zeros(count)], -1)
    root = people.root_SQ3.copy()
    root[:, 1] = choose([spread(opposite_S), spread(people.shares_S)], [across_S3, beside], anywhere)
    facing = people.facing_SQ.copy()
    facing[:, 1] = choose(
        [opposite_S, people.shares_S], [np.pi + rng.normal(0, 0.2, count), rng.normal(0, 0.3, count)], facing[:, 1]
    )  # fmt: skip
    return replace(people, root_SQ3=root, facing_SQ=facing)


def _place_supports(rng: np.random.Generator, people: People, drawn: Things, support_SQ: Int) -> People:
    """Puts what carries a person under them, at the place of it that the pose would use, and lifts them onto it."""
    pose, shape = people.pose_SQ, people.pose_SQ.shape
    size = vary(rng, support_SQ)
    ride, board, bed = (is_any(support_SQ, text) for text in ("@ride", "@board", "bed"))
    forward, left = heading(people.facing_SQ), heading(people.facing_SQ + np.pi / 2)
    romping = np.isin(pose, [STAND, CROUCH, FLOOR, JUMP]) & bed
    depth = choose(
        [romping, (pose == SIT) & bed, (pose == SIT) & ~ride],
        [rng.uniform(-0.35, 0.35, shape), rng.uniform(-0.3, 0.1, shape), rng.uniform(-0.1, 0.15, shape)],
    )  # fmt: skip
    along = np.where(is_any(support_SQ, "couch, bed, bench"), rng.uniform(-0.32, 0.32, shape), 0.0)
    along = np.where(pose == LIE, along * 0.5, along)
    centre = people.root_SQ3 + forward * spread(depth * size[..., 1]) + left * spread(along * size[..., 0])
    centre[..., 2] = size[..., 2] / 2
    turn = np.where(ride | board, 0.0, np.pi / 2) + rng.normal(0, 0.1, shape)
    turn = np.where(board & (pose == STAND), rng.uniform(-1.6, 1.6, shape), turn)
    turn = np.where(romping, rng.uniform(-np.pi, np.pi, shape), turn)
    turn = np.where((pose == LIE) & ~bed, rng.normal(0, 0.1, shape), turn)
    drawn.class_ST[:, SUPPORT], drawn.size_ST3[:, SUPPORT], drawn.centre_ST3[:, SUPPORT] = support_SQ, size, centre
    drawn.yaw_ST[:, SUPPORT], drawn.present_ST[:, SUPPORT] = people.facing_SQ + turn, people.supported_SQ
    share = np.where(pose == LIE, np.where(bed, 0.9, 0.5), SEAT_HEIGHT_C[support_SQ])
    base = np.where(people.supported_SQ, size[..., 2] * share, 0.0)
    base[:, 1] = np.where(people.shares_S, base[:, 0], base[:, 1])
    return replace(people, base_SQ=base + np.where(pose == JUMP, rng.uniform(0, 0.35, shape), 0.0))


def _fill_table(rng: np.random.Generator, drawn: Things) -> None:
    """Things on the table, more of them on the person's side; without a table, on the floor or at some height around."""
    count = len(drawn.present_ST)
    table, on_table = drawn.size_ST3[:, None, TABLE], spread(drawn.present_ST[:, TABLE])
    place = rng.uniform(-0.47, 0.47, (count, 4, 2))
    place[..., 1] = np.where(rng.random((count, 4)) < 0.5, np.abs(place[..., 1]), place[..., 1])
    local = np.concatenate([place * table[..., :2], np.zeros((count, 4, 1))], -1)
    there = drawn.centre_ST3[:, None, TABLE] + np.einsum("stx,sxj->stj", local, axes(drawn.yaw_ST[:, TABLE]))
    apart = spread(rng.uniform(0.3, 2.5, (count, 4))) * heading(rng.uniform(-np.pi, np.pi, (count, 4)))
    centre = np.where(on_table[..., None], there, apart)
    height = np.where(rng.random((count, 4)) < 0.5, 0.0, rng.uniform(0.4, 1.1, (count, 4)))
    centre[..., 2] = np.where(on_table, table[..., 2], height) + drawn.size_ST3[:, TABLE_TOP, 2] / 2
    drawn.centre_ST3[:, TABLE_TOP] = centre
    drawn.present_ST[:, TABLE_TOP] = (rng.random((count, 4)) < 0.55) & (on_table | (rng.random((count, 4)) < 0.35))


def _fill_room(rng: np.random.Generator, drawn: Things) -> None:
    """Furniture, appliances, pets and bags around; one in eight within reach, with its front to the person."""
    shape = (len(drawn.present_ST), AROUND.stop - AROUND.start)
    class_, size = drawn.class_ST[:, AROUND], drawn.size_ST3[:, AROUND]
    bearing = rng.uniform(-np.pi, np.pi, shape)
    hung = is_any(class_, HUNG)
    raised = is_any(class_, "potted plant, book, bottle, teddy bear, @ball") & (rng.random(shape) < 0.5)
    near = (rng.random(shape) < 0.12) & ~hung
    away = np.where(near, size[..., 1] / 2 + 0.22, rng.uniform(0.5, 4, shape) + size[..., :2].max(-1) / 2)
    centre = spread(away) * heading(bearing)
    height = choose([hung, raised], [rng.uniform(0.5, 1.7, shape), rng.uniform(0.3, 1.3, shape)], 0.0)
    centre[..., 2] = size[..., 2] / 2 + height
    drawn.centre_ST3[:, AROUND] = centre
    drawn.yaw_ST[:, AROUND] = np.where(near, bearing + np.pi / 2, drawn.yaw_ST[:, AROUND])
    drawn.present_ST[:, AROUND] |= (rng.random(shape) < 0.33) | (near & (rng.random(shape) < 0.4))


def _throw_loose_things(rng: np.random.Generator, people: People, drawn: Things) -> None:
    """In a share of scenes the last slot is a thing in the air beside person 0: a ball that nobody holds."""
    count = len(drawn.present_ST)
    loose = rng.random(count) < LOOSE_SHARE
    class_ = pick(rng, things.IN_THE_AIR, count)
    centre = people.root_SQ3[:, 0] + spread(rng.uniform(0.2, 0.75, count)) * heading(rng.normal(0, 0.9, count))
    centre[:, 2] = people.base_SQ[:, 0] + rng.uniform(0.1, 1.15, count) * people.height_SQ[:, 0]
    drawn.class_ST[:, LOOSE] = np.where(loose, class_, drawn.class_ST[:, LOOSE])
    drawn.size_ST3[:, LOOSE] = np.where(spread(loose), vary(rng, class_), drawn.size_ST3[:, LOOSE])
    drawn.centre_ST3[:, LOOSE] = np.where(spread(loose), centre, drawn.centre_ST3[:, LOOSE])
    drawn.present_ST[:, LOOSE] |= loose
