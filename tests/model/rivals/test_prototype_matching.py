"""Matching to prototypes: what its two further losses ask for, by hand, and that logits are cosines."""

import pytest
import torch
from torch.nn import functional as F

from model.rivals.prototype_matching import APART, MARGIN, PrototypeHead, apart_loss, nearness_loss
from model.rollout import draw_batch, empty_state, unroll
from model.samples import Plan, Samples
from model.text import load_prototypes
from model.train import DIM, TRAIN_PAIRS
from model.vocabulary import MODERATION_V1


def test_prototypes_at_right_angles_cost_nothing_and_equal_ones_all_that_exceeds_the_margin() -> None:
    assert float(apart_loss(torch.eye(4))) == 0.0
    assert float(apart_loss(torch.ones(3, 1))) == pytest.approx(1.0 - APART)


def test_a_vector_on_its_own_prototype_costs_nothing_and_one_on_a_wrong_one_the_distance() -> None:
    prototypes_KD, labels_XK = torch.eye(26), torch.zeros(1, 26)
    labels_XK[0, 14] = 1.0
    assert float(nearness_loss(prototypes_KD[14:15], labels_XK, prototypes_KD)) == 0.0
    wrong = nearness_loss(prototypes_KD[5:6], labels_XK, prototypes_KD)
    assert float(wrong) == pytest.approx(2.0 - (7 * 2.0) / 8 + MARGIN)


def test_attention_takes_no_part_in_nearness() -> None:
    labels_XK = torch.zeros(1, 26)
    labels_XK[0, 0] = 1.0
    assert float(nearness_loss(torch.eye(26)[5:6], labels_XK, torch.eye(26))) == 0.0


def test_logits_are_scaled_cosines_and_training_moves_all_but_the_linear_classifier() -> None:
    torch.manual_seed(0)
    head = PrototypeHead(DIM, len(MODERATION_V1.objects), len(MODERATION_V1.predicates), TRAIN_PAIRS)
    prototypes, source = load_prototypes(DIM), Samples(Plan(4, 1, 3), 1, DIM, "drawing")
    batch = draw_batch(source, torch.arange(4), empty_state(head, 4), 0.0, torch.Generator().manual_seed(0))
    (found,), _ = unroll(head, prototypes, batch)
    cosine_BQK = F.normalize(found.embeddings_BQD, dim=2) @ head.prototypes(prototypes.predicates_KD).T
    torch.testing.assert_close(found.logits_BQK, head.scale.exp() * cosine_BQK + head.bias)
    found.logits_BQK.square().sum().backward()  # type: ignore[no-untyped-call]
    assert head.weight_delta.grad is None
    for name in ("word_subject", "word_object", "word_predicate", "seen_pair", "pair.0"):
        gradient = head.get_parameter(f"{name}.weight").grad
        assert gradient is not None
        assert float(gradient.abs().sum()) > 0.0
