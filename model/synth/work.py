"""People whose hands need a place: at a table (wiping, writing, eating, leaning), at a door or a shelf, on the floor. Knows no camera."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from model.render.room import pose
from model.synth.acts import Director
from model.synth.catalog import Catalog
from model.synth.figures import Figure
from model.synth.grips import gripping
from model.synth.moment import Matrix, Vector
from model.synth.motion import still
from model.synth.plan import Spot, footprint
from model.synth.stage import Item, Person

TABLE_M = 0.75
"""Height of the table that bodies were posed at."""
TABLES = ("dining table", "cabinet")
WALL_THINGS = ("door", "refrigerator", "cabinet", "shelf")
AT_TABLE = ("wipe", "lean", "write")


def working_palm(figure: Figure) -> Vector | None:
    """Where the hand is that needs a table, a wall or the floor, in the figure's frame; None for all who need nothing."""
    if figure.model is None:
        return None
    if figure.action in ("lean", "write"):
        return np.asarray(figure.palms_KH3[0].mean(0))
    if figure.action in ("wipe", "reach") or (figure.action == "eat" and figure.posture == "sitting"):
        hand = max(range(2), key=lambda side: int(figure.grip_KH[:, side].sum()))
        span = gripping(figure, hand)
        return None if span is None else figure.at(span[0]).palms_H3[hand]
    return None


class Worker:
    """Puts those figures where their hands have something to do."""

    def __init__(self, director: Director, catalog: Catalog) -> None:
        self.director, self.catalog = director, catalog
        self.stage, self.rng = director.stage, director.rng

    def place(self, figure: Figure) -> Person | None:
        """None where there is no such place; anyone else is left to the director."""
        palm_3 = working_palm(figure)
        if palm_3 is None:
            return self.director.place(figure)
        if palm_3[1] > 1.0:
            return self._at_wall(figure, palm_3)
        if palm_3[1] < 0.45:
            return self.director.stand(figure)
        return self._at_table(figure, palm_3)

    def _at_table(self, figure: Figure, palm_3: Vector) -> Person | None:
        for table in self.director.pick_from([item for item in self.stage.items if item.label in TABLES and item.form.region]):
            lift = (table.form.support_m or 0.0) - TABLE_M
            if abs(lift) > 0.05 or table.rest[1, 3] > 0.01 or (figure.posture == "sitting" and table.label == "cabinet"):
                continue
            for at in self._sides(table, palm_3):
                at[1, 3] = float(np.clip(lift, -0.025, 0.025))
                person = self._sit_or_stand(figure, table, at)
                if person is not None:
                    return self._tied(person, table)
        return None

    def _sides(self, table: Item, palm_3: Vector) -> Iterator[Matrix]:
        """Poses before each side, the palm over the table's edge."""
        size = table.form.size_3
        sides = (0,) if table.label == "cabinet" else self.rng.permutation(4)
        for side in sides:
            angle = int(side) * math.pi / 2
            half, wide = (size[0], size[2]) if int(side) % 2 else (size[2], size[0])
            room = max(wide / 2 - 0.35, 0.0)
            out = half / 2 - float(self.rng.uniform(0.08, 0.2)) + palm_3[2]
            along = float(self.rng.uniform(-room, room))
            local = pose(math.sin(angle) * out, 0.0, math.cos(angle) * out, angle + math.pi)
            local[0, 3] += math.cos(angle) * (along + palm_3[0])
            local[2, 3] -= math.sin(angle) * (along + palm_3[0])
            yield table.rest @ local

    def _sit_or_stand(self, figure: Figure, table: Item, at: Matrix) -> Person | None:
        if figure.posture != "sitting":
            return self.director.add(figure, at, self.stage.floor) if self.director.fits(figure, at, (table,)) else None
        chair = self.catalog.pick(self.rng, "chair", lambda asset: asset.support is not None and abs(asset.support - figure.seat_m) < 0.045)
        if chair is None or not self.director.fits(figure, at, (table,)):
            return None
        _, _, z0, z1 = chair.support_region
        seat = at @ pose(0.0, 0.0, figure.pelvis_3[2] - (0.55 * z0 + 0.45 * z1))
        spot = Spot(float(seat[0, 3]), 0.0, float(seat[2, 3]), float(np.arctan2(seat[0, 2], seat[2, 2])))
        if not self.director.free_but(footprint(spot, np.array(chair.size) - [0.06, 0.0, 0.1]), (table,)):
            return None
        item = self.stage.put(self.stage.stock.asset(chair.id), "chair", spot)
        person = self.director.add(figure, at, item)
        person.ties = replace(person.ties, feet_on=self.stage.floor.id)
        return person

    def _tied(self, person: Person, table: Item) -> Person:
        person.motion = still
        if person.figure.action == "lean":
            person.ties = replace(person.ties, leans_on=frozenset({table.id}))
        if person.figure.action == "wipe":
            person.ties = replace(person.ties, wipes=frozenset({table.id}))
        person.table = table
        return person

    def _at_wall(self, figure: Figure, palm_3: Vector) -> Person | None:
        things = [
            item for item in self.stage.items if item.label in WALL_THINGS and item.form.size_3[1] > palm_3[1] and item.rest[1, 3] < 0.1
        ]
        for item in self.director.pick_from(things):
            front = float(item.form.bounds_23[1, 2]) + palm_3[2] + 0.015
            at = item.rest @ pose(palm_3[0] + float(self.rng.uniform(-0.2, 0.2)), 0.0, front, math.pi)
            if self.director.fits(figure, at, (item,)):
                person = self.director.add(figure, at, self.stage.floor)
                person.motion = still
                return person
        return None
