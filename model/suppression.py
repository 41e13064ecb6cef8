"""From raw detections to N entities inside the graph: matrix non-maximum suppression, fixed sizes, no loops. Knows no weights.

After Matrix NMS (Wang et al. 2020, SOLOv2), with a logistic kernel: a box that a better one of its class overlaps fades out around
IoU .5; a near-identical box of another class around .8.

B batch, N entities, T candidates, C classes of the vocabulary, A anchors, 4 = (x0, y0, x1, y1) as fractions of the canvas.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from model.anchors import decode
from model.detector import Detections

NUM_CANDIDATES = 200
NUM_EXTRA_CANDIDATES = 64
NUM_ENTITIES = 32
MIN_SCORE = 0.05
SAME_CLASS_IOU = 0.5
OTHER_CLASS_IOU = 0.8
STEEPNESS = 25.0
NEVER = -1e4
"""Logit of a class that a head does not know."""


def suppress(raw: Detections, num_classes: int, extra: Detections | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes (B, N, 4), scores (B, N) and class probabilities (B, N, C), best first; an unused slot is all zeros.

    The detector's classes are the first of the vocabulary's C, those of `extra` the last: what it finds gives way to the detector's
    boxes and never suppresses one. Boxes are clipped to the canvas.
    """
    boxes_BT4, logits_BTC = _candidates(raw, NUM_CANDIDATES)
    room = num_classes - logits_BTC.shape[2]
    logits_BTC = F.pad(logits_BTC, (0, room), value=NEVER)
    if extra is not None:
        more_BT4, more_BTE = _candidates(extra, NUM_EXTRA_CANDIDATES)
        boxes_BT4 = torch.cat([boxes_BT4, more_BT4], 1)
        logits_BTC = torch.cat([logits_BTC, F.pad(more_BTE, (num_classes - more_BTE.shape[2], 0), value=NEVER)], 1)
    best_BT, labels_BT = logits_BTC.max(dim=2)
    scores_BT = torch.sigmoid(best_BT)
    scores_BT = scores_BT * _survival(pairwise_iou(boxes_BT4, boxes_BT4), labels_BT)
    scores_BT = torch.where(scores_BT >= MIN_SCORE, scores_BT, 0.0)
    scores_BN, rows_BN = scores_BT.topk(NUM_ENTITIES, dim=1)
    used_BN1 = (scores_BN > 0).unsqueeze(2).to(scores_BN.dtype)
    return _take(boxes_BT4, rows_BN) * used_BN1, scores_BN, torch.sigmoid(_take(logits_BTC, rows_BN)) * used_BN1


def pairwise_iou(a_BN4: Tensor, b_BM4: Tensor) -> Tensor:
    """Intersection over union (B, N, M); 0 where both boxes are empty."""
    wide_BNM, high_BNM = (_shared(a_BN4[..., axis::2], b_BM4[..., axis::2]) for axis in (0, 1))
    overlap_BNM = wide_BNM * high_BNM
    union_BNM = box_area(a_BN4)[:, :, None] + box_area(b_BM4)[:, None, :] - overlap_BNM
    return overlap_BNM / union_BNM.clamp(min=1e-9)


def _shared(a_BN2: Tensor, b_BM2: Tensor) -> Tensor:
    """Length that each pair of intervals shares (B, N, M). One axis at a time: twice as fast as both in one tensor."""
    low_BNM = torch.maximum(a_BN2[..., :1], b_BM2[:, None, :, 0])
    return (torch.minimum(a_BN2[..., 1:], b_BM2[:, None, :, 1]) - low_BNM).clamp(min=0.0)


def box_area(boxes_BN4: Tensor) -> Tensor:
    """Area (B, N) in canvas fractions."""
    return (boxes_BN4[..., 2] - boxes_BN4[..., 0]) * (boxes_BN4[..., 3] - boxes_BN4[..., 1])


def _candidates(raw: Detections, num_candidates: int) -> tuple[Tensor, Tensor]:
    """The T anchors of highest class logit, best first: boxes (B, T, 4) and logits (B, T, C)."""
    logits_BAC, deltas_BA4 = raw.logits_BCA.transpose(1, 2), raw.deltas_B4A.transpose(1, 2)
    anchors_BT = logits_BAC.amax(dim=2).topk(min(num_candidates, logits_BAC.shape[1]), dim=1).indices
    deltas_B4T = _take(deltas_BA4, anchors_BT).transpose(1, 2)
    anchors_B4T = raw.anchors_4A[:, anchors_BT].transpose(0, 1)
    return decode(deltas_B4T, anchors_B4T).clamp(0.0, 1.0), _take(logits_BAC, anchors_BT)


def _survival(iou_BTT: Tensor, labels_BT: Tensor) -> Tensor:
    """How much of each candidate's score is left (B, T), given that candidates are sorted by rank."""
    same_BTT = labels_BT[:, :, None] == labels_BT[:, None, :]
    centre_BTT = torch.where(same_BTT, SAME_CLASS_IOU, OTHER_CLASS_IOU)
    better_TT = torch.ones_like(iou_BTT[0]).tril(-1)
    keep_BTT = torch.sigmoid(STEEPNESS * (centre_BTT - iou_BTT)) * better_TT + (1.0 - better_TT)
    floor_BT = keep_BTT.amin(dim=2)
    return (keep_BTT / floor_BT[:, None, :]).clamp(max=1.0).amin(dim=2)


def _take(rows_BTX: Tensor, index_BN: Tensor) -> Tensor:
    return rows_BTX.gather(1, index_BN.unsqueeze(2).expand(-1, -1, rows_BTX.shape[2]))
