"""Runs of the memory study: a base trained on single frames, then every variant goes on from it over clips, and what came out is kept."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from msgspec import Struct, json

from model.episodes import Episodes
from model.memory_study.clips import Torn, Worse, worse_than_before
from model.memory_study.measure import Group, measure
from model.memory_study.variants import BASELINE, VARIANTS, head_of
from model.samples import Plan, Samples
from model.scene_head import SceneHead
from model.train import CLIP_FRAMES, DIM, TRAIN_PAIRS, Recipe, Trainer, TrainingSet, new_head, new_method

TEST_SEED = 5_000_011


class Setup(Struct, frozen=True):
    """What is shared by all rows."""

    scenes: int = 4000
    base_epochs: int = 3
    batch: int = 128
    clips: int = 800
    epochs: int = 2
    clip_batch: int = 32
    test_clips: int = 300
    data_seed: int = 7


class Run(Struct, frozen=True):
    """One variant with one seed."""

    variant: str
    seed: int
    groups: dict[str, Group]
    half_lives_s: list[float]
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Data:
    """The clips that all rows share, drawn once."""

    scenes: Samples
    clips: Samples
    test: Samples
    worse: Worse


def draw_data(setup: Setup, workers: int) -> Data:
    """Frames to begin with, clips to go on with, and clips to measure on."""
    scenes = Samples(Plan(setup.scenes, 1, setup.data_seed), workers, DIM, "drawing scenes")
    clips = Samples(Plan(setup.clips, CLIP_FRAMES, setup.data_seed), workers, DIM, "drawing clips")
    test = Samples(Plan(setup.test_clips, CLIP_FRAMES, setup.data_seed + TEST_SEED), workers, DIM, "drawing test clips")
    return Data(scenes, clips, test, worse_than_before(test))


class VariantTrainer(Trainer):
    """Trains a given head instead of a new one."""

    def __init__(self, recipe: Recipe, sets: list[TrainingSet], head: SceneHead) -> None:
        super().__init__(recipe, sets)
        self.method = new_method(recipe.optimiser, head, recipe.epochs * self.steps_per_epoch, self.prototypes)


def base_of(folder: Path, setup: Setup, data: Data, seed: int, tick: Callable[[str], None]) -> SceneHead:
    """The head of a seed before it has met a clip; kept beside the runs."""
    path, head = folder / f"base-{seed}.pt", new_head(TRAIN_PAIRS)
    if path.is_file():
        head.load_state_dict(torch.load(path, weights_only=True))
        return head
    recipe = Recipe(seed=seed, num_scenes=setup.scenes, epochs=setup.base_epochs, batch=setup.batch, use_memory=False)
    torch.manual_seed(seed)
    trainer = VariantTrainer(recipe, [TrainingSet(data.scenes, setup.batch)], head_of(VARIANTS[BASELINE], TRAIN_PAIRS))
    _fit(trainer, tick, f"base, seed {seed}")
    head.load_state_dict(trainer.head.state_dict())
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(head.state_dict(), path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)
    return head


def run_one(setup: Setup, data: Data, base: SceneHead, name: str, seed: int, tick: Callable[[str], None]) -> Run:
    """Train a variant over clips, from the base, and measure it."""
    variant, begun = VARIANTS[name], time.process_time()
    torch.manual_seed(seed)
    source = Torn(data.clips) if variant.torn else data.clips
    recipe = Recipe(seed=seed, num_clips=setup.clips, epochs=setup.epochs, clip_batch=setup.clip_batch)
    trainer = VariantTrainer(recipe, [TrainingSet(source, setup.clip_batch)], head_of(variant, TRAIN_PAIRS, base))
    _fit(trainer, tick, f"{name}, seed {seed}")
    head = trainer.head.eval()
    groups = measure(head, trainer.prototypes, data.test, data.worse, torn=variant.torn)
    lives = [float(one.half_life_s()) for one in head.modules() if isinstance(one, Episodes)]
    return Run(name, seed, groups, lives, time.process_time() - begun)


def kept_or_run(folder: Path, setup: Setup, data: Callable[[], Data], name: str, seed: int, tick: Callable[[str], None]) -> Run:
    """The run as it lies in the folder, or run and put there."""
    path = folder / f"{name}-{seed}.json"
    if path.is_file():
        return json.decode(path.read_bytes(), type=Run)
    run = run_one(setup, data(), base_of(folder, setup, data(), seed, tick), name, seed, tick)
    folder.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".part").write_bytes(json.encode(run))
    path.with_suffix(".part").replace(path)
    return run


def _fit(trainer: Trainer, tick: Callable[[str], None], what: str) -> None:
    for _ in range(trainer.recipe.epochs):
        for loss in trainer.steps():
            tick(f"{what}: {loss:.3f}")
        trainer.end_epoch()
