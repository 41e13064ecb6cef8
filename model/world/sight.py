"""What a camera sees of a posed scene: which points are hidden, and the exact boxes of people and things before any detector."""

from dataclasses import dataclass

import numpy as np

from model.world.camera import NEAREST_M, Camera, Projected, in_frame, project
from model.world.hands import Posed
from model.world.scene import AROUND, COVER, NUM_PEOPLE, SUPPORT, TABLE, Things
from model.world.space import axes, spread
from model.world.things import SEAT_HEIGHT_C, Bool, Float, is_any

SPHERES = (
    0.065, 0.06, 0.04, 0.09, 0.09, 0.05, 0.05, 0.08, 0.08, 0.06, 0.06, 0.033, 0.033, 0.028, 0.028, 0.04, 0.04, 0.04, 0.04, 0.05, 0.05,
    0.033, 0.033, 0.04, 0.04, 0.03, 0.03,
)  # fmt: skip
"""Radii as shares of body height: crown, chin, neck, mid, pelvis, then pairs: shoulders, chest sides, hips, elbows, forearms, hands,
knees, thighs, ankles, shins, toes."""
NUM_HEAD = 2
HANDS = slice(15, 17)
BLOCKING = (0, 1, 3, 4, 7, 8, 9, 10, 19, 20, 17, 18)
BLOCKERS = np.r_[SUPPORT, TABLE, AROUND, COVER]
SEE_THROUGH = "bicycle, tie, fork, knife, spoon"
GRID_G3: Float = np.stack(np.meshgrid(*[np.array([-0.5, 0.0, 0.5])] * 3, indexing="ij"), -1).reshape(-1, 3)


@dataclass(frozen=True, slots=True)
class Habits:
    """How a detector draws boxes in a scene: of the visible part or of the whole, tables with or without legs, hidden limbs guessed."""

    modal_ST: Float
    top_only_ST: Bool
    guessed_SQJ: Bool


@dataclass(frozen=True, slots=True)
class Sight:
    """Exact boxes (units of frame height) and how much of everything can be seen (shares of sample points)."""

    person_boxes_SQ4: Float
    thing_boxes_ST4: Float
    person_seen_SQ: Float
    head_seen_SQ: Bool
    hands_SQA2: Float
    hand_free_SQA: Bool
    thing_seen_ST: Float
    thing_inside_ST: Float


def draw_habits(rng: np.random.Generator, posed: Posed) -> Habits:
    """Habits of the imagined detector in every scene."""
    shape = posed.things.present_ST.shape
    modal = np.where(rng.random(shape) < 0.6, rng.uniform(0.5, 1, shape), 0.0)
    tops = is_any(posed.things.class_ST, "dining table") & (rng.random(shape) < 0.5)
    return Habits(modal, tops, rng.random((shape[0], NUM_PEOPLE, len(SPHERES))) < 0.7)


def body_spheres(posed: Posed) -> tuple[Float, Float]:
    """Centres (S, Q, J, 3) and radii (S, Q, J) of the spheres that make up people."""
    body, height = posed.body, posed.people.height_SQ
    crown = spread(height) * body.crown_SQ3
    mid = body.pelvis_SQ3 + 0.16 * spread(height) * body.up_SQ3
    single = np.stack([body.head_SQ3 + 0.02 * crown, body.head_SQ3 - 0.03 * crown, body.neck_SQ3, mid, body.pelvis_SQ3], 2)
    pairs = [
        body.shoulders_SQA3, (mid[:, :, None] + body.shoulders_SQA3) / 2, body.hips_SQA3, posed.elbows_SQA3,
        (posed.elbows_SQA3 + posed.hands_SQA3) / 2, posed.hands_SQA3, body.knees_SQA3, (body.hips_SQA3 + body.knees_SQA3) / 2,
        body.ankles_SQA3, (body.knees_SQA3 + body.ankles_SQA3) / 2, body.toes_SQA3,
    ]  # fmt: skip
    girth = np.where(np.arange(len(SPHERES)) > NUM_HEAD, spread(posed.people.girth_SQ), 1.0)
    return np.concatenate([single, *pairs], 2), np.array(SPHERES) * spread(height) * girth


def grid_points(things: Things) -> Float:
    """27 points on and in every thing's box: (S, T, G, 3)."""
    local = GRID_G3 * things.size_ST3[:, :, None]
    return things.centre_ST3[:, :, None] + local @ axes(things.yaw_ST)


def see(posed: Posed, camera: Camera, habits: Habits) -> Sight:
    """Project everything, hide what is behind something, and draw boxes."""
    joints, radii = body_spheres(posed)
    grid = grid_points(posed.things)
    joints_seen, grid_seen = project(camera, joints), project(camera, grid)
    joints_in, grid_in = in_frame(camera, joints_seen), in_frame(camera, grid_seen)
    joints_free, grid_free = _unhidden(posed, camera, joints, radii, grid)
    joints_free &= joints_in
    grid_free &= grid_in
    return Sight(
        person_boxes_SQ4=_person_boxes(camera, habits, joints_seen, joints_in, joints_free, radii),
        thing_boxes_ST4=_thing_boxes(habits, grid_seen, grid_free),
        person_seen_SQ=joints_free.mean(-1),
        head_seen_SQ=joints_in[..., 0],
        hands_SQA2=np.stack([joints_seen.x, joints_seen.y], -1)[:, :, HANDS],
        hand_free_SQA=joints_free[..., HANDS],
        thing_seen_ST=grid_free.mean(-1),
        thing_inside_ST=grid_in.mean(-1),
    )


def _unhidden(posed: Posed, camera: Camera, joints: Float, radii: Float, grid: Float) -> tuple[Bool, Bool]:
    count = len(joints)
    points = np.concatenate([joints.reshape(count, -1, 3), grid.reshape(count, -1, 3)], 1).astype(np.float32)
    num_joints = joints.shape[1] * joints.shape[2]
    owner = np.concatenate([-1 - np.repeat(np.arange(NUM_PEOPLE), joints.shape[2]), np.repeat(np.arange(grid.shape[1]), grid.shape[2])])
    free = np.ones(points.shape[:2], bool)
    for slot in BLOCKERS:
        blocks = (posed.things.present_ST[:, slot] & ~is_any(posed.things.class_ST[:, slot], SEE_THROUGH))[:, None] & (owner != slot)
        free &= ~(blocks & _behind_box(posed.things, slot, camera, points))
    for person in range(NUM_PEOPLE):
        blocks = posed.people.present_SQ[:, [person]] & (owner != -1 - person)
        for sphere in BLOCKING:
            free &= ~(blocks & _behind_sphere(joints[:, person, sphere], radii[:, person, sphere] * 0.9, camera, points))
    return free[:, :num_joints].reshape(joints.shape[:-1]), free[:, num_joints:].reshape(grid.shape[:-1])


def _behind_box(things: Things, slot: int, camera: Camera, points: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Bool:
    """Whether the segment from camera to point passes a box well before its end (slab test)."""
    turn = axes(things.yaw_ST[:, slot]).astype(np.float32)
    start = np.einsum("sij,sj->si", turn, camera.position_S3 - things.centre_ST3[:, slot]).astype(np.float32)[:, None]
    ray = np.einsum("sij,sxj->sxi", turn, points - camera.position_S3[:, None].astype(np.float32))
    low, high = (bound.astype(np.float32)[:, None] for bound in _opaque_part(things, slot))
    inverse = 1 / np.where(np.abs(ray) < 1e-6, np.float32(1e-6), ray)
    first, second = (low - start) * inverse, (high - start) * inverse
    enter, leave = np.minimum(first, second).max(-1), np.maximum(first, second).min(-1)
    out: Bool = (leave > np.maximum(enter, 0)) & (enter < 0.97)
    return out


def _opaque_part(things: Things, slot: int) -> tuple[Float, Float]:
    """The part of a thing's box that hides what is behind: seats below the backrest, beds below the head, table tops without legs."""
    size, class_ = things.size_ST3[:, slot], things.class_ST[:, slot]
    low, high = -size / 2, size / 2
    seat_top = size[:, 2] * (0.95 * SEAT_HEIGHT_C[class_] - 0.5)
    high[:, 2] = np.select([is_any(class_, "@seat, @ride"), is_any(class_, "bed")], [seat_top, 0.3 * size[:, 2]], high[:, 2])
    low[:, 2] = np.where(is_any(class_, "dining table"), size[:, 2] / 2 - 0.06, low[:, 2])
    return low, high


def _behind_sphere(centre: Float, radius: Float, camera: Camera, points: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Bool:
    eye = camera.position_S3.astype(np.float32)
    ray = points - eye[:, None]
    to_centre = (centre - camera.position_S3).astype(np.float32)[:, None]
    length = (ray * ray).sum(-1)
    along = ((ray * to_centre).sum(-1) / length).clip(0, 0.93)
    gap = ray * along[..., None] - to_centre
    out: Bool = (gap * gap).sum(-1) < (radius.astype(np.float32) ** 2)[:, None]
    return out


def _hull(low_x: Float, low_y: Float, high_x: Float, high_y: Float, use: Bool) -> Float:
    """The box of the used points; far outside the picture and inside out where none is used."""
    far = 1e6
    lows = [np.where(use, value, far).min(-1) for value in (low_x, low_y)]
    highs = [np.where(use, value, -far).max(-1) for value in (high_x, high_y)]
    return np.stack([*lows, *highs], -1)


def _person_boxes(camera: Camera, habits: Habits, seen: Projected, inside: Bool, free: Bool, radii: Float) -> Float:
    radius = radii * camera.focal_S[:, None, None] / np.maximum(seen.depth, NEAREST_M)
    aspect = camera.aspect_S[:, None, None]
    near = (seen.x + radius > 0) & (seen.x - radius < aspect) & (seen.y + radius > 0) & (seen.y - radius < 1)
    use = (seen.depth > NEAREST_M) & near & (free | (~inside & habits.guessed_SQJ))
    return _hull(seen.x - radius, seen.y - radius, seen.x + radius, seen.y + radius, use)


def _thing_boxes(habits: Habits, seen: Projected, free: Bool) -> Float:
    before = seen.depth > NEAREST_M
    whole = _hull(seen.x, seen.y, seen.x, seen.y, before)
    part = _hull(seen.x, seen.y, seen.x, seen.y, free)
    share = np.where(free.any(-1), habits.modal_ST, 0.0)[..., None]
    boxes = np.where(share > 0, whole * (1 - share) + part * share, whole)
    tops = before & (GRID_G3[:, 2] > 0.4)
    bottom = np.where(tops, seen.y, -1e6).max(-1)
    boxes[..., 3] = np.where(habits.top_only_ST & tops.any(-1), np.maximum(bottom, boxes[..., 1] + 0.02), boxes[..., 3])
    return boxes
