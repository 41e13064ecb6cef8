"""Trains the scene head: back-propagation through the memory over clips of the box world and, mixed in, of any other set with truth.

A run can be killed: with a state file it goes on where it stood, to the very same weights. Every number follows from the seed.
B batch, P memory slots, D width.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from model.priors import allowed, shift
from model.proxvp.diagnosis import diagnose, say
from model.proxvp.methods import AdamW, AdamWCosine, AdamWEma
from model.proxvp.proxvp import ProxVP
from model.proxvp.schedule_free import ScheduleFree
from model.rollout import Batch, ClipSource, State, draw_batch, empty_state
from model.samples import Plan, Samples
from model.scene_head import SceneHead
from model.text import Prototypes, load_prototypes
from model.vocabulary import MODERATION_V1

DIM = 128
CLIP_FRAMES = 8
TRAIN_PAIRS = 12
"""Pairs proposed per frame while training: world frames hold a dozen at most."""
RESET_SHARE = 0.03
FOREIGN_SHARE = 0.1
"""Per frame, how often a stream starts anew; per clip, how often it starts with the memory of another."""
OPTIMISERS = ("adamw", "adamw_cosine", "adamw_ema", "schedule_free", "proxvp")
PART_DROPOUT = 0.1
"""How often the hands, the gaze or the posture of a person are missing, each for a whole clip: a camera may not show them."""
PROBE_CLIPS = 64
UNKNOWN_FREQUENCY = 0.5
"""What a set's pair frequencies say where it has seen too few pairs."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What one training run does. `rendered_passes` is how often an epoch goes over the rendered clips, where there are any."""

    seed: int = 7
    num_scenes: int = 40_000
    num_clips: int = 4_000
    epochs: int = 4
    batch: int = 128
    clip_batch: int = 48
    workers: int = 2
    prior_strength: float = 0.25
    use_memory: bool = True
    episodes: bool = False
    optimiser: str = "adamw_cosine"
    rendered: str = ""
    rendered_passes: float = 1.0


SMALL = Recipe(seed=11, num_scenes=1024, num_clips=16, epochs=3, batch=64, clip_batch=16, workers=1)
"""Trains end to end in a quarter of a minute of one idle core: what CI runs."""


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Clips to train on, how many at a time, and how often an epoch goes over them."""

    source: ClipSource
    batch: int
    passes: float = 1.0

    def batches(self, generator: torch.Generator) -> list[Tensor]:
        """The batches of one epoch: whole passes, then the rest of one."""
        jobs: list[Tensor] = []
        while len(jobs) < self.num_batches:
            jobs += self.source.batches(self.batch, generator)
        return jobs[: self.num_batches]

    @property
    def num_batches(self) -> int:
        """Batches in an epoch."""
        return round(self.passes * len(self.source.batches(self.batch, None)))


class Trainer:
    """One head, its way of training, and the random numbers of its run."""

    def __init__(self, recipe: Recipe, sets: Sequence[TrainingSet], state_file: Path | None = None) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.sets, self.state_file = recipe, sets, state_file
        self.generator = torch.Generator().manual_seed(recipe.seed)
        self.prototypes: Prototypes = load_prototypes(DIM)
        self.steps_per_epoch = sum(one.num_batches for one in sets)
        self.method = new_method(
            recipe.optimiser, new_head(TRAIN_PAIRS, episodes=recipe.episodes), recipe.epochs * self.steps_per_epoch, self.prototypes
        )
        self._left_over: State | None = None
        self._epoch_generator = self.generator.get_state()
        self._losses: list[float] = []
        self.epoch = 0

    @property
    def head(self) -> SceneHead:
        """The head to measure and to ship, as trained so far."""
        return self.method.deployed()

    @property
    def steps_done(self) -> int:
        """Updates so far."""
        return self.epoch * self.steps_per_epoch + len(self._losses)

    def fit(self, save_every: int = 200) -> Iterator[float]:
        """All epochs; yields the mean loss of each. Goes on from the state file where there is one, and keeps it up to date."""
        self._resume()
        with tqdm(total=self.recipe.epochs * self.steps_per_epoch, initial=self.steps_done, desc="training", unit="step") as bar:
            while self.epoch < self.recipe.epochs:
                for _ in self.steps():
                    bar.update()
                    bar.set_postfix(loss=f"{sum(self._losses[-50:]) / len(self._losses[-50:]):.3f}")
                    if self.steps_done % save_every == 0:
                        self.save()
                mean = sum(self._losses) / len(self._losses)
                self.end_epoch()
                self.save()
                yield mean

    def steps(self) -> Iterator[float]:
        """The rest of this epoch, step by step; yields the loss of each. The epoch ends with `end_epoch`, which `fit` calls."""
        done, now = len(self._losses), self.generator.get_state()
        self.generator.set_state(self._epoch_generator)
        jobs = [(one.source, rows_B) for one in self.sets for rows_B in one.batches(self.generator)]
        order = torch.randperm(len(jobs), generator=self.generator).tolist()
        if done:
            self.generator.set_state(now)
        for index in order[done:]:
            self._losses.append(self._step(*jobs[index]))
            yield self._losses[-1]

    def end_epoch(self) -> None:
        """Count the epoch that `steps` has finished."""
        self.epoch, self._losses = self.epoch + 1, []
        self._epoch_generator = self.generator.get_state()

    def _step(self, source: ClipSource, rows_B: Tensor) -> float:
        """One update on whole clips: the loss of every frame flows back through the memory."""
        share = RESET_SHARE if self.recipe.use_memory else 1.0
        batch = draw_batch(source, rows_B, self._start(len(rows_B)), share, self.generator, PART_DROPOUT)
        loss, end = self.method.loss(self.method.head, batch)
        self.method.head.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.method.step(batch)
        if source.num_frames > 1:
            self._left_over = State(end.memory_BPD.detach(), end.counts_BP.detach())
        return float(loss.detach())

    def _start(self, count: int) -> State:
        """Empty memories, and for a share of clips one left over from another clip."""
        left = self._left_over
        if left is None or not self.recipe.use_memory:
            return empty_state(self.method.head, count)
        rows_B = torch.randint(len(left.counts_BP), (count,), generator=self.generator)
        foreign_B1 = (torch.rand(count, 1, generator=self.generator) < FOREIGN_SHARE).float()
        return State(left.memory_BPD[rows_B] * foreign_B1.unsqueeze(2), left.counts_BP[rows_B] * foreign_B1)

    def save(self) -> None:
        """Write the whole state beside the state file, then put it in its place: a kill leaves the old one or the new one."""
        if self.state_file is None:
            return
        left = self._left_over
        state: dict[str, Any] = {
            "recipe": asdict(self.recipe), "method": self.method.state_dict(), "epoch": self.epoch, "losses": self._losses,
            "generator": self.generator.get_state(), "epoch_generator": self._epoch_generator, "torch": torch.get_rng_state(),
            "left_over": None if left is None else list(left),
        }  # fmt: skip
        self.state_file.parent.mkdir(parents=True, exist_ok=True)
        beside = self.state_file.with_suffix(".part")
        torch.save(state, beside)
        os.replace(beside, self.state_file)

    def _resume(self) -> None:
        if self.state_file is None or not self.state_file.is_file():
            return
        state = torch.load(self.state_file, weights_only=True)
        if state["recipe"] != asdict(self.recipe):
            raise ValueError(
                f"{self.state_file} is of another recipe: {state['recipe']}, asked for {asdict(self.recipe)}; remove it to start anew"
            )
        self.method.load_state_dict(state["method"])
        self.epoch, self._losses = state["epoch"], state["losses"]
        self._left_over = None if state["left_over"] is None else State(*state["left_over"])
        self.generator.set_state(state["generator"])
        self._epoch_generator = state["epoch_generator"]
        torch.set_rng_state(state["torch"])


def new_method(name: str, head: SceneHead, total_steps: int, prototypes: Prototypes) -> AdamW:
    """A way of training by its name in a recipe. Raises ValueError that says the known ones."""
    match name:
        case "adamw":
            return AdamW(head, total_steps, prototypes)
        case "adamw_cosine":
            return AdamWCosine(head, total_steps, prototypes)
        case "adamw_ema":
            return AdamWEma(head, total_steps, prototypes)
        case "schedule_free":
            return ScheduleFree(head, total_steps, prototypes)
        case "proxvp":
            return ProxVP(head, total_steps, prototypes)
    raise ValueError(f"no optimiser {name!r}, known: {', '.join(OPTIMISERS)}")


def new_head(num_pairs: int, *, episodes: bool = False) -> SceneHead:
    """An untrained head for moderation-v1 with the table's masks; `episodes` give every thing and pair a memory of its own."""
    head = SceneHead(DIM, len(MODERATION_V1.objects), len(MODERATION_V1.predicates), num_pairs, episodes=episodes)
    head.allowed_CK.copy_(allowed())
    return head


def training_sets(recipe: Recipe, rendered: ClipSource | None = None) -> list[TrainingSet]:
    """Draw the world of a recipe, and put rendered clips beside it. Raises ValueError when there is nothing to train on."""
    if min(recipe.num_scenes, recipe.num_clips, recipe.epochs) < 1:
        raise ValueError(f"training needs at least one scene, clip and epoch, got {recipe}")
    scenes = Samples(Plan(recipe.num_scenes, 1, recipe.seed), recipe.workers, DIM, "drawing scenes")
    clips = Samples(Plan(recipe.num_clips, CLIP_FRAMES, recipe.seed), recipe.workers, DIM, "drawing clips")
    sets = [TrainingSet(scenes, recipe.batch), TrainingSet(clips, recipe.clip_batch)]
    return sets if rendered is None else [*sets, TrainingSet(rendered, recipe.clip_batch, recipe.rendered_passes)]


def train(recipe: Recipe, rendered: ClipSource | None = None, state_file: Path | None = None) -> Trainer:
    """Draw the world, fit a head, and move its odds to the priors."""
    sets = training_sets(recipe, rendered)
    trainer = Trainer(recipe, sets, state_file)
    probe = _probe(sets[0].source, trainer.head)
    for loss in trainer.fit():
        found = diagnose(trainer.method, probe, trainer.epoch)
        tqdm.write(f"epoch {trainer.epoch}: loss {loss:.3f}" + ("" if found is None else f"; {say(found)}"))
    trainer.head.shift_CK.copy_(shift(learned_frequencies(sets), recipe.prior_strength))
    trainer.head.eval()
    return trainer


def _probe(source: ClipSource, head: SceneHead) -> Batch:
    """A fixed batch for diagnoses."""
    rows_B = source.batches(PROBE_CLIPS, None)[0]
    return draw_batch(source, rows_B, empty_state(head, len(rows_B)), 0.0, torch.Generator().manual_seed(0))


def learned_frequencies(sets: Sequence[TrainingSet]) -> Tensor:
    """(C, K): the pair frequencies that a head has met, over the sets that know a class, by how many frames each shows."""
    total, weight = torch.zeros(()), torch.zeros(())
    for one in sets:
        frequency_CK = one.source.pair_frequencies()
        seen_C1 = (frequency_CK != UNKNOWN_FREQUENCY).any(1, keepdim=True).float()
        shown_C1 = seen_C1 * one.passes * one.source.num_clips * one.source.num_frames
        total, weight = total + shown_C1 * frequency_CK, weight + shown_C1
    return torch.where(weight > 0, total / weight.clamp(min=1e-9), UNKNOWN_FREQUENCY)
