"""What is claimed of the convex head: its loss is the scene head's, its optimum is unique with a certificate, every solve goes down."""

from itertools import pairwise

import pytest
import torch

from model.losses import pair_targets, relation_loss
from model.proxvp.convex import (
    Cells,
    Ridge,
    Statistics,
    bounds,
    cells_of,
    certificate,
    data_gradient,
    data_loss,
    fit,
    objective,
)
from model.proxvp.proxvp import put_weights, weights_of
from model.rollout import draw_batch, empty_state, unroll
from model.samples import Plan, Samples
from model.text import load_prototypes
from model.train import DIM as HEAD_DIM
from model.train import new_head
from tests.model.proxvp.toy import DIM, K, hessian_of, random_cells, ridge

STARTS = [torch.zeros(K, DIM + 1).double(), ridge(seed=5).anchor_KE * 3.0]


def test_the_loss_is_the_scene_heads_own_on_frames_of_the_world() -> None:
    samples, prototypes = Samples(Plan(24, 1, 3), 1, HEAD_DIM, "drawing"), load_prototypes(HEAD_DIM)
    torch.manual_seed(0)
    head = new_head(12).requires_grad_(False)
    batch = draw_batch(samples, torch.arange(24), empty_state(head, 24), 0.0, torch.Generator().manual_seed(0))
    (found,), _ = unroll(head, prototypes, batch)
    pairs = pair_targets(batch.frames[0].targets, found)
    cells = cells_of(found, pairs, head.allowed_CK)
    expected = relation_loss(found, pairs, head.allowed_CK)
    assert len(cells.rows_XE) > 20
    assert float(data_loss(weights_of(head, prototypes), cells)) == pytest.approx(float(expected), rel=1e-4)


def test_weights_put_into_a_scene_head_are_the_ones_that_it_has() -> None:
    head, prototypes = new_head(4), load_prototypes(HEAD_DIM)
    wanted = torch.randn(K, HEAD_DIM + 1, generator=torch.Generator().manual_seed(0))
    put_weights(head, prototypes, wanted)
    assert torch.allclose(weights_of(head, prototypes), wanted, atol=1e-5)


def test_the_gradient_is_that_of_the_loss() -> None:
    cells = random_cells(60)
    weights = ridge(seed=2).anchor_KE.requires_grad_()
    (expected,) = torch.autograd.grad(data_loss(weights, cells), weights)
    assert torch.allclose(data_gradient(weights.detach(), cells), expected, atol=1e-10)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_curvature_exceeds_its_bound(seed: int) -> None:
    """Hessian of the loss in one pair's logits, against the diagonal bound."""
    cells = random_cells(1, seed)
    logits = 3.0 * torch.randn(K, generator=torch.Generator().manual_seed(seed)).double()
    one = Cells(torch.ones(1, 1).double(), cells.labels_XK, cells.weights_XK)
    hessian = hessian_of(lambda z: data_loss(z[:, None], one), logits)
    assert float(torch.linalg.eigvalsh(torch.diag(bounds(logits[:, None]) * cells.weights_XK[0]) - hessian)[0]) >= -1e-9


def test_from_any_start_the_head_ends_at_the_same_optimum_and_the_certificate_says_so() -> None:
    cells, anchored = random_cells(200), ridge()
    ends = [fit(cells, anchored, start, 1e-9) for start in STARTS]
    assert all(certificate(end, cells, anchored) <= 1e-9 for end in ends)
    assert torch.allclose(ends[0], ends[1], atol=1e-3)


def test_the_certificate_bounds_what_is_left_to_gain_everywhere() -> None:
    cells, anchored = random_cells(200), ridge()
    lowest = float(objective(fit(cells, anchored, STARTS[0], 1e-10), cells, anchored))
    for seed in range(5):
        weights = ridge(seed=10 + seed).anchor_KE
        left = float(objective(weights, cells, anchored)) - lowest
        assert 0.0 < left <= certificate(weights, cells, anchored)


@pytest.mark.parametrize("start", STARTS)
def test_every_exact_step_lowers_the_loss(start: torch.Tensor) -> None:
    cells, anchored, weights = random_cells(200), ridge(), start
    statistics, losses = Statistics(anchored.anchor_KE), []
    for _ in range(30):
        losses.append(float(objective(weights, cells, anchored)))
        statistics.absorb(weights, cells, 1.0)
        weights = statistics.solve(anchored)
    assert all(after < before for before, after in pairwise(losses))


def test_the_bound_lies_above_the_loss_and_touches_it_where_it_was_taken() -> None:
    cells, anchored, weights = random_cells(100), ridge(), STARTS[1]
    statistics = Statistics(anchored.anchor_KE)
    statistics.absorb(weights, cells, 1.0)
    lift = float(objective(weights, cells, anchored) - statistics.surrogate(weights, anchored))
    for seed in range(5):
        other = weights + 0.3 * ridge(seed=20 + seed).anchor_KE
        assert float(statistics.surrogate(other, anchored)) + lift >= float(objective(other, cells, anchored))


def test_a_solve_never_raises_the_bound_averaged_over_many_batches() -> None:
    anchored = ridge()
    statistics, weights = Statistics(anchored.anchor_KE), anchored.anchor_KE
    for step in range(40):
        statistics.absorb(weights, random_cells(30, seed=step), 0.1)
        solved = statistics.solve(anchored)
        assert float(statistics.surrogate(solved, anchored)) <= float(statistics.surrogate(weights, anchored))
        weights = solved


def test_before_any_pair_the_solve_returns_the_anchor_and_no_pairs_change_nothing() -> None:
    anchored = ridge()
    statistics = Statistics(anchored.anchor_KE)
    statistics.absorb(anchored.anchor_KE, Cells(*(torch.zeros(0, width).double() for width in (DIM + 1, K, K))), 0.5)
    assert torch.allclose(statistics.solve(anchored), anchored.anchor_KE)


def test_predicates_that_count_nowhere_stay_at_their_anchor() -> None:
    cells, anchored = random_cells(100), ridge()
    row = 5
    cells.weights_XK[:, row] = 0.0
    assert torch.allclose(fit(cells, anchored, STARTS[0], 1e-9)[row], anchored.anchor_KE[row], atol=1e-3)


def test_a_stiffer_ridge_stays_nearer_to_its_anchor() -> None:
    cells = random_cells(100)
    moved = []
    for lam in (1e-2, 1.0):
        anchored = Ridge(ridge().anchor_KE, lam)
        moved.append(float((fit(cells, anchored, STARTS[0], 1e-8) - anchored.anchor_KE).norm()))
    assert moved[1] < moved[0]
