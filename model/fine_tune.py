"""A checkpoint's scene head goes on learning from a user's labelled clips; the detector, its heads and the source checkpoint stay as they
are. Frames of the box world are mixed in, so that what the clips do not show is not forgotten. Repeatable by seed.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from msgspec import Struct

from model.calibrate import Observed, Score, at_threshold, average_precision, mean_average_precision, observe
from model.evaluation.frames import class_groups
from model.evaluation.intervals import Interval
from model.evaluation.operating import SURE_ENTITY, at_thresholds, judge
from model.evaluation.recall import Recall, find, recall_at
from model.head_file import LoadedHead
from model.proxvp.methods import AdamW
from model.rollout import Batch, ClipSource
from model.samples import Plan, Samples
from model.scene_head import SceneHead
from model.source_cases import cases_of
from model.text import Prototypes
from model.train import DIM, Recipe, Trainer, TrainingSet

HEADLINE_K = 20


@dataclass(frozen=True, slots=True)
class Settings:
    """How a head goes on learning: passes over the labelled clips, how many at a time, the first rate, and what is mixed in."""

    seed: int = 7
    epochs: int = 8
    clip_batch: int = 8
    rate: float = 3e-4
    world_scenes: int = 512
    world_batch: int = 64


class Judged(Struct, frozen=True):
    """A head on held-out clips: triplets at the operating thresholds of published predicates, recall with constraint, average precision."""

    precision: Interval
    recall: Interval
    f1: Interval
    recall_at: Recall
    mean_average_precision: float


class Gentle(AdamW):
    """AdamW whose rate falls from a small start to nothing, in a line."""

    def __init__(self, head: SceneHead, total_steps: int, prototypes: Prototypes, rate: float) -> None:
        super().__init__(head, total_steps, prototypes)
        self.rate, self.steps_done = rate, 0
        self._set_rate()

    def step(self, batch: Batch) -> None:
        """One step, then the next rate."""
        super().step(batch)
        self.steps_done += 1
        self._set_rate()

    def _set_rate(self) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * max(0.0, 1.0 - self.steps_done / self.total_steps)


def fine_tune(start: LoadedHead, clips: ClipSource, settings: Settings, workers: int = 1) -> SceneHead:
    """A new head that started as the given one. Raises ValueError when there is nothing to learn or no step to take."""
    if min(settings.epochs, settings.clip_batch, settings.world_batch) < 1 or settings.rate <= 0 or settings.world_scenes < 0:
        raise ValueError(f"fine-tuning needs at least one epoch, batches of one or more and a rate above 0, got {settings}")
    sets = [TrainingSet(clips, settings.clip_batch)]
    if settings.world_scenes:
        world = Samples(Plan(settings.world_scenes, 1, settings.seed), workers, DIM, "drawing scenes to mix in")
        sets.append(TrainingSet(world, settings.world_batch))
    trainer = Trainer(Recipe(seed=settings.seed, epochs=settings.epochs, clip_batch=settings.clip_batch), sets)
    trainer.prototypes = start.prototypes
    head = copy.deepcopy(start.head).train().requires_grad_(True)
    trainer.method = Gentle(head, settings.epochs * trainer.steps_per_epoch, start.prototypes, settings.rate)
    for _ in trainer.fit():
        pass
    return trainer.head.eval()


def judge_head(loaded: LoadedHead, clips: ClipSource) -> Judged:
    """Figures on held-out clips, at the thresholds that the checkpoint publishes with; unpublished predicates count only in recall."""
    cases, group_C = list(cases_of(loaded.head, loaded.prototypes, clips, use_memory=True)), class_groups()
    threshold_K = np.array([score.threshold if score.published else np.inf for score in loaded.scores])
    at = at_thresholds(judge(cases, group_C), threshold_K, np.isfinite(threshold_K), SURE_ENTITY)
    ranked = recall_at(find(cases, "with", group_C), HEADLINE_K)
    quality = mean_average_precision(observe(loaded.head, loaded.prototypes, clips))
    return Judged(at.precision, at.recall, at.f1, ranked, quality)


def rescored(scores: Sequence[Score], observed: Observed) -> tuple[Score, ...]:
    """The same thresholds and the same choice of what is published, with the figures of other clips."""
    out = []
    for row, score in enumerate(scores):
        precision, recall, positives, found = at_threshold(observed, row, score.threshold)
        quality = average_precision(observed.probs_XK[:, row], observed.labels_XK[:, row])
        out.append(replace(score, average_precision=quality, precision=precision, recall=recall, positives=positives, found=found))
    return tuple(out)
