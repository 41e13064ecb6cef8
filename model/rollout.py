"""Clips through a head frame by frame. A batch is drawn once, random resets included, so that two heads can see the very same.

B batch, P memory slots, D width.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from model.cue_parts import draw_kept, followed, keep
from model.samples import Clip
from model.scene_head import Relations, SceneHead
from model.text import Prototypes


class ClipSource(Protocol):
    """Clips of equal length with their truth: the box world (model/samples.py), or rendered ones."""

    num_clips: int
    num_frames: int

    def batches(self, size: int, generator: torch.Generator | None) -> list[Tensor]:
        """Clip numbers in batches; shuffled where a generator is given."""

    def frame(self, clips_B: Tensor, index: int, generator: torch.Generator) -> Clip:
        """One frame of each of the given clips."""

    def pair_frequencies(self) -> Tensor:
        """(C, K): how often each predicate holds of a pair with a class; .5 where too few are seen."""


class Part:
    """Some clips of a source, as a source of their own."""

    def __init__(self, source: ClipSource, clips_C: Tensor) -> None:
        self._source, self._clips_C = source, clips_C
        self.num_clips, self.num_frames = len(clips_C), source.num_frames

    def batches(self, size: int, generator: torch.Generator | None) -> list[Tensor]:
        """The source's own clip numbers in batches; shuffled where a generator is given."""
        count = self.num_clips
        order_C = self._clips_C if generator is None else self._clips_C[torch.randperm(count, generator=generator)]
        return [order_C[start : start + size] for start in range(0, count, size)]

    def frame(self, clips_B: Tensor, index: int, generator: torch.Generator) -> Clip:
        """One frame of each of the given clips."""
        return self._source.frame(clips_B, index, generator)

    def pair_frequencies(self) -> Tensor:
        """Those of the whole source."""
        return self._source.pair_frequencies()


def held_apart(source: ClipSource, share: float) -> tuple[Part, Part]:
    """All but the last share of a source's clips, and these: neighbours in time stay together."""
    split = source.num_clips - max(1, round(share * source.num_clips))
    if split < 1:
        raise ValueError(f"{source.num_clips} clips are too few to hold some apart")
    return Part(source, torch.arange(split)), Part(source, torch.arange(split, source.num_clips))


class State(NamedTuple):
    """The memory of every clip of a batch."""

    memory_BPD: Tensor
    counts_BP: Tensor


class Batch(NamedTuple):
    """Frames in order, the memory they start with, and after each frame which streams go on (1) or start anew (0)."""

    frames: tuple[Clip, ...]
    start: State
    kept_B1: tuple[Tensor, ...]


def empty_state(head: SceneHead, count: int) -> State:
    """Empty memories for a batch."""
    dim = head.weight_delta.shape[1]
    return State(torch.zeros(count, head.num_slots, dim), torch.zeros(count, head.num_slots))


def draw_batch(
    source: ClipSource, clips_B: Tensor, start: State, reset_share: float, generator: torch.Generator, part_dropout: float = 0.0
) -> Batch:  # fmt: skip
    """All frames of some clips. `part_dropout` is for training alone: the chance that a part of a person's cues is missing all through."""
    frames, kept = [], []
    for index in range(source.num_frames):
        frames.append(source.frame(clips_B, index, generator))
        kept.append((torch.rand(len(clips_B), 1, generator=generator) >= reset_share).float())
    if part_dropout:
        frames = list(_without_parts(frames, part_dropout, generator))
    return Batch(tuple(frames), start, tuple(kept))


def _without_parts(frames: list[Clip], share: float, generator: torch.Generator) -> Iterator[Clip]:
    """The frames of a batch with parts of cues taken away, each for a whole clip and person."""
    before = frames[0].entities
    kept_BNP = draw_kept(before, share, generator)
    for clip in frames:
        kept_BNP = followed(kept_BNP, before, clip.entities)
        before = clip.entities
        yield replace(clip, entities=before._replace(cues=keep(before.cues, kept_BNP)))


def unroll(head: SceneHead, prototypes: Prototypes, batch: Batch) -> tuple[list[Relations], State]:
    """What the head finds in every frame, and the memory that it ends with."""
    state, found = batch.start, []
    for clip, kept_B1 in zip(batch.frames, batch.kept_B1, strict=True):
        one = head.relate(clip.entities, clip.aspect_B, state.memory_BPD, state.counts_BP, clip.dt_B, *prototypes)
        state = State(one.memory_BPD * kept_B1.unsqueeze(2), one.counts_BP * kept_B1)
        found.append(one)
    return found, state
