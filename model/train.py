"""Trains the scene head on the box world: back-propagation through the memory over short clips, then thresholds on held-out clips.

B batch, P memory slots, D width. Every number follows from the seed.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm import tqdm

from model.losses import total_loss
from model.priors import allowed, shift
from model.samples import Plan, Samples
from model.scene_head import SceneHead
from model.text import Prototypes, load_prototypes
from model.vocabulary import MODERATION_V1

DIM = 128
CLIP_FRAMES = 8
TRAIN_PAIRS = 12
"""Pairs proposed per frame while training: world frames hold a dozen at most."""
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 0.02
MAX_GRADIENT = 2.0
RESET_SHARE = 0.03
FOREIGN_SHARE = 0.1
"""Per frame, how often a stream starts anew; per clip, how often it starts with the memory of another."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What one training run does."""

    seed: int = 7
    num_scenes: int = 40_000
    num_clips: int = 4_000
    epochs: int = 4
    batch: int = 128
    clip_batch: int = 48
    workers: int = 2
    prior_strength: float = 0.25
    use_memory: bool = True


@dataclass(frozen=True, slots=True)
class State:
    """The memory of every clip of a batch."""

    memory_BPD: Tensor
    counts_BP: Tensor


class Trainer:
    """One head, its optimiser and the random numbers of its run."""

    def __init__(self, recipe: Recipe) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.generator = torch.Generator().manual_seed(recipe.seed)
        self.prototypes: Prototypes = load_prototypes(DIM)
        self.head = new_head(TRAIN_PAIRS)
        decayed = [weight for weight in self.head.parameters() if weight.dim() > 1]
        others = [weight for weight in self.head.parameters() if weight.dim() <= 1]
        groups = [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, lr=LEARNING_RATE)
        self._left_over: State | None = None

    def fit(self, scenes: Samples, clips: Samples) -> Iterator[float]:
        """All epochs over single frames and clips, mixed; yields the mean loss of each epoch."""
        recipe = self.recipe
        jobs_per_epoch = len(scenes.batches(recipe.batch, None)) + len(clips.batches(recipe.clip_batch, None))
        schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimiser, LEARNING_RATE, total_steps=recipe.epochs * jobs_per_epoch + 1)
        with tqdm(total=recipe.epochs * jobs_per_epoch, desc="training", unit="step") as bar:
            for _ in range(recipe.epochs):
                losses = []
                for samples, rows_B in self._jobs(scenes, clips):
                    losses.append(self._step(samples, rows_B))
                    schedule.step()
                    bar.update()
                    bar.set_postfix(loss=f"{sum(losses[-50:]) / len(losses[-50:]):.3f}")
                yield sum(losses) / len(losses)

    def _jobs(self, scenes: Samples, clips: Samples) -> list[tuple[Samples, Tensor]]:
        jobs = [(scenes, rows_B) for rows_B in scenes.batches(self.recipe.batch, self.generator)]
        jobs += [(clips, rows_B) for rows_B in clips.batches(self.recipe.clip_batch, self.generator)]
        return [jobs[index] for index in torch.randperm(len(jobs), generator=self.generator).tolist()]

    def _step(self, samples: Samples, rows_B: Tensor) -> float:
        """One update on whole clips: the loss of every frame flows back through the memory."""
        state = self._start(len(rows_B))
        loss = torch.zeros(())
        for index in range(samples.num_frames):
            clip = samples.frame(rows_B, index, self.generator)
            found = self.head.relate(clip.entities, clip.aspect_B, state.memory_BPD, state.counts_BP, clip.dt_B, *self.prototypes)
            loss = loss + total_loss(found, clip.targets, clip.entities.scores_BN, self.head.allowed_CK)
            state = self._next(found.memory_BPD, found.counts_BP)
        loss = loss / samples.num_frames
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.head.parameters(), MAX_GRADIENT)
        self.optimiser.step()
        if samples.num_frames > 1:
            self._left_over = State(state.memory_BPD.detach(), state.counts_BP.detach())
        return float(loss.detach())

    def _start(self, count: int) -> State:
        """Empty memories, and for a share of clips one left over from another clip."""
        state = empty_state(self.head, count)
        left = self._left_over
        if left is None or not self.recipe.use_memory:
            return state
        rows_B = torch.randint(len(left.counts_BP), (count,), generator=self.generator)
        foreign_B1 = (torch.rand(count, 1, generator=self.generator) < FOREIGN_SHARE).float()
        return State(left.memory_BPD[rows_B] * foreign_B1.unsqueeze(2), left.counts_BP[rows_B] * foreign_B1)

    def _next(self, memory_BPD: Tensor, counts_BP: Tensor) -> State:
        """The memory for the next frame; now and then a stream starts anew."""
        share = RESET_SHARE if self.recipe.use_memory else 1.0
        kept_B1 = (torch.rand(len(counts_BP), 1, generator=self.generator) >= share).float()
        return State(memory_BPD * kept_B1.unsqueeze(2), counts_BP * kept_B1)


def new_head(num_pairs: int) -> SceneHead:
    """An untrained head for moderation-v1 with the table's masks."""
    head = SceneHead(DIM, len(MODERATION_V1.objects), len(MODERATION_V1.predicates), num_pairs)
    head.allowed_CK.copy_(allowed())
    return head


def empty_state(head: SceneHead, count: int) -> State:
    """Empty memories for a batch."""
    return State(torch.zeros(count, head.num_slots, DIM), torch.zeros(count, head.num_slots))


def train(recipe: Recipe) -> Trainer:
    """Draw the world, fit a head, and move its odds to the priors. Raises ValueError when there is nothing to train on."""
    if min(recipe.num_scenes, recipe.num_clips, recipe.epochs) < 1:
        raise ValueError(f"training needs at least one scene, clip and epoch, got {recipe}")
    scenes = Samples(Plan(recipe.num_scenes, 1, recipe.seed), recipe.workers, DIM, "drawing scenes")
    clips = Samples(Plan(recipe.num_clips, CLIP_FRAMES, recipe.seed), recipe.workers, DIM, "drawing clips")
    trainer = Trainer(recipe)
    for epoch, loss in enumerate(trainer.fit(scenes, clips), start=1):
        tqdm.write(f"epoch {epoch}: loss {loss:.3f}")
    trainer.head.shift_CK.copy_(shift(scenes.pair_frequencies(), recipe.prior_strength))
    trainer.head.eval()
    return trainer
