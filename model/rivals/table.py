"""The whole-method table: every row trained on the same data, seeds and number of steps, and measured on the same held-out clips.

Rows differ in how they are trained, in whether memory lasts from frame to frame and of what kind it is, and in what reads predicates
from the pair's embedding. No row's odds are moved to priors. Figures on the row's own test clips are over reported entities: what the
detector misses is missing for every row alike. Those on judged sets (kept_sets.py) count everything annotated.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import torch
from msgspec import Struct

from model.calibrate import mean_average_precision, observe
from model.evaluation.eval_set import EvalSet
from model.evaluation.frames import CONSTRAINTS, class_groups
from model.evaluation.recall import AT, find, recall_at
from model.priors import allowed
from model.proxvp.methods import AdamW
from model.rivals.cost import head_flops
from model.rivals.group_learning import GroupHead, GroupLearning, predicate_counts
from model.rivals.hidden import HiddenLabels
from model.rivals.kept_sets import SetAt, judge
from model.rivals.prototype_matching import PrototypeHead, PrototypeMatching
from model.rivals.self_training import SelfTraining
from model.rollout import ClipSource
from model.scene_head import NUM_PAIRS, SceneHead
from model.source_cases import cases_of
from model.text import Prototypes
from model.train import DIM, TRAIN_PAIRS, Recipe, Trainer, TrainingSet, new_head
from model.vocabulary import MODERATION_V1

SHAPE = (DIM, len(MODERATION_V1.objects), len(MODERATION_V1.predicates))


class Row(Struct, frozen=True):
    """One row: how it is called, how it is trained, whether memory lasts and whether every thing and pair has a row in it."""

    title: str
    optimiser: str = "adamw_cosine"
    use_memory: bool = False
    episodes: bool = False
    rival: str = ""


ROWS: dict[str, Row] = {
    "plain": Row("plain head, AdamW", optimiser="adamw"),
    "cosine": Row("plain head, AdamW + cosine"),
    "proxvp": Row("+ ProxVP", optimiser="proxvp"),
    "memory": Row("plain head, AdamW + cosine, memory", use_memory=True),
    "episodes": Row("plain head, AdamW + cosine, episode memory", use_memory=True, episodes=True),
    "proxvp_memory": Row("+ ProxVP + memory", optimiser="proxvp", use_memory=True),
    "proxvp_episodes": Row("+ ProxVP + episode memory", optimiser="proxvp", use_memory=True, episodes=True),
    "penet": Row("prototype matching, after PENet", rival="penet"),
    "st_sgg": Row("self-training, after ST-SGG", rival="st_sgg"),
    "gcl": Row("group learning, after GCL", rival="gcl"),
}
"""Rivals are trained with AdamW + cosine and without memory, as published. (At a constant rate AdamW scored higher here; model/LOG.md.)"""


class Setup(Struct, frozen=True):
    """What is shared by all rows. `data` is world or a folder of rendered clips; `hidden` the share of pairs that lose their labels;
    `detector`, `digest` and `judged` say which network sees the rendered clips, what they are, and what the kept judged sets hold."""

    data: str = "world"
    scenes: int = 4000
    clips: int = 600
    test_clips: int = 300
    epochs: int = 2
    batch: int = 128
    clip_batch: int = 48
    hidden: float = 0.0
    data_seed: int = 7
    rendered_passes: float = 1.0
    detector: str = ""
    digest: str = ""
    judged: str = ""


class At(Struct, frozen=True):
    """Recall, mean recall (pooled) and their F1 at one K, under one constraint."""

    constraint: str
    k: int
    recall: float
    mean_recall: float
    f1: float


class Result(Struct, frozen=True):
    """One row with one seed. `flops` counts matrix products of one frame in the head, two each; `parameters` are those trained."""

    row: str
    seed: int
    steps: int
    loss: float
    at: list[At]
    mean_average_precision: float
    parameters: int
    flops: int
    cpu_s: float
    judged: list[SetAt] = []


@dataclass(frozen=True, slots=True)
class Data:
    """What rows are trained on, and the clips that they are measured on: those of the same kind, and judged sets."""

    sets: Sequence[TrainingSet]
    test: ClipSource
    judged: Sequence[EvalSet] = ()


def with_gaps(data: Data, hidden: float, seed: int) -> Data:
    """The same data with a share of its training pairs unlabelled; the test stays whole."""
    if hidden == 0.0:
        return data
    return replace(data, sets=[TrainingSet(HiddenLabels(one.source, hidden, seed), one.batch, one.passes) for one in data.sets])


def new_trainer(name: str, seed: int, setup: Setup, data: Data, state_file: Path | None = None) -> Trainer:
    """A trainer of one row at its start."""
    row = ROWS[name]
    recipe = Recipe(
        seed=seed, num_scenes=setup.scenes, num_clips=setup.clips, epochs=setup.epochs, batch=setup.batch, clip_batch=setup.clip_batch,
        use_memory=row.use_memory, episodes=row.episodes, optimiser=row.optimiser, rendered=setup.data,
        rendered_passes=setup.rendered_passes,
    )  # fmt: skip
    trainer = Trainer(recipe, data.sets, state_file)
    if row.rival:
        trainer.method = _rival(row.rival, trainer, data)
    return trainer


def _rival(name: str, trainer: Trainer, data: Data) -> AdamW:
    total_steps = trainer.recipe.epochs * trainer.steps_per_epoch
    torch.manual_seed(trainer.recipe.seed)
    if name == "penet":
        return PrototypeMatching(_matching_head(TRAIN_PAIRS), total_steps, trainer.prototypes)
    if name == "gcl":
        groups = GroupHead(*SHAPE, TRAIN_PAIRS, predicate_counts([one.source for one in data.sets]))
        groups.allowed_CK.copy_(allowed())
        return GroupLearning(groups, total_steps, trainer.prototypes)
    assert name == "st_sgg"
    return SelfTraining(trainer.head, total_steps, trainer.prototypes)


def _matching_head(num_pairs: int) -> PrototypeHead:
    head = PrototypeHead(*SHAPE, num_pairs)
    head.allowed_CK.copy_(allowed())
    return head


def untrained(name: str) -> SceneHead:
    """A head of the shape that a row deploys: of group learning the last classifier alone, which is a plain head."""
    row = ROWS[name]
    return _matching_head(NUM_PAIRS) if row.rival == "penet" else new_head(NUM_PAIRS, episodes=row.episodes)


def run_one(name: str, seed: int, setup: Setup, data: Data, state_file: Path | None = None) -> Result:
    """Train one row with one seed and measure it."""
    begun, trainer = time.process_time(), new_trainer(name, seed, setup, data, state_file)
    *_, loss = trainer.fit()
    cpu_s = time.process_time() - begun
    head, use_memory = trainer.head.eval(), ROWS[name].use_memory
    quality = mean_average_precision(observe(head, trainer.prototypes, data.test, use_memory=use_memory))
    parameters = sum(one.numel() for one in head.parameters() if one.requires_grad)
    figures = measure(head, trainer.prototypes, data.test, use_memory=use_memory)
    judged, flops = judge(head, trainer.prototypes, data.judged, use_memory=use_memory), head_flops(head, trainer.prototypes)
    return Result(name, seed, trainer.steps_done, loss, figures, quality, parameters, flops, cpu_s, judged)


def kept_or_run(folder: Path, setup: Setup, data: Callable[[], Data], name: str, seed: int) -> Result:
    """The result as it lies in the folder, else run (going on where a killed run stood) and put there."""
    path = folder / f"{name}-{seed}.json"
    if path.is_file():
        return msgspec.json.decode(path.read_bytes(), type=Result)
    folder.mkdir(parents=True, exist_ok=True)
    state_file = path.with_suffix(".state")
    result = run_one(name, seed, setup, data(), state_file)
    beside = path.with_suffix(".part")
    beside.write_bytes(msgspec.json.encode(result))
    beside.replace(path)
    state_file.unlink(missing_ok=True)
    return result


def seconds_a_step(name: str, setup: Setup, data: Data, steps: int = 6) -> float:
    """Processor seconds of one step of a row, the mean of the first few."""
    trainer, done = new_trainer(name, 0, setup, data), 0
    begun = time.process_time()
    for done, _ in enumerate(trainer.steps(), start=1):
        if done == steps:
            break
    return (time.process_time() - begun) / max(done, 1)


def over_seeds(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation; of one value there is no deviation: 0."""
    numbers = np.array(values)
    return float(numbers.mean()), float(numbers.std(ddof=1)) if len(numbers) > 1 else 0.0


def measure(head: SceneHead, prototypes: Prototypes, source: ClipSource, *, use_memory: bool) -> list[At]:
    """Recall figures under every constraint, from the fourth frame of each clip on."""
    cases, group_C = list(cases_of(head, prototypes, source, use_memory=use_memory)), class_groups()
    out = []
    for constraint in CONSTRAINTS:
        hits = find(cases, constraint, group_C)
        for k in AT:
            at = recall_at(hits, k, resamples=2)
            out.append(At(constraint, k, at.recall.value, at.mean_recall.value, at.f1))
    return out
