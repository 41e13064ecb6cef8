"""Runs a network's image tower over judged clips: what it detects, and what it says of the true boxes. Knows pixels, no metric.

S frames looked at together, N entity slots, C object classes, A anchors, M true boxes, 4 = (x0, y0, x1, y1) as fractions of the canvas.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from model.anchors import decode
from model.annotations import Frame
from model.appearance import TAP
from model.detector import Detections
from model.entities import Cues, no_cues
from model.evaluation.canvas import Picture, paint
from model.evaluation.eval_set import EvalSet, Single, Things, rounded
from model.evaluation.frames import TruthFrame, truth_of
from model.nano import Nano, aspect
from model.scene_head import PERSON
from model.suppression import pairwise_iou
from model.vocabulary import MODERATION_V1

AT_ONCE = 2
"""More at once costs more processor time a frame: activations outgrow the caches (6: +30 %)."""
GIVEN_IOU = 0.5
"""A true box is named by the anchor of greatest IoU times probability, among those that overlap it by this."""
NUM_CLASSES = len(MODERATION_V1.objects)


class Shot(NamedTuple):
    """One decoded frame in time order; `frame` is its truth, None where it only leads up to a judged one."""

    clip: str
    time_s: float
    frame: Frame | None
    picture_HW3: Picture


class _Looked(NamedTuple):
    """One frame as an EvalSet keeps it."""

    clip: str
    time_s: float
    aspect: float
    judged: bool
    truth: TruthFrame
    found: Things
    given: Things


@torch.no_grad()
def look(network: Nano, tower: str, name: str, shots: Iterable[Shot], total: int) -> EvalSet:
    """All shots through the tower, once. Raises ValueError where there is none."""
    looked: list[_Looked] = []
    with tqdm(total=total, desc=f"looking at {name}", unit="frame", leave=False) as bar:
        for batch in _batches(shots):
            looked += _look(network, batch)
            bar.update(len(batch))
    if not looked:
        raise ValueError(f"{name} has no frame to judge")
    clips = tuple(dict.fromkeys(one.clip for one in looked))
    return rounded(
        EvalSet(
            name=name,
            tower=tower,
            clips=clips,
            clip_F=np.array([clips.index(one.clip) for one in looked]),
            time_F=np.array([one.time_s for one in looked]),
            aspect_F=np.array([one.aspect for one in looked]),
            judged_F=np.array([one.judged for one in looked]),
            truths=tuple(one.truth for one in looked),
            found=tuple(one.found for one in looked),
            given=tuple(one.given for one in looked),
        )
    )


def _batches(shots: Iterable[Shot]) -> Iterator[list[Shot]]:
    """A few shots of one clip at a time."""
    left = iter(shots)
    held: list[Shot] = []
    while batch := held + list(islice(left, AT_ONCE - len(held))):
        same = [shot for shot in batch if shot.clip == batch[0].clip]
        held = batch[len(same) :]
        yield same


def _look(network: Nano, shots: list[Shot]) -> list[_Looked]:
    painted = [paint(shot.picture_HW3) for shot in shots]
    images_SHW3 = torch.from_numpy(np.stack([one.image_HW3 for one in painted]))
    truths = [_truth(shot, one.filled_2) for shot, one in zip(shots, painted, strict=True)]
    raws: list[Detections] = []
    hook = network.detector.register_forward_hook(lambda _module, _given, raw: raws.append(raw))
    try:
        entities = network.entities(images_SHW3, NUM_CLASSES)
    finally:
        hook.remove()
    found = _things(entities.boxes_BN4, entities.scores_BN, entities.class_probs_BNC, entities.cues)
    given = _given(network, raws[0], truths, aspect(images_SHW3))
    ratio = images_SHW3.shape[2] / images_SHW3.shape[1]
    return [
        _Looked(shot.clip, shot.time_s, ratio, shot.frame is not None, truths[row], _used(found[row]), _first(given[row], truths[row]))
        for row, shot in enumerate(shots)
    ]


def _truth(shot: Shot, filled_2: tuple[float, float]) -> TruthFrame:
    """The truth with boxes as fractions of the canvas; empty where the frame is not judged."""
    truth = truth_of(shot.frame if shot.frame is not None else Frame(0, shot.time_s, (), ()))
    return TruthFrame(truth.boxes_N4 * np.array(filled_2 * 2), truth.classes_N, truth.ids_N, truth.triplets_T3)


def _given(network: Nano, raw: Detections, truths: list[TruthFrame], aspect_S: Tensor) -> list[Things]:
    """What the tower says of the true boxes: their classes, and the cues of true people."""
    slots = max(8, *(len(truth.ids_N) for truth in truths))
    boxes_SM4 = torch.stack([F.pad(torch.from_numpy(truth.boxes_N4).float(), (0, 0, 0, slots - len(truth.ids_N))) for truth in truths])
    classes_SM = torch.stack([F.pad(torch.from_numpy(truth.classes_N), (0, slots - len(truth.ids_N)), value=-1) for truth in truths])
    parts = [_named(raw, boxes_SM4)]
    heads = network.image_heads
    if heads is None:
        probs_SMC, cues = F.pad(parts[0], (0, NUM_CLASSES - parts[0].shape[2])), no_cues(boxes_SM4)
    else:
        probs_SMC = torch.cat([*parts, _named(heads.extra.detect(raw), boxes_SM4)], 2)
        people_SM = (classes_SM == PERSON).float()
        cues = heads.cues((raw.pyramid[0], raw.taps[TAP]), boxes_SM4, people_SM, aspect_S)
    return _things(boxes_SM4, probs_SMC.amax(2), probs_SMC, cues)


def _named(raw: Detections, boxes_SM4: Tensor) -> Tensor:
    """(S, M, C'): class probabilities of the anchor that fits each box best; 0 where no anchor's box is near."""
    boxes_SA4 = decode(raw.deltas_B4A, raw.anchors_4A.unsqueeze(0)).clamp(0.0, 1.0)
    iou_SMA = pairwise_iou(boxes_SM4, boxes_SA4)
    best_SMA = torch.where(iou_SMA >= GIVEN_IOU, iou_SMA, 0.0) * torch.sigmoid(raw.logits_BCA.amax(1)).unsqueeze(1)
    sure_SM, anchor_SM = best_SMA.max(2)
    logits_SCM = raw.logits_BCA.gather(2, anchor_SM.unsqueeze(1).expand(-1, raw.logits_BCA.shape[1], -1))
    return torch.sigmoid(logits_SCM).transpose(1, 2) * (sure_SM > 0).unsqueeze(2).float()


def _things(boxes_SN4: Tensor, scores_SN: Tensor, probs_SNC: Tensor, cues: Cues) -> list[Things]:
    cues_SNV = torch.cat([part.reshape(*scores_SN.shape, -1) for part in cues], 2)
    columns = (part.numpy().astype(np.float32) for part in (boxes_SN4, scores_SN, probs_SNC, cues_SNV))
    return [Things(*rows) for rows in zip(*columns, strict=True)]


def _used(things: Things) -> Things:
    """Without empty slots."""
    used_N = things.scores_N > 0
    return Things(*(column[used_N] for column in things))


def _first(things: Things, truth: TruthFrame) -> Things:
    """Without the padding behind the true boxes."""
    columns: list[Single] = [column[: len(truth.ids_N)] for column in things]
    return Things(*columns)
