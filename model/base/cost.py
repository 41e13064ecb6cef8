"""What a size costs: parameters and operations by part, counted on shapes alone, and the time of a frame here. Knows no weights.

An operation count covers matrix products and convolutions, attention included, two operations a multiply-add; one frame, B = 1.
"""

import time
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from model.base.clip_text import TextTower
from model.base.network import Base, BaseDetector
from model.base.size import CANVAS_STRIDE, Size
from model.scene_head import SceneHead
from model.vocabulary import MODERATION_V1

PAPER_HW = (384, 600)
PAPER_PARAMETERS, PAPER_FLOPS = 163_370_000, 42_740_000_000
TIMED_FRAMES = 5


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the network; `flops` of one frame."""

    name: str
    parameters: int
    flops: int


def canvas_hw() -> tuple[int, int]:
    """The smallest canvas that holds the paper's frame: sides are multiples of 32."""
    height, width = (-(-side // CANVAS_STRIDE) * CANVAS_STRIDE for side in PAPER_HW)
    return height, width


def new_network(size: Size) -> Base:
    """A network with random weights, on torch's default device."""
    head = SceneHead(size.dim, len(MODERATION_V1.objects), len(MODERATION_V1.predicates), episodes=True)
    return Base(BaseDetector(size), head).eval().requires_grad_(False)


def parts(size: Size) -> list[Part]:
    """All parts, on the paper's canvas. The text tower runs when a checkpoint is built: a frame does not pay for it."""
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        network, text = new_network(size), TextTower(size)
        network(*frame(network, size))
    flops = {name: sum(counts.values()) for name, counts in counter.get_flop_counts().items()}
    detector = network.detector
    return [
        Part("image tower", _count(detector.image), flops["Base.detector.image"]),
        Part("text tower", _count(text), 0),
        Part("decoder", _count(detector.decoder), flops["Base.detector.decoder"]),
        Part("cues", _count(detector.cues), flops["Base.detector.cues"]),
        Part("scene head and memory", _count(network.head), flops["Base.head"]),
    ]


@torch.no_grad()
def frame_ms(size: Size) -> float:
    """The median time of a frame with random weights by PyTorch, on the CPU and torch's threads."""
    network = new_network(size)
    inputs, taken_s = frame(network, size), []
    for _ in range(TIMED_FRAMES):
        begun = time.perf_counter()
        network(*inputs)
        taken_s.append(time.perf_counter() - begun)
    return 1e3 * median(taken_s)


def frame(network: Base, size: Size) -> tuple[Tensor, ...]:
    """A black frame, an empty memory, and prototypes of nothing: shapes are fixed, so what is to be seen costs no time."""
    prototypes = (torch.zeros(len(MODERATION_V1.objects), size.dim), torch.zeros(len(MODERATION_V1.predicates), size.dim))
    memory = (torch.zeros(1, network.num_slots, size.dim), torch.zeros(1, network.num_slots), torch.zeros(1))
    return torch.zeros(1, *canvas_hw(), 3, dtype=torch.uint8), *memory, *prototypes


def _count(part: nn.Module) -> int:
    return sum(one.numel() for one in part.parameters())
