"""One SynthHome clip: a scene played, seen by a camera, made to look filmed, written with its truth. Knows no other clip.

Everything follows from (seed, split, number). A clip's folder appears at once and whole.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np

from model.annotations import FORMAT, Clip, Frame, write_clip_annotation
from model.render.clip import write_clip
from model.render.sight import Pixels, Sight
from model.synth.dataset import ANNOTATION, SPLITS, VIDEO
from model.synth.degrade import degrade, draw_looks
from model.synth.look import Lens, frame_of
from model.synth.moment import Matrix, Moment

SOURCE = "SynthHome, rendered by `vigil data synth-home`"
LICENCE = "CC BY 3.0 and CC0 models, see ATTRIBUTION.txt"
PRESET = "veryfast"


class Scene(Protocol):
    """A room and what happens in it."""

    duration_s: float
    yfov: float
    room: Any

    def at(self, time_s: float) -> Moment: ...

    def camera(self, time_s: float) -> Matrix: ...


class Observer(Protocol):
    """A renderer."""

    def observe(self, scene: Any, camera: Matrix, yfov: float, actors: Sequence[Sequence[Any]]) -> Sight: ...


@dataclass(frozen=True, slots=True)
class Shape:
    """What all clips of a data set share."""

    seed: int
    num_frames: int
    fps: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Job:
    """Which clip to make, and where."""

    out: Path
    split: str
    number: int
    shape: Shape

    @property
    def name(self) -> str:
        """The clip's name, which is its folder's."""
        return f"{self.split}-{self.number:05d}"

    @property
    def folder(self) -> Path:
        """Where the finished clip lies."""
        return self.out / self.split / self.name

    @property
    def is_done(self) -> bool:
        """Folders appear whole, so the annotation is enough."""
        return (self.folder / ANNOTATION).is_file()

    def seeds(self) -> tuple[int, np.random.Generator]:
        """A seed for the scene, and a generator for the camera's looks."""
        scene, looks = np.random.SeedSequence([self.shape.seed, SPLITS.index(self.split), self.number]).spawn(2)
        return int(scene.generate_state(1)[0]), np.random.default_rng(looks)


def render_clip(job: Job, make_scene: Callable[[int, str], Scene], observer: Observer) -> None:
    """Render, degrade, encode and write one clip."""
    scene_seed, rng = job.seeds()
    scene = make_scene(scene_seed, job.split)
    seen = [_frame(scene, observer, index, index / job.shape.fps) for index in range(job.shape.num_frames)]
    looks = draw_looks(rng, seen[0][0])
    pictures: list[Pixels] = []
    frames: list[Frame] = []
    for rendered_HW3, frame in seen:
        picture_HW3, blurred = degrade(rendered_HW3, looks, rng)
        pictures.append(picture_HW3)
        frames.append(msgspec.structs.replace(frame, blurred=blurred))
    _write(job, pictures, frames, looks.crf)


def _frame(scene: Scene, observer: Observer, index: int, time_s: float) -> tuple[Pixels, Frame]:
    at_s = min(time_s, scene.duration_s)
    moment, lens = scene.at(at_s), Lens(scene.camera(at_s), scene.yfov)
    sight = observer.observe(scene.room.scene, lens.pose, lens.yfov, [actor.nodes for actor in moment.actors])
    return sight.picture_HW3, frame_of(sight, moment, lens, index, round(time_s, 4))


def _write(job: Job, pictures: Sequence[Pixels], frames: Sequence[Frame], crf: int) -> None:
    part = job.folder.with_name(f".{job.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    shape = job.shape
    write_clip(part / VIDEO, pictures, shape.fps, shape.width, shape.height, crf=crf, preset=PRESET)
    digest = hashlib.sha256((part / VIDEO).read_bytes()).hexdigest()
    clip = Clip(FORMAT, job.name, VIDEO, shape.width, shape.height, tuple(frames), digest, SOURCE, LICENCE)
    write_clip_annotation(part / ANNOTATION, clip)
    part.rename(job.folder)
