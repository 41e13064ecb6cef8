"""The idea of GCL (Dong et al., "Stacked Hybrid-Attention and Group Collaborative Learning for Unbiased SGG", CVPR 2022), reimplemented.

Predicates are sorted by how often they occur and cut into groups within which the most frequent is at most RATIO times the rarest.
Classifier g knows the predicates of the first g groups, and sees pairs drawn so that none of them outnumbers their median; each later
one also learns from what the one before it says of the predicates that both know. The last one, which knows all, is deployed.
Ours: trunk, multi-label losses by group; resampling draws pairs within a batch, and learning from each other is binary cross entropy.

B batch, Q pairs, X known pairs, G groups, K predicates, D width.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.losses import ATTENTION_WEIGHT, NAME_WEIGHT, SINGLE, SLOT_WEIGHT, PairTargets, name_loss, pair_targets, slot_loss
from model.proxvp.methods import AdamWCosine
from model.rollout import Batch, ClipSource, State, unroll
from model.scene_head import FIRST_CONTACT, FIRST_SPATIAL, LOGIT_SCALE, PERSON, SUPPORT, Relations, SceneHead
from model.text import Prototypes

RATIO = 4.0
TEACHING_WEIGHT = 0.5
COUNTED_BATCHES, COUNTED_CLIPS = 4, 256
CLOSED = -1e4
ONE_BY_ONE = [*range(FIRST_SPATIAL, FIRST_CONTACT), *SINGLE]


class GroupHead(SceneHead):
    """SceneHead, whose own classifier is the last, with one more for each earlier group."""

    cover_GK: Tensor
    keep_GK: Tensor

    def __init__(self, dim: int, num_classes: int, num_predicates: int, num_pairs: int, counts_K: Tensor) -> None:
        super().__init__(dim, num_classes, num_predicates, num_pairs)
        groups = grouped(counts_K)
        self.register_buffer("cover_GK", covers(groups, num_predicates))
        self.register_buffer("keep_GK", keep_rates(self.cover_GK, counts_K))
        self.earlier_delta = nn.Parameter(torch.zeros(len(groups) - 1, num_predicates, dim))
        self.earlier_bias = nn.Parameter(self.bias.detach().repeat(len(groups) - 1, 1))

    def all_logits(self, found: Relations, predicates_KD: Tensor) -> list[Tensor]:
        """Logits (B, Q, K) of every classifier, the deployed one last."""
        weights_GKD = LOGIT_SCALE * predicates_KD + self.earlier_delta
        earlier = [found.embeddings_BQD @ weights_KD.T + bias_K for weights_KD, bias_K in zip(weights_GKD, self.earlier_bias, strict=True)]
        return [*earlier, found.logits_BQK]


class GroupLearning(AdamWCosine):
    """Trains a GroupHead: every classifier on its own draw of the pairs, later ones also on what earlier ones say."""

    def __init__(self, head: GroupHead, total_steps: int, prototypes: Prototypes) -> None:
        super().__init__(head, total_steps, prototypes)

    def loss(self, head: SceneHead, batch: Batch) -> tuple[Tensor, State]:
        """Mean over classifiers, and the common losses of slots and names."""
        assert isinstance(head, GroupHead)
        found, end = unroll(head, self.prototypes, batch)
        loss = torch.zeros(())
        for one, clip in zip(found, batch.frames, strict=True):
            pairs = pair_targets(clip.targets, one)
            loss = loss + _group_losses(head, one, pairs, self.prototypes) + SLOT_WEIGHT * slot_loss(one, pairs)
            loss = loss + NAME_WEIGHT * name_loss(one, clip.targets, clip.entities.scores_BN)
        return loss / len(found), end


def _group_losses(head: GroupHead, found: Relations, targets: PairTargets, prototypes: Prototypes) -> Tensor:
    known_BQ = targets.known_BQ > 0
    labels_XK, possible_XK = targets.labels_BQK[known_BQ], (found.thing_class_BQC @ head.allowed_CK)[known_BQ]
    loss, taught = torch.zeros(()), torch.zeros(())
    before_XK: Tensor | None = None
    for group, logits_BQK in enumerate(head.all_logits(found, prototypes.predicates_KD)):
        logits_XK = logits_BQK[known_BQ]
        weight_X = kept(labels_XK, head.cover_GK[group], head.keep_GK[group])
        loss = loss + covered_loss(logits_XK, labels_XK, possible_XK, head.cover_GK[group], weight_X)
        if before_XK is not None:
            taught = taught + taught_loss(logits_XK, before_XK, possible_XK * head.cover_GK[group - 1], weight_X)
        before_XK = logits_XK.detach()
    num_groups = len(head.cover_GK)
    return loss / num_groups + TEACHING_WEIGHT * taught / max(num_groups - 1, 1)


def covered_loss(logits_XK: Tensor, labels_XK: Tensor, possible_XK: Tensor, cover_K: Tensor, weight_X: Tensor) -> Tensor:
    """The common relation loss as if the predicates outside `cover_K` did not exist, mean over drawn pairs."""
    closed_XK = logits_XK.masked_fill(cover_K == 0, CLOSED)
    attention_X = -(labels_XK * cover_K * F.pad(F.log_softmax(closed_XK[:, :FIRST_SPATIAL], 1), (0, len(cover_K) - FIRST_SPATIAL))).sum(1)
    support_X4 = F.log_softmax(F.pad(closed_XK[:, SUPPORT], (0, 1)), 1)
    on_X3 = labels_XK[:, SUPPORT] * cover_K[SUPPORT]
    known_X = (labels_XK[:, SUPPORT].sum(1) == on_X3.sum(1)).float()
    carried_X = -(on_X3 * support_X4[:, :3]).sum(1) - (1.0 - on_X3.sum(1).clamp(max=1.0)) * known_X * support_X4[:, 3]
    each_XK = F.binary_cross_entropy_with_logits(logits_XK[:, ONE_BY_ONE], labels_XK[:, ONE_BY_ONE], reduction="none")
    single_X = (each_XK * (possible_XK * cover_K)[:, ONE_BY_ONE]).sum(1)
    return ((ATTENTION_WEIGHT * attention_X + carried_X + single_X) * weight_X).sum() / weight_X.sum().clamp(min=1.0)


def taught_loss(logits_XK: Tensor, teacher_XK: Tensor, possible_XK: Tensor, weight_X: Tensor) -> Tensor:
    """Binary cross entropy towards the earlier classifier's probabilities, of the predicates that it knows."""
    probs_XK = torch.sigmoid(teacher_XK[:, ONE_BY_ONE])
    each_XK = F.binary_cross_entropy_with_logits(logits_XK[:, ONE_BY_ONE], probs_XK, reduction="none")
    return ((each_XK * possible_XK[:, ONE_BY_ONE]).sum(1) * weight_X).sum() / weight_X.sum().clamp(min=1.0)


def kept(labels_XK: Tensor, cover_K: Tensor, keep_K: Tensor) -> Tensor:
    """(X) 1 where a pair is drawn: by the chance of the rarest predicate that it has of those covered, never without any."""
    chance_X = (labels_XK * cover_K * keep_K).amax(1)
    return (torch.rand(len(chance_X)) < chance_X).float()


def grouped(counts_K: Tensor) -> list[list[int]]:
    """Predicates, most frequent first, in groups whose extremes differ by RATIO at most; those that never occur join the last."""
    order = counts_K.argsort(descending=True, stable=True).tolist()
    groups: list[list[int]] = []
    for row in order:
        starts_new = not groups or (counts_K[row] > 0 and counts_K[groups[-1][0]] > RATIO * counts_K[row])
        if starts_new:
            groups.append([])
        groups[-1].append(row)
    return groups


def covers(groups: Sequence[Sequence[int]], num_predicates: int) -> Tensor:
    """(G, K): 1 where a classifier knows a predicate."""
    cover_GK = torch.zeros(len(groups), num_predicates)
    for index, group in enumerate(groups):
        cover_GK[index:, list(group)] = 1.0
    return cover_GK


def keep_rates(cover_GK: Tensor, counts_K: Tensor) -> Tensor:
    """(G, K): the chance of a pair to be drawn for one of its predicates, so that none outnumbers the median of those covered."""
    medians = [counts_K[(cover_K > 0) & (counts_K > 0)].median() for cover_K in cover_GK]
    return torch.stack([(median / counts_K.clamp(min=1.0)).clamp(max=1.0) for median in medians])


def predicate_counts(sources: Sequence[ClipSource]) -> Tensor:
    """(K): how often each predicate holds between reported things in a fixed part of the training data."""
    generator = torch.Generator().manual_seed(0)
    total_K = torch.zeros(())
    for source in sources:
        for rows_B in source.batches(COUNTED_CLIPS, None)[:COUNTED_BATCHES]:
            for index in range(source.num_frames):
                clip = source.frame(rows_B, index, generator)
                num_people = clip.targets.labels_BNNK.shape[1]
                seen_BN = clip.entities.scores_BN > 0
                people_BN, things_BN = seen_BN & (clip.targets.real_BN == PERSON), seen_BN & (clip.targets.real_BN > PERSON)
                pairs_BNN = (people_BN[:, :num_people, None] & things_BN[:, None]).float()
                total_K = total_K + torch.einsum("bpn,bpnk->k", pairs_BNN, clip.targets.labels_BNNK)
    return total_K
