"""Boxes and classes of Action Genome's things that COCO lacks: a third head on the frozen pyramid, beside the detector's two.

The detector's own output is not touched; what this head finds stands behind it (model/suppression.py).
B batch, E extra classes, A anchors of all levels, F features.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.anchors import SHAPES
from model.detector import NUM_FEATURES, Detections
from model.vocabulary import ACTION_GENOME_ONLY

NUM_EXTRA = len(ACTION_GENOME_ONLY)
DEPTH = 2
START_CHANCE = 0.005


class ExtraClasses(nn.Module):
    """Separable convolutions shared by all levels, then class logits and box deltas of the nine anchors of every cell."""

    def __init__(self) -> None:
        super().__init__()
        self.depthwise = nn.ModuleList(nn.Conv2d(NUM_FEATURES, NUM_FEATURES, 3, padding=1, groups=NUM_FEATURES) for _ in range(DEPTH))
        self.pointwise = nn.ModuleList(nn.Conv2d(NUM_FEATURES, NUM_FEATURES, 1) for _ in range(DEPTH))
        self.predict = nn.Conv2d(NUM_FEATURES, (NUM_EXTRA + 4) * len(SHAPES), 1)
        nn.init.normal_(self.predict.weight, std=0.01)
        odds = -math.log((1 - START_CHANCE) / START_CHANCE)
        self.predict.bias = nn.Parameter(torch.cat([torch.full((NUM_EXTRA * len(SHAPES),), odds), torch.zeros(4 * len(SHAPES))]))

    def forward(self, pyramid: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Class logits (B, E, A) and box deltas (B, 4, A), in the anchors' order."""
        values_BVA = torch.cat([self._level(level) for level in pyramid], 2)
        return values_BVA[:, :NUM_EXTRA], values_BVA[:, NUM_EXTRA:]

    def detect(self, raw: Detections) -> Detections:
        """The same frame's detections, with this head's classes and boxes in place of COCO's."""
        logits_BEA, deltas_B4A = self(raw.pyramid)
        return raw._replace(logits_BCA=logits_BEA, deltas_B4A=deltas_B4A)

    def _level(self, x_BFHW: Tensor) -> Tensor:
        for depthwise, pointwise in zip(self.depthwise, self.pointwise, strict=True):
            x_BFHW = F.relu6(pointwise(depthwise(x_BFHW)))
        values: Tensor = self.predict(x_BFHW)
        return values.reshape(x_BFHW.shape[0], NUM_EXTRA + 4, -1)
