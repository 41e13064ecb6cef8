"""A scene head over judged clips: causal, frame after frame with its memory carried, many clips at once. Knows no pixels.

Three tasks: predcls gives true boxes and classes, sgcls true boxes, sgdet nothing.
B clips that still go on, N entity slots, C object classes, V cue columns.
"""

from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from model.entities import Cues, Entities
from model.evaluation.eval_set import EvalSet, Single, Things
from model.evaluation.frames import Int, TruthFrame, predicted_of
from model.evaluation.recall import Case
from model.scene_head import SceneHead, SceneOutputs
from model.suppression import NUM_ENTITIES
from model.text import Prototypes

Task = Literal["sgdet", "sgcls", "predcls"]
TASKS: tuple[Task, ...] = ("sgdet", "sgcls", "predcls")
CLIPS_AT_ONCE = 32
CUE_SHAPES = ((2, 2), (2,), (2,), (3,), (), (4,), ())
"""Columns of each of entities.Cues."""


@torch.no_grad()
def cases(head: SceneHead, prototypes: Prototypes, eval_set: EvalSet, task: Task) -> Iterator[Case]:
    """Every judged frame with what the head says of it; clips in order of length."""
    of_clip = [np.flatnonzero(eval_set.clip_F == clip) for clip in range(len(eval_set.clips))]
    longest_first = sorted((frames for frames in of_clip if len(frames)), key=len, reverse=True)
    for start in range(0, len(longest_first), CLIPS_AT_ONCE):
        yield from _together(head, prototypes, eval_set, task, longest_first[start : start + CLIPS_AT_ONCE])


def _together(
    head: SceneHead, prototypes: Prototypes, eval_set: EvalSet, task: Task, clips: list[Int]
) -> Iterator[Case]:  # fmt: skip
    memory_BPD = torch.zeros(len(clips), head.num_slots, prototypes.objects_CD.shape[1])
    counts_BP = torch.zeros(len(clips), head.num_slots)
    for step in range(len(clips[0])):
        rows = [int(frames[step]) for frames in clips if len(frames) > step]
        things = [_start(eval_set, row, task) for row in rows]
        before = [int(frames[max(step - 1, 0)]) for frames in clips[: len(rows)]]
        dt_B = torch.tensor(eval_set.time_F[rows] - eval_set.time_F[before]).float()
        aspect_B = torch.tensor(eval_set.aspect_F[rows]).float()
        scene = head(to_entities(things), aspect_B, memory_BPD[: len(rows)], counts_BP[: len(rows)], dt_B, *prototypes)
        memory_BPD, counts_BP = scene.memory_BPD, scene.counts_BP
        yield from (
            _case(int(eval_set.clip_F[row]), eval_set.truths[row], things[place], scene, place)
            for place, row in enumerate(rows)
            if eval_set.judged_F[row]
        )


def _start(eval_set: EvalSet, row: int, task: Task) -> Things:
    """The entities that a task starts from. Frames that only lead up to a judged one are always detected."""
    if task == "sgdet" or not eval_set.judged_F[row]:
        return eval_set.found[row]
    given, truth = eval_set.given[row], eval_set.truths[row]
    if task == "sgcls":
        return given
    probs_NC = np.zeros_like(given.probs_NC)
    probs_NC[np.arange(len(probs_NC)), truth.classes_N] = 1.0
    return given._replace(scores_N=np.ones_like(given.scores_N), probs_NC=probs_NC)


def to_entities(frames: list[Things]) -> Entities:
    """One batch, padded to the network's slots (or more where a frame lists more)."""
    slots = max(NUM_ENTITIES, *(len(frame.scores_N) for frame in frames))
    boxes_BN4, scores_BN, probs_BNC, cues_BNV = (_padded([frame[column] for frame in frames], slots) for column in range(4))
    parts = cues_BNV.split([int(np.prod(shape, dtype=int)) for shape in CUE_SHAPES], 2)  # type: ignore[no-untyped-call]
    cues = Cues(*(part.reshape(*scores_BN.shape, *shape) for part, shape in zip(parts, CUE_SHAPES, strict=True)))
    appearance_BND = torch.zeros(*scores_BN.shape, 1)
    return Entities(boxes_BN4, scores_BN, probs_BNC, appearance_BND, cues)


def _padded(columns: list[Single], slots: int) -> Tensor:
    return torch.stack([F.pad(torch.from_numpy(rows), (0, 0) * (rows.ndim - 1) + (0, slots - len(rows))) for rows in columns])


def _case(clip: int, truth: TruthFrame, things: Things, scene: SceneOutputs, place: int) -> Case:
    pairs_R2, probs_RK = scene.pairs_BR2[place].numpy(), scene.predicate_probs_BRK[place].double().numpy()
    predicted = predicted_of(
        things.boxes_N4.astype(np.float64), things.probs_NC.argmax(1), things.scores_N.astype(np.float64), pairs_R2, probs_RK
    )
    return Case(clip, truth, predicted)
