"""Likeness of boxes and of distributions, all pairs at once. Pure.

Shape suffixes: A and B items, 4 = (x0, y0, x1, y1), C classes, D embedding.
"""

from dataclasses import dataclass

import numpy as np

from service.pipeline.types import Floats

EPS = 1e-9


@dataclass(frozen=True, slots=True)
class Overlap:
    """Of every a with every b; each likeness is worked out when it is asked for."""

    low_4AB: Floats
    high_4AB: Floats
    shared_AB: Floats
    area_A1: Floats
    area_1B: Floats

    @property
    def iou(self) -> Floats:
        """Intersection over union."""
        iou_AB: Floats = self.shared_AB / (self._union + EPS)
        return iou_AB

    @property
    def giou(self) -> Floats:
        """Generalised IoU, in (-1, 1] (Rezatofighi et al. 2019)."""
        union_AB = self._union
        hull_AB = (self.high_4AB[2] - self.low_4AB[0]) * (self.high_4AB[3] - self.low_4AB[1])
        giou_AB: Floats = self.shared_AB / (union_AB + EPS) - (hull_AB - union_AB) / (hull_AB + EPS)
        return giou_AB

    @property
    def inside(self) -> Floats:
        """Shared area over the smaller box's area."""
        inside_AB: Floats = self.shared_AB / (np.minimum(self.area_A1, self.area_1B) + EPS)
        return inside_AB

    @property
    def _union(self) -> Floats:
        union_AB: Floats = self.area_A1 + self.area_1B - self.shared_AB
        return union_AB


def overlap(a_A4: Floats, b_B4: Floats) -> Overlap:
    """Overlap of every a with every b."""
    a_4A1, b_41B = a_A4.T[:, :, None], b_B4.T[:, None, :]
    low_4AB, high_4AB = np.minimum(a_4A1, b_41B), np.maximum(a_4A1, b_41B)
    width_AB, height_AB = np.maximum(low_4AB[2:] - high_4AB[:2], 0.0)
    return Overlap(low_4AB, high_4AB, width_AB * height_AB, area(a_A4)[:, None], area(b_B4)[None, :])


def area(boxes_A4: Floats) -> Floats:
    """Area of each box."""
    areas: Floats = (boxes_A4[:, 2] - boxes_A4[:, 0]) * (boxes_A4[:, 3] - boxes_A4[:, 1])
    return areas


def cosine(a_AD: Floats, b_BD: Floats) -> Floats:
    """Cosine of every a with every b; a zero vector is like nothing (0)."""
    likeness: Floats = _unit(a_AD) @ _unit(b_BD).T
    return likeness


def _unit(a_AD: Floats) -> Floats:
    unit_AD: Floats = a_AD / (np.sqrt((a_AD * a_AD).sum(1, keepdims=True)) + EPS)
    return unit_AD


def jensen_shannon(p_AC: Floats, q_BC: Floats, ignore: float = 0.01) -> Floats:
    """Jensen-Shannon divergence in bits, in [0, 1], of every p with every q.

    Classes below `ignore` in every row are pooled into one, so the cost follows the classes that are in play.
    """
    if not len(p_AC) or not len(q_BC):
        return np.zeros((len(p_AC), len(q_BC)))
    used_C = np.maximum(p_AC.max(0), q_BC.max(0)) > ignore
    p, q = _pooled(p_AC, used_C), _pooled(q_BC, used_C)
    mixed = 0.5 * (p[:, None] + q[None])
    divergence: Floats = _entropy(mixed) - 0.5 * (_entropy(p)[:, None] + _entropy(q)[None])
    return np.minimum(np.maximum(divergence, 0.0), 1.0)


def _pooled(p_AC: Floats, used_C: Floats) -> Floats:
    kept = p_AC[:, used_C]
    return np.concatenate([kept, np.maximum(1.0 - kept.sum(1, keepdims=True), 0.0)], axis=1)


def _entropy(p: Floats) -> Floats:
    entropy: Floats = -(p * np.log2(p + EPS)).sum(-1)
    return entropy
