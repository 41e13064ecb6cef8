"""Frames of the box world as tensors: what the head would get from a detector, and the truth beside it. Draws in parallel, by seed.

S clips, B batch, N entity slots, K predicates, C object classes.
"""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from model.entities import Cues, Entities
from model.losses import Targets
from model.world.clips import draw_clips
from model.world.detections import Frames
from model.world.things import NUM_CLASSES, PERSON

CHUNK_FRAMES = 500
TAIL = 0.02
"""Scale of the faint probabilities that a detector gives to all other classes."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which part of the world to draw: how many clips, how long, from which seed."""

    num_clips: int
    num_frames: int
    seed: int


def draw(plan: Plan, workers: int, title: str = "drawing the world") -> Frames:
    """All frames of a plan; the same for any number of workers."""
    per_chunk = max(1, CHUNK_FRAMES // plan.num_frames)
    starts = range(0, plan.num_clips, per_chunk)
    jobs = [(plan.seed, start, min(per_chunk, plan.num_clips - start), plan.num_frames) for start in starts]
    return _joined(list(tqdm(_chunks(jobs, workers), desc=title, total=len(jobs), unit=f"x{CHUNK_FRAMES} frames", leave=False)))


def _chunks(jobs: list[tuple[int, int, int, int]], workers: int) -> Iterator[Frames]:
    if workers <= 1:
        yield from map(_draw_chunk, jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(_draw_chunk, jobs)


def _draw_chunk(job: tuple[int, int, int, int]) -> Frames:
    seed, start, count, num_frames = job
    return draw_clips(np.random.default_rng([seed, start, num_frames]), count, num_frames)


def _joined(chunks: list[Frames]) -> Frames:
    return Frames(**{field.name: np.concatenate([getattr(chunk, field.name) for chunk in chunks]) for field in fields(Frames)})


@dataclass(frozen=True, slots=True)
class Clip:
    """One frame of each clip of a batch: what the head gets, and the truth."""

    entities: Entities
    aspect_B: Tensor
    dt_B: Tensor
    blurred_B: Tensor
    targets: Targets


class Samples:
    """Clips of equal length, served in batches of frames in order."""

    def __init__(self, plan: Plan, workers: int, dim: int, title: str) -> None:
        frames = draw(plan, workers, title)
        self._frames, self._dim = frames, dim
        self.num_clips, self.num_frames = plan.num_clips, plan.num_frames

    def batches(self, size: int, generator: torch.Generator | None) -> list[Tensor]:
        """Clip numbers in batches; shuffled where a generator is given."""
        order = torch.arange(self.num_clips) if generator is None else torch.randperm(self.num_clips, generator=generator)
        return [order[start : start + size] for start in range(0, self.num_clips, size)]

    def frame(self, clips_B: Tensor, index: int, generator: torch.Generator) -> Clip:
        """Frame `index` of the given clips; the generator draws the detector's faint probabilities."""
        at = (clips_B * self.num_frames + index).numpy()
        frames = self._frames
        scores_BN = torch.from_numpy(frames.scores_SN[at])
        probs_BNC = _class_probs(frames, at, scores_BN, generator)
        appearance_BND = torch.zeros(*scores_BN.shape, self._dim)
        boxes_BN4 = torch.from_numpy(frames.boxes_SN4[at])
        entities = Entities(boxes_BN4, scores_BN, probs_BNC, appearance_BND, _cues(frames, at))
        attention = F.one_hot(torch.from_numpy(frames.attention_SQN[at]).long(), 3)
        groups = [attention, torch.from_numpy(frames.spatial_SQNG[at]), torch.from_numpy(frames.contacting_SQNG[at])]
        labels_BNNK = torch.cat([group.float() for group in groups], 3)
        targets = Targets(labels_BNNK, torch.from_numpy(frames.real_SN[at]))
        aspect_B, dt_B, blurred_B = (torch.from_numpy(values[at]) for values in (frames.aspect_S, frames.dt_S, frames.blurred_S))
        return Clip(entities, aspect_B, dt_B, blurred_B, targets)

    def pair_frequencies(self) -> Tensor:
        """(C, K): how often each predicate holds between a reported person and a reported thing of a class; .5 where too few are seen."""
        frames, total = self._frames, torch.zeros(NUM_CLASSES)
        hits = torch.zeros(NUM_CLASSES, 3 + frames.spatial_SQNG.shape[3] + frames.contacting_SQNG.shape[3])
        seen = frames.scores_SN > 0
        for person in range(frames.attention_SQN.shape[1]):
            clip, slot = np.nonzero(seen[:, [person]] & seen & (frames.real_SN > PERSON))
            class_ = torch.from_numpy(frames.real_SN[clip, slot])
            attention = np.eye(3, dtype=bool)[frames.attention_SQN[clip, person, slot]]
            rows = [attention, frames.spatial_SQNG[clip, person, slot], frames.contacting_SQNG[clip, person, slot]]
            hits.index_add_(0, class_, torch.from_numpy(np.concatenate(rows, 1)).float())
            total.index_add_(0, class_, torch.ones(len(class_)))
        return torch.where(total[:, None] >= 50, hits / total[:, None].clamp(min=1), 0.5)


def _cues(frames: Frames, at: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> Cues:
    """The cues of the people, who have the first slots; zeros in all others."""
    arrays = (
        frames.hands_SQA2, frames.hand_seen_SQA, frames.contact_SQA, frames.gaze_SQ3, frames.face_SQ, frames.posture_SQ4, frames.known_SQ,
    )  # fmt: skip
    empty = frames.scores_SN.shape[1] - frames.known_SQ.shape[1]
    return Cues(*(torch.cat([rows := torch.from_numpy(array[at]), rows.new_zeros(len(at), empty, *rows.shape[2:])], 1) for array in arrays))


def _class_probs(
    frames: Frames, at: np.ndarray[tuple[int, ...], np.dtype[np.int64]], scores_BN: Tensor, generator: torch.Generator
) -> Tensor:
    """Independent class probabilities: the reported name's score, a share of it for its rival, and a faint tail; 0 in unused slots."""
    label_BN, rival_BN = torch.from_numpy(frames.label_SN[at]), torch.from_numpy(frames.rival_SN[at])
    probs_BNC = TAIL * torch.rand(*label_BN.shape, NUM_CLASSES, generator=generator) ** 3
    share_BN = torch.from_numpy(frames.rival_share_SN[at]) * scores_BN
    probs_BNC.scatter_(2, rival_BN.unsqueeze(2), share_BN.unsqueeze(2))
    probs_BNC.scatter_(2, label_BN.unsqueeze(2), scores_BN.unsqueeze(2))
    return probs_BNC * (scores_BN > 0).unsqueeze(2)
