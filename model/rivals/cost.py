"""What a row costs when it runs: parameters, operations and pace of the whole network with its head, beside the network with the plain one.

Paces are measured in turns, a frame a row and round, so that what else a machine does falls on all rows alike: ratios hold, milliseconds
are for information. Knows no training. Images are B = 1, H x W = 256 x 448.
"""

import time
from collections.abc import Mapping
from statistics import median

import torch
from msgspec import Struct
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from model.entities import Entities, no_cues
from model.nano import Nano
from model.rollout import empty_state
from model.scene_head import NUM_PAIRS, SceneHead
from model.suppression import NUM_ENTITIES
from model.text import Prototypes

HEIGHT, WIDTH = 256, 448


class Cost(Struct, frozen=True):
    """One row's whole network: detector, image heads, scene head. `flops` counts matrix products and convolutions of one frame, two a
    multiply-add; `pace` is its frames a second over the base row's, `ms` its median frame."""

    row: str
    parameters: int
    flops: int
    pace: float
    ms: float


def costs(heads: Mapping[str, SceneHead], base: str, network: Nano, prototypes: Prototypes, rounds: int) -> list[Cost]:
    """All rows in turns, `rounds` times, on as many threads as torch has. The base row is one of them."""
    networks = {name: Nano(network.detector, head, network.image_heads).eval() for name, head in heads.items()}
    flops = {name: network_flops(one, prototypes) for name, one in networks.items()}
    taken: dict[str, list[float]] = {name: [] for name in networks}
    for _ in range(rounds):
        for name, one in networks.items():
            taken[name].append(_seconds(one, prototypes))
    return [
        Cost(name, num_parameters(one), flops[name], pace(taken[name], taken[base]), 1e3 * median(taken[name]))
        for name, one in networks.items()
    ]


def pace(taken_s: list[float], base_s: list[float]) -> float:
    """How many frames a row makes while the base makes one: the median over rounds."""
    return median(base / own for own, base in zip(taken_s, base_s, strict=True))


def num_parameters(network: Nano) -> int:
    """All weights that run, the text prototypes not among them."""
    return sum(one.numel() for one in network.parameters())


@torch.no_grad()
def network_flops(network: Nano, prototypes: Prototypes) -> int:
    """Of one frame."""
    with FlopCounterMode(display=False) as counter:
        network(*_inputs(network), *prototypes)
    return int(counter.get_total_flops())


@torch.no_grad()
def head_flops(head: SceneHead, prototypes: Prototypes) -> int:
    """Matrix products for one frame of 32 entities and 32 pairs, two operations a multiply-add."""
    boxes_BN4 = torch.rand(1, NUM_ENTITIES, 4, generator=torch.Generator().manual_seed(0)).sort(2).values
    probs_BNC = torch.full((1, NUM_ENTITIES, len(prototypes.objects_CD)), 0.5)
    dim = prototypes.objects_CD.shape[1]
    entities = Entities(boxes_BN4, torch.ones(1, NUM_ENTITIES), probs_BNC, torch.zeros(1, NUM_ENTITIES, dim), no_cues(boxes_BN4))
    head.num_pairs = NUM_PAIRS
    state = empty_state(head, 1)
    with FlopCounterMode(display=False) as counter:
        head(entities, torch.ones(1), state.memory_BPD, state.counts_BP, torch.ones(1), *prototypes)
    return int(counter.get_total_flops())


@torch.no_grad()
def _seconds(network: Nano, prototypes: Prototypes) -> float:
    begun = time.perf_counter()
    network(*_inputs(network), *prototypes)
    return time.perf_counter() - begun


def _inputs(network: Nano) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A frame of noise and an empty memory: shapes are fixed, so what is to be seen costs no time."""
    pixels_BHW3 = torch.randint(0, 256, (1, HEIGHT, WIDTH, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    state = empty_state(network.head, 1)
    return pixels_BHW3, state.memory_BPD, state.counts_BP, torch.full((1,), 0.1)
