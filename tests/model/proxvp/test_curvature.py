"""Lanczos against dense eigenvalues, and the two claims about curvature, on a network small enough for its whole Hessian."""

import pytest
import torch
from torch import Tensor
from torch.func import functional_call

from model.proxvp.convex import Cells, Ridge, data_loss, fit
from model.proxvp.lanczos import hessian_extremes, lanczos
from tests.model.proxvp.toy import K, Trunk, hessian_of, random_cells

INPUTS, WIDTH, HIDDEN = 4, 3, 4
LAM = 0.05


class Problem:
    """F(theta, W) of a toy trunk, theta and W in one row each."""

    def __init__(self, seed: int) -> None:
        torch.manual_seed(seed)
        self.trunk = Trunk(INPUTS, WIDTH, HIDDEN)
        self.inputs = torch.randn(60, INPUTS).double()
        cells = random_cells(60, seed)
        self.labels, self.factors = cells.labels_XK, cells.weights_XK
        self.ridge = Ridge(torch.randn(K, WIDTH + 1).double(), LAM)
        self.shapes = {name: one.shape for name, one in self.trunk.named_parameters()}
        self.theta = torch.cat([one.detach().flatten() for one in self.trunk.parameters()])

    def cells(self, theta: Tensor) -> Cells:
        parts = torch.split(theta, [shape.numel() for shape in self.shapes.values()])
        named = {name: part.view(shape) for part, (name, shape) in zip(parts, self.shapes.items(), strict=True)}
        return Cells(functional_call(self.trunk, named, (self.inputs,)), self.labels, self.factors)

    def loss(self, theta: Tensor, weights: Tensor) -> Tensor:
        weights_KE = weights.view(K, WIDTH + 1)
        return data_loss(weights_KE, self.cells(theta)) + 0.5 * LAM * (weights_KE - self.ridge.anchor_KE).square().sum()

    def best_head(self, theta: Tensor) -> Tensor:
        return fit(self.cells(theta), self.ridge, self.ridge.anchor_KE, 1e-12).flatten()

    def blocks(self, theta: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        size = len(theta)
        whole = hessian_of(lambda both: self.loss(both[:size], both[size:]), torch.cat([theta, weights]))
        return whole[:size, :size], whole[:size, size:], whole[size:, size:]


def test_lanczos_finds_the_ends_of_a_known_spectrum() -> None:
    matrix = torch.diag(torch.linspace(-2.0, 5.0, 40).double())
    found = lanczos(lambda vector: matrix @ vector, 40, 40, torch.Generator().manual_seed(0), torch.float64)
    assert found.low == pytest.approx(-2.0, abs=1e-6)
    assert found.high == pytest.approx(5.0, abs=1e-6)
    assert found.rho == pytest.approx(2.0, abs=1e-6)


def test_lanczos_on_a_networks_loss_agrees_with_its_whole_hessian() -> None:
    problem = Problem(0)
    weights = problem.ridge.anchor_KE.flatten()
    values = torch.linalg.eigvalsh(problem.blocks(problem.theta, weights)[0])
    theta = problem.theta.clone().requires_grad_()
    found = hessian_extremes(lambda: problem.loss(theta, weights), [theta], 60, torch.Generator().manual_seed(0))
    assert found.low == pytest.approx(float(values[0]), rel=1e-4)
    assert found.high == pytest.approx(float(values[-1]), rel=1e-4)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_eliminating_the_head_never_raises_the_sharpness(seed: int) -> None:
    """Hessian of min_W F is the Schur complement: at most F's own block in theta, which is at most the whole Hessian."""
    problem = Problem(seed)
    theta_theta, theta_w, w_w = problem.blocks(problem.theta, problem.best_head(problem.theta))
    reduced = theta_theta - theta_w @ torch.linalg.solve(w_w, theta_w.T)
    whole = torch.cat([torch.cat([theta_theta, theta_w], 1), torch.cat([theta_w.T, w_w], 1)], 0)
    sharpness = [float(torch.linalg.eigvalsh(one)[-1]) for one in (reduced, theta_theta, whole)]
    assert sharpness[0] <= sharpness[1] + 1e-9 <= sharpness[2] + 2e-9


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_inner_problem_is_strongly_convex_where_mu_is_above_rho_and_not_where_it_is_below(seed: int) -> None:
    problem = Problem(seed)
    weights = problem.best_head(problem.theta)
    theta = problem.theta.clone().requires_grad_()
    rho = hessian_extremes(lambda: problem.loss(theta, weights), [theta], 60, torch.Generator().manual_seed(0)).rho
    assert rho > 0.0
    for factor, convex in ((1.05, True), (0.9, False)):

        def proximal(point: Tensor, mu: float = factor * rho) -> Tensor:
            return problem.loss(point, weights) + 0.5 * mu * (point - problem.theta).square().sum()

        low = float(torch.linalg.eigvalsh(hessian_of(proximal, problem.theta))[0])
        assert (low > 0.0) == convex
