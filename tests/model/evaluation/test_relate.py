"""A head over judged clips: causal, the same alone and among others, and from what each task gives."""

import dataclasses

import numpy as np
import pytest
import torch

from model.evaluation.eval_set import EvalSet
from model.evaluation.recall import Case
from model.evaluation.relate import TASKS, Task, cases, to_entities
from model.nano import Nano
from model.text import Prototypes
from tests.model.evaluation.made import eval_set

Shipped = tuple[Nano, Prototypes]


def run(shipped: Shipped, one: EvalSet, task: Task = "sgdet") -> list[Case]:
    network, prototypes = shipped
    return sorted(cases(network.head, prototypes, one, task), key=lambda case: (case.clip, case.truth.boxes_N4[0, 0]))


def test_frames_that_only_lead_up_are_not_judged(shipped: Shipped) -> None:
    assert [case.clip for case in run(shipped, eval_set((3, 2)))] == [0, 0, 1]


def test_clips_together_are_as_clips_alone(shipped: Shipped) -> None:
    both = run(shipped, eval_set((3, 2)))
    alone = run(shipped, eval_set((3,)))
    for mine, yours in zip(both, alone, strict=False):
        assert mine.predicted.pairs_R2.tolist() == yours.predicted.pairs_R2.tolist()
        assert mine.predicted.probs_RK == pytest.approx(yours.predicted.probs_RK, abs=1e-6)


def test_what_comes_later_changes_nothing(shipped: Shipped) -> None:
    long, short = run(shipped, eval_set((4,))), run(shipped, eval_set((3,)))
    for mine, yours in zip(long, short, strict=False):
        assert mine.predicted.probs_RK == pytest.approx(yours.predicted.probs_RK, abs=1e-6)


def test_memory_is_carried_from_the_frames_before(shipped: Shipped) -> None:
    one = eval_set((3,))
    last = np.arange(3) == 2
    alone = dataclasses.replace(
        one, clip_F=one.clip_F[last], time_F=one.time_F[last], aspect_F=one.aspect_F[last], judged_F=one.judged_F[last],
        truths=one.truths[2:], found=one.found[2:], given=one.given[2:],
    )  # fmt: skip
    after, fresh = run(shipped, one)[-1], run(shipped, alone)[-1]
    assert np.abs(after.predicted.probs_RK - fresh.predicted.probs_RK).max() > 1e-6


@pytest.mark.parametrize(("task", "score"), [("sgdet", 0.8), ("sgcls", 0.6), ("predcls", 1.0)])
def test_each_task_starts_from_what_it_is_given(shipped: Shipped, task: Task, score: float) -> None:
    assert task in TASKS
    for case in run(shipped, eval_set(), task):
        assert case.predicted.scores_N == pytest.approx(score)
        assert case.predicted.classes_N.tolist() == case.truth.classes_N.tolist()


def test_entities_are_padded_to_the_networks_slots_or_beyond() -> None:
    frames = list(eval_set().found[:2])
    entities = to_entities(frames)
    assert entities.boxes_BN4.shape == (2, 32, 4)
    assert entities.cues.hands_BNH2.shape == (2, 32, 2, 2)
    assert entities.cues.known_BN.shape == (2, 32)
    assert torch.count_nonzero(entities.scores_BN) == 6
    many = type(frames[0])(*(np.repeat(column, 20, 0) for column in frames[0]))
    assert to_entities([many]).scores_BN.shape == (1, 60)
