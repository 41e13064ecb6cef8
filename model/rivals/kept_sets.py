"""A head on judged clips by the protocol, from the numbers that are kept of them (model/evaluation/data): SynthHome-test and RealMini.

Truth is everything annotated, also what no detector reports. Knows no row and no pixel.
B batch, P memory slots, D width, F frames.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from msgspec import Struct
from torch import nn

from model.evaluation.eval_set import FOLDER, EvalSet, path_for, read_set
from model.evaluation.frames import class_groups
from model.evaluation.intervals import Interval
from model.evaluation.recall import AT, find, recall_at
from model.evaluation.relate import Task, cases
from model.evaluation.sources import REALMINI, SYNTH_HOME
from model.scene_head import NUM_PAIRS, SceneHead
from model.text import Prototypes

JUDGED_TASKS: tuple[Task, ...] = ("sgdet", "predcls")
RESAMPLES = 500
MEMORY_ARGUMENTS = slice(2, 4)
"""Where a scene head's forward takes memory and counts."""


class SetAt(Struct, frozen=True):
    """One run on one set in one task at one K, with constraint; intervals are 95 % over resampled clips."""

    set: str
    task: str
    k: int
    recall: Interval
    mean_recall: Interval
    f1: float


class Counted(Struct, frozen=True):
    """What a set holds: clips, judged frames, and the true triplets of those."""

    name: str
    clips: int
    frames: int
    triplets: int


def kept_paths(tower: str, folder: Path = FOLDER) -> list[Path]:
    """The files of SynthHome-test and RealMini, as far as they are kept for an image tower."""
    return [path for name in (SYNTH_HOME, REALMINI) if (path := path_for(name, tower, folder)).is_file()]


def kept_digest(paths: Sequence[Path]) -> str:
    """Of the files' bytes: results on other numbers are not taken for these. Empty for no file."""
    total = hashlib.sha256(b"".join(path.read_bytes() for path in paths))
    return total.hexdigest()[:12] if paths else ""


def read_kept(paths: Sequence[Path]) -> list[EvalSet]:
    """The sets of some files."""
    return [read_set(path) for path in paths]


def counted(eval_set: EvalSet) -> Counted:
    """Clips, judged frames and their true triplets."""
    triplets = sum(len(truth.triplets_T3) for truth, judged in zip(eval_set.truths, eval_set.judged_F, strict=True) if judged)
    return Counted(eval_set.name, len(eval_set.clips), int(eval_set.judged_F.sum()), triplets)


def judge(head: SceneHead, prototypes: Prototypes, sets: Sequence[EvalSet], *, use_memory: bool) -> list[SetAt]:
    """A head of 32 pairs on every set and task; a row without memory starts every frame with an empty one, as it was trained."""
    head.num_pairs = NUM_PAIRS
    group_C, out = class_groups(), []
    with forgetful(head, on=not use_memory):
        for eval_set in sets:
            for task in JUDGED_TASKS:
                hits = find(cases(head, prototypes, eval_set, task), "with", group_C)
                for k in AT:
                    at = recall_at(hits, k, resamples=RESAMPLES)
                    out.append(SetAt(eval_set.name, task, k, at.recall, at.mean_recall, at.f1))
    return out


@contextmanager
def forgetful(head: SceneHead, *, on: bool) -> Iterator[None]:
    """While it lasts, the head finds its memory empty in every frame."""
    handle = head.register_forward_pre_hook(_emptied) if on else None
    try:
        yield
    finally:
        if handle is not None:
            handle.remove()


def _emptied(module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:  # noqa: ARG001
    return (*args[:2], *(torch.zeros_like(one) for one in args[MEMORY_ARGUMENTS]), *args[4:])
