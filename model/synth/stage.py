"""A room being filled: what stands in it, who is in it, what each carries, and where all of it is at a time. Knows no taste.

Every pose is a world matrix; a thing's local box has its base at y = 0 unless its model says otherwise.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from model.render.room import Room, pose
from model.synth.figures import Figure, to_world
from model.synth.grips import BOTH, Hold
from model.synth.moment import Actor, Matrix, PosedBody, Vector
from model.synth.motion import Motion, Pace, still
from model.synth.plan import Plan, Spot
from model.synth.stock import Form, Stock, box_of
from model.synth.truth import Facts, Subject, Target, Ties

OVERHANG_M = 0.06
BODY_STEP = 25
"""Of a body's points, one in so many is enough to keep things off it."""


@dataclass(slots=True)
class Item:
    """A thing; an empty label is dressing. `on` is the id of the furniture that it stands on, -1 for none."""

    id: int
    label: str
    node: Any
    form: Form
    rest: Matrix
    on: int = -1
    motion: Motion = still
    taken: list[tuple[float, float, float]] = field(default_factory=list)
    now: Matrix = field(default_factory=lambda: np.eye(4))

    @property
    def scale(self) -> float:
        """Poses scale evenly."""
        return float(np.linalg.norm(self.rest[:3, 0]))


@dataclass(slots=True)
class Person:
    """Someone in the room."""

    id: int
    figure: Figure
    node: Any
    rest: Matrix
    ties: Ties
    motion: Motion
    pace: Pace
    holds: list[tuple[Item, Hold]] = field(default_factory=list)
    worn: list[tuple[Item, Matrix]] = field(default_factory=list)
    table: Item | None = None
    shown: float = -1.0


class Stage:
    """Fill it, then `move` it to a time and ask what is there."""

    def __init__(self, room: Room, stock: Stock, rng: np.random.Generator) -> None:
        self.room, self.stock, self.rng = room, stock, rng
        self.plan = Plan(room.width, room.depth, room.height, rng)
        self.items: list[Item] = []
        self.people: list[Person] = []
        self.floor = self._adopt("floor", room.floor, Form("floor", room.floor.mesh), np.eye(4))

    def put(self, form: Form, label: str, spot: Spot, scale: float = 1.0, *, takes_space: bool = True) -> Item:
        """Stand it on a spot of the room; it takes its space."""
        return self.place(form, label, pose(spot.x, spot.y, spot.z, spot.yaw, scale), takes_space=takes_space)

    def place(self, form: Form, label: str, at: Matrix, on: int = -1, *, takes_space: bool = False) -> Item:
        """Add it at a pose."""
        item = self._adopt(label, self.room.scene.add(form.mesh, pose=at), form, at, on)
        if takes_space:
            self.plan.take(box_of(form, at))
        return item

    def on(
        self, support: Item, form: Form, label: str, yaw: float = 0.0, near: tuple[float, float] | None = None, scale: float = 1.0
    ) -> Item | None:
        """On top of furniture, clear of what is there; `near` is a place in the furniture's frame. None where it does not fit."""
        if support.form.support_m is None or not support.form.region:
            return None
        x0, x1, z0, z1 = support.form.region
        radius = float(np.hypot(*form.size_3[[0, 2]])) / 2 * scale
        cos, sin = abs(float(np.cos(yaw))), abs(float(np.sin(yaw)))
        width, _, depth = form.size_3 * scale / 2
        fit_x, fit_z = width * cos + depth * sin, width * sin + depth * cos
        if x1 - x0 < 2 * fit_x or z1 - z0 < 2 * fit_z - OVERHANG_M:
            return None
        inner = (x0 + fit_x, x1 - fit_x, min(z0 + fit_z, (z0 + z1) / 2), max(z1 - fit_z, (z0 + z1) / 2))
        for _ in range(12):
            x, z = self._place_on(inner, near)
            clear = all(np.hypot(x - x_, z - z_) > radius * 0.9 + r for x_, z_, r in support.taken)
            if clear and not self._body_at(support.rest @ pose(x, support.form.support_m, z), radius * 0.8):
                support.taken.append((x, z, radius * 0.9))
                return self.place(form, label, support.rest @ pose(x, support.form.support_m + 0.002, z, yaw, scale), support.id)
        return None

    def add_person(self, figure: Figure, at: Matrix, ties: Ties, motion: Motion, pace: Pace) -> Person:
        """Someone at a pose; takes the space of the body."""
        person = Person(self._next_id(), figure, self.room.scene.add(figure.mesh, pose=at), at, ties, motion, pace)
        self.people.append(person)
        self.plan.take(body_box(figure, at))
        return person

    def move(self, time_s: float) -> None:
        """Bring every node to its place at that time."""
        for item in self.items:
            if item.motion is not still:
                item.now = item.rest @ item.motion(time_s)
                self.room.scene.set_pose(item.node, item.now)
        for person in self.people:
            self._move_person(person, time_s)

    def actors(self, time_s: float, facts: Facts) -> Iterator[Actor]:
        """Everything that is annotated."""
        for item in self.items:
            if item.label:
                yield Actor(item.id, item.label, (item.node,))
        for person in self.people:
            subject = self.subject(person, time_s)
            body = PosedBody(person.figure.posture, subject.eyes_3, subject.gaze_3, subject.palms_H3, facts.touches[person.id])
            yield Actor(person.id, "person", (person.node,), body)

    def targets(self) -> list[Target]:
        """Every labelled thing where it is now."""
        return [Target(item.id, item.label, item.form, item.now, item.on >= 0) for item in self.items if item.label]

    def subject(self, person: Person, time_s: float) -> Subject:
        """A person as truth needs it, at the time that the stage was moved to."""
        at, figure = person.rest @ person.motion(time_s), person.figure
        stance = figure.at(person.pace(time_s))
        return Subject(
            id=person.id,
            posture=figure.posture,
            facing_rad=float(np.arctan2(at[0, 2], at[2, 2])),
            pelvis_3=to_world(at, figure.pelvis_3[None])[0],
            eyes_3=to_world(at, stance.eyes_3[None])[0],
            gaze_3=at[:3, :3] @ stance.gaze_3,
            palms_H3=to_world(at, stance.palms_H3),
            top_m=float(at[1, 3] + figure.height_m),
            ties=replace(person.ties, held=_held(person, person.pace(time_s))),
        )

    def _move_person(self, person: Person, time_s: float) -> None:
        at, share = person.rest @ person.motion(time_s), person.pace(time_s)
        self.room.scene.set_pose(person.node, at)
        if person.figure.num_keys > 1 and abs(share - person.shown) > 1e-4:
            person.node.mesh, person.shown = person.figure.mesh_at(share), share
        for item, hold in person.holds:
            item.now = (at if hold.holds(share) else person.rest) @ hold.pose(person.figure, share)
            self.room.scene.set_pose(item.node, item.now)
        for item, local in person.worn:
            item.now = at @ local
            self.room.scene.set_pose(item.node, item.now)

    def _adopt(self, label: str, node: Any, form: Form, at: Matrix, on: int = -1) -> Item:
        item = Item(self._next_id(), label, node, form, at, on, now=at)
        self.items.append(item)
        return item

    def _next_id(self) -> int:
        return len(self.items) + len(self.people)

    def _body_at(self, at: Matrix, radius: float) -> bool:
        """Is some body in the way there, as that of one who lies on the bed?"""
        for person in self.people:
            away_P3 = to_world(person.rest, person.figure.points_V3[::BODY_STEP]) - at[:3, 3]
            if ((np.hypot(away_P3[:, 0], away_P3[:, 2]) < radius) & (np.abs(away_P3[:, 1] - 0.08) < 0.14)).any():
                return True
        return False

    def _place_on(self, region: Sequence[float], near: tuple[float, float] | None) -> tuple[float, float]:
        x0, x1, z0, z1 = region
        if near is None:
            return float(self.rng.uniform(x0, x1)), float(self.rng.uniform(z0, z1))
        x, z = near[0] + self.rng.normal(0, 0.06), near[1] + self.rng.normal(0, 0.06)
        return float(np.clip(x, x0, x1)), float(np.clip(z, z0, z1))


def _held(person: Person, share: float) -> tuple[int, int]:
    """What each hand holds at a share of the key frames."""
    out = [-1, -1]
    for item, hold in person.holds:
        for hand in range(2):
            if hold.hand in (hand, BOTH) and hold.holds(share):
                out[hand] = item.id
    return out[0], out[1]


def body_box(figure: Figure, at: Matrix) -> Vector:
    """World box of a figure."""
    low, high = figure.bounds_23
    corners_83 = np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])
    world_83 = to_world(at, corners_83)
    return np.stack([world_83.min(0), world_83.max(0)])
