"""Schedule-Free AdamW (Defazio et al. 2024, algorithm 1) for comparison: an average x instead of a schedule.

Gradients are taken at y = (1 - b1) z + b1 x, where z moves by them. The head holds y while it trains; x, the average that is deployed,
lives in a second head.
"""

import copy
import math
from typing import Any

import torch

from model.proxvp.methods import LEARNING_RATE, MAX_GRADIENT, WEIGHT_DECAY, AdamW
from model.rollout import Batch
from model.scene_head import SceneHead
from model.text import Prototypes

BETA_1, BETA_2, EPS = 0.9, 0.999, 1e-8
WARM_UP_SHARE = 0.05


class ScheduleFree(AdamW):
    """A constant rate after a short warm-up, and a running average whose weight in the gradient's place is b1."""

    def __init__(self, head: SceneHead, total_steps: int, prototypes: Prototypes) -> None:
        super().__init__(head, total_steps, prototypes)
        self.average = copy.deepcopy(head)
        self.base = [one.detach().clone() for one in head.parameters()]
        self.squares = [torch.zeros_like(one) for one in head.parameters()]
        self.count, self.rate_sum = 0, 0.0

    @torch.no_grad()
    def step(self, batch: Batch) -> None:  # noqa: ARG002
        """Move z by the gradient at y, x towards z, and y between them."""
        torch.nn.utils.clip_grad_norm_(self.trained(), MAX_GRADIENT)
        self.count += 1
        warm_up = min(1.0, self.count / max(1.0, WARM_UP_SHARE * self.total_steps))
        rate = LEARNING_RATE * warm_up * math.sqrt(1.0 - BETA_2**self.count)
        self.rate_sum += rate * rate
        share = rate * rate / self.rate_sum
        for y, x, z, square in zip(self.head.parameters(), self.average.parameters(), self.base, self.squares, strict=True):
            if y.grad is None:
                continue
            square.mul_(BETA_2).addcmul_(y.grad, y.grad, value=1.0 - BETA_2)
            decay = WEIGHT_DECAY if y.dim() > 1 else 0.0
            z.addcdiv_(y.grad, square.sqrt() + EPS * math.sqrt(1.0 - BETA_2**self.count), value=-rate).sub_(y, alpha=rate * decay)
            x.lerp_(z, share)
            y.copy_(z).lerp_(x, BETA_1)

    def deployed(self) -> SceneHead:
        """The average x."""
        return self.average

    def state_dict(self) -> dict[str, Any]:
        """x, y, z, the second moments and where the warm-up stands."""
        own = {"average": self.average.state_dict(), "base": self.base, "squares": self.squares}
        return {"head": self.head.state_dict(), **own, "count": self.count, "rate_sum": self.rate_sum}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where another run stood."""
        self.head.load_state_dict(state["head"])
        self.average.load_state_dict(state["average"])
        self.base, self.squares = state["base"], state["squares"]
        self.count, self.rate_sum = state["count"], state["rate_sum"]
