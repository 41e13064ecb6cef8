"""The linear head as a convex problem: its loss, gradient, certificate, and the statistics whose one Cholesky solve is its next step.

F(W) = mean over pairs of l(W [h; 1], y) + lam/2 |W - W0|^2, where l is the scene head's own relation loss (model/losses.py): a softmax over
attention, a softmax over sitting, standing, lying and none, sigmoids for the rest where the class allows them. F is lam-strongly convex.
A step minimises Boehning's quadratic bound of l, 1/4 for a sigmoid and 1/2 for a softmax, averaged over batches (stochastic
majorise-minimise). Masks give every predicate its own pairs, hence a curvature each: K small Cholesky factors, one batched call.
Knows no network.

X pairs, K predicates, E = D + 1 (embedding and constant).
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from model.losses import ATTENTION_WEIGHT, SINGLE, PairTargets
from model.scene_head import FIRST_CONTACT, FIRST_SPATIAL, SUPPORT, Relations, support_softmax

SIGMOID_BOUND, SOFTMAX_BOUND = 0.25, 0.5
SIGMOIDS = [*range(FIRST_SPATIAL, FIRST_CONTACT), *SINGLE]
START_CURVATURE = 0.05


class Cells(NamedTuple):
    """Pairs as the head sees them: [h; 1], truth, and how much each predicate of each pair counts (0: unknown or impossible)."""

    rows_XE: Tensor
    labels_XK: Tensor
    weights_XK: Tensor


class Ridge(NamedTuple):
    """The quadratic part of F: where the weights are anchored and how stiffly."""

    anchor_KE: Tensor
    lam: float


def cells_of(found: Relations, targets: PairTargets, allowed_CK: Tensor) -> Cells:
    """The known pairs of a frame, weighted exactly as the relation loss weighs them."""
    known_BQ = targets.known_BQ > 0
    labels_XK = targets.labels_BQK[known_BQ]
    weights_XK = (found.thing_class_BQC @ allowed_CK)[known_BQ]
    weights_XK[:, :FIRST_SPATIAL] = ATTENTION_WEIGHT * labels_XK[:, :FIRST_SPATIAL].sum(1, keepdim=True)
    weights_XK[:, SUPPORT] = 1.0
    return Cells(with_constant(found.embeddings_BQD[known_BQ]), labels_XK, weights_XK)


def joined(parts: list[Cells]) -> Cells:
    """Pairs of several frames as one set."""
    return Cells(*(torch.cat(columns) for columns in zip(*parts, strict=True)))


def with_constant(embeddings_XD: Tensor) -> Tensor:
    """[h; 1] (X, E)."""
    return F.pad(embeddings_XD, (0, 1), value=1.0)


def probabilities(logits_XK: Tensor) -> Tensor:
    """What each logit means in its group (X, K)."""
    probs_XK = torch.sigmoid(logits_XK)
    probs_XK[:, :FIRST_SPATIAL] = torch.softmax(logits_XK[:, :FIRST_SPATIAL], 1)
    probs_XK[:, SUPPORT] = support_softmax(logits_XK)[:, :3]
    return probs_XK


def data_loss(weights_KE: Tensor, cells: Cells) -> Tensor:
    """Mean over pairs of l(W [h; 1], y)."""
    logits_XK = cells.rows_XE @ weights_KE.T
    labels_XK, factor_XK = cells.labels_XK, cells.weights_XK
    attention_X = -(labels_XK[:, :FIRST_SPATIAL] * F.log_softmax(logits_XK[:, :FIRST_SPATIAL], 1)).sum(1)
    support_X3 = labels_XK[:, SUPPORT]
    support_X4 = torch.cat([support_X3, 1.0 - support_X3.sum(1, keepdim=True)], 1)
    carried_X = -(support_X4 * F.log_softmax(F.pad(logits_XK[:, SUPPORT], (0, 1)), 1)).sum(1)
    single = F.binary_cross_entropy_with_logits(logits_XK[:, SIGMOIDS], labels_XK[:, SIGMOIDS], factor_XK[:, SIGMOIDS], reduction="none")
    total_X = ATTENTION_WEIGHT * attention_X + factor_XK[:, SUPPORT[0]] * carried_X + single.sum(1)
    return total_X.sum() / max(len(total_X), 1)


def objective(weights_KE: Tensor, cells: Cells, ridge: Ridge) -> Tensor:
    """F(W)."""
    return data_loss(weights_KE, cells) + 0.5 * ridge.lam * (weights_KE - ridge.anchor_KE).square().sum()


def data_gradient(weights_KE: Tensor, cells: Cells) -> Tensor:
    """Gradient of the data loss (K, E)."""
    residual_XK = cells.weights_XK * (probabilities(cells.rows_XE @ weights_KE.T) - cells.labels_XK)
    return residual_XK.T @ cells.rows_XE / max(len(residual_XK), 1)


def certificate(weights_KE: Tensor, cells: Cells, ridge: Ridge) -> float:
    """|grad F|^2 / (2 lam): no weights whatever are better than these by more than that, since F is lam-strongly convex."""
    gradient_KE = data_gradient(weights_KE, cells) + ridge.lam * (weights_KE - ridge.anchor_KE)
    return float(gradient_KE.square().sum()) / (2.0 * ridge.lam)


def bounds(like: Tensor) -> Tensor:
    """Boehning's bound on the curvature of each predicate's loss in its logit (K)."""
    bound_K = torch.full((like.shape[0],), SIGMOID_BOUND).to(like)
    bound_K[:FIRST_SPATIAL] = SOFTMAX_BOUND
    bound_K[SUPPORT] = SOFTMAX_BOUND
    return bound_K


class Statistics:
    """The averaged quadratic bound of the head's loss: curvature A (K, E, E) and pull B (K, E). Starts as its own anchor."""

    def __init__(self, anchor_KE: Tensor) -> None:
        size = anchor_KE.shape[1]
        self.curvature_KEE = START_CURVATURE * torch.eye(size).to(anchor_KE).repeat(anchor_KE.shape[0], 1, 1)
        self.pull_KE = START_CURVATURE * anchor_KE

    def absorb(self, weights_KE: Tensor, cells: Cells, rate: float) -> None:
        """Mix the bound of one batch, taken at the present weights, into the average; at rate 1 it replaces it."""
        if not len(cells.rows_XE):
            return
        rows_XE, count = cells.rows_XE, len(cells.rows_XE)
        factor_KX = bounds(weights_KE)[:, None] * cells.weights_XK.T / count
        curvature_KEE = (factor_KX[:, None] * rows_XE.T) @ rows_XE
        pull_KE = (curvature_KEE @ weights_KE[:, :, None])[..., 0] - data_gradient(weights_KE, cells)
        self.curvature_KEE.lerp_(curvature_KEE, rate)
        self.pull_KE.lerp_(pull_KE, rate)

    def solve(self, ridge: Ridge) -> Tensor:
        """The weights that minimise the averaged bound: (B + lam W0)(A + lam I)^-1 by Cholesky."""
        system_KEE = self.curvature_KEE + ridge.lam * torch.eye(self.pull_KE.shape[1]).to(self.pull_KE)
        target_KE1 = (self.pull_KE + ridge.lam * ridge.anchor_KE)[:, :, None]
        return torch.cholesky_solve(target_KE1, torch.linalg.cholesky(system_KEE))[..., 0]

    def surrogate(self, weights_KE: Tensor, ridge: Ridge) -> Tensor:
        """The averaged bound at some weights, up to a constant."""
        bent_KE = (self.curvature_KEE @ weights_KE[:, :, None])[..., 0]
        moved_KE = weights_KE - ridge.anchor_KE
        return (weights_KE * (0.5 * bent_KE - self.pull_KE)).sum() + 0.5 * ridge.lam * moved_KE.square().sum()


def fit(cells: Cells, ridge: Ridge, start_KE: Tensor, tolerance: float, max_steps: int = 20_000) -> Tensor:
    """Exact steps on fixed pairs until the certificate is at most `tolerance`: every one lowers F, and there is one place to end."""
    weights_KE, statistics = start_KE, Statistics(ridge.anchor_KE)
    for _ in range(max_steps):
        if certificate(weights_KE, cells, ridge) <= tolerance:
            break
        statistics.absorb(weights_KE, cells, 1.0)
        weights_KE = statistics.solve(ridge)
    return weights_KE
