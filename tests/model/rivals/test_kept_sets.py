"""Heads on judged sets: figures by hand, and a row without memory that never sees any."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from model.entities import Entities
from model.evaluation.eval_set import EvalSet, Things
from model.evaluation.frames import OBJECT_INDEX, PREDICATE_INDEX, TruthFrame
from model.rivals.kept_sets import Counted, counted, judge, kept_digest, kept_paths
from model.scene_head import SceneOutputs
from model.text import load_prototypes
from model.train import DIM
from model.vocabulary import MODERATION_V1

PERSON, CUP = OBJECT_INDEX["person"], OBJECT_INDEX["cup"]
HOLDING, TOUCHING = PREDICATE_INDEX["holding"], PREDICATE_INDEX["touching"]
BOXES = np.array([[0.1, 0.1, 0.5, 0.9], [0.4, 0.4, 0.5, 0.5]])


class Says(nn.Module):
    """Says "person holding cup" of the first two entities of every frame, and counts frames in its memory."""

    num_pairs, num_slots = 1, 1

    def __init__(self) -> None:
        super().__init__()
        self.saw: list[float] = []

    def forward(self, entities: Entities, aspect_B: Tensor, memory_BPD: Tensor, counts_BP: Tensor, *rest: Tensor) -> SceneOutputs:
        del aspect_B, rest
        count = len(memory_BPD)
        self.saw.append(float(counts_BP.sum()) / count)
        probs_BRK = torch.zeros(count, 1, len(MODERATION_V1.predicates))
        probs_BRK[:, :, HOLDING] = 0.9
        pairs_BR2 = torch.tensor([[[0, 1]]]).expand(count, 1, 2)
        return SceneOutputs(entities.class_probs_BNC, entities.appearance_BND, pairs_BR2, probs_BRK, memory_BPD + 1.0, counts_BP + 1.0)


def truth(*predicates: int) -> TruthFrame:
    triplets_T3 = np.array([(0, predicate, 1) for predicate in predicates], np.int64).reshape(-1, 3)
    return TruthFrame(BOXES, np.array([PERSON, CUP]), np.array([1, 2]), triplets_T3)


@pytest.fixture
def two_clips() -> EvalSet:
    """A clip whose second frame holds, and one whose only frame holds and touches; its first clip's first frame only leads up."""
    probs_NC = np.zeros((2, len(MODERATION_V1.objects)), np.float32)
    probs_NC[[0, 1], [PERSON, CUP]] = 1.0
    seen = Things(BOXES.astype(np.float32), np.ones(2, np.float32), probs_NC, np.zeros((2, 17), np.float32))
    return EvalSet(
        name="made", tower="none", clips=("a", "b"), clip_F=np.array([0, 0, 1]), time_F=np.array([0.0, 0.2, 0.0]), aspect_F=np.ones(3),
        judged_F=np.array([False, True, True]), truths=(truth(), truth(HOLDING), truth(HOLDING, TOUCHING)), found=(seen,) * 3,
        given=(seen,) * 3,
    )  # fmt: skip


def figures(head: Says, eval_set: EvalSet, *, use_memory: bool) -> Iterator[tuple[str, int, float, float, float]]:
    for at in judge(head, load_prototypes(DIM), [eval_set], use_memory=use_memory):  # type: ignore[arg-type]
        yield at.task, at.k, at.recall.value, at.mean_recall.value, round(at.f1, 9)


def test_recall_mean_recall_and_f1_of_two_clips_are_those_of_paper_and_pencil(two_clips: EvalSet) -> None:
    """R: 1/1 and 1/2 of the frames' triplets; mR: holding 2/2, touching 0/1; F1 = 2 * .75 * .5 / 1.25."""
    expected = [(task, k, 0.75, 0.5, 0.6) for task in ("sgdet", "predcls") for k in (10, 20, 50)]
    assert list(figures(Says(), two_clips, use_memory=True)) == expected


def test_only_a_row_with_memory_finds_in_a_frame_what_the_frame_before_left(two_clips: EvalSet) -> None:
    remembers, forgets = Says(), Says()
    list(figures(remembers, two_clips, use_memory=True))
    list(figures(forgets, two_clips, use_memory=False))
    assert remembers.saw == [0.0, 1.0] * 2
    assert forgets.saw == [0.0, 0.0] * 2
    assert not forgets._forward_pre_hooks


def test_counts_are_those_of_judged_frames(two_clips: EvalSet) -> None:
    assert counted(two_clips) == Counted("made", 2, 2, 3)


def test_sets_are_taken_as_far_as_they_are_kept_and_known_by_their_bytes(tmp_path: Path) -> None:
    assert kept_paths("tower", tmp_path) == []
    assert kept_digest([]) == ""
    path = tmp_path / "realmini-tower.npz"
    path.write_bytes(b"one")
    assert kept_paths("tower", tmp_path) == [path]
    before = kept_digest([path])
    path.write_bytes(b"two")
    assert kept_digest([path]) != before
