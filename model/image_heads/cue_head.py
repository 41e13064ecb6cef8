"""What a person's pixels say beyond the box: palms, their contact, where the head points, whether the face shows, posture.

Reads frozen trunk and pyramid features inside the box of the surest people, area-averaged onto one small grid. Knows no relations.

B batch, N entity slots, M people looked at, X people in any order, F features, H W feature map, R x G the grid (rows, columns),
2 hands (left, right), 4 = (x0, y0, x1, y1) as fractions of the canvas.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.annotations import POSTURES
from model.appearance import coverage
from model.detector import NUM_FEATURES, TAP_CHANNELS
from model.entities import Cues

NUM_PEOPLE = 6
ROWS, COLUMNS = 16, 12
MARGIN = 0.08
"""How far beyond the box, in box sizes, the grid reaches: hands often lie on its edge."""
GRID_FEATURES = NUM_FEATURES + TAP_CHANNELS[1]
NUM_BOX_COLUMNS = 7
WIDTH = 64
DEPTH = 3
NUM_HANDS = 2
CUE_WIDTHS = [2 * NUM_HANDS, NUM_HANDS, NUM_HANDS, 3, 1, len(POSTURES), 1]
"""Columns of each field of `Cues`, in order: one Split in the exported graph, since OpenVINO mistakes sibling slices."""
MIN_PERSON = 0.05
"""Score times chance of being a person below which nobody looks for hands."""


class Look(NamedTuple):
    """Raw output for X people, places as fractions of the grid: hand heat (X, 2, R * G), palms (X, 2, 2), logits of seen and contact
    (X, 2), gaze (X, 3) of unit length, logits of face (X) and posture (X, 4)."""

    heat_XHG: Tensor
    palms_XH2: Tensor
    seen_XH: Tensor
    contact_XH: Tensor
    gaze_X3: Tensor
    face_X: Tensor
    posture_X4: Tensor


class Block(nn.Module):
    """A separable convolution that adds to its input."""

    def __init__(self) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(WIDTH, WIDTH, 5, padding=2, groups=WIDTH)
        self.pointwise = nn.Conv2d(WIDTH, WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + F.relu(self.pointwise(self.depthwise(x)))


class CueHead(nn.Module):
    """Features and entities to `Cues`."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(GRID_FEATURES + 2, WIDTH, 1)
        self.blocks = nn.Sequential(*(Block() for _ in range(DEPTH)))
        self.heat = nn.Conv2d(WIDTH, NUM_HANDS, 1)
        self.hand = nn.Sequential(nn.Linear(WIDTH, 32), nn.ReLU(), nn.Linear(32, 2))
        pooled = WIDTH * (ROWS // 4) * (COLUMNS // 4)
        self.whole = nn.Sequential(
            nn.Linear(pooled + NUM_BOX_COLUMNS, 96), nn.ReLU(), nn.Dropout(0.2), nn.Linear(96, 3 + 1 + len(POSTURES))
        )

    def forward(self, features: tuple[Tensor, Tensor], boxes_BN4: Tensor, people_BN: Tensor, aspect_B: Tensor) -> Cues:
        """`features` are pyramid level 3 and trunk tap 1; `people_BN` is score times chance of being a person, 0 in unused slots."""
        weight_BM, slots_BM = people_BN.topk(NUM_PEOPLE, dim=1)
        rois_BM4 = widen(boxes_BN4.gather(1, slots_BM.unsqueeze(2).expand(-1, -1, 4)))
        grids_BMFRG = grids(features, rois_BM4)
        look = self.look(grids_BMFRG.flatten(0, 1), box_columns(rois_BM4, aspect_B).flatten(0, 1))
        known_BM = (weight_BM > MIN_PERSON).to(boxes_BN4.dtype)
        return _to_slots(look, rois_BM4, slots_BM, known_BM, boxes_BN4.shape[1])

    def look(self, grids_XFRG: Tensor, box_columns_XC: Tensor) -> Look:
        """All cues of X people from their grids."""
        count = grids_XFRG.shape[0]
        centres_2G = cell_centres(grids_XFRG.device).to(grids_XFRG.dtype)
        x = torch.cat([grids_XFRG, centres_2G.reshape(2, ROWS, COLUMNS).expand(count, -1, -1, -1)], 1)
        x = self.blocks(F.relu(self.mix(x)))
        heat_XHG = self.heat(x).flatten(2)
        attention_XHG = torch.softmax(heat_XHG, 2)
        hand_XHF = attention_XHG @ x.flatten(2).transpose(1, 2)
        seen_contact_XH2 = self.hand(hand_XHF)
        whole_XV = self.whole(torch.cat([F.avg_pool2d(x, 4).flatten(1), box_columns_XC], 1))
        return Look(
            heat_XHG, attention_XHG @ centres_2G.T, seen_contact_XH2[..., 0], seen_contact_XH2[..., 1],
            F.normalize(whole_XV[:, :3], dim=1), whole_XV[:, 3], whole_XV[:, 4:],
        )  # fmt: skip


def widen(boxes_BM4: Tensor) -> Tensor:
    """Boxes with a margin, inside the canvas."""
    margin_BM2 = MARGIN * (boxes_BM4[..., 2:] - boxes_BM4[..., :2])
    return torch.cat([boxes_BM4[..., :2] - margin_BM2, boxes_BM4[..., 2:] + margin_BM2], 2).clamp(0.0, 1.0)


def grids(features: tuple[Tensor, Tensor], rois_BM4: Tensor) -> Tensor:
    """(B, M, F, R, G): both feature maps averaged over the cells of a grid on each region."""
    return torch.cat([_crop(map_BFHW, rois_BM4) for map_BFHW in features], 2)


def box_columns(rois_BM4: Tensor, aspect_B: Tensor) -> Tensor:
    """(B, M, 7): shape and size of the region, and which sides of the canvas it lies on."""
    width_BM = (rois_BM4[..., 2] - rois_BM4[..., 0]).clamp(min=0.01)
    height_BM = (rois_BM4[..., 3] - rois_BM4[..., 1]).clamp(min=0.01)
    columns = [(width_BM * aspect_B[:, None] / height_BM).log(), width_BM.log(), height_BM.log()]
    edges = (rois_BM4[..., 0], rois_BM4[..., 1], 1.0 - rois_BM4[..., 2], 1.0 - rois_BM4[..., 3])
    return torch.stack([*columns, *((1.0 - edge / 0.02).clamp(0.0, 1.0) for edge in edges)], 2)


def cell_centres(device: torch.device | None = None) -> Tensor:
    """(2, R * G): x and y of each cell as fractions of the grid, row by row."""
    x_G = (torch.arange(COLUMNS, dtype=torch.float32, device=device) + 0.5) / COLUMNS
    y_R = (torch.arange(ROWS, dtype=torch.float32, device=device) + 0.5) / ROWS
    return torch.stack([x_G.expand(ROWS, COLUMNS), y_R.unsqueeze(1).expand(ROWS, COLUMNS)]).flatten(1)


def _crop(map_BFHW: Tensor, rois_BM4: Tensor) -> Tensor:
    height, width = map_BFHW.shape[2:]
    rows_BMRH = _cells(rois_BM4[..., 1], rois_BM4[..., 3], ROWS, height)
    columns_BMGW = _cells(rois_BM4[..., 0], rois_BM4[..., 2], COLUMNS, width)
    narrow_BMFRW = rows_BMRH.unsqueeze(2) @ map_BFHW.unsqueeze(1)
    return narrow_BMFRW @ columns_BMGW.unsqueeze(2).transpose(3, 4)


def _cells(low_BM: Tensor, high_BM: Tensor, count: int, num_cells: int) -> Tensor:
    """(B, M, count, cells): how much of each map cell lies in each of `count` equal parts of an interval."""
    steps = torch.arange(count, dtype=torch.float32, device=low_BM.device) / count
    length_BM1 = (high_BM - low_BM).unsqueeze(2)
    start_BMX = low_BM.unsqueeze(2) + length_BM1 * steps
    end_BMX = start_BMX + length_BM1 / count
    return coverage(start_BMX.flatten(1), end_BMX.flatten(1), num_cells).reshape(*low_BM.shape, count, num_cells)


def _to_slots(look: Look, rois_BM4: Tensor, slots_BM: Tensor, known_BM: Tensor, num_slots: int) -> Cues:
    """Cues by entity slot, in canvas fractions; zeros where nobody looked. One matrix product instead of a scatter."""
    size_BM12 = (rois_BM4[..., 2:] - rois_BM4[..., :2]).unsqueeze(2)
    palms_BMH2 = rois_BM4[..., None, :2] + look.palms_XH2.reshape(*slots_BM.shape, NUM_HANDS, 2) * size_BM12
    chances_XV = torch.cat([torch.sigmoid(look.seen_XH), torch.sigmoid(look.contact_XH), look.gaze_X3], 1)
    rest_XV = torch.cat([torch.sigmoid(look.face_X).unsqueeze(1), torch.softmax(look.posture_X4, 1)], 1)
    all_XV = torch.cat([palms_BMH2.flatten(2).flatten(0, 1), chances_XV, rest_XV, torch.ones_like(rest_XV[:, :1])], 1)
    own_BNM = (torch.arange(num_slots, device=slots_BM.device)[None, :, None] == slots_BM[:, None]).to(all_XV.dtype) * known_BM[:, None]
    own_BNV = own_BNM @ all_XV.reshape(*slots_BM.shape, all_XV.shape[1])
    palms_BNV, seen_BNH, contact_BNH, gaze_BN3, face_BN1, posture_BN4, known_BN1 = torch.split(own_BNV, CUE_WIDTHS, 2)
    palms_BNH2 = palms_BNV.reshape(*own_BNV.shape[:2], NUM_HANDS, 2)
    return Cues(palms_BNH2, seen_BNH, contact_BNH, gaze_BN3, face_BN1.squeeze(2), posture_BN4, known_BN1.squeeze(2))
