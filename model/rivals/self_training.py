"""The idea of ST-SGG (Kim et al., "Adaptive Self-training Framework for Fine-grained Scene Graph Generation", ICLR 2024), reimplemented.

Most true relations of a data set are never written down, and a model that learns those pairs as background unlearns the rare ones.
Pairs without any annotation get the model's own surest place and contact as labels where its probability passes that predicate's
threshold. Thresholds move with the mean confidence of what passed them (rising fast for frequent predicates, slowly for rare ones) and
fall where nothing passes (fast for rare ones). Ours: trunk, multi-label losses by group, a floor under thresholds. On data whose labels
are complete no pair is without annotation, and this is plain training.

B batch, Q pairs, K predicates, X pairs without annotation.
"""

from typing import Any

import torch
from torch import Tensor

from model.losses import NAME_WEIGHT, SLOT_WEIGHT, PairTargets, name_loss, pair_targets, relation_loss, slot_loss
from model.proxvp.methods import AdamWCosine
from model.rivals.hidden import is_background
from model.rollout import Batch, State, unroll
from model.scene_head import FIRST_CONTACT, FIRST_SPATIAL, SceneHead
from model.text import Prototypes

START_THRESHOLD, LOWEST_THRESHOLD = 0.7, 0.4
RATE, POWER = 0.1, 0.4
WARM_UP_SHARE = 0.25
"""Of all steps, how many pass before anything is labelled: a head that knows nothing has nothing to teach."""
COUNT_DECAY = 0.99
GROUPS = (slice(FIRST_SPATIAL, FIRST_CONTACT), slice(FIRST_CONTACT, None))


class SelfTraining(AdamWCosine):
    """Cross entropy on annotated pairs as ever, on background pairs towards pseudo-labels where there is a sure one."""

    def __init__(self, head: SceneHead, total_steps: int, prototypes: Prototypes) -> None:
        super().__init__(head, total_steps, prototypes)
        num_predicates = head.weight_delta.shape[0]
        self.threshold_K = torch.full((num_predicates,), START_THRESHOLD)
        self.count_K = torch.ones(num_predicates)
        self.steps_done = 0

    def loss(self, head: SceneHead, batch: Batch) -> tuple[Tensor, State]:
        """The common loss on relabelled pairs."""
        found, end = unroll(head, self.prototypes, batch)
        loss = torch.zeros(())
        for one, clip in zip(found, batch.frames, strict=True):
            pairs = self.relabelled(pair_targets(clip.targets, one), one.logits_BQK.detach(), one.thing_class_BQC @ head.allowed_CK)
            loss = loss + relation_loss(one, pairs, head.allowed_CK) + SLOT_WEIGHT * slot_loss(one, pairs)
            loss = loss + NAME_WEIGHT * name_loss(one, clip.targets, clip.entities.scores_BN)
        return loss / len(found), end

    def step(self, batch: Batch) -> None:
        """One step, counted for the warm-up."""
        super().step(batch)
        self.steps_done += 1

    @torch.no_grad()
    def relabelled(self, targets: PairTargets, logits_BQK: Tensor, possible_BQK: Tensor) -> PairTargets:
        """Targets with pseudo-labels on background pairs; moves counts and, after the warm-up, thresholds."""
        known_BQ = targets.known_BQ > 0
        background_BQ = is_background(targets.labels_BQK) & known_BQ
        self.count_K.mul_(COUNT_DECAY).add_(targets.labels_BQK[known_BQ].sum(0), alpha=1.0 - COUNT_DECAY)
        if self.steps_done < WARM_UP_SHARE * self.total_steps or not background_BQ.any():
            return targets
        probs_XK = torch.sigmoid(logits_BQK[background_BQ]) * possible_BQK[background_BQ]
        chosen_XK = surest(probs_XK) & (probs_XK >= self.threshold_K)
        self._move_thresholds(probs_XK, chosen_XK)
        labels_BQK = targets.labels_BQK.clone()
        labels_BQK[background_BQ] = torch.maximum(labels_BQK[background_BQ], chosen_XK.float())
        return targets._replace(labels_BQK=labels_BQK)

    def _move_thresholds(self, probs_XK: Tensor, chosen_XK: Tensor) -> None:
        share_K = (self.count_K / self.count_K[FIRST_SPATIAL:].max()).clamp(max=1.0)
        rise_K, fall_K = RATE * share_K**POWER, RATE * (1.0 - share_K).clamp(min=0.0) ** POWER
        passed_K = chosen_XK.sum(0)
        mean_K = (probs_XK * chosen_XK).sum(0) / passed_K.clamp(min=1)
        risen_K, fallen_K = self.threshold_K.lerp(mean_K, rise_K), self.threshold_K * (1.0 - fall_K)
        self.threshold_K = torch.where(passed_K > 0, risen_K, fallen_K).clamp(min=LOWEST_THRESHOLD)

    def state_dict(self) -> dict[str, Any]:
        """With thresholds, counts and the place in the warm-up."""
        own = {"threshold": self.threshold_K, "count": self.count_K, "steps_done": self.steps_done}
        return {**super().state_dict(), **own}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where another run stood."""
        super().load_state_dict(state)
        self.threshold_K, self.count_K, self.steps_done = state["threshold"], state["count"], state["steps_done"]


def surest(probs_XK: Tensor) -> Tensor:
    """(X, K): of each pair the best place and the best contact; never an attention."""
    best_XK = torch.zeros_like(probs_XK, dtype=torch.bool)
    for group in GROUPS:
        best_XK[:, group].scatter_(1, probs_XK[:, group].argmax(1, keepdim=True), True)
    return best_XK
