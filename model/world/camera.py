"""Draws cameras (living room, close-up, high corner, from above) and projects points. Knows nothing of occlusion.

Picture coordinates: units of the frame's height, x from 0 to the aspect ratio, y from 0 (top) to 1.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from model.world.hands import Posed
from model.world.scene import TABLE
from model.world.space import UP, heading, spread, unit
from model.world.things import Float

HIGH_SHARE = 0.15
OVERHEAD_SHARE = 0.07
CLOSE_SHARE = 0.4
CLOSEST_SHARE = 0.1
FACING_SHARE = 0.65
ASPECTS = (16 / 9, 4 / 3, 9 / 16, 1.25)
ASPECT_SHARES = (0.6, 0.2, 0.15, 0.05)
NEAREST_M = 0.1


@dataclass(frozen=True, slots=True)
class Camera:
    """Where each scene's camera is and what it looks at; focal length in frame heights."""

    position_S3: Float
    target_S3: Float
    focal_S: Float
    roll_S: Float
    aspect_S: Float


class Projected(NamedTuple):
    """Picture coordinates and depth of points, each of the points' shape without xyz."""

    x: Float
    y: Float
    depth: Float


def draw_camera(rng: np.random.Generator, posed: Posed) -> Camera:
    """A camera that looks at person 0: at the trunk, neck, head, hands or table, from near or far."""
    count = len(posed.people.pose_SQ)
    target = _points_of_interest(rng, posed) + rng.normal(0, 0.18, (count, 3))
    near = rng.random(count)
    span = np.select(
        [near < CLOSEST_SHARE, near < CLOSEST_SHARE + CLOSE_SHARE],
        [rng.uniform(0.3, 0.6, count), rng.uniform(0.45, 1.3, count)],
        rng.uniform(1.3, 3.5, count),
    )
    distance = np.maximum(span / (2 * np.tan(rng.uniform(0.5, 1.1, count) / 2)), 0.45)
    facing = rng.random(count) < FACING_SHARE
    azimuth = posed.people.facing_SQ[:, 0] + np.where(facing, rng.normal(0, 0.7, count), rng.uniform(-np.pi, np.pi, count))
    elevation = np.select(
        [rng.random(count) < HIGH_SHARE, rng.random(count) < OVERHEAD_SHARE],
        [rng.uniform(0.35, 1.0, count), rng.uniform(0.8, 1.5, count)],
        rng.normal(0.12, 0.17, count),
    )
    away = spread(np.cos(elevation)) * heading(azimuth) + spread(np.sin(elevation)) * UP
    position = target + spread(distance) * away
    position[:, 2] = np.maximum(position[:, 2], 0.25)
    aspect = rng.choice(ASPECTS, count, p=ASPECT_SHARES)
    focal = distance / span * np.where(aspect < 1, 0.8, 1.0)
    return Camera(position, target, focal, rng.normal(0, 0.04, count), aspect)


def _points_of_interest(rng: np.random.Generator, posed: Posed) -> Float:
    body, things = posed.body, posed.things
    kind = spread(rng.choice(5, len(posed.people.pose_SQ), p=[0.3, 0.25, 0.2, 0.15, 0.1]))
    tabletop = things.centre_ST3[:, TABLE] + UP * things.size_ST3[:, TABLE, 2:] / 2
    pelvis = body.pelvis_SQ3[:, 0]
    at_table = np.where(things.present_ST[:, [TABLE]], tabletop, pelvis)
    choices = [pelvis + 0.15 * UP, body.neck_SQ3[:, 0], body.head_SQ3[:, 0], posed.hands_SQA3[:, 0].mean(1), at_table]
    return np.select([kind == index for index in range(5)], choices)


def axes_of(camera: Camera) -> tuple[Float, Float, Float]:
    """Unit vectors of the picture: right, down and away from the camera, each (S, 3)."""
    forward = unit(camera.target_S3 - camera.position_S3)
    level_right = unit(np.cross(forward, UP))
    level_down = np.cross(forward, level_right)
    cos, sin = spread(np.cos(camera.roll_S)), spread(np.sin(camera.roll_S))
    return cos * level_right - sin * level_down, cos * level_down + sin * level_right, forward


def project(camera: Camera, points: Float) -> Projected:
    """Points (S, ..., 3) into the picture; points behind the camera have depth below `NEAREST_M` and meaningless x, y."""
    right, down, forward = axes_of(camera)
    flat = points.reshape(len(points), -1, 3) - camera.position_S3[:, None]
    depth = np.einsum("sxj,sj->sx", flat, forward)
    scale = camera.focal_S[:, None] / np.maximum(depth, 0.05)
    x = scale * np.einsum("sxj,sj->sx", flat, right) + camera.aspect_S[:, None] / 2
    y = scale * np.einsum("sxj,sj->sx", flat, down) + 0.5
    shape = points.shape[:-1]
    return Projected(x.reshape(shape), y.reshape(shape), depth.reshape(shape))


def in_frame(camera: Camera, seen: Projected) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Which projected points lie in the picture and before the camera."""
    aspect = camera.aspect_S.reshape((-1,) + (1,) * (seen.x.ndim - 1))
    return (seen.depth > NEAREST_M) & (seen.x > 0) & (seen.x < aspect) & (seen.y > 0) & (seen.y < 1)
