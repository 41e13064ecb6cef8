"""What the proximal centre is for, on a toy: an exactly solved head makes a short window's luck worse unless the centre holds it."""

import copy
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from model.losses import ATTENTION_WEIGHT
from model.proxvp.convex import Cells, Ridge, Statistics, data_loss
from model.proxvp.curves import upward_variation
from model.scene_head import FIRST_SPATIAL, SUPPORT
from tests.model.proxvp.toy import DIM, K, Trunk

INPUTS, HIDDEN, FRAMES, CLIPS = 16, 32, 6, 60
STEPS, INNER, RATE = 120, 8, 2e-2
SEEDS = (0, 1)


class World(NamedTuple):
    """Clips of correlated frames: inputs and truth of each, the first ones for the probe."""

    inputs_CFI: Tensor
    labels_CFK: Tensor


class Way(NamedTuple):
    """How to train: whether the head is solved for, the share of a batch in its statistics, the pull to the centre (0: no centre)."""

    solved: bool
    rate: float
    pull: float


def draw(seed: int) -> World:
    generator = torch.Generator().manual_seed(seed)
    base = torch.randn(CLIPS, 1, INPUTS, generator=generator).double()
    inputs = base + 0.3 * torch.randn(CLIPS, FRAMES, INPUTS, generator=generator).double()
    embeddings = F.normalize(torch.tanh(inputs @ torch.randn(INPUTS, DIM, generator=generator).double() / 3), dim=2)
    logits = 5.0 * embeddings @ torch.randn(DIM, K, generator=generator).double() - 1.0
    labels = (torch.rand(logits.shape, generator=generator).double() < torch.sigmoid(logits)).double()
    labels[..., :FIRST_SPATIAL] = F.one_hot(logits[..., :FIRST_SPATIAL].argmax(2), FIRST_SPATIAL).double()
    labels[..., SUPPORT] = F.one_hot(F.pad(logits[..., SUPPORT], (0, 1)).argmax(2), 4).double()[..., :3]
    return World(inputs, labels)


def cells(trunk: Trunk, world: World, rows_C: Tensor) -> Cells:
    labels_XK = world.labels_CFK[rows_C].flatten(0, 1)
    weights_XK = torch.ones_like(labels_XK)
    weights_XK[:, :FIRST_SPATIAL] = ATTENTION_WEIGHT
    return Cells(trunk(world.inputs_CFI[rows_C].flatten(0, 1)), labels_XK, weights_XK)


def train(way: Way, seed: int) -> list[float]:
    """The probe's losses, every INNER steps."""
    torch.manual_seed(seed)
    world, trunk, generator = draw(seed), Trunk(INPUTS, DIM, HIDDEN), torch.Generator().manual_seed(seed)
    centre, anchored = copy.deepcopy(trunk), Ridge(torch.zeros(K, DIM + 1).double(), 1e-3)
    weights, statistics = anchored.anchor_KE.clone().requires_grad_(not way.solved), Statistics(anchored.anchor_KE)
    optimiser = torch.optim.AdamW([*trunk.parameters(), *([] if way.solved else [weights])], lr=RATE)
    losses = []
    for step in range(1, STEPS + 1):
        rows = 20 + torch.randint(CLIPS - 20, (3,), generator=generator)
        optimiser.zero_grad()
        data_loss(weights, cells(trunk, world, rows)).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        with torch.no_grad():
            each(trunk, centre, lambda own, held: own.lerp_(held, way.pull))
            if way.solved:
                statistics.absorb(weights, cells(centre if way.pull else trunk, world, rows), way.rate)
            if step % INNER == 0:
                each(centre, trunk, lambda own, moved: own.lerp_(moved, 0.15 if way.pull else 1.0))
                weights = statistics.solve(anchored) if way.solved else weights
                losses.append(float(data_loss(weights, cells(centre, world, torch.arange(20))).detach()))
    return losses


def each(first: Trunk, second: Trunk, change: Callable[[Tensor, Tensor], Tensor]) -> None:
    for own, other in zip(first.parameters(), second.parameters(), strict=True):
        change(own, other)


def rises(way: Way) -> float:
    return sum(upward_variation(train(way, seed)) for seed in SEEDS) / len(SEEDS)


def test_an_exact_head_on_a_short_window_without_the_centre_is_worse_than_plain_adamw_and_the_centre_mends_it() -> None:
    plain, exact, held = rises(Way(False, 0.0, 0.0)), rises(Way(True, 0.5, 0.0)), rises(Way(True, 0.06, 0.02))
    assert exact > plain + 0.1
    assert held < 0.1 * exact
