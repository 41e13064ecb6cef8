"""What people do in a furnished room: who sits, lies, stands or leans where. Knows no camera and nothing of hands.

A place is tried, and given up where the body would not fit; the caller tries another.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from model.render.room import pose
from model.synth.figures import Figure
from model.synth.moment import Matrix, Vector
from model.synth.motion import breathe, pace, sway, walk
from model.synth.plan import Spot, footprint
from model.synth.stage import Item, Person, Stage, body_box
from model.synth.truth import Ties

SINK_M = 0.02
FOOT_GAP_M = 0.07
LEAN_ON = ("cabinet", "refrigerator", "dining table", "door", "shelf", "oven")


class Director:
    """Puts figures into a stage; every method returns None where nothing fits."""

    def __init__(self, stage: Stage, duration_s: float) -> None:
        self.stage, self.rng, self.duration_s = stage, stage.rng, duration_s
        self.busy: set[int] = set()
        self._acts: dict[str, tuple[Callable[[Figure], Person | None], ...]] = {
            "sitting": (self.sit_on_chair, self.sit_on_chair, self.sit_on_couch, self.sit_on_bed),
            "ground": (self.sit_on_ground, self.sit_on_bed_top),
            "standing": (self.stand, self.stand, self.stand, self.lean, self.stand_on_bed, self.stand_by_table, self.stand_in_doorway),
            "lying": (self.lie_on_bed, self.lie_on_bed, self.lie_on_couch, self.lie_on_ground),
        }

    def place(self, figure: Figure) -> Person | None:
        """Somewhere that fits its posture."""
        kind = "ground" if figure.posture == "sitting" and figure.seat_m < 0.1 else figure.posture
        acts = self._acts.get(kind, self._acts["standing"])
        for index in self.rng.permutation(len(acts)):
            person = acts[int(index)](figure)
            if person is not None:
                return person
        return None

    def sit_on_chair(self, figure: Figure) -> Person | None:
        """In the middle of a chair's seat."""
        for chair in self._supports("chair", 0.36, 0.54):
            _, _, z0, z1 = chair.form.region
            z = 0.55 * z0 + 0.45 * z1 - figure.pelvis_3[2]
            person = self._seat(figure, chair, 0.0, z)
            if person is not None:
                return person
        return None

    def sit_on_couch(self, figure: Figure) -> Person | None:
        """Anywhere along a couch, further back than on a chair."""
        for couch in self._supports("couch", 0.33, 0.54):
            x0, x1, z0, z1 = couch.form.region
            if x1 - x0 < 0.7:
                continue
            z = 0.55 * z0 + 0.45 * z1 - figure.pelvis_3[2] - float(self.rng.uniform(0.05, 0.12))
            person = self._seat(figure, couch, float(self.rng.uniform(x0 + 0.32, x1 - 0.32)), z)
            if person is not None:
                return person
        return None

    def sit_on_bed(self, figure: Figure) -> Person | None:
        """On the edge of a bed, feet on the floor."""
        for bed in self._supports("bed", 0.36, 0.6):
            x0, x1, z0, z1 = bed.form.region
            side = float(self.rng.choice([-1.0, 1.0]))
            edge = (x1 if side > 0 else x0) - side * (0.14 + figure.pelvis_3[2])
            local = pose(edge, _seat_height(bed) - figure.seat_m - SINK_M, float(self.rng.uniform(z0 * 0.4, z1 * 0.6)), side * math.pi / 2)
            person = self._sit(figure, bed, bed.rest @ local)
            if person is not None:
                return person
        return None

    def sit_on_bed_top(self, figure: Figure) -> Person | None:
        """Legs up on a bed."""
        for bed in self._supports("bed", 0.1, 0.7):
            local = pose(
                float(self.rng.normal(0, 0.1)), _seat_height(bed) - 0.03, float(self.rng.uniform(-0.3, 0.3)), float(self.rng.uniform(-3, 3))
            )
            return self.add(figure, bed.rest @ local, bed)
        return None

    def sit_on_ground(self, figure: Figure) -> Person | None:
        """On the floor."""
        spot = self.stage.plan.open_floor(figure.bounds_23[1] - figure.bounds_23[0], margin=0.05)
        return None if spot is None else self.add(figure, _at(figure, spot), self.stage.floor)

    def stand(self, figure: Figure) -> Person | None:
        """Free on the floor; most of them turned towards something. A few walk."""
        spot = self.stage.plan.open_floor(figure.bounds_23[1] - figure.bounds_23[0], margin=0.05)
        if spot is None:
            return None
        yaw = self._towards_something(spot) if self.rng.random() < 0.75 else spot.yaw
        person = self.add(figure, pose(spot.x, 0.0, spot.z, yaw), self.stage.floor)
        if self.rng.random() < 0.12:
            ahead = Spot(spot.x + 0.6 * math.sin(yaw), 0.0, spot.z + 0.6 * math.cos(yaw), yaw)
            if self.stage.plan.free(footprint(ahead, np.array([0.4, 1.0, 0.4]))):
                person.motion = walk(float(self.rng.uniform(0.15, 0.35)))
        return person

    def stand_by_table(self, figure: Figure) -> Person | None:
        """Close before a table or a counter, facing it."""
        for item in self.pick_from([item for item in self.stage.items if item.label in ("dining table", "cabinet", "sink")]):
            if not item.form.support_m or not 0.6 < item.form.support_m < 1.0:
                continue
            reach = item.form.size_3[2] / 2 + figure.bounds_23[1, 2] * 0.55 + float(self.rng.uniform(0.02, 0.12))
            at = item.rest @ pose(float(self.rng.uniform(-0.25, 0.25)), -item.rest[1, 3], reach, math.pi)
            if self.fits(figure, at, (item,)):
                return self.add(figure, at, self.stage.floor)
        return None

    def stand_on_bed(self, figure: Figure) -> Person | None:
        """On a bed, as children do."""
        if figure.height_m > 1.72 or self.rng.random() < 0.3:
            return None
        for bed in self._supports("bed", 0.1, 0.7):
            if _seat_height(bed) + figure.height_m + 0.1 < self.stage.room.height:
                local = pose(
                    float(self.rng.normal(0, 0.15)),
                    _seat_height(bed) - 0.04,
                    float(self.rng.uniform(-0.3, 0.6)),
                    float(self.rng.uniform(-3, 3)),
                )
                return self.add(figure, bed.rest @ local, bed)
        return None

    def lean(self, figure: Figure) -> Person | None:
        """Back against something steady."""
        for item in self.pick_from([item for item in self.stage.items if item.label in LEAN_ON and item.form.size_3[1] > 0.7]):
            depth = float(item.form.bounds_23[1, 2] - figure.bounds_23[0, 2]) + 0.02
            at = item.rest @ pose(float(self.rng.uniform(-0.2, 0.2)), -item.rest[1, 3], depth)
            if item.rest[1, 3] < 0.3 and self.fits(figure, at, (item,)):
                person = self.add(figure, at, self.stage.floor)
                person.ties = replace(person.ties, leans_on=frozenset({item.id}))
                return person
        return None

    def stand_in_doorway(self, figure: Figure) -> Person | None:
        """Between the posts, as one who comes or goes."""
        for item in self.pick_from([item for item in self.stage.items if item.label == "doorway" and item.id not in self.busy]):
            self.busy.add(item.id)
            at = item.rest @ pose(
                0.0, 0.0, float(self.rng.uniform(-0.02, 0.08)), float(self.rng.choice([0.0, math.pi])) + float(self.rng.normal(0, 0.15))
            )
            person = self.add(figure, at, self.stage.floor)
            person.ties = replace(person.ties, inside=frozenset({item.id}))
            return person
        return None

    def lie_on_bed(self, figure: Figure) -> Person | None:
        """Along a bed, head at the pillows more often than not."""
        for bed in self._supports("bed", 0.1, 0.7):
            if bed.id in self.busy:
                continue
            turn = (math.pi if figure.eyes_K3[0, 2] > 0 else 0.0) + (math.pi if self.rng.random() < 0.15 else 0.0)
            shift = float(self.rng.uniform(-0.2, 0.2)) if bed.form.size_3[0] > 1.3 else 0.0
            return self.add(figure, bed.rest @ pose(shift, _seat_height(bed) - self._sink(figure), 0.0, turn), bed)
        return None

    def lie_on_couch(self, figure: Figure) -> Person | None:
        """Along a couch that is long enough."""
        length = float(figure.bounds_23[1, 2] - figure.bounds_23[0, 2])
        for couch in self._supports("couch", 0.3, 0.54):
            x0, x1, z0, z1 = couch.form.region
            if x1 - x0 > length - 0.2 and couch.id not in self.busy:
                local = pose(
                    (x0 + x1) / 2,
                    _seat_height(couch) - self._sink(figure),
                    (z0 + z1) / 2 + 0.05,
                    math.pi / 2 * float(self.rng.choice([-1, 1])),
                )
                return self.add(figure, couch.rest @ local, couch)
        return None

    def lie_on_ground(self, figure: Figure) -> Person | None:
        """On the floor; not many do."""
        if self.rng.random() < 0.6:
            return None
        spot = self.stage.plan.open_floor(figure.bounds_23[1] - figure.bounds_23[0], margin=0.0)
        return None if spot is None else self.add(figure, _at(figure, spot), self.stage.floor)

    def _seat(self, figure: Figure, support: Item, x: float, z: float) -> Person | None:
        local = pose(x, _seat_height(support) - figure.seat_m - SINK_M, z, float(self.rng.normal(0, 0.06)))
        return self._sit(figure, support, support.rest @ local)

    def _sit(self, figure: Figure, support: Item, at: Matrix) -> Person | None:
        if abs(at[1, 3]) > FOOT_GAP_M or not self.fits(figure, at, (support, *self._tables())):
            return None
        person = self.add(figure, at, support)
        person.ties = replace(person.ties, feet_on=self.stage.floor.id)
        return person

    def add(self, figure: Figure, at: Matrix, support: Item) -> Person:
        """Someone whose weight `support` carries."""
        self.busy.add(support.id)
        motion = sway(self.rng) if figure.posture == "standing" else breathe(self.rng)
        return self.stage.add_person(figure, at, Ties(support.id), motion, pace(self.rng, self.duration_s))

    def fits(self, figure: Figure, at: Matrix, besides: Sequence[Item]) -> bool:
        """Is there room for the body, but for what it sits on, leans on or has its legs under?"""
        body = body_box(figure, at)
        body[0] += [0.08, 0.1, 0.08]
        body[1] -= [0.08, 0.1, 0.08]
        return self.free_but(body, besides)

    def free_but(self, box_23: Vector, besides: Sequence[Item]) -> bool:
        """Free, where the boxes over those things' places do not count."""
        own = [item.rest[[0, 2], 3] for item in besides]
        plan = self.stage.plan
        kept = plan.boxes
        plan.boxes = [box for box in kept if not any(_holds(box, place) for place in own)]
        free = plan.free(box_23)
        plan.boxes = kept
        return free

    def _sink(self, figure: Figure) -> float:
        return 0.05 if figure.gaze_K3[0, 1] > 0.5 else 0.02

    def _tables(self) -> list[Item]:
        return [item for item in self.stage.items if item.label == "dining table"]

    def _supports(self, label: str, low: float, high: float) -> list[Item]:
        found = [
            item for item in self.stage.items if item.label == label and item.form.region and low < (item.form.support_m or 0.0) < high
        ]
        return self.pick_from([item for item in found if label != "chair" or (item.id not in self.busy and not item.taken)])

    def pick_from(self, items: Sequence[Item]) -> list[Item]:
        """The same in any order."""
        return [items[int(index)] for index in self.rng.permutation(len(items))]

    def _towards_something(self, spot: Spot) -> float:
        others = [person.rest[:3, 3] for person in self.stage.people] + [
            item.rest[:3, 3] for item in self.stage.items if item.label not in ("", "floor")
        ]
        if not others:
            return spot.yaw
        other = others[int(self.rng.integers(len(others)))]
        return math.atan2(other[0] - spot.x, other[2] - spot.z) + float(self.rng.normal(0, 0.2))


def _seat_height(item: Item) -> float:
    return (item.form.support_m or 0.0) * item.scale


def _at(figure: Figure, spot: Spot) -> Matrix:
    """The figure's middle on the spot: a lying body's origin need not be its middle."""
    middle = figure.bounds_23.mean(0)
    at = pose(spot.x, 0.0, spot.z, spot.yaw)
    at[:3, 3] -= at[:3, :3] @ np.array([middle[0], 0.0, middle[2]])
    return at


def _holds(box: Vector, place: Vector) -> bool:
    return bool((box[0][[0, 2]] <= place).all() and (box[1][[0, 2]] >= place).all())
