"""Renders a whole SynthHome: one process a core, resumable, the same clips for any number of workers. Knows no pixels.

A folder remembers how it was made; other settings need another folder. What a kill leaves half done is swept away at the next start.
"""

import multiprocessing
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from tqdm import tqdm

from model.synth.render_clip import Job, Scene, Shape, render_clip

if TYPE_CHECKING:
    pass

RECIPE = "synth-home.json"
ATTRIBUTION = "ATTRIBUTION.txt"
ADVICE = "rendering needs the extra `render` and libegl1"


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a folder's clips are made."""

    shape: Shape
    bodies: str


def plan(out: Path, shape: Shape, num_train: int, num_test: int) -> list[Job]:
    """The clips that are still to make, test first."""
    counts = (("test", num_test), ("train", num_train))
    jobs = [Job(out, split, number, shape) for split, count in counts for number in range(count)]
    return [job for job in jobs if not job.is_done]


def claim(out: Path, recipe: Recipe) -> None:
    """Make the folder, or check that it was made the same way, and sweep what was left half done. Raises ValueError."""
    path = out / RECIPE
    if path.exists():
        kept = msgspec.json.decode(path.read_bytes(), type=Recipe)
        if kept != recipe:
            raise ValueError(f"{out} was made with {kept}, now {recipe} is asked for: name another folder, or delete this one")
    else:
        out.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.encode(recipe) + b"\n")
    for left in out.glob("*/.*.part"):
        shutil.rmtree(left, ignore_errors=True)


def produce(jobs: Sequence[Job], bodies: Path | None, workers: int) -> None:
    """Render all jobs with a progress bar in frames. Raises ValueError in words where a worker dies or cannot start."""
    if not jobs:
        return
    num_frames = jobs[0].shape.num_frames
    bar = tqdm(total=len(jobs) * num_frames, desc="rendering", unit="frame", smoothing=0.05)
    try:
        for _ in _done(jobs, bodies, workers):
            bar.update(num_frames)
    except BrokenProcessPool as error:
        raise ValueError(f"a rendering process died ({error}): out of memory? Run again with fewer --workers, it goes on") from error
    finally:
        bar.close()


def write_attribution(out: Path) -> None:
    """The credits of every model that clips may show."""
    from model.render.assets import attribution, load_assets

    (out / ATTRIBUTION).write_text(attribution(load_assets().values()), encoding="utf-8")


def _done(jobs: Sequence[Job], bodies: Path | None, workers: int) -> Iterator[None]:
    os.environ["LP_NUM_THREADS"] = "0"  # software OpenGL draws in the calling thread: one process a core is fastest
    context = multiprocessing.get_context("spawn")
    shape = jobs[0].shape
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(shape, bodies)) as pool:
        futures = [pool.submit(_render, job) for job in jobs]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


class _Studio:
    """What a process keeps: its renderer, the models, the bodies of each split."""

    def __init__(self, shape: Shape, bodies: Path | None) -> None:
        try:
            from model.render.fast_renderer import FastRenderer
            from model.render.furniture import FurnitureLibrary
            from model.synth.scene import SynthScene
        except ImportError as error:
            raise ValueError(f"{ADVICE} ({error}): pip install 'vigil[render]'") from error
        self._scene = SynthScene
        self._library = FurnitureLibrary()
        self._folder = bodies
        self._bodies: dict[str, Sequence[Any]] = {}
        self.renderer: FastRenderer = FastRenderer(shape.width, shape.height)

    def scene(self, seed: int, split: str) -> Scene:
        """A new scene of a split."""
        if split not in self._bodies:
            self._bodies[split] = [] if self._folder is None else _load_bodies(self._folder, split)
        scene: Scene = self._scene(self._library, self._bodies[split], seed, split)
        return scene


_STUDIOS: list[_Studio] = []


def _start(shape: Shape, bodies: Path | None) -> None:
    _STUDIOS.append(_Studio(shape, bodies))


def _render(job: Job) -> None:
    render_clip(job, _STUDIOS[0].scene, _STUDIOS[0].renderer)


def _load_bodies(folder: Path, split: str) -> Sequence[Any]:
    from model.synth.bodies import load_bodies

    return load_bodies(folder, split)
