"""What the scene head is trained on: the truth of proposed pairs, and how far its logits are from it. Knows no world and no memory.

B batch, N entity slots, Q proposed pairs, K predicates, C object classes.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from model.scene_head import FIRST_CONTACT, FIRST_SPATIAL, NUM_SCENE_SLOTS, SUPPORT, Relations, support_softmax
from model.vocabulary import CONTACTING

NONE_OF_THEM = len(SUPPORT)
ATTENTION_WEIGHT = 0.3
NAME_WEIGHT = 0.5
SLOT_WEIGHT = 0.1
SINGLE = [FIRST_CONTACT + index for index in range(len(CONTACTING)) if FIRST_CONTACT + index not in SUPPORT]


class Targets(NamedTuple):
    """Truth over entity slots: attention class, and 0/1 for every predicate, of (person slot, other slot); the real class or -1."""

    labels_BNNK: Tensor
    real_BN: Tensor


class PairTargets(NamedTuple):
    """Truth of the proposed pairs; `known_BQ` is 0 for unused pairs and for those whose person the truth does not know."""

    labels_BQK: Tensor
    known_BQ: Tensor


def pair_targets(targets: Targets, found: Relations) -> PairTargets:
    """The truth of each proposed pair."""
    num_people = targets.labels_BNNK.shape[1]
    person_BQ, thing_BQ = found.proposals.person_BQ, found.proposals.thing_BQ
    known_BQ = (found.proposals.weight_BQ > 0) & (person_BQ < num_people)
    rows_B1 = torch.arange(len(person_BQ), device=person_BQ.device)[:, None]
    return PairTargets(targets.labels_BNNK[rows_B1, person_BQ.clamp(max=num_people - 1), thing_BQ], known_BQ.float())


def relation_loss(found: Relations, targets: PairTargets, allowed_CK: Tensor) -> Tensor:
    """Cross entropy of attention and support, binary cross entropy of the rest where a predicate is possible; mean over known pairs."""
    logits_BQK, labels_BQK = found.logits_BQK, targets.labels_BQK
    count = targets.known_BQ.sum().clamp(min=1.0)
    attention_BQ = -(labels_BQK[..., :FIRST_SPATIAL] * F.log_softmax(logits_BQK[..., :FIRST_SPATIAL], 2)).sum(2)
    support_BQ3 = labels_BQK[..., SUPPORT]
    support_BQ4 = torch.cat([support_BQ3, 1.0 - support_BQ3.sum(2, keepdim=True).clamp(max=1.0)], 2)
    carried_BQ = -(support_BQ4 * support_softmax(logits_BQK).clamp(min=1e-6).log()).sum(2)
    single = [*range(FIRST_SPATIAL, FIRST_CONTACT), *SINGLE]
    possible_BQK = (found.thing_class_BQC @ allowed_CK)[..., single]
    each_BQK = F.binary_cross_entropy_with_logits(logits_BQK[..., single], labels_BQK[..., single], reduction="none")
    total_BQ = ATTENTION_WEIGHT * attention_BQ + carried_BQ + (each_BQK * possible_BQK).sum(2)
    return (total_BQ * targets.known_BQ).sum() / count


def name_loss(found: Relations, targets: Targets, scores_BN: Tensor) -> Tensor:
    """Cross entropy of the names that the memory suggests, over reported entities that are real."""
    real_BN = (targets.real_BN >= 0) & (scores_BN > 0)
    each_BN = F.cross_entropy(found.name_logits_BNC.flatten(0, 1), targets.real_BN.clamp(min=0).flatten(), reduction="none")
    return (each_BN * real_BN.flatten()).sum() / real_BN.sum().clamp(min=1)


def slot_loss(found: Relations, targets: PairTargets) -> Tensor:
    """A pair should read and write the slots of the contacts and places that hold for it: minus log of its attention to them."""
    num_predicates = targets.labels_BQK.shape[2]
    num_objects = found.pair_to_BQP.shape[2] - num_predicates - NUM_SCENE_SLOTS
    to_BQK = found.pair_to_BQP[..., num_objects : num_objects + num_predicates]
    true_BQK = targets.labels_BQK.clone()
    true_BQK[..., :FIRST_SPATIAL] = 0.0
    each_BQ = -((to_BQK * true_BQK).sum(2) + 1e-4).log() * targets.known_BQ
    return each_BQ.sum() / targets.known_BQ.sum().clamp(min=1.0)


def total_loss(found: Relations, targets: Targets, scores_BN: Tensor, allowed_CK: Tensor) -> Tensor:
    """What training minimises for one frame of a batch."""
    pairs = pair_targets(targets, found)
    slots = SLOT_WEIGHT * slot_loss(found, pairs)
    return relation_loss(found, pairs, allowed_CK) + slots + NAME_WEIGHT * name_loss(found, targets, scores_BN)
