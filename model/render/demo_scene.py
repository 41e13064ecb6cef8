"""The room of the demo clip, its camera and its one event: "person holding cup" comes into view and goes, once a loop.

`phase` runs from 0 to 1 over the loop; the scene at 1 is the scene at 0, so the clip loops without a jump.
"""

import math
from typing import NamedTuple

import numpy as np

from model.render.furniture import FurnitureLibrary
from model.render.room import Matrix, Room, Thing, calm_look, look_at, pose, sky

ROOM_WIDTH, ROOM_DEPTH, ROOM_HEIGHT = 6.0, 4.8, 2.6
SEED = 7


class CameraKey(NamedTuple):
    """Where the camera is, and what it looks at, at a phase; it rests there for a moment."""

    phase: float
    eye: tuple[float, float, float]
    target: tuple[float, float, float]


CAMERA_KEYS = (
    CameraKey(0.00, (0.05, 1.38, 1.60), (-1.40, 0.72, -1.20)),
    CameraKey(0.28, (-0.45, 1.32, 1.15), (-1.50, 0.70, -1.20)),
    CameraKey(0.44, (0.66, 1.36, 1.26), (1.66, 1.08, -0.12)),
    CameraKey(0.82, (0.76, 1.35, 1.18), (1.65, 1.09, -0.10)),
    CameraKey(1.00, (0.05, 1.38, 1.60), (-1.40, 0.72, -1.20)),
)


class Sway(NamedTuple):
    """A body that is not quite still: it turns a little and breathes, in time with the loop."""

    thing: Thing
    turns_per_loop: int
    turn: float
    rise: float


class DemoScene:
    """Build once, then for each frame `move(phase)` and render from `camera(phase)`."""

    def __init__(self, library: FurnitureLibrary) -> None:
        self.room = Room(library, ROOM_WIDTH, ROOM_DEPTH, ROOM_HEIGHT, calm_look(np.random.default_rng(SEED)))
        self._sways = [*self._furnish_lounge(), *self._furnish_dining()]

    def move(self, phase: float) -> None:
        """Put every body where it is at `phase`."""
        for index, sway in enumerate(self._sways):
            angle = 2 * math.pi * (sway.turns_per_loop * phase + 0.37 * index)
            step = pose(0.0, sway.rise * math.sin(2 * angle), 0.0, sway.turn * math.sin(angle))
            self.room.scene.set_pose(sway.thing.node, sway.thing.pose @ step)

    def camera(self, phase: float) -> Matrix:
        """The camera's pose at `phase`: eased from key to key, with a slight hand-held drift."""
        after = next(index for index, key in enumerate(CAMERA_KEYS) if key.phase >= phase and index)
        start, end = CAMERA_KEYS[after - 1], CAMERA_KEYS[after]
        share = (phase - start.phase) / (end.phase - start.phase)
        eased = share * share * (3 - 2 * share)
        drift = np.array([0.012 * math.sin(6 * math.pi * phase), 0.008 * math.sin(10 * math.pi * phase), 0.0])
        eye = np.array(start.eye) + eased * (np.array(end.eye) - np.array(start.eye))
        target = np.array(start.target) + eased * (np.array(end.target) - np.array(start.target))
        return look_at(eye, target + drift)

    def _furnish_lounge(self) -> list[Sway]:
        room = self.room
        sofa = room.place("SC/clear_sofa", -1.55, -1.75)
        man = room.seat(sofa, "RE/sitMale02", -0.3, back=0.1)
        table = room.place("CB/coffeeTable", -1.3, -0.6, 0.08)
        room.on(table, "CB/laptop", 0.22, -0.02, -0.25)
        room.on(table, "SC/bowlWithFruits", -0.24, 0.02)
        dog = room.place("SC/dog", -0.42, -0.8, 0.2)
        room.place("C0/plant", -2.62, -1.95)
        room.place("SC/living_lamp", -0.3, -2.0, 0.4)
        room.place("SC/frame1", -1.9, -2.35, y=1.3, scale=2.2)
        room.place("SC/frame2", -1.2, -2.35, y=1.26, scale=2.2)
        return [Sway(man, 5, 0.03, 0.003), Sway(dog, 7, 0.10, 0.0)]

    def _furnish_dining(self) -> list[Sway]:
        room = self.room
        woman = room.place("RE/holdingFemale01", 1.5, 0.11, -1.0)
        room.hold(woman, "C0/plasticCup", "left", shift=(-0.055, -0.045, 0.03), scale=1.55)
        table = room.place("CB/table", 1.9, -1.35, 0.0)
        room.on(table, "SC/birthday_cake", 0.15, 0.1)
        room.on(table, "SC/wine_bottle", -0.08, 0.05)
        chair = room.place("CB/kitchenChair", 1.55, -1.95)
        girl = room.seat(chair, "RE/girlSittingTable", back=0.1)
        window = room.place("SC/window_2x3_regular", 0.8, -2.33)
        self._sky_behind(window)
        room.place("C0/refrigerator", 2.5, -1.0, -math.pi / 2)
        return [Sway(woman, 6, 0.03, 0.004), Sway(girl, 4, 0.05, 0.002)]

    def _sky_behind(self, window: Thing) -> None:
        x, z = float(window.pose[0, 3]), -ROOM_DEPTH / 2 + 0.01
        half, low, high = 0.5, window.asset.mount + 0.05, window.asset.mount + window.asset.size[1] - 0.05
        corners = [[x - half, low, z], [x + half, low, z], [x + half, high, z], [x - half, high, z]]
        self.room.quad(corners, (1, 1), sky())
