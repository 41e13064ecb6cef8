"""The head's rows re-fitted to their optimum from verdicts, the network left as it is. One convex problem for each predicate with verdicts:

    F(w) = sum_i softplus(-s_i (w [h_i; 1] + o_i)) + 1/2 (w - w0)^T (lam I + kappa E[r r^T]) (w - w0),   s = +1 holds, -1 does not

w0 is the shipped row, o the offset of a verdict, r = [h; 1] of ordinary pairs: a change that ordinary pairs would notice is dear, one
that they would not costs lam. Other rows are not touched. F is lam-strongly convex: Newton's method ends at its one optimum, with a
certificate.
X verdicts, Y ordinary pairs, E = D + 1.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from model.proxvp.convex import with_constant
from model.proxvp.proxvp import put_weights, weights_of
from model.proxvp.verdicts import Verdict
from model.scene_head import SceneHead
from model.text import Prototypes
from model.vocabulary import MODERATION_V1

TOLERANCE = 1e-9
MAX_STEPS = 100


@dataclass(frozen=True, slots=True)
class Stiffness:
    """`lam` holds every direction, `kappa` those that ordinary pairs use: how many of them a verdict has to outweigh."""

    lam: float = 0.05
    kappa: float = 20.0


@dataclass(frozen=True, slots=True)
class Fitted:
    """One predicate's new row: how far from optimal it can be, and of its verdicts how many the head agrees with, before and after."""

    predicate: str
    verdicts: int
    agreed_before: int
    agreed_after: int
    certificate: float
    steps: int


@dataclass(frozen=True, slots=True)
class RowProblem:
    """F of one row, in double precision."""

    rows_XE: Tensor
    signs_X: Tensor
    offsets_X: Tensor
    start_E: Tensor
    metric_EE: Tensor

    def value(self, row_E: Tensor) -> Tensor:
        """F(w)."""
        moved_E = row_E - self.start_E
        return F.softplus(-self._margins(row_E)).sum() + 0.5 * moved_E @ self.metric_EE @ moved_E

    def gradient(self, row_E: Tensor) -> Tensor:
        """Of F (E)."""
        pull_X = -self.signs_X * torch.sigmoid(-self._margins(row_E))
        return pull_X @ self.rows_XE + self.metric_EE @ (row_E - self.start_E)

    def hessian(self, row_E: Tensor) -> Tensor:
        """Of F (E, E), at least the metric."""
        prob_X = torch.sigmoid(self._margins(row_E))
        return (self.rows_XE.T * (prob_X * (1.0 - prob_X))) @ self.rows_XE + self.metric_EE

    def certificate(self, row_E: Tensor, lam: float) -> float:
        """|grad F|^2 / (2 lam), an upper bound of what is left to gain."""
        return float(self.gradient(row_E).square().sum()) / (2.0 * lam)

    def agreed(self, row_E: Tensor) -> int:
        """Verdicts that the row agrees with: a probability on their side of one half."""
        return int((self._margins(row_E) > 0).sum())

    def _margins(self, row_E: Tensor) -> Tensor:
        return self.signs_X * (self.rows_XE @ row_E + self.offsets_X)


def solve_row(problem: RowProblem, lam: float) -> tuple[Tensor, int]:
    """The optimum and the Newton steps that it took; a step is halved until it lowers F enough."""
    row_E = problem.start_E.clone()
    for step in range(MAX_STEPS):
        if problem.certificate(row_E, lam) <= TOLERANCE:
            return row_E, step
        gradient_E = problem.gradient(row_E)
        direction_E = -torch.cholesky_solve(gradient_E[:, None], torch.linalg.cholesky(problem.hessian(row_E)))[:, 0]
        before, slope, share = problem.value(row_E), gradient_E @ direction_E, 1.0
        while problem.value(row_E + share * direction_E) > before + 0.25 * share * slope and share > TOLERANCE:
            share *= 0.5
        row_E = row_E + share * direction_E
    return row_E, MAX_STEPS


@torch.no_grad()
def adapt(
    head: SceneHead, prototypes: Prototypes, verdicts: list[Verdict], ordinary_YD: Tensor, stiffness: Stiffness
) -> list[Fitted]:  # fmt: skip
    """Re-fit the rows that verdicts speak of, in place; `ordinary_YD` are embeddings of pairs that should stay as they are."""
    weights_KE = weights_of(head, prototypes).double()
    ordinary_YE = with_constant(ordinary_YD).double()
    metric_EE = stiffness.lam * torch.eye(weights_KE.shape[1]).double()
    metric_EE += stiffness.kappa * ordinary_YE.T @ ordinary_YE / max(len(ordinary_YE), 1)
    fitted = []
    for name in dict.fromkeys(verdict.predicate for verdict in verdicts):
        row = MODERATION_V1.predicates.index(name)
        problem = _problem([one for one in verdicts if one.predicate == name], weights_KE[row], metric_EE)
        best_E, steps = solve_row(problem, stiffness.lam)
        agreed = (problem.agreed(weights_KE[row]), problem.agreed(best_E))
        fitted.append(Fitted(name, len(problem.signs_X), *agreed, problem.certificate(best_E, stiffness.lam), steps))
        weights_KE[row] = best_E
    kept = head.weight_delta.clone(), head.bias.clone()
    put_weights(head, prototypes, weights_KE.float())
    _restore(head, kept, [MODERATION_V1.predicates.index(one.predicate) for one in fitted])
    return fitted


def _problem(verdicts: list[Verdict], start_E: Tensor, metric_EE: Tensor) -> RowProblem:
    rows_XE = with_constant(torch.tensor([verdict.embedding for verdict in verdicts]).double())
    signs_X = torch.tensor([1.0 if verdict.holds else -1.0 for verdict in verdicts]).double()
    offsets_X = torch.tensor([verdict.offset for verdict in verdicts]).double()
    return RowProblem(rows_XE, signs_X, offsets_X, start_E.clone(), metric_EE)


def _restore(head: SceneHead, kept: tuple[Tensor, Tensor], changed: list[int]) -> None:
    """Rows without verdicts keep their very bits: adding and subtracting the prototypes would round them."""
    others = [row for row in range(len(head.bias)) if row not in changed]
    head.weight_delta[others], head.bias[others] = kept[0][others], kept[1][others]
