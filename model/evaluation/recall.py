"""Recall at K as Action Genome's evaluation defines it, re-implemented: R, mR, F1, the median over frames, with intervals. Pure numpy.

A true triplet is found by any predicted one of the same classes and predicate whose boxes both overlap by IoU >= .5 (many to many).
mR is pooled: the recall of each predicate over all frames, then their mean; beside it the mean per frame. After STTran (Cong et al. 2021).

T true triplets of all frames, P predicted triplets, F frames that have truth, C clips, K predicates, S resamples.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec
import numpy as np

from model.evaluation.frames import (
    NUM_PREDICATES,
    Bool,
    Constraint,
    Float,
    Int,
    PredictedFrame,
    Triplets,
    TruthFrame,
    pairwise_iou,
    ranked,
)
from model.evaluation.intervals import Interval, resampled_clips, spread

MIN_IOU = 0.5
MISSED = 1_000_000
"""The rank of a triplet that no prediction finds."""
AT = (10, 20, 50)


@dataclass(frozen=True, slots=True)
class Case:
    """One frame to judge: which clip it is of, its truth and its prediction."""

    clip: int
    truth: TruthFrame
    predicted: PredictedFrame


@dataclass(frozen=True, slots=True)
class Hits:
    """Per true triplet its frame, predicate and the rank (from 0) of the first prediction that finds it; per frame its clip."""

    frame_T: Int
    predicate_T: Int
    rank_T: Int
    clip_F: Int


class Recall(msgspec.Struct, frozen=True):
    """Shares, 0..1, at one K; intervals are 95 % over resampled clips."""

    k: int
    recall: Interval
    mean_recall: Interval
    mean_recall_per_frame: float
    f1: float
    median_recall: float


def find(cases: Iterable[Case], constraint: Constraint, group_C: Int) -> Hits:
    """Rank every frame's predictions and look for its truth. Frames without true triplets do not count."""
    frames, predicates, ranks = [], [], []
    clips: list[int] = []
    for case in cases:
        triplets_T3 = case.truth.triplets_T3
        if not len(triplets_T3):
            continue
        hit_PT = matches(case.truth, case.predicted, ranked(case.predicted, constraint), group_C)
        frames.append(np.full(len(triplets_T3), len(clips)))
        predicates.append(triplets_T3[:, 1])
        ranks.append(np.where(hit_PT.any(0), hit_PT.argmax(0), MISSED) if len(hit_PT) else np.full(len(triplets_T3), MISSED))
        clips.append(case.clip)
    if not clips:
        raise ValueError("no frame has a true relation: there is nothing to find")
    return Hits(np.concatenate(frames), np.concatenate(predicates), np.concatenate(ranks), np.array(clips))


def matches(truth: TruthFrame, predicted: PredictedFrame, named: Triplets, group_C: Int) -> Bool:
    """(P, T): which predicted triplet finds which true one."""
    subject_T, predicate_T, object_T = truth.triplets_T3.T
    same_NM = group_C[predicted.classes_N][:, None] == group_C[truth.classes_N][None]
    fits_NM = same_NM & (pairwise_iou(predicted.boxes_N4, truth.boxes_N4) >= MIN_IOU)
    subject_PT = fits_NM[named.subject_T[:, None], subject_T[None]]
    object_PT = fits_NM[named.object_T[:, None], object_T[None]]
    found_PT: Bool = subject_PT & object_PT & (named.predicate_T[:, None] == predicate_T[None])
    return found_PT


def recall_at(hits: Hits, k: int, resamples: int = 1000, seed: int = 0) -> Recall:
    """All figures at one K; none of them changes when K exceeds the number of predictions."""
    found_FK, true_FK = _found(hits, k)
    recall_F = found_FK.sum(1) / true_FK.sum(1)
    recall, mean_recall = float(recall_F.mean()), float(mean_over_predicates(found_FK.sum(0), true_FK.sum(0)))
    recall_S, mean_S = _resampled(hits.clip_F, recall_F, found_FK, true_FK, resamples, seed)
    return Recall(
        k=k,
        recall=Interval(recall, *spread(recall_S)),
        mean_recall=Interval(mean_recall, *spread(mean_S)),
        mean_recall_per_frame=_mean_per_frame(found_FK, true_FK),
        f1=2.0 * recall * mean_recall / max(recall + mean_recall, 1e-12),
        median_recall=float(np.median(recall_F)),
    )


def mean_recall_gain(new: Hits, old: Hits, k: int, resamples: int = 1000, seed: int = 0) -> Interval:
    """How much more pooled mean recall the first has than the second on the same clips, drawn together."""
    values, spreads = [], []
    for hits in (new, old):
        found_FK, true_FK = _found(hits, k)
        values.append(float(mean_over_predicates(found_FK.sum(0), true_FK.sum(0))))
        spreads.append(_resampled(hits.clip_F, found_FK.sum(1) / true_FK.sum(1), found_FK, true_FK, resamples, seed)[1])
    return Interval(values[0] - values[1], *spread(spreads[0] - spreads[1]))


def mean_over_predicates(found_XK: Float, true_XK: Float) -> Float:
    """(X): the mean recall of the predicates that occur."""
    occurs_XK = true_XK > 0
    mean_X: Float = (found_XK / np.maximum(true_XK, 1) * occurs_XK).sum(-1) / np.maximum(occurs_XK.sum(-1), 1)
    return mean_X


def _found(hits: Hits, k: int) -> tuple[Float, Float]:
    """(F, K) twice: true triplets found within the first k, and all."""
    found_T = (hits.rank_T < k).astype(np.float64)
    num_frames, cell_T = len(hits.clip_F), hits.frame_T * NUM_PREDICATES + hits.predicate_T
    return _count(cell_T, found_T, num_frames), _count(cell_T, np.ones_like(found_T), num_frames)


def _count(cell_T: Int, weight_T: Float, num_frames: int) -> Float:
    """(F, K) sums of weights over cells numbered frame by frame."""
    sums_FK: Float = np.bincount(cell_T, weight_T, num_frames * NUM_PREDICATES).reshape(num_frames, -1).astype(np.float64)
    return sums_FK


def _mean_per_frame(found_FK: Float, true_FK: Float) -> float:
    """Each predicate's recall averaged over the frames where it occurs, then over predicates."""
    frames_K = (true_FK > 0).sum(0)
    mean_K = (found_FK / np.maximum(true_FK, 1)).sum(0) / np.maximum(frames_K, 1)
    return float(mean_K[frames_K > 0].mean())


def _resampled(
    clip_F: Int, recall_F: Float, found_FK: Float, true_FK: Float, resamples: int, seed: int
) -> tuple[Float, Float]:  # fmt: skip
    """Recall and pooled mean recall of sets of clips drawn with replacement."""
    clips, own_F = np.unique(clip_F, return_inverse=True)
    own_CF = (own_F == np.arange(len(clips))[:, None]).astype(np.float64)
    weight_SC = resampled_clips(len(clips), resamples, seed)
    recall_S = weight_SC @ (own_CF @ recall_F) / (weight_SC @ own_CF.sum(1))
    return recall_S, mean_over_predicates(weight_SC @ (own_CF @ found_FK), weight_SC @ (own_CF @ true_FK))
