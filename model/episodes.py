"""Episodes: every thing and every pair of a stream finds itself again, by place and looks, and goes on with what was thought of it.

The same conjugate-Gaussian step as ProxMemory, but one mean per thing or pair instead of one per class, without any index that lasts:
the last frames' tokens lie in a fixed number of rows, a new token attends to the rows near to it, and the rows with the most evidence
stay. The order of tokens and of rows means nothing. Knows no vocabulary.

B batch, L tokens, E rows, D width, V values (D - S), S place columns: (centre x, centre y, log width, log height) of one or two boxes in
units of the canvas height.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.geometry import sides
from model.memory import EPS, EVIDENCE_PER_S, MAX_DT_S, MAX_EVIDENCE

NUM_ROWS = 32
"""Rows for things and rows for pairs: as many as a frame shows at most."""
BOX_COLUMNS = 4
START_HALF_LIFE_S = 4.0
FOUND_AT = 8.0
"""Score of a token that finds itself exactly; whoever is not there has score 0."""
UNUSED = 1e4
LOOKS_AT_START, DIFFERS_AT_START = 3.0, -2.0
CENTRE_SPREAD, CENTRE_SPREAD_OF_SIZE, LOG_SIZE_SPREAD = 0.03, 0.2, 0.4
"""How far a box may have moved and grown: canvas heights, shares of its size, logarithm of its sides."""
SPREAD_DOUBLES_S = 0.5
"""The time over which the variance of a place doubles."""
HIDDEN = 32


class Recalled(NamedTuple):
    """What to add to each token, and the rows and counts after this frame."""

    change_BLD: Tensor
    rows_BED: Tensor
    counts_BE: Tensor


class Episodes(nn.Module):
    """The rows of one kind of token: things (one box) or pairs (two). Empty is all zeros, and adds nothing to any token."""

    def __init__(self, dim: int, num_boxes: int) -> None:
        super().__init__()
        self.num_columns = BOX_COLUMNS * num_boxes
        num_values = dim - self.num_columns
        self.value, self.back = nn.Linear(dim, num_values, bias=False), nn.Linear(num_values, dim, bias=False)
        self.reliability = nn.Sequential(nn.Linear(dim, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, 1))
        last = nn.Linear(HIDDEN, 1)
        self.differs = nn.Sequential(nn.Linear(3 * num_values, HIDDEN), nn.GELU(), last)
        self.half_life = nn.Parameter(torch.tensor(math.log(math.expm1(START_HALF_LIFE_S - 0.1))))
        self.looks = nn.Parameter(torch.tensor(math.log(math.expm1(LOOKS_AT_START))))
        self.sharpness = nn.Parameter(torch.zeros(self.num_columns))
        with torch.no_grad():
            self.value.weight.copy_(torch.eye(num_values, dim))
            self.back.weight.copy_(torch.eye(dim, num_values))
            last.bias.fill_(DIFFERS_AT_START)

    def half_life_s(self) -> Tensor:
        """Half-life of the evidence, in seconds."""
        return F.softplus(self.half_life) + 0.1

    def forward(
        self, tokens_BLD: Tensor, places_BLS: Tensor, weights_BL: Tensor, rows_BED: Tensor, counts_BE: Tensor, dt_B: Tensor
    ) -> Recalled:  # fmt: skip
        """One frame. `weights_BL` is 0 for unused tokens: they neither find nor leave anything."""
        values_BLV = F.normalize(self.value(tokens_BLD), dim=2)
        used_BL = (weights_BL > 0).to(weights_BL.dtype)
        found_BLE = self.find(values_BLV, places_BLS, used_BL, rows_BED, dt_B)
        inherited_BLE = found_BLE * counts_BE.unsqueeze(1)
        inherited_BL1 = inherited_BLE.sum(2, keepdim=True)
        before_BLV = inherited_BLE @ rows_BED[..., self.num_columns :] / (inherited_BL1 + EPS)
        evidence_BL = weights_BL * torch.sigmoid(self.reliability(tokens_BLD)).squeeze(2)
        differs_BL = F.softplus(self.differs(torch.cat([values_BLV, before_BLV, values_BLV * before_BLV], 2))).squeeze(2)

        dt_B1 = dt_B.clamp(0.0, MAX_DT_S).unsqueeze(1)
        rate_BL = 1.0 / self.half_life_s() + evidence_BL * differs_BL
        kept_BL = torch.exp2(-dt_B1 * rate_BL)
        added_BL = EVIDENCE_PER_S / (math.log(2.0) * rate_BL) * (1.0 - kept_BL) * evidence_BL
        prior_BL = kept_BL * inherited_BL1.squeeze(2)
        still_BL1 = (prior_BL / (prior_BL + added_BL + EPS)).unsqueeze(2)
        change_BLV = still_BL1 * (before_BLV - values_BLV)
        tokens_count_BL = (prior_BL + added_BL).clamp(max=MAX_EVIDENCE) * used_BL
        lost_BE = torch.exp2(-dt_B1 / self.half_life_s()) * counts_BE * (1.0 - found_BLE.sum(1)).clamp(min=0.0)
        new_BLD = torch.cat([places_BLS, values_BLV + change_BLV], 2)
        kept = keep(torch.cat([new_BLD, rows_BED], 1), torch.cat([tokens_count_BL, lost_BE], 1))
        return Recalled(self.back(change_BLV), *kept)

    def find(self, values_BLV: Tensor, places_BLS: Tensor, used_BL: Tensor, rows_BED: Tensor, dt_B: Tensor) -> Tensor:
        """The share of each row that each token inherits (B, L, E): of one row at most 1 in all, so that no evidence counts twice."""
        was_BES, was_BEV = rows_BED[..., : self.num_columns], rows_BED[..., self.num_columns :]
        sharp_BLS = self._sharpness(places_BLS, dt_B)
        squares_BLE = (sharp_BLS * places_BLS**2).sum(2, keepdim=True) + sharp_BLS @ (was_BES**2).transpose(1, 2)
        apart_BLE = (squares_BLE - 2.0 * (sharp_BLS * places_BLS) @ was_BES.transpose(1, 2)).clamp(min=0.0)
        alike_BLE = values_BLV @ F.normalize(was_BEV, dim=2).transpose(1, 2)
        score_BLE = FOUND_AT - apart_BLE - F.softplus(self.looks) * (1.0 - alike_BLE) - UNUSED * (1.0 - used_BL.unsqueeze(2))
        return torch.softmax(F.pad(score_BLE, (0, 0, 0, 1)), 1)[:, :-1]

    def _sharpness(self, places_BLS: Tensor, dt_B: Tensor) -> Tensor:
        """One over the variance of each place column from frame to frame."""
        boxes_BLK4 = places_BLS.reshape(*places_BLS.shape[:2], -1, BOX_COLUMNS)
        size_BLK1 = (0.5 * boxes_BLK4[..., 2:].sum(3, keepdim=True)).exp()
        centre_BLK1 = (CENTRE_SPREAD + CENTRE_SPREAD_OF_SIZE * size_BLK1) ** -2
        log_size_BLK1 = torch.full_like(centre_BLK1, LOG_SIZE_SPREAD**-2)
        sharp_BLS = torch.cat([centre_BLK1, centre_BLK1, log_size_BLK1, log_size_BLK1], 3).flatten(2)
        return self.sharpness.exp() * sharp_BLS / (1.0 + dt_B.clamp(0.0, MAX_DT_S) / SPREAD_DOUBLES_S)[:, None, None]


def keep(rows_BXD: Tensor, counts_BX: Tensor) -> tuple[Tensor, Tensor]:
    """The rows with the most evidence, as many as there is room for."""
    counts_BE, index_BE = counts_BX.topk(NUM_ROWS, dim=1)
    there_BE1 = (counts_BE > 0).to(rows_BXD.dtype).unsqueeze(2)
    return rows_BXD.gather(1, index_BE.unsqueeze(2).expand(-1, -1, rows_BXD.shape[2])) * there_BE1, counts_BE


def places_of(boxes_BL4: Tensor) -> Tensor:
    """Place columns of boxes in units of the canvas height (B, L, 4)."""
    width_BL, height_BL = sides(boxes_BL4)
    middle_BL2 = (boxes_BL4[..., :2] + boxes_BL4[..., 2:]) / 2
    return torch.cat([middle_BL2, torch.stack([width_BL.log(), height_BL.log()], 2)], 2)
