"""Ways of training beside each other: the same frames, seeds and steps; the deployed head's loss on a fixed probe set along the way."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import msgspec
import torch
from msgspec import Struct

from model.calibrate import mean_average_precision, observe
from model.losses import pair_targets, relation_loss
from model.proxvp.diagnosis import Diagnosis, diagnose
from model.rollout import Batch, ClipSource, draw_batch, empty_state, unroll
from model.samples import Plan, Samples, draw
from model.scene_head import SceneHead
from model.text import Prototypes
from model.train import DIM, Recipe, Trainer, TrainingSet, new_head

PROBE_SEED, TEST_SEED = 2_000_003, 3_000_017
CHUNK = 64
DIAGNOSED_SEED = 0
FINGERPRINT_SCENES = 20


class Setup(Struct, frozen=True):
    """What is shared by all rows. Single frames without memory: that keeps it cheap, and the question is the optimiser's."""

    scenes: int = 1200
    epochs: int = 3
    batch: int = 16
    probe_scenes: int = 64
    test_scenes: int = 300
    probe_every: int = 3
    data_seed: int = 7


class Run(Struct, frozen=True):
    """One method with one seed: the probe curve, the test figures of the head that it deploys, and what it cost."""

    method: str
    seed: int
    steps: list[int]
    losses: list[float]
    test_loss: float
    test_map: float
    cpu_s: float
    diagnoses: list[Diagnosis]


@dataclass(frozen=True, slots=True)
class Shared:
    """Frames drawn once."""

    train: Samples
    probe: list[Batch]
    test: Samples
    test_batches: list[Batch]


def fingerprint(setup: Setup) -> str:
    """Changes with the set-up, with what the box world draws and with the head's shape: runs of different ones never share a table."""
    total = hashlib.sha256(msgspec.json.encode(setup))
    frames = draw(Plan(FINGERPRINT_SCENES, 1, setup.data_seed), 1)
    for field in fields(frames):
        total.update(getattr(frames, field.name).tobytes())
    total.update(str([(name, tuple(one.shape)) for name, one in new_head(1).named_parameters()]).encode())
    return total.hexdigest()[:12]


def draw_shared(setup: Setup, workers: int) -> Shared:
    """Train, probe and test frames of the box world, from three seeds."""
    train = Samples(Plan(setup.scenes, 1, setup.data_seed), workers, DIM, "drawing training scenes")
    probe = Samples(Plan(setup.probe_scenes, 1, setup.data_seed + PROBE_SEED), workers, DIM, "drawing probe scenes")
    test = Samples(Plan(setup.test_scenes, 1, setup.data_seed + TEST_SEED), workers, DIM, "drawing test scenes")
    return Shared(train, fixed_batches(probe), test, fixed_batches(test))


def fixed_batches(source: ClipSource) -> list[Batch]:
    """All clips of a source with empty memories, the faint probabilities drawn once."""
    generator = torch.Generator().manual_seed(0)
    head = new_head(1)
    sizes = [(rows_B, empty_state(head, len(rows_B))) for rows_B in source.batches(CHUNK, None)]
    return [draw_batch(source, rows_B, state, 0.0, generator) for rows_B, state in sizes]


@torch.no_grad()
def relation_loss_on(head: SceneHead, prototypes: Prototypes, batches: list[Batch]) -> float:
    """The relation loss alone, mean over known pairs."""
    total = count = 0.0
    for batch in batches:
        found, _ = unroll(head, prototypes, batch)
        for one, clip in zip(found, batch.frames, strict=True):
            pairs = pair_targets(clip.targets, one)
            known = float(pairs.known_BQ.sum())
            total, count = total + known * float(relation_loss(one, pairs, head.allowed_CK)), count + known
    return total / max(count, 1.0)


def run_one(setup: Setup, shared: Shared, method: str, seed: int, tick: Callable[[str], None]) -> Run:
    """Train one head; `tick` is called after every step with the latest probe loss."""
    recipe = Recipe(seed=seed, num_scenes=setup.scenes, epochs=setup.epochs, batch=setup.batch, use_memory=False, optimiser=method)
    trainer = Trainer(recipe, [TrainingSet(shared.train, setup.batch)])
    steps, losses, diagnoses = [0], [relation_loss_on(trainer.head, trainer.prototypes, shared.probe)], []
    cpu_s = 0.0
    for epoch in range(setup.epochs):
        begun = time.process_time()
        for _ in trainer.steps():
            cpu_s += time.process_time() - begun
            if trainer.steps_done % setup.probe_every == 0:
                steps.append(trainer.steps_done)
                losses.append(relation_loss_on(trainer.head, trainer.prototypes, shared.probe))
            tick(f"{method} seed {seed}: {losses[-1]:.3f}")
            begun = time.process_time()
        trainer.end_epoch()
        if seed == DIAGNOSED_SEED:
            diagnoses.append(diagnose(trainer.method, shared.probe[0], epoch + 1))
    head = trainer.head.eval()
    test_loss = relation_loss_on(head, trainer.prototypes, shared.test_batches)
    quality = mean_average_precision(observe(head, trainer.prototypes, shared.test))
    return Run(method, seed, steps, losses, test_loss, quality, cpu_s, [one for one in diagnoses if one is not None])


def kept_or_run(folder: Path, setup: Setup, shared: Callable[[], Shared], method: str, seed: int, tick: Callable[[str], None]) -> Run:
    """The run as it lies in the folder, or run and put there."""
    path = folder / f"{method}-{seed}.json"
    if path.is_file():
        return msgspec.json.decode(path.read_bytes(), type=Run)
    run = run_one(setup, shared(), method, seed, tick)
    folder.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    beside.write_bytes(msgspec.json.encode(run))
    beside.replace(path)
    return run
