"""From patch features to the things of a frame: learned queries, one thing each, so that no two need suppressing. Knows no pixels.

After DETR (Carion et al. 2020); classes are cosines with prototypes, so that a vocabulary is data here too.
B batch, Q queries, N entity slots, L patches, h w patches of the canvas, J joint width of image and text, D embedding, C object classes,
4 = (x0, y0, x1, y1) as fractions of the canvas.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.base.block import join_heads, split_heads
from model.base.size import Size, TowerSize

START_SCALE, START_CHANCE = 10.0, 0.01
"""A query's logits before training: cosines times the one, and about the other's chance for every class (Lin et al. 2017)."""
WAVE_LENGTH = 10_000.0


class Found(NamedTuple):
    """What the queries say, in no order: boxes, class logits, and the queries themselves; and the features that they have read."""

    boxes_BQ4: Tensor
    logits_BQC: Tensor
    queries_BQD: Tensor
    features_BDhw: Tensor


class Attention(nn.Module):
    """Multi-head attention of some tokens to others."""

    def __init__(self, size: TowerSize) -> None:
        super().__init__()
        self.heads = size.heads
        self.query, self.key, self.value, self.out = (nn.Linear(size.width, size.width) for _ in range(4))

    def forward(self, asking_BQD: Tensor, keys_BLD: Tensor, values_BLD: Tensor) -> Tensor:
        parts = ((self.query, asking_BQD), (self.key, keys_BLD), (self.value, values_BLD))
        q, k, v = (split_heads(layer(x), self.heads) for layer, x in parts)
        out: Tensor = self.out(join_heads(F.scaled_dot_product_attention(q, k, v)))
        return out


class DecoderLayer(nn.Module):
    """Queries look at each other, then at the picture, then think."""

    def __init__(self, size: TowerSize) -> None:
        super().__init__()
        self.each_other, self.picture = Attention(size), Attention(size)
        self.widen, self.narrow = nn.Linear(size.width, size.inner), nn.Linear(size.inner, size.width)
        self.norms = nn.ModuleList(nn.LayerNorm(size.width) for _ in range(3))

    def forward(self, x_BQD: Tensor, queries_QD: Tensor, keys_BLD: Tensor, values_BLD: Tensor) -> Tensor:
        placed_BQD = x_BQD + queries_QD
        x_BQD = self.norms[0](x_BQD + self.each_other(placed_BQD, placed_BQD, x_BQD))
        x_BQD = self.norms[1](x_BQD + self.picture(x_BQD + queries_QD, keys_BLD, values_BLD))
        out: Tensor = self.norms[2](x_BQD + self.narrow(F.relu(self.widen(x_BQD))))
        return out


class Decoder(nn.Module):
    """Patch features (B, J, h, w) and object prototypes to `Found`."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        dim = size.dim
        self.read = nn.Conv2d(size.joint, dim, 1)
        self.queries = nn.Parameter(torch.randn(size.queries, dim))
        self.start = nn.Parameter(torch.randn(size.queries, dim) * 0.02)
        self.layers = nn.ModuleList(DecoderLayer(size.decoder) for _ in range(size.decoder.layers))
        self.box = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, 4))
        self.name = nn.Linear(dim, dim)
        self.scale = nn.Parameter(torch.tensor(START_SCALE))
        self.bias = nn.Parameter(torch.tensor(-math.log(1.0 / START_CHANCE - 1.0)))

    def forward(self, features_BJhw: Tensor, object_prototypes_CD: Tensor) -> Found:
        features_BDhw = self.read(features_BJhw)
        places_Dhw = wave_positions(features_BDhw)
        values_BLD = features_BDhw.flatten(2).transpose(1, 2)
        keys_BLD = values_BLD + places_Dhw.flatten(1).T
        x_BQD = self.start.expand(features_BJhw.shape[0], -1, -1)
        for layer in self.layers:
            x_BQD = layer(x_BQD, self.queries, keys_BLD, values_BLD)
        logits_BQC = self.scale * F.normalize(self.name(x_BQD), dim=2) @ object_prototypes_CD.T + self.bias
        return Found(_corners(torch.sigmoid(self.box(x_BQD))), logits_BQC, x_BQD, features_BDhw)


def wave_positions(features_BDhw: Tensor) -> Tensor:
    """Where each patch lies, as sines and cosines (D, h, w): half of the columns for the row, half for the column, both as fractions."""
    dim, rows, columns = features_BDhw.shape[1:]
    device = features_BDhw.device
    rate_V = WAVE_LENGTH ** (-torch.arange(dim // 4, device=device, dtype=torch.float32) / (dim // 4))
    waves = []
    for count in (rows, columns):
        at_X = (torch.arange(count, device=device, dtype=torch.float32) + 0.5) * (2.0 * math.pi / count)
        angle_VX = rate_V[:, None] * at_X
        waves.append(torch.cat([angle_VX.sin(), angle_VX.cos()]))
    down_Vh1, across_V1w = waves[0].unsqueeze(2), waves[1].unsqueeze(1)
    places_Dhw = torch.cat([down_Vh1.expand(-1, -1, columns), across_V1w.expand(-1, rows, -1)])
    return places_Dhw.to(features_BDhw.dtype)


def _corners(middle_BQ4: Tensor) -> Tensor:
    """(centre x, centre y, width, height) to corners inside the canvas."""
    centre_BQ2, half_BQ2 = middle_BQ4[..., :2], 0.5 * middle_BQ4[..., 2:]
    return torch.cat([centre_BQ2 - half_BQ2, centre_BQ2 + half_BQ2], 2).clamp(0.0, 1.0)
