"""The ways to train a scene head, each with the same face: what it adds to the loss, its step after the gradient, what it deploys.

AdamW, AdamW with warm-up and cosine, AdamW with averaged weights, Schedule-Free AdamW. ProxVP has its own file (proxvp.py).
"""

import copy
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from model.losses import PairTargets, pair_targets, total_loss
from model.rollout import Batch, State, unroll
from model.scene_head import Relations, SceneHead
from model.text import Prototypes

LEARNING_RATE = 2e-3
WEIGHT_DECAY = 0.02
MAX_GRADIENT = 2.0
EMA_DECAY = 0.98
"""Averages over about 50 steps, as ProxVP's centre does."""


class AdamW:
    """AdamW at a constant rate: the plain row, and the face that the others share."""

    def __init__(self, head: SceneHead, total_steps: int, prototypes: Prototypes) -> None:
        self.head, self.prototypes = head, prototypes
        self.total_steps = total_steps
        self.optimiser = torch.optim.AdamW(_groups(self.trained()), lr=LEARNING_RATE)

    def trained(self) -> list[Parameter]:
        """The parameters that the gradient moves."""
        return list(self.head.parameters())

    def loss(self, head: SceneHead, batch: Batch) -> tuple[Tensor, State]:
        """What training minimises, by the weights of any head: the mean over frames, and the memory that they end with."""
        found, end = unroll(head, self.prototypes, batch)
        loss = torch.zeros(())
        for one, clip in zip(found, batch.frames, strict=True):
            loss = loss + total_loss(one, clip.targets, clip.entities.scores_BN, head.allowed_CK)
            loss = loss + self.extra_loss(one, pair_targets(clip.targets, one))
        return loss / len(found), end

    def extra_loss(self, found: Relations, targets: PairTargets) -> Tensor:  # noqa: ARG002
        """What the method adds to the loss of a frame."""
        return torch.zeros(())

    def step(self, batch: Batch) -> None:  # noqa: ARG002
        """Use the gradients that lie in the head."""
        torch.nn.utils.clip_grad_norm_(self.trained(), MAX_GRADIENT)
        self.optimiser.step()

    def deployed(self) -> SceneHead:
        """The weights to measure and to ship, at this step."""
        return self.head

    def state_dict(self) -> dict[str, Any]:
        """All that the next step depends on, the head's own weights included."""
        return {"head": self.head.state_dict(), "optimiser": self.optimiser.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where another run stood."""
        self.head.load_state_dict(state["head"])
        self.optimiser.load_state_dict(state["optimiser"])


class AdamWCosine(AdamW):
    """The rate rises over the first third and falls as a cosine to nothing."""

    def __init__(self, head: SceneHead, total_steps: int, prototypes: Prototypes) -> None:
        super().__init__(head, total_steps, prototypes)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimiser, LEARNING_RATE, total_steps=total_steps + 1)

    def step(self, batch: Batch) -> None:
        """One step, then the next rate."""
        super().step(batch)
        self.schedule.step()

    def state_dict(self) -> dict[str, Any]:
        """With the place in the schedule."""
        kept = {name: value for name, value in self.schedule.state_dict().items() if isinstance(value, int | float | list)}
        return {**super().state_dict(), "schedule": kept}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on at the same rate."""
        super().load_state_dict(state)
        self.schedule.load_state_dict(state["schedule"])


class AdamWEma(AdamW):
    """AdamW whose weights are averaged with a fixed decay; the average is deployed and never fed back."""

    def __init__(self, head: SceneHead, total_steps: int, prototypes: Prototypes) -> None:
        super().__init__(head, total_steps, prototypes)
        self.average = copy.deepcopy(head)

    def step(self, batch: Batch) -> None:
        """One step, then the average."""
        super().step(batch)
        move(self.average, self.head, 1.0 - EMA_DECAY)

    def deployed(self) -> SceneHead:
        """The average."""
        return self.average

    def state_dict(self) -> dict[str, Any]:
        """With the average."""
        return {**super().state_dict(), "average": self.average.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with the same average."""
        super().load_state_dict(state)
        self.average.load_state_dict(state["average"])


@torch.no_grad()
def move(towards: SceneHead, source: SceneHead, share: float) -> None:
    """Move all weights of the first head a share of the way to the second's."""
    for kept, new in zip(towards.parameters(), source.parameters(), strict=True):
        kept.lerp_(new, share)


def _groups(parameters: list[Parameter]) -> list[dict[str, Any]]:
    """Matrices decay, vectors do not."""
    decayed = [one for one in parameters if one.dim() > 1]
    others = [one for one in parameters if one.dim() <= 1]
    return [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}]
