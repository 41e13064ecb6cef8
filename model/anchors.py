"""Anchors of EfficientDet (Tan et al. 2020): where the detector's boxes start from. Pure arithmetic on sizes; exportable.

A anchors of all levels, level by level, within a level row-major, the shapes of a cell together; S shapes;
4 = (centre x, centre y, width, height) as fractions of the canvas.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

BASE_SCALE = 3.0
OCTAVES = (1.0, 2.0 ** (1 / 3), 2.0 ** (2 / 3))
ASPECTS = (1.0, 2.0, 0.5)
SHAPES: tuple[tuple[float, float], ...] = tuple(
    (BASE_SCALE * octave * aspect**0.5, BASE_SCALE * octave / aspect**0.5) for octave in OCTAVES for aspect in ASPECTS
)
"""The nine (width, height) in units of one cell."""


def level_anchors(height: int, width: int, device: torch.device | None = None) -> Tensor:
    """Anchors (4, 9 * height * width) of a feature map. A cell is the canvas over the map's size, as the published model has it.

    Filled in on the device: a CUDA graph may hold no copy from the host.
    """
    x_HW = ((torch.arange(width, dtype=torch.float32, device=device) + 0.5) / width).expand(height, width)
    y_HW = ((torch.arange(height, dtype=torch.float32, device=device) + 0.5) / height).unsqueeze(1).expand(height, width)
    wide_S, high_S = (torch.cat([torch.full((1,), side, device=device) for side in sides]) for sides in zip(*SHAPES, strict=True))
    cells = (height, width, len(SHAPES))
    columns = (x_HW.unsqueeze(2), y_HW.unsqueeze(2), wide_S / width, high_S / height)
    return torch.stack([column.expand(cells) for column in columns]).flatten(1)


def all_anchors(sizes: Sequence[tuple[int, int]], device: torch.device | None = None) -> Tensor:
    """Anchors (4, A) of all levels, given their (height, width)."""
    return torch.cat([level_anchors(height, width, device) for height, width in sizes], dim=1)


def decode(deltas_B4A: Tensor, anchors_B4A: Tensor) -> Tensor:
    """Boxes (B, A, 4) as (x0, y0, x1, y1) from the network's (dy, dx, log height, log width), as in Faster R-CNN."""
    dy, dx, log_h, log_w = deltas_B4A.unbind(1)
    x, y, w, h = anchors_B4A.unbind(1)
    centre_x, centre_y = x + dx * w, y + dy * h
    half_w, half_h = 0.5 * w * torch.exp(log_w), 0.5 * h * torch.exp(log_h)
    return torch.stack([centre_x - half_w, centre_y - half_h, centre_x + half_w, centre_y + half_h], dim=-1)
