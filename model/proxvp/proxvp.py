"""ProxVP: AdamW steps pulled to a proximal centre that follows them slowly, and a head that is solved for instead of learned by gradient.

    theta <- AdamW step on l(W [h_theta(x); 1], y), then theta <- (1 - p) theta + p c      each step; W held, its gradient unused (Danskin)
    A, B  <- averaged bound of the head's loss at the centre's embeddings                  every second step: half the cost
    c     <- c + eta (theta - c);  W <- (B + lam W0)(A + lam I)^-1                         every INNER_STEPS
    deploy (c, W)

Both averages are young at first and must not hang on to the start, which knows nothing: the n-th turn counts for settle / (n + 1) until
that falls below eta, or below the rate of A and B. So a short run's centre is an average of its last quarter, not of all it came through.
The pull is the exact proximal step of mu/2 |theta - c|^2, apart from AdamW's scaling as weight decay is: p = lr mu / (1 + lr mu).
"""

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from model.losses import PairTargets, pair_targets
from model.proxvp.convex import Cells, Ridge, Statistics, cells_of, joined
from model.proxvp.geometry import geometry_term
from model.proxvp.methods import LEARNING_RATE, AdamW, move
from model.rollout import Batch, unroll
from model.scene_head import LOGIT_SCALE, Relations, SceneHead
from model.text import Prototypes

HEAD_WEIGHTS = ("weight_delta", "bias")


@dataclass(frozen=True, slots=True)
class ProxSettings:
    """How stiff, how slow and how long a memory. `follow` is the lowest eta, `rate` the lowest share of a batch in A and B; both start
    from 1 and fall as `settle` over turns (0: they are what they are from the first turn on)."""

    mu: float = 2.5
    follow: float = 0.04
    inner_steps: int = 2
    observe_every: int = 2
    rate: float = 0.06
    settle: float = 4.0
    lam: float = 1e-3
    geometry: bool = True
    centre: bool = True

    @property
    def pull(self) -> float:
        """How far a step goes back to the centre."""
        return LEARNING_RATE * self.mu / (1.0 + LEARNING_RATE * self.mu)

    def share(self, lowest: float, turn: int) -> float:
        """How much of an average the newest counts, at its n-th turn (from 1)."""
        return max(lowest, min(1.0, self.settle / (turn + 1)))


class ProxVP(AdamW):
    """The centre and the statistics beside an AdamW that does not see the head's weights."""

    def __init__(self, head: SceneHead, total_steps: int, prototypes: Prototypes, settings: ProxSettings | None = None) -> None:
        super().__init__(head, total_steps, prototypes)
        self.settings = settings or ProxSettings()
        self.centre = copy.deepcopy(head) if self.settings.centre else head
        self.ridge = Ridge(weights_of(head, prototypes), self.settings.lam)
        self.weights_KE = self.ridge.anchor_KE.clone()
        self.statistics = Statistics(self.ridge.anchor_KE)
        self.count = 0

    def trained(self) -> list[Parameter]:
        """All but the head's weights."""
        return [one for name, one in self.head.named_parameters() if name not in HEAD_WEIGHTS]

    def extra_loss(self, found: Relations, targets: PairTargets) -> Tensor:
        """The geometry term of the known pairs."""
        if not self.settings.geometry:
            return torch.zeros(())
        known_BQ = targets.known_BQ > 0
        return geometry_term(found.embeddings_BQD[known_BQ], targets.labels_BQK[known_BQ], self.prototypes.predicates_KD)

    @torch.no_grad()
    def step(self, batch: Batch) -> None:
        """One inner step; after INNER_STEPS of them the centre follows and the head is solved for."""
        super().step(batch)
        if self.settings.centre:
            for name, one in self.head.named_parameters():
                if name not in HEAD_WEIGHTS:
                    one.lerp_(self.centre.get_parameter(name), self.settings.pull)
        self.count += 1
        turn, left = divmod(self.count, self.settings.observe_every)
        if left == 0:
            cells, rate = batch_cells(self.centre, self.prototypes, batch), self.settings.share(self.settings.rate, turn)
            self.statistics.absorb(self.weights_KE, cells, rate)
        turn, left = divmod(self.count, self.settings.inner_steps)
        if left == 0:
            move(self.centre, self.head, self.settings.share(self.settings.follow, turn))
            self._use(self.statistics.solve(self.ridge))

    def _use(self, weights_KE: Tensor) -> None:
        self.weights_KE = weights_KE
        for head in (self.head, self.centre):
            put_weights(head, self.prototypes, weights_KE)

    def deployed(self) -> SceneHead:
        """The centre with the solved head."""
        return self.centre

    def state_dict(self) -> dict[str, Any]:
        """With the centre, the statistics and where the inner loop stands."""
        own = {"centre": self.centre.state_dict(), "weights": self.weights_KE, "anchor": self.ridge.anchor_KE, "count": self.count}
        return {**super().state_dict(), **own, "curvature": self.statistics.curvature_KEE, "statistics": self.statistics.pull_KE}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where another run stood."""
        super().load_state_dict(state)
        self.centre.load_state_dict(state["centre"])
        self.ridge = Ridge(state["anchor"], self.settings.lam)
        self.weights_KE, self.count = state["weights"], state["count"]
        self.statistics.curvature_KEE, self.statistics.pull_KE = state["curvature"], state["statistics"]


@torch.no_grad()
def batch_cells(head: SceneHead, prototypes: Prototypes, batch: Batch) -> Cells:
    """All known pairs of a batch by one head's embeddings, without gradient."""
    found, _ = unroll(head, prototypes, batch)
    frames = zip(found, batch.frames, strict=True)
    return joined([cells_of(one, pair_targets(clip.targets, one), head.allowed_CK) for one, clip in frames])


@torch.no_grad()
def weights_of(head: SceneHead, prototypes: Prototypes) -> Tensor:
    """[W, b] (K, E) of a scene head: text prototypes times the scale, what was learned beside them, and the bias."""
    return torch.cat([LOGIT_SCALE * prototypes.predicates_KD + head.weight_delta, head.bias[:, None]], 1)


@torch.no_grad()
def put_weights(head: SceneHead, prototypes: Prototypes, weights_KE: Tensor) -> None:
    """Make a scene head use [W, b]."""
    head.weight_delta.copy_(weights_KE[:, :-1] - LOGIT_SCALE * prototypes.predicates_KD)
    head.bias.copy_(weights_KE[:, -1])
