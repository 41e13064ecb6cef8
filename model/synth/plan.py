"""What of a room's space is taken, and where things can stand in it. Pure numpy: knows no mesh.

A box is (2, 3): lowest and highest corner. The room spans x in [-width/2, width/2], z in [-depth/2, depth/2]; yaw 0 looks along +z.
"""

import math
from typing import NamedTuple

import numpy as np

from model.synth.moment import Vector

WALL_GAP_M = 0.03
WALLS = ((0.0, 0, -1), (math.pi / 2, -1, 0), (-math.pi / 2, 1, 0), (math.pi, 0, 1))
"""Yaw of what stands against it, and the side it is on: back, left, right, front."""


class Spot(NamedTuple):
    """Where a thing's base centre goes, and how it is turned."""

    x: float
    y: float
    z: float
    yaw: float


class Plan:
    """Boxes that are taken; `soft` ones (rugs) may be stood on."""

    def __init__(self, width: float, depth: float, height: float, rng: np.random.Generator) -> None:
        self.width, self.depth, self.height = width, depth, height
        self.rng = rng
        self.boxes: list[Vector] = []

    def take(self, box_23: Vector) -> None:
        """Nothing else may stand there."""
        self.boxes.append(box_23)

    def free(self, box_23: Vector, margin: float = 0.0) -> bool:
        """Is the box in the room, and clear of all that is taken?"""
        half = np.array([self.width / 2, self.height, self.depth / 2])
        if (box_23[1] > half + 1e-6).any() or (box_23[0][[0, 2]] < -half[[0, 2]] - 1e-6).any():
            return False
        return not any(((box_23[0] < box[1] + margin) & (box_23[1] > box[0] - margin)).all() for box in self.boxes)

    def against_wall(self, size_3: Vector, y: float = 0.0, tries: int = 24, clearance: float = 0.0, walls: int = 4) -> Spot | None:
        """Back to one of the first `walls` walls; `clearance` metres before it must be free too."""
        for _ in range(tries):
            yaw, side_x, side_z = WALLS[int(self.rng.integers(walls))]
            length = self.width if side_z else self.depth
            room = (length - size_3[0]) / 2 - 0.05
            if room < 0:
                continue
            along = float(self.rng.uniform(-room, room))
            off = (self.depth if side_z else self.width) / 2 - size_3[2] / 2 - WALL_GAP_M
            x, z = (along, side_z * off) if side_z else (side_x * off, along)
            spot = Spot(x, y, z, yaw)
            deep = np.array([size_3[0], size_3[1], size_3[2] + clearance])
            ahead = Spot(x + math.sin(yaw) * clearance / 2, y, z + math.cos(yaw) * clearance / 2, yaw)
            if self.free(footprint(ahead, deep)):
                return spot
        return None

    def open_floor(self, size_3: Vector, y: float = 0.0, margin: float = 0.1, tries: int = 40) -> Spot | None:
        """Anywhere on the floor, any yaw, away from walls by `margin`."""
        for _ in range(tries):
            yaw = float(self.rng.uniform(-math.pi, math.pi))
            reach = float(np.hypot(size_3[0], size_3[2])) / 2 + margin
            if self.width / 2 <= reach or self.depth / 2 <= reach:
                return None
            x = float(self.rng.uniform(reach - self.width / 2, self.width / 2 - reach))
            z = float(self.rng.uniform(reach - self.depth / 2, self.depth / 2 - reach))
            if self.free(footprint(Spot(x, y, z, yaw), size_3), margin / 2):
                return Spot(x, y, z, yaw)
        return None

    def near(self, x: float, z: float, size_3: Vector, reach: tuple[float, float], tries: int = 30) -> Spot | None:
        """On the floor at a distance within `reach` of a point."""
        for _ in range(tries):
            angle, away = self.rng.uniform(-math.pi, math.pi), self.rng.uniform(*reach)
            spot = Spot(x + math.sin(angle) * away, 0.0, z + math.cos(angle) * away, float(self.rng.uniform(-math.pi, math.pi)))
            if self.free(footprint(spot, size_3), 0.02):
                return spot
        return None

    def sees(self, eye_3: Vector, target_3: Vector) -> bool:
        """Is the way from eye to target clear of all that is taken? The last 40 cm do not count."""
        way = target_3 - eye_3
        length = float(np.linalg.norm(way))
        end = max(0.0, 1 - 0.4 / length)
        for box in self.boxes:
            with np.errstate(divide="ignore", invalid="ignore"):
                enter, leave = np.sort(np.stack([(box[0] - eye_3) / way, (box[1] - eye_3) / way]), axis=0)
            if max(0.0, float(np.nanmax(enter))) < min(end, float(np.nanmin(leave))):
                return False
        return True


def footprint(spot: Spot, size_3: Vector) -> Vector:
    """The world box of a thing of that size turned on that spot."""
    cos, sin = abs(math.cos(spot.yaw)), abs(math.sin(spot.yaw))
    half_x, half_z = (size_3[0] * cos + size_3[2] * sin) / 2, (size_3[0] * sin + size_3[2] * cos) / 2
    return np.array([[spot.x - half_x, spot.y, spot.z - half_z], [spot.x + half_x, spot.y + size_3[1], spot.z + half_z]])
