"""What hands do: rest, gesture, hold, reach a thing, stop just short of it, touch the face; and where held and worn things go."""

from dataclasses import dataclass, replace

import numpy as np

from model.world.body import SIDE_A, Body, pose_body
from model.world.scene import (
    AROUND,
    COVER,
    FLOOR,
    HELD_LEFT,
    HELD_RIGHT,
    JUMP,
    LEAN,
    LIE,
    LOOSE,
    NUM_PEOPLE,
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
from model.world.space import UP, axes, choose, distance_to_box, heading, in_box_frame, spread, unit
from model.world.things import FLYING, UPRIGHT, Bool, Float, Int, is_any

REST, GESTURE, HOLD, REACH, MISS, FACE = range(6)
ACTION_SHARES = (0.21, 0.10, 0.30, 0.19, 0.16, 0.04)
FRONT, LOW, MOUTH, DOWN, RAISED = range(5)
MODE_SHARES = (0.34, 0.18, 0.28, 0.11, 0.09)
CHILD_HEIGHT_M = 1.4
"""Children below this, and people who jump, wave their arms half of the time."""
ARM_SHARE = 0.43
"""Reach of an arm as a share of body height."""

REACHABLE = np.r_[TABLE_TOP, TABLE, AROUND, SUPPORT]
REACH_WEIGHT = np.array([1.0] * 4 + [0.6] + [0.15] * 5 + [0.3] * 2)
IN_THE_AIR_WEIGHT = 2.0
MISSED_IN_THE_AIR = 0.7
"""How much hands are drawn to a thing in the air, and how often they do not reach it: a ball that flies is not held."""


@dataclass(frozen=True, slots=True)
class Hands:
    """Everything drawn about hands. `phase` runs from 0 (at rest) to 1 (at the target); `free` holds uniform draws in [0, 1]."""

    action_SQA: Int
    mode_SQA: Int
    phase_SQA: Float
    free_SQA4: Float
    target_SQA: Int
    touch_SQA3: Float
    on_table_SQ: Bool
    both_SQ: Bool
    upright_SQA: Bool
    hanging_SQA: Bool
    grip_SQA3: Float
    worn_SQ: Bool
    worn_left_SQ: Bool


@dataclass(frozen=True, slots=True)
class Posed:
    """A scene with everything in place: bodies with arms, and all things where they are."""

    people: People
    body: Body
    elbows_SQA3: Float
    hands_SQA3: Float
    doing: Hands
    things: Things


def draw_hands(rng: np.random.Generator, scene: Scene, body: Body) -> Hands:
    """What every hand does, and the point it goes to on the thing it reaches for."""
    shape = (len(scene.people.pose_SQ), NUM_PEOPLE, 2)
    action = rng.choice(6, shape, p=ACTION_SHARES)
    romps = ((scene.people.pose_SQ == JUMP) | (scene.people.height_SQ < CHILD_HEIGHT_M)) & np.isin(scene.people.pose_SQ, [STAND, JUMP])
    action = np.where(romps[..., None] & (rng.random(shape) < 0.5), GESTURE, action)
    both = (action[..., 0] == HOLD) & (rng.random(shape[:2]) < 0.2)
    action[..., 1] = np.where(both, REST, action[..., 1])
    target = _choose_targets(rng, scene.things, body)
    flies = (target == LOOSE) & _in_the_air(scene.things)[:, None, None] & (action == REACH)
    action = np.where(flies & (rng.random(shape) < MISSED_IN_THE_AIR), MISS, action)
    turn, away = _to_target(scene.things, target, body.shoulders_SQA3)
    local = np.einsum("sqaij,sqaj->sqai", turn, away)
    limit = scene.things.size_ST3[np.arange(shape[0])[:, None, None], target] / 2
    return Hands(
        action_SQA=action,
        mode_SQA=rng.choice(5, shape, p=MODE_SHARES),
        phase_SQA=np.ones(shape),
        free_SQA4=rng.random((*shape, 4)),
        target_SQA=target,
        touch_SQA3=np.clip(local + rng.normal(0, 0.1, local.shape), -limit, limit),
        on_table_SQ=rng.random(shape[:2]) < 0.3,
        both_SQ=both,
        upright_SQA=rng.random(shape) < 0.5,
        hanging_SQA=rng.random(shape) < 0.5,
        grip_SQA3=np.stack([rng.uniform(-0.2, 0.45, shape), rng.uniform(0, 0.5, shape), rng.normal(0, 0.9, shape)], -1),
        worn_SQ=(rng.random(shape[:2]) < 0.17) & (scene.people.pose_SQ != LIE),
        worn_left_SQ=rng.random(shape[:2]) < 0.5,
    )


def _to_target(things: Things, target_SQA: Int, points_SQA3: Float) -> tuple[Float, Float]:
    """The target's axes and the vector from its centre to the points."""
    row = np.arange(len(target_SQA))[:, None, None]
    return axes(things.yaw_ST[row, target_SQA]), points_SQA3 - things.centre_ST3[row, target_SQA]


def _choose_targets(rng: np.random.Generator, things: Things, body: Body) -> Int:
    """A thing for every hand: near ones and those on the table first (Gumbel draws of log weights)."""
    wanted = np.where(_in_the_air(things)[:, None] & (REACHABLE == LOOSE), IN_THE_AIR_WEIGHT, REACH_WEIGHT)
    weight = np.where(things.present_ST[:, REACHABLE], wanted, 1e-6)
    away = np.linalg.norm(things.centre_ST3[:, None, None, REACHABLE] - body.shoulders_SQA3[:, :, :, None], axis=-1)
    score = np.log(weight)[:, None, None] + rng.gumbel(size=away.shape) - 3 * away
    chosen: Int = REACHABLE[score.argmax(-1)].astype(np.int64)
    return chosen


def _in_the_air(things: Things) -> Bool:
    """Where the last thing of a scene flies rather than stands."""
    bottom = things.centre_ST3[:, LOOSE, 2] - things.size_ST3[:, LOOSE, 2] / 2
    out: Bool = things.present_ST[:, LOOSE] & (bottom > 0.15) & is_any(things.class_ST[:, LOOSE], FLYING)
    return out


def place(scene: Scene, doing: Hands) -> Posed:
    """Hands where they go, held and worn things with them; things that would stand inside a body are taken away."""
    body = pose_body(scene.people)
    hands = _hand_points(scene, body, doing)
    hands, things = _hold(scene, body, doing, hands)
    things = _clear_of_bodies(scene.people, body, _wear(scene.people, body, doing, things))
    return Posed(scene.people, body, _elbows(scene.people, body, hands), hands, doing, things)


def _hand_points(scene: Scene, body: Body, doing: Hands) -> Float:
    rest = _resting(scene, body, doing)
    goals = [
        rest,
        _gesture(scene.people, body, doing),
        _holding(scene, body, doing),
        *_reaching(scene, body, doing),
        _at_face(scene.people, body, doing),
    ]
    goal = choose([spread(doing.action_SQA == action) for action in range(6)], goals)
    return _within_reach(scene.people, body, rest + spread(doing.phase_SQA) * (goal - rest))


def _within_reach(people: People, body: Body, hands: Float) -> Float:
    arm = hands - body.shoulders_SQA3
    length = np.linalg.norm(arm, axis=-1, keepdims=True)
    limit = ARM_SHARE * people.height_SQ[..., None, None]
    out: Float = body.shoulders_SQA3 + arm * np.minimum(1, limit / (length + 1e-9))
    return out


def _on_tabletop(scene: Scene, points_SQA3: Float, margin: float = 0.0) -> Bool:
    """Whether each point is above the table of its scene."""
    flat = points_SQA3.reshape(len(points_SQA3), -1, 3)
    table = scene.things
    local = in_box_frame(flat, table.centre_ST3[:, [TABLE]], table.yaw_ST[:, [TABLE]])[:, 0]
    inside = (np.abs(local[..., :2]) < table.size_ST3[:, None, TABLE, :2] / 2 + margin).all(-1) & table.present_ST[:, [TABLE]]
    return inside.reshape(points_SQA3.shape[:-1])


def _resting(scene: Scene, body: Body, doing: Hands) -> Float:
    people = scene.people
    height = people.height_SQ[..., None, None]
    forward = heading(people.facing_SQ)[:, :, None]
    outward = SIDE_A[:, None] * body.left_SQ3[:, :, None]
    pose = people.pose_SQ[..., None, None]
    hanging = body.shoulders_SQA3 - 0.4 * height * UP + 0.06 * height * outward + 0.04 * height * forward
    on_thigh = (body.hips_SQA3 + body.knees_SQA3) / 2 + 0.08 * height * UP
    beside = body.hips_SQA3 + 0.12 * height * outward + 0.03 * UP
    rest = choose([np.isin(pose, [SIT, FLOOR]), pose == LIE], [on_thigh, beside], hanging)
    ahead = body.shoulders_SQA3 + 0.2 * height * forward
    may = (people.pose_SQ == LEAN) | ((people.pose_SQ == SIT) & doing.on_table_SQ)
    on_table = may[..., None] & _on_tabletop(scene, ahead)
    ahead[..., 2] = scene.things.size_ST3[:, None, None, TABLE, 2] + 0.03
    return np.where(spread(on_table), ahead, rest)


def _gesture(people: People, body: Body, doing: Hands) -> Float:
    """Anywhere from straight ahead to spread wide, raised or lowered."""
    free = doing.free_SQA4
    across = (SIDE_A * (free[..., 1] * 1.6 - 0.6))[..., None] * body.left_SQ3[:, :, None]
    ahead = spread(1.2 - free[..., 1]) * body.chest_SQ3[:, :, None]
    towards = unit(ahead + UP * spread(free[..., 0] * 2 - 1) + across)
    return body.shoulders_SQA3 + 0.38 * people.height_SQ[..., None, None] * spread(0.4 + 0.6 * free[..., 2]) * towards


def _holding(scene: Scene, body: Body, doing: Hands) -> Float:
    people, free, shoulders = scene.people, doing.free_SQA4, body.shoulders_SQA3
    height = people.height_SQ[..., None, None]
    chest, left = body.chest_SQ3[:, :, None], SIDE_A[:, None] * body.left_SQ3[:, :, None]
    front = shoulders + 0.26 * height * unit(chest + UP * spread(free[..., 0] * 1.1 - 0.9) - left * spread(free[..., 1] - 0.2))
    low = shoulders + 0.3 * height * unit(chest - UP * spread(0.6 + 0.6 * free[..., 0]))
    over = (people.pose_SQ[..., None] == SIT) & _on_tabletop(scene, low)
    low[..., 2] = np.where(over, np.maximum(low[..., 2], scene.things.size_ST3[:, None, None, TABLE, 2] + 0.06), low[..., 2])
    mouth = (body.head_SQ3 + 0.1 * height[..., 0] * body.chest_SQ3 - 0.05 * height[..., 0] * body.crown_SQ3)[:, :, None]
    at_mouth = mouth + 0.03 * (free[..., :3] - 0.5)
    down = shoulders - 0.4 * height * UP + 0.07 * height * left
    raised = shoulders + 0.33 * height * unit(chest + UP * spread(0.2 + 1.3 * free[..., 0]))
    return choose([spread(doing.mode_SQA == mode) for mode in range(5)], [front, low, at_mouth, down, raised])


def _reaching(scene: Scene, body: Body, doing: Hands) -> tuple[Float, Float]:
    """A hand on its target, and one that stops 7 to 30 cm short of it."""
    turn, _ = _to_target(scene.things, doing.target_SQA, body.shoulders_SQA3)
    row = np.arange(len(turn))[:, None, None]
    point = scene.things.centre_ST3[row, doing.target_SQA] + np.einsum("sqaij,sqai->sqaj", turn, doing.touch_SQA3)
    back = unit(body.shoulders_SQA3 - point)
    short = point + back * spread(0.07 + 0.23 * doing.free_SQA4[..., 0]) + UP * spread(0.2 * doing.free_SQA4[..., 1] - 0.05)
    return point + 0.02 * back, short


def _at_face(people: People, body: Body, doing: Hands) -> Float:
    height = people.height_SQ[..., None, None]
    aside = (SIDE_A * doing.free_SQA4[..., 0] * 0.08)[..., None] * body.left_SQ3[:, :, None]
    out: Float = body.head_SQ3[:, :, None] + height * (0.08 * body.chest_SQ3[:, :, None] + aside)
    return out


def _elbows(people: People, body: Body, hands: Float) -> Float:
    height = people.height_SQ[..., None, None]
    outward = SIDE_A[:, None] * body.left_SQ3[:, :, None]
    bend = unit(-UP - 0.5 * heading(people.facing_SQ)[:, :, None] + 0.6 * outward)
    span = np.linalg.norm(hands - body.shoulders_SQA3, axis=-1, keepdims=True)
    out: Float = (body.shoulders_SQA3 + hands) / 2 + bend * np.sqrt(np.clip((0.2 * height) ** 2 - span**2 / 4, 0.0004, None))
    return out


def _hold(scene: Scene, body: Body, doing: Hands, hands: Float) -> tuple[Float, Things]:
    """Puts a thing into every holding hand; a thing held by both draws the other hand to its side."""
    given, hands = scene.things, hands.copy()
    size, centre, yaw, present = given.size_ST3.copy(), given.centre_ST3.copy(), given.yaw_ST.copy(), given.present_ST.copy()
    for side, slots in ((0, HELD_RIGHT), (1, HELD_LEFT)):
        class_ = given.class_ST[:, slots]
        held = doing.action_SQA[..., side] == HOLD
        turned = is_any(class_, UPRIGHT) & doing.upright_SQA[..., side]
        size[:, slots] = np.where(spread(turned), size[:, slots][..., [2, 1, 0]], size[:, slots])
        hangs = is_any(class_, "handbag, suitcase, umbrella, skateboard") | (
            (doing.mode_SQA[..., side] == DOWN) & doing.hanging_SQA[..., side]
        )
        lift = np.where(hangs, -0.45, doing.grip_SQA3[..., side, 0]) * size[:, slots, 2]
        ahead = doing.grip_SQA3[..., side, 1] * size[:, slots, :2].min(-1)
        centre[:, slots] = hands[:, :, side] + spread(lift) * UP + spread(ahead) * body.chest_SQ3
        yaw[:, slots] = scene.people.facing_SQ + doing.grip_SQA3[..., side, 2] + np.where(doing.upright_SQA[..., side], np.pi / 2, 0)
        present[:, slots] = held & scene.people.present_SQ
    width = np.minimum(size[:, HELD_RIGHT, 0], 0.5)
    reach = centre[:, HELD_RIGHT][:, :, None] + SIDE_A[:, None] * (spread(width / 2) * body.left_SQ3)[:, :, None]
    grips = np.stack([doing.both_SQ & (size[:, HELD_RIGHT, 0] < 0.6), doing.both_SQ], -1)
    return np.where(spread(grips), reach, hands), replace(given, size_ST3=size, centre_ST3=centre, yaw_ST=yaw, present_ST=present)


def _wear(people: People, body: Body, doing: Hands, things: Things) -> Things:
    """Backpacks behind the trunk, ties before it, handbags at the hip."""
    height = spread(people.height_SQ)
    class_, depth = things.class_ST[:, WORN], things.size_ST3[:, WORN, 1]
    backpack, tie = is_any(class_, "backpack"), is_any(class_, "tie")
    behind = body.pelvis_SQ3 + 0.2 * height * body.up_SQ3 - spread(0.08 * people.height_SQ + depth / 2) * body.chest_SQ3
    before = body.pelvis_SQ3 + height * (0.17 * body.up_SQ3 + 0.09 * body.chest_SQ3)
    side = spread(np.where(doing.worn_left_SQ, 0.16, -0.16))
    beside = body.pelvis_SQ3 + side * height * body.left_SQ3 + 0.02 * body.up_SQ3
    centre, yaw, present = things.centre_ST3.copy(), things.yaw_ST.copy(), things.present_ST.copy()
    centre[:, WORN] = choose([spread(backpack), spread(tie)], [behind, before], beside)
    yaw[:, WORN] = people.facing_SQ + np.where(backpack | tie, np.pi / 2, 0.0)
    present[:, WORN] = doing.worn_SQ & people.present_SQ
    return replace(things, centre_ST3=centre, yaw_ST=yaw, present_ST=present)


def _clear_of_bodies(people: People, body: Body, things: Things) -> Things:
    """Takes away furniture and table things that a trunk stands in."""
    trunk = body.pelvis_SQ3 + 0.15 * spread(people.height_SQ) * body.up_SQ3
    margin = np.array([-0.04, -0.04, 0.5])
    local = in_box_frame(trunk, things.centre_ST3, things.yaw_ST)
    inside = (distance_to_box(local, (things.size_ST3 + margin)[:, :, None]) <= 0) & people.present_SQ[:, None]
    present = things.present_ST.copy()
    solid = slice(TABLE, COVER.start)
    present[:, solid] &= ~np.any(inside, axis=-1, keepdims=True)[:, solid, 0]
    return replace(things, present_ST=present)
