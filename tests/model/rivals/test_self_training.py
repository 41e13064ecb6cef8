"""Pseudo-labels: only on background, only past the threshold, and thresholds that move as the paper's do."""

import pytest
import torch

from model.losses import PairTargets
from model.rivals.self_training import LOWEST_THRESHOLD, RATE, START_THRESHOLD, SelfTraining, surest
from model.scene_head import NOT_CONTACTING
from model.text import load_prototypes
from model.train import DIM, new_head
from model.vocabulary import MODERATION_V1

BEHIND, HOLDING, TOUCHING = (MODERATION_V1.predicates.index(name) for name in ("behind", "holding", "touching"))


def _method(steps_done: int = 100) -> SelfTraining:
    method = SelfTraining(new_head(4), 100, load_prototypes(DIM))
    method.steps_done = steps_done
    return method


def _pairs() -> PairTargets:
    """The first pair is annotated as not touching, the second not at all, the third unused."""
    labels_BQK = torch.zeros(1, 3, 26)
    labels_BQK[..., 2] = 1.0
    labels_BQK[0, 0, NOT_CONTACTING] = 1.0
    return PairTargets(labels_BQK, torch.tensor([[1.0, 1.0, 0.0]]))


def _logits(**probs: float) -> torch.Tensor:
    probs_K = torch.full((26,), 0.01)
    for name, prob in probs.items():
        probs_K[MODERATION_V1.predicates.index(name)] = prob
    return torch.logit(probs_K).expand(1, 3, 26)


def test_only_the_surest_place_and_contact_of_background_pairs_become_labels() -> None:
    logits_BQK = _logits(behind=0.8, above=0.75, holding=0.9, touching=0.85)
    labels_BQK = _method().relabelled(_pairs(), logits_BQK, torch.ones(1, 3, 26)).labels_BQK
    assert labels_BQK[0, 1].nonzero().flatten().tolist() == [2, BEHIND, HOLDING]
    assert torch.equal(labels_BQK[0, 0], _pairs().labels_BQK[0, 0])
    assert torch.equal(labels_BQK[0, 2], _pairs().labels_BQK[0, 2])


def test_below_the_threshold_before_the_warm_up_and_where_impossible_nothing_is_labelled() -> None:
    unsure, sure, possible_BQK = _logits(holding=0.65), _logits(holding=0.9), torch.ones(1, 3, 26)
    impossible_BQK = possible_BQK.clone()
    impossible_BQK[..., HOLDING] = 0.0
    for method, logits_BQK, allowed_BQK in (
        (_method(), unsure, possible_BQK), (_method(steps_done=10), sure, possible_BQK), (_method(), sure, impossible_BQK),
    ):  # fmt: skip
        assert torch.equal(method.relabelled(_pairs(), logits_BQK, allowed_BQK).labels_BQK, _pairs().labels_BQK)


def test_thresholds_rise_to_the_confidence_of_what_passed_and_fall_for_rare_predicates_without_any() -> None:
    method = _method()
    method.count_K = torch.full((26,), 10.0)
    method.count_K[NOT_CONTACTING], method.count_K[TOUCHING] = 100.0, 0.1
    method.relabelled(_pairs(), _logits(holding=0.9), torch.ones(1, 3, 26))
    assert START_THRESHOLD < float(method.threshold_K[HOLDING]) < 0.9
    assert float(method.threshold_K[NOT_CONTACTING]) == pytest.approx(START_THRESHOLD, abs=0.005)
    assert float(method.threshold_K[TOUCHING]) == pytest.approx(START_THRESHOLD * (1 - RATE), abs=0.005)
    for _ in range(100):
        method.relabelled(_pairs(), _logits(holding=0.1), torch.ones(1, 3, 26))
    assert float(method.threshold_K[TOUCHING]) == pytest.approx(LOWEST_THRESHOLD)


def test_complete_labels_are_left_alone() -> None:
    pairs = _pairs()
    pairs.labels_BQK[..., NOT_CONTACTING] = 1.0
    assert _method().relabelled(pairs, _logits(holding=0.99), torch.ones(1, 3, 26)) is pairs


def test_of_each_group_one_cell_is_the_surest_and_attention_never() -> None:
    probs_XK = torch.full((2, 26), 0.99)
    assert surest(probs_XK).sum(1).tolist() == [2, 2]
    assert not surest(probs_XK)[:, :3].any()
