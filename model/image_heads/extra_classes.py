"""Boxes and classes of Action Genome's things that COCO lacks: a third head on the frozen pyramid, beside the detector's two.

The detector's own output is not touched; what this head finds stands behind it (model/suppression.py). It leaves out the finest level:
three quarters of the cells lie there, and nothing that small was ever found with trust (model/LOG.md).
B batch, E extra classes, A anchors of its levels, F features.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.anchors import SHAPES
from model.detector import NUM_FEATURES, Detections, shape_major
from model.vocabulary import ACTION_GENOME_ONLY

NUM_EXTRA = len(ACTION_GENOME_ONLY)
FIRST_LEVEL = 1
"""Of the pyramid: cells of 16 pixels and more."""
WIDTH = 96
DEPTH = 3
START_CHANCE = 0.005


class ExtraClasses(nn.Module):
    """Separable convolutions shared by all levels, then class logits and box deltas of the nine anchors of every cell."""

    def __init__(self) -> None:
        super().__init__()
        widths = (NUM_FEATURES, *(WIDTH,) * DEPTH)
        self.depthwise = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1, groups=width) for width in widths[:-1])
        self.pointwise = nn.ModuleList(nn.Conv2d(before, after, 1) for before, after in pairwise(widths))
        self.predict = nn.Conv2d(WIDTH, (NUM_EXTRA + 4) * len(SHAPES), 1)
        nn.init.normal_(self.predict.weight, std=0.01)
        odds = -math.log((1 - START_CHANCE) / START_CHANCE)
        self.predict.bias = nn.Parameter(torch.cat([torch.full((NUM_EXTRA * len(SHAPES),), odds), torch.zeros(4 * len(SHAPES))]))

    def forward(self, levels: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Class logits (B, E, A) and box deltas (B, 4, A) of the pyramid's levels from FIRST_LEVEL on, in the anchors' order."""
        values_BAV = torch.cat([self._level(level) for level in levels], 1)
        logits_BAE, deltas_BA4 = torch.split(values_BAV, [NUM_EXTRA, 4], 2)  # one Split: OpenVINO mistakes two slices
        return logits_BAE.transpose(1, 2), deltas_BA4.transpose(1, 2)

    def detect(self, raw: Detections) -> Detections:
        """The same frame's detections, with this head's classes, boxes and anchors in place of COCO's."""
        logits_BEA, deltas_B4A = self(raw.pyramid[FIRST_LEVEL:])
        anchors_4A = raw.anchors_4A[:, raw.anchors_4A.shape[1] - logits_BEA.shape[2] :]
        return raw._replace(logits_BCA=logits_BEA, deltas_B4A=deltas_B4A, anchors_4A=anchors_4A)

    def _level(self, x_BFHW: Tensor) -> Tensor:
        for depthwise, pointwise in zip(self.depthwise, self.pointwise, strict=True):
            x_BFHW = F.relu6(pointwise(depthwise(x_BFHW)))
        assert self.predict.bias is not None
        weight, bias = (shape_major(rows, NUM_EXTRA + 4) for rows in (self.predict.weight, self.predict.bias))
        values = F.conv2d(x_BFHW, weight, bias)
        return values.permute(0, 2, 3, 1).reshape(x_BFHW.shape[0], -1, NUM_EXTRA + 4)
