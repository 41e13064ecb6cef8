"""Trains the head for the classes that COCO lacks on gathered pyramids, and measures it. Every number follows from the seed.

S frames, M things (padded), A anchors, E extra classes, 4 = (x0, y0, x1, y1) as fractions of the canvas.
"""

import copy
import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from model.anchors import SHAPES, all_anchors, decode
from model.evaluation.operating import SURE_ENTITY
from model.image_heads.extra_classes import NUM_EXTRA, ExtraClasses
from model.image_heads.gather import Sights
from model.suppression import pairwise_iou

LEARNING_RATE = 2e-3
WEIGHT_DECAY = 0.02
BATCH = 8
POSITIVE_IOU, NEGATIVE_IOU = 0.5, 0.4
NEGATIVE_SHARE = 0.2
FOCAL_ALPHA, FOCAL_GAMMA = 0.25, 1.5
BOX_WEIGHT = 10.0
BOX_BETA = 0.1
MAX_GRADIENT = 5.0
KEPT = 20
"""Boxes a frame and class that count in the measurement."""
TRUSTED_PRECISION, FEWEST_TRUSTED = 0.9, 20
"""What a class must reach on enough clips held apart before its score passes the one that relations are published from: high, since
real rooms are not rendered ones."""
HIGHEST_RAISE = 1.0


class ClassFigures(NamedTuple):
    """One extra class: how many things, average precision at IoU .5 (all-point) of boxes after suppression; and how many finds reach
    SURE_ENTITY, of them how many rightly."""

    things: int
    average_precision: float
    sure: int
    sure_right: int


class Assigned(NamedTuple):
    """For every anchor: 0/1 class labels (B, A, E), weight of its class loss (0: in doubt), box deltas, and 1 where it has a thing."""

    labels_BAE: Tensor
    counted_BA: Tensor
    deltas_BA4: Tensor
    positive_BA: Tensor


def fit_classes(sights: Sights, epochs: int, seed: int) -> ExtraClasses:
    """A new head, fitted with the focal loss (Lin et al. 2017)."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    head = ExtraClasses()
    optimiser = torch.optim.AdamW(head.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    count = len(sights.classes_SM)
    anchors_4A = _anchors(sights)
    steps = epochs * math.ceil(count / BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps + 1)
    with tqdm(total=steps, desc="class head", unit="step") as bar:
        for _ in range(epochs):
            for rows_B in torch.randperm(count, generator=generator).split(BATCH):  # type: ignore[no-untyped-call]
                logits_BEA, deltas_B4A = head(tuple(level[rows_B].float() for level in sights.levels))
                listed = int((sights.classes_SM[rows_B] >= 0).sum(1).max().clamp(min=1))
                assigned = assign(anchors_4A, sights.boxes_SM4[rows_B, :listed], sights.classes_SM[rows_B, :listed])
                loss = class_loss(*_sampled(logits_BEA, deltas_B4A, assigned, generator))
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(head.parameters(), MAX_GRADIENT)
                optimiser.step()
                schedule.step()
                bar.update()
                bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
    return head.eval()


def _sampled(logits_BEA: Tensor, deltas_B4A: Tensor, assigned: Assigned, generator: torch.Generator) -> tuple[Tensor, Tensor, Assigned]:
    """Every anchor that is positive somewhere in the batch, and a share of the others, which then count for those left out."""
    positive_A = assigned.positive_BA.amax(0) > 0
    kept_A = positive_A | (torch.rand(len(positive_A), generator=generator) < NEGATIVE_SHARE)
    weight_A = torch.where(positive_A, 1.0, 1.0 / NEGATIVE_SHARE)
    counted_BA = (assigned.counted_BA * weight_A)[:, kept_A]
    kept = Assigned(assigned.labels_BAE[:, kept_A], counted_BA, assigned.deltas_BA4[:, kept_A], assigned.positive_BA[:, kept_A])
    return logits_BEA[:, :, kept_A], deltas_B4A[:, :, kept_A], kept


def assign(anchors_4A: Tensor, boxes_BM4: Tensor, classes_BM: Tensor) -> Assigned:
    """Anchors that overlap a thing enough are positive, and so is the best anchor of every thing."""
    corners_A4 = _corners(anchors_4A)
    present_BM = classes_BM >= 0
    iou_BAM = pairwise_iou(corners_A4.expand(len(boxes_BM4), -1, -1), boxes_BM4) * present_BM[:, None]
    best_BM = iou_BAM.amax(1, keepdim=True).clamp(min=1e-3)
    forced_BAM = (iou_BAM >= best_BM - 1e-6) & present_BM[:, None]
    highest_BA, thing_BA = (iou_BAM + forced_BAM).max(2)
    positive_BA = highest_BA >= POSITIVE_IOU
    class_BA = classes_BM.gather(1, thing_BA).clamp(min=0)
    labels_BAE = F.one_hot(class_BA, NUM_EXTRA).float() * positive_BA.unsqueeze(2)
    counted_BA = (positive_BA | (highest_BA < NEGATIVE_IOU)).float()
    target_BA4 = boxes_BM4.gather(1, thing_BA.unsqueeze(2).expand(-1, -1, 4))
    return Assigned(labels_BAE, counted_BA, encode(target_BA4, anchors_4A), positive_BA.float())


def encode(boxes_BA4: Tensor, anchors_4A: Tensor) -> Tensor:
    """(B, A, 4): the deltas that `anchors.decode` turns into these boxes."""
    x, y, w, h = anchors_4A
    size_BA2 = (boxes_BA4[..., 2:] - boxes_BA4[..., :2]).clamp(min=1e-3)
    middle_BA2 = (boxes_BA4[..., 2:] + boxes_BA4[..., :2]) / 2
    dy, dx = (middle_BA2[..., 1] - y) / h, (middle_BA2[..., 0] - x) / w
    return torch.stack([dy, dx, (size_BA2[..., 1] / h).log(), (size_BA2[..., 0] / w).log()], 2)


def class_loss(logits_BEA: Tensor, deltas_B4A: Tensor, assigned: Assigned) -> Tensor:
    """Focal loss of classes and smooth L1 of boxes, both over the number of positive anchors."""
    logits_BAE = logits_BEA.transpose(1, 2)
    chance_BAE = torch.sigmoid(logits_BAE)
    labels_BAE = assigned.labels_BAE
    wrong_BAE = chance_BAE + labels_BAE - 2 * chance_BAE * labels_BAE
    weight_BAE = wrong_BAE**FOCAL_GAMMA * (labels_BAE * FOCAL_ALPHA + (1 - labels_BAE) * (1 - FOCAL_ALPHA))
    entropy_BAE = F.binary_cross_entropy_with_logits(logits_BAE, labels_BAE, reduction="none")
    num_positive = assigned.positive_BA.sum().clamp(min=1.0)
    classes = (weight_BAE * entropy_BAE * assigned.counted_BA.unsqueeze(2)).sum() / num_positive
    off_BA = F.smooth_l1_loss(deltas_B4A.transpose(1, 2), assigned.deltas_BA4, beta=BOX_BETA, reduction="none").mean(2)
    return classes + BOX_WEIGHT * (off_BA * assigned.positive_BA).sum() / num_positive


@torch.no_grad()
def trusted(head: ExtraClasses, sights: Sights) -> ExtraClasses:
    """The same head with each class's logits moved (by its biases) so that SURE_ENTITY is the score from which its finds are trusted.

    The order of a class's finds stays. A class that never reaches TRUSTED_PRECISION stays below that score wherever it was seen.
    """
    shift_E = torch.tensor([_shift(scored_Y2) for scored_Y2 in _found(head, sights)])
    moved = copy.deepcopy(head)
    moved.predict.get_parameter("bias")[: NUM_EXTRA * len(SHAPES)] += shift_E.repeat_interleave(len(SHAPES))
    return moved


def _shift(scored_Y2: Tensor) -> float:
    """From the lowest score with the precision asked for (or, where there is none, just above the highest) to SURE_ENTITY, in logits."""
    scores_Y, order_Y = scored_Y2[:, 0].sort(descending=True)
    hits_Y = scored_Y2[order_Y, 1]
    precise_Y = hits_Y.cumsum(0) / torch.arange(1, len(hits_Y) + 1) >= TRUSTED_PRECISION
    precise_Y[: FEWEST_TRUSTED - 1] = False
    lowest = float(scores_Y[precise_Y][-1]) if precise_Y.any() else min(float(scores_Y[0]) + 1e-3, 1.0 - 1e-3)
    return min(_logit(SURE_ENTITY) - _logit(lowest), HIGHEST_RAISE)


def _logit(chance: float) -> float:
    return math.log(chance / (1.0 - chance))


@torch.no_grad()
def measure_classes(head: ExtraClasses, sights: Sights) -> dict[int, ClassFigures]:
    """Per extra class that occurs."""
    counts = [int((sights.classes_SM == class_).sum()) for class_ in range(NUM_EXTRA)]
    found = _found(head, sights)
    return {class_: _figures(found[class_], count) for class_, count in enumerate(counts) if count}


def _figures(scored_Y2: Tensor, count: int) -> ClassFigures:
    sure_Y = scored_Y2[:, 0] >= SURE_ENTITY
    return ClassFigures(count, _precision(scored_Y2, count), int(sure_Y.sum()), int(scored_Y2[sure_Y, 1].sum()))


def _found(head: ExtraClasses, sights: Sights) -> list[Tensor]:
    """For each class, score and hit of every box that survives suppression, over all frames."""
    anchors_4A = _anchors(sights)
    found: list[list[Tensor]] = [[] for _ in range(NUM_EXTRA)]
    for row in tqdm(range(len(sights.classes_SM)), desc="measuring classes", unit="frame", leave=False):
        logits_BEA, deltas_B4A = head(tuple(level[row : row + 1].float() for level in sights.levels))
        boxes_A4 = decode(deltas_B4A, anchors_4A[None]).clamp(0.0, 1.0)[0]
        for class_ in range(NUM_EXTRA):
            truth_M4 = sights.boxes_SM4[row][sights.classes_SM[row] == class_]
            found[class_].append(_hits(torch.sigmoid(logits_BEA[0, class_]), boxes_A4, truth_M4))
    return [torch.cat(parts) for parts in found]


def _hits(scores_A: Tensor, boxes_A4: Tensor, truth_M4: Tensor) -> Tensor:
    """(T, 2): score and 1 for a first hit, of the boxes that survive greedy suppression."""
    top_T, rows_T = scores_A.topk(KEPT)
    boxes_T4 = boxes_A4[rows_T]
    iou_TT = pairwise_iou(boxes_T4[None], boxes_T4[None])[0].tril(-1)
    kept_T = iou_TT.amax(1) < POSITIVE_IOU
    top_T, boxes_T4 = top_T[kept_T], boxes_T4[kept_T]
    if not len(truth_M4):
        return torch.stack([top_T, torch.zeros_like(top_T)], 1)
    iou_TM = pairwise_iou(boxes_T4[None], truth_M4[None])[0]
    best_T, thing_T = iou_TM.max(1)
    fits_T = best_T >= POSITIVE_IOU
    earlier_TT = (thing_T[:, None] == thing_T[None]) & fits_T[None]
    first_T = fits_T & ~earlier_TT.tril(-1).any(1)
    return torch.stack([top_T, first_T.float()], 1)


def _precision(scored_Y2: Tensor, count: int) -> float:
    hits_Y = scored_Y2[scored_Y2[:, 0].argsort(descending=True), 1]
    precision_Y = hits_Y.cumsum(0) / torch.arange(1, len(hits_Y) + 1)
    return float((precision_Y * hits_Y).sum() / count)


def _anchors(sights: Sights) -> Tensor:
    return all_anchors([(level.shape[2], level.shape[3]) for level in sights.levels])


def _corners(anchors_4A: Tensor) -> Tensor:
    x, y, w, h = anchors_4A
    return torch.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], 1)
