"""Losses and targets on frames small enough to work out by hand."""

import math

import pytest
import torch

from model.losses import PairTargets, Targets, pair_targets, relation_loss
from model.scene_head import FIRST_CONTACT, FIRST_SPATIAL, SUPPORT, Proposals, Relations

K, C = 26, 3


def relations(logits: torch.Tensor, weight: float = 0.5, person: int = 0) -> Relations:
    proposals = Proposals(torch.tensor([[person]]), torch.tensor([[2]]), torch.tensor([[weight]]))
    thing_class = torch.zeros(1, 1, C)
    thing_class[..., 1] = 1.0
    return Relations(
        proposals,
        logits.view(1, 1, K),
        thing_class,
        torch.zeros(1, 3, C),
        torch.full((1, 1, C + K + 2), 1 / 4),
        torch.zeros(1),
        torch.zeros(1),
        torch.zeros(1, 1, 4),
    )


def test_with_flat_logits_every_part_costs_its_entropy() -> None:
    """.3 ln 3 of attention, ln 4 of support, ln 2 of each of the 6 + 14 others."""
    labels = torch.zeros(1, 1, K)
    labels[..., 1] = 1.0
    loss = relation_loss(relations(torch.zeros(K)), PairTargets(labels, torch.ones(1, 1)), torch.ones(C, K))
    assert float(loss) == pytest.approx(0.3 * math.log(3) + math.log(4) + 20 * math.log(2), rel=1e-5)


def test_impossible_predicates_cost_nothing() -> None:
    allowed = torch.ones(C, K)
    allowed[1, FIRST_SPATIAL:] = 0.0
    labels = torch.zeros(1, 1, K)
    labels[..., 0] = 1.0
    loss = relation_loss(relations(torch.zeros(K)), PairTargets(labels, torch.ones(1, 1)), allowed)
    assert float(loss) == pytest.approx(0.3 * math.log(3) + math.log(4), rel=1e-5)


def test_the_right_support_costs_less_than_the_wrong_one() -> None:
    logits, labels = torch.zeros(K), torch.zeros(1, 1, K)
    logits[SUPPORT[1]] = 5.0
    right, wrong = labels.clone(), labels.clone()
    right[..., SUPPORT[1]], wrong[..., SUPPORT[2]] = 1.0, 1.0
    costs = [float(relation_loss(relations(logits), PairTargets(truth, torch.ones(1, 1)), torch.zeros(C, K))) for truth in (right, wrong)]
    assert costs[1] - costs[0] == pytest.approx(5.0, abs=1e-3)


def test_a_pair_takes_the_truth_of_its_own_slots() -> None:
    labels = torch.zeros(1, 2, 3, K)
    labels[0, 1, 2, FIRST_CONTACT] = 1.0
    found = pair_targets(Targets(labels, torch.zeros(1, 3, dtype=torch.int64)), relations(torch.zeros(K), person=1))
    assert float(found.labels_BQK[0, 0, FIRST_CONTACT]) == 1.0
    assert float(found.known_BQ[0, 0]) == 1.0


@pytest.mark.parametrize(("weight", "person"), [(0.0, 0), (0.5, 2)])
def test_unused_pairs_and_people_the_world_does_not_know_are_left_out(weight: float, person: int) -> None:
    targets = Targets(torch.ones(1, 2, 3, K), torch.zeros(1, 3, dtype=torch.int64))
    found = pair_targets(targets, relations(torch.zeros(K), weight, person))
    assert float(found.known_BQ[0, 0]) == 0.0
    assert float(relation_loss(relations(torch.zeros(K), weight, person), found, torch.ones(C, K))) == 0.0
