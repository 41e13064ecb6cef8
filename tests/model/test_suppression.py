"""Suppression on hand-made detections: what survives, what fades, and what an unused slot looks like."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from model.detector import NUM_CLASSES, Detections
from model.suppression import MIN_SCORE, NUM_ENTITIES, pairwise_iou, suppress
from model.vocabulary import MODERATION_V1

C = len(MODERATION_V1.objects)
NUM_ANCHORS = 48
Box = tuple[float, float, float, float]
PERSON, CUP, BED = (MODERATION_V1.objects.index(name) for name in ("person", "cup", "bed"))


def detections(things: list[tuple[int, float, Box]]) -> Detections:
    """One anchor exactly on each box with the given class score; all other anchors see nothing."""
    logits_BCA = torch.full((1, NUM_CLASSES, NUM_ANCHORS), -20.0)
    anchors_4A = torch.full((4, NUM_ANCHORS), 0.5)
    for anchor, (label, score, (x0, y0, x1, y1)) in enumerate(things):
        logits_BCA[0, label, anchor] = torch.logit(torch.tensor(score))
        anchors_4A[:, anchor] = torch.tensor([(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0])
    return Detections(logits_BCA, torch.zeros(1, 4, NUM_ANCHORS), anchors_4A, (), ())


def survivors(things: list[tuple[int, float, Box]]) -> tuple[Tensor, Tensor, Tensor]:
    boxes_BN4, scores_BN, probs_BNC = suppress(detections(things), C)
    count = int((scores_BN > 0).sum())
    return boxes_BN4[0, :count], scores_BN[0, :count], probs_BNC[0, :count]


HERE: Box = (0.2, 0.2, 0.6, 0.6)
IOU_82: Box = (0.24, 0.2, 0.64, 0.6)
IOU_33: Box = (0.4, 0.2, 0.8, 0.6)
"""Next to HERE at intersection over union .82 and 1/3."""


@pytest.mark.parametrize(
    ("case", "second", "kept"),
    [
        ("a near copy of the same class is gone", (PERSON, 0.8, IOU_82), 1),
        ("a neighbour of the same class stays", (PERSON, 0.8, IOU_33), 2),
        ("another class in the same place is gone", (BED, 0.8, HERE), 1),
        ("another class that overlaps a little stays", (BED, 0.8, IOU_33), 2),
        ("a small thing inside stays", (CUP, 0.3, (0.5, 0.5, 0.58, 0.58)), 2),
    ],
)
def test_what_survives_beside_a_sure_person(case: str, second: tuple[int, float, Box], kept: int) -> None:
    _, scores_N, probs_NC = survivors([(PERSON, 0.9, HERE), second])
    assert len(scores_N) == kept, case
    assert scores_N[0] == pytest.approx(0.9, abs=1e-4)
    if kept == 2:
        assert scores_N[1] == pytest.approx(second[1], rel=0.03)
        assert probs_NC[1].argmax() == second[0]


def test_a_box_that_is_itself_suppressed_does_not_take_its_neighbour_along() -> None:
    chain: list[tuple[int, float, Box]] = [
        (PERSON, 0.9, (0.1, 0.2, 0.5, 0.6)),
        (PERSON, 0.85, (0.2, 0.2, 0.6, 0.6)),
        (PERSON, 0.8, (0.3, 0.2, 0.7, 0.6)),
    ]
    boxes_N4, scores_N, _ = survivors(chain)
    assert boxes_N4[0].tolist() == pytest.approx(chain[0][2])
    assert boxes_N4[1].tolist() == pytest.approx(chain[2][2])
    assert scores_N[1] > 0.7


def test_unused_slots_are_all_zero_and_boxes_end_at_the_canvas() -> None:
    boxes_BN4, scores_BN, probs_BNC = suppress(detections([(BED, 0.7, (-0.2, 0.5, 0.4, 1.3)), (CUP, 0.04, HERE)]), C)
    assert boxes_BN4[0, 0].tolist() == pytest.approx([0.0, 0.5, 0.4, 1.0])
    assert scores_BN.shape == (1, NUM_ENTITIES)
    assert probs_BNC.shape == (1, NUM_ENTITIES, C)
    assert not boxes_BN4[0, 1:].any()
    assert not scores_BN[0, 1:].any()
    assert not probs_BNC[0, 1:].any()


def test_overlap_is_intersection_over_union() -> None:
    a_BN4 = torch.tensor([[[0.0, 0.0, 0.4, 0.4], [0.5, 0.5, 0.5, 0.5]]])
    b_BM4 = torch.tensor([[[0.2, 0.0, 0.6, 0.4], [0.0, 0.0, 0.4, 0.4], [0.7, 0.7, 0.9, 0.9]]])
    assert pairwise_iou(a_BN4, b_BM4)[0].flatten().tolist() == pytest.approx([1 / 3, 1.0, 0.0, 0.0, 0.0, 0.0])


BOXES = st.tuples(st.floats(-0.2, 0.9), st.floats(-0.2, 0.9), st.floats(0.02, 0.6), st.floats(0.02, 0.6)).map(
    lambda t: (t[0], t[1], t[0] + t[2], t[1] + t[3])
)
THINGS = st.lists(st.tuples(st.integers(0, NUM_CLASSES - 1), st.floats(0.01, 0.99), BOXES), max_size=40)


@settings(max_examples=60, deadline=None)
@given(THINGS)
def test_whatever_comes_in_slots_are_sorted_bounded_and_inside_the_canvas(things: list[tuple[int, float, Box]]) -> None:
    boxes_BN4, scores_BN, probs_BNC = suppress(detections(things), C)
    assert (scores_BN[:, :-1] >= scores_BN[:, 1:]).all()
    assert ((scores_BN == 0) | (scores_BN >= MIN_SCORE)).all()
    assert (boxes_BN4 >= 0).all()
    assert (boxes_BN4 <= 1).all()
    assert (boxes_BN4[..., 2:] >= boxes_BN4[..., :2]).all()
    assert (probs_BNC.amax(2) >= scores_BN - 1e-6).all()
