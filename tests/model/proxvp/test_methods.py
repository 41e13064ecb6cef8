"""Each way of training does what it says, step by step, on a real scene head and a handful of frames."""

import copy

import pytest
import torch

from model.proxvp.convex import certificate
from model.proxvp.diagnosis import diagnose
from model.proxvp.methods import EMA_DECAY, AdamW, AdamWEma
from model.proxvp.proxvp import HEAD_WEIGHTS, ProxSettings, ProxVP, batch_cells, weights_of
from model.proxvp.schedule_free import BETA_1, ScheduleFree
from model.rollout import Batch, draw_batch, empty_state
from model.samples import Plan, Samples
from model.text import load_prototypes
from model.train import DIM, new_head

PROTOTYPES_128 = load_prototypes(DIM)


@pytest.fixture(scope="module")
def batch() -> Batch:
    samples = Samples(Plan(16, 1, 3), 1, DIM, "drawing")
    return draw_batch(samples, torch.arange(16), empty_state(new_head(8), 16), 0.0, torch.Generator().manual_seed(0))


def go(method: AdamW, batch: Batch, steps: int) -> None:
    for _ in range(steps):
        method.head.zero_grad()
        method.loss(method.head, batch)[0].backward()  # type: ignore[no-untyped-call]
        method.step(batch)


def proxvp(settings: ProxSettings | None = None) -> ProxVP:
    torch.manual_seed(0)
    return ProxVP(new_head(8), 100, PROTOTYPES_128, settings)


def test_within_an_inner_loop_only_the_network_moves_then_the_centre_follows_and_the_head_is_solved_for(batch: Batch) -> None:
    method = proxvp(ProxSettings(inner_steps=3, observe_every=1, settle=0.0))
    started = copy.deepcopy(method.centre.state_dict())
    go(method, batch, 2)
    assert all(torch.equal(value, started[name]) for name, value in method.centre.state_dict().items())
    assert not torch.equal(method.head.place.weight, method.centre.place.weight)
    go(method, batch, 1)
    half_way = started["place.weight"].lerp(method.head.place.weight.detach(), method.settings.follow)
    assert torch.allclose(method.centre.place.weight, half_way)
    for head in (method.head, method.centre):
        assert torch.allclose(weights_of(head, PROTOTYPES_128), method.weights_KE, atol=1e-5)
    assert not torch.equal(method.centre.weight_delta, started["weight_delta"])


def test_young_averages_count_the_newest_for_settle_over_turns_and_never_less_than_their_lowest_share() -> None:
    """4 / (n + 1): 2, 1.3, 1, then 4/5 at the fourth turn; below .04 from the hundredth on."""
    settings = ProxSettings(settle=4.0)
    assert [settings.share(0.04, turn) for turn in (1, 3, 4, 7, 99, 1000)] == pytest.approx([1.0, 1.0, 0.8, 0.5, 0.04, 0.04])
    assert ProxSettings(settle=0.0).share(0.15, 1) == 0.15


def test_the_first_turns_of_the_centre_go_all_the_way_and_later_ones_less(batch: Batch) -> None:
    method = proxvp(ProxSettings(inner_steps=1, observe_every=1))
    go(method, batch, 3)
    assert torch.allclose(method.centre.place.weight, method.head.place.weight)
    before = method.centre.place.weight.detach().clone()
    go(method, batch, 1)
    assert torch.allclose(method.centre.place.weight, before.lerp(method.head.place.weight.detach(), 0.8), atol=1e-7)


def test_the_gradient_never_moves_the_head_and_the_pull_is_the_exact_proximal_step(batch: Batch) -> None:
    """AdamW's own step from the same place, then a share lr mu / (1 + lr mu) = .005 / 1.005 of the way back to the centre."""
    method = proxvp()
    plain = copy.deepcopy(method.head)
    beside = AdamW(plain, 100, PROTOTYPES_128)
    beside.optimiser = torch.optim.AdamW(
        [{"params": [one], "weight_decay": 0.02 if one.dim() > 1 else 0.0} for one in plain.parameters()], lr=2e-3
    )  # fmt: skip
    before = method.centre.place.weight.detach().clone()
    go(method, batch, 1)
    plain.load_state_dict(proxvp().head.state_dict())
    plain.zero_grad()
    method.loss(plain, batch)[0].backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_([one for name, one in plain.named_parameters() if name not in HEAD_WEIGHTS], 2.0)
    beside.optimiser.step()
    expected = plain.place.weight.lerp(before, 0.005 / 1.005)
    assert torch.allclose(method.head.place.weight, expected, atol=1e-7)
    assert torch.equal(method.head.bias, method.centre.bias)


def test_solves_on_one_batch_bring_the_head_to_its_optimum_there(batch: Batch) -> None:
    """A frozen network: the certificate falls with every solve."""
    method, left = proxvp(), []
    cells = batch_cells(method.centre, PROTOTYPES_128, batch)
    for _ in range(6):
        left.append(certificate(method.weights_KE, cells, method.ridge))
        method.statistics.absorb(method.weights_KE, cells, 1.0)
        method.weights_KE = method.statistics.solve(method.ridge)
    assert left == sorted(left, reverse=True)
    assert left[-1] < 0.1 * left[0]


def test_a_diagnosis_measures_the_certificate_and_the_curvature_at_the_centre(batch: Batch) -> None:
    method = proxvp()
    found = diagnose(method, batch, 1)
    assert found is not None
    assert found.sharpness > 0.0
    assert found.certificate_nats > 0.0
    assert found.mu_over_rho == pytest.approx(found.mu / found.rho)
    assert diagnose(AdamW(new_head(8), 10, PROTOTYPES_128), batch, 1) is None


def test_the_average_of_adamw_is_never_fed_back(batch: Batch) -> None:
    torch.manual_seed(0)
    plain, averaged = (kind(new_head(8), 10, PROTOTYPES_128) for kind in (AdamW, AdamWEma))
    averaged.head.load_state_dict(plain.head.state_dict())
    averaged.deployed().load_state_dict(plain.head.state_dict())
    started = plain.head.bias.detach().clone()
    for method in (plain, averaged):
        go(method, batch, 1)
    assert torch.equal(plain.head.bias, averaged.head.bias)
    assert torch.allclose(averaged.deployed().bias, started.lerp(plain.head.bias.detach(), 1.0 - EMA_DECAY))


def test_schedule_free_deploys_the_weighted_mean_of_its_fast_weights(batch: Batch) -> None:
    torch.manual_seed(0)
    method = ScheduleFree(new_head(8), 20, PROTOTYPES_128)
    index = [name for name, _ in method.head.named_parameters()].index("bias")
    mean, total = torch.zeros_like(method.head.bias), 0.0
    for _ in range(4):
        before = method.rate_sum
        go(method, batch, 1)
        weight = method.rate_sum - before
        mean, total = mean + weight * method.base[index], total + weight
    assert torch.allclose(method.deployed().bias, mean / total, atol=1e-6)
    assert torch.allclose(method.head.bias, method.base[index].lerp(method.deployed().bias, BETA_1), atol=1e-6)
