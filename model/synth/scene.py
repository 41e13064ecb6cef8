"""A furnished room with people in it, for a few seconds: what is there at a time, and what holds. Everything follows from the seed.

Rooms, models and people of train and test are apart.
"""

from collections.abc import Sequence

import numpy as np

from model.render.furniture import FurnitureLibrary
from model.render.room import Room
from model.synth.acts import Director
from model.synth.catalog import Catalog
from model.synth.decor import random_look
from model.synth.figures import Figure, moving_figure, static_figure
from model.synth.hands import Outfitter
from model.synth.lens import Sitter, find_lens
from model.synth.moment import BodyModel, Matrix, Moment
from model.synth.rooms import ROOMS, SIZES, Furnisher
from model.synth.stage import Stage
from model.synth.stock import stock_of
from model.synth.truth import facts
from model.synth.wares import Wares
from model.synth.work import Worker

FPS = 5.0
SPLITS = ("train", "test")
ROOM_CHANCES = {"living": 0.22, "bedroom": 0.3, "kitchen": 0.14, "dining": 0.12, "office": 0.14, "hall": 0.08}
LYING_SHARE = 0.17
"""Of the people, where there is a bed or a couch."""
WORK = ("wipe", "write", "lean", "eat", "drink", "reach")
WORK_SHARE = 0.4
PEOPLE_CHANCES = (0.45, 0.37, 0.18)
MOVING_SHARE = 0.72
"""How many of the people are bodies with key frames, where there are any."""


class SynthScene:
    """Build once, then for each time `at(time)` and render `room.scene` from `camera(time)`."""

    def __init__(self, library: FurnitureLibrary, bodies: Sequence[BodyModel], seed: int, split: str) -> None:
        catalog = Catalog(library, split)
        self._rng = rng = np.random.default_rng([SPLITS.index(split), seed])
        kind = str(rng.choice(list(ROOMS), p=[ROOM_CHANCES[name] for name in ROOMS]))
        width, depth = (float(rng.uniform(*SIZES[kind])) for _ in range(2))
        self.room = Room(library, width, depth, float(rng.uniform(2.45, 2.8)), random_look(rng))
        self.duration_s = float(rng.integers(8, 17)) / FPS
        self._stage = Stage(self.room, stock_of(library), rng)
        wares = Wares(self._stage.stock, catalog, split, rng)
        furnisher = Furnisher(self._stage, catalog, wares)
        furnisher.furnish(kind)
        worker = Worker(Director(self._stage, self.duration_s), catalog)
        self._people(worker, catalog, [body for body in bodies if body.split == split])
        outfitter = Outfitter(self._stage, wares)
        for person in self._stage.people:
            outfitter.outfit(person)
        furnisher.strew(int(rng.integers(2, 7)))
        self._stage.move(0.0)
        self._lens = find_lens(self._stage.plan, self._sitters(), rng, self.duration_s)
        self.yfov = self._lens.yfov

    def at(self, time_s: float) -> Moment:
        """Move every node to its place at that time; what is annotated then, and what holds."""
        stage = self._stage
        stage.move(time_s)
        found = facts([stage.subject(person, time_s) for person in stage.people], stage.targets())
        return Moment(tuple(stage.actors(time_s, found)), tuple(found.relations))

    def camera(self, time_s: float) -> Matrix:
        """The camera's pose at that time."""
        return self._lens.at(time_s)

    def _people(self, worker: Worker, catalog: Catalog, bodies: Sequence[BodyModel]) -> None:
        rng = self._rng
        count = 1 + int(rng.choice(len(PEOPLE_CHANCES), p=PEOPLE_CHANCES))
        faces: set[str] = set()
        for _ in range(12):
            if len(self._stage.people) == count:
                return
            figure = self._figure(catalog, bodies)
            if figure.identity not in faces and worker.place(figure) is not None:
                faces.add(figure.identity)

    def _figure(self, catalog: Catalog, bodies: Sequence[BodyModel]) -> Figure:
        """Half of the bodies are such as need a table or a door, for they find no place more often than others."""
        rng = self._rng
        people = catalog.people()
        if any(item.label in ("bed", "couch") for item in self._stage.items) and rng.random() < LYING_SHARE:
            bodies = [body for body in bodies if body.posture == "lying"]
            people = [asset for asset in people if asset.posture == "lying"]
        if bodies and rng.random() < MOVING_SHARE:
            busy = [body for body in bodies if body.action in WORK]
            chosen = busy if busy and rng.random() < WORK_SHARE else bodies
            return moving_figure(chosen[int(rng.integers(len(chosen)))])
        return static_figure(self._stage.stock, people[int(rng.integers(len(people)))])

    def _sitters(self) -> list[Sitter]:
        subjects = [self._stage.subject(person, 0.0) for person in self._stage.people]
        return [Sitter(subject.eyes_3, subject.pelvis_3, subject.facing_rad) for subject in subjects]
