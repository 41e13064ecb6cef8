"""What a metric compares: the truth and the prediction of one frame, as arrays, and how predictions are ranked. Pure numpy.

Truth per frame: (person, attention or contact, thing) and (thing, spatial, person), as in Action Genome. A prediction has one row per
directed pair and group of predicates (attention, spatial, contacting).

N entities, T triplets, R rows, K predicates, G groups, C object classes, 4 = (x0, y0, x1, y1), 3 = (subject, predicate, object).
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from model.annotations import Frame
from model.vocabulary import ACTION_GENOME_OBJECTS, ATTENTION, CONTACTING, MODERATION_V1, NULL_PREDICATES, SPATIAL

Float = npt.NDArray[np.float64]
Int = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

Constraint = Literal["with", "no", "semi"]
CONSTRAINTS: tuple[Constraint, ...] = ("with", "no", "semi")
MAX_RANKED = 100
SEMI_FROM = 0.9
"""The semi constraint keeps spatial and contacting cells above this, and of attention the best one."""

NUM_PREDICATES = len(MODERATION_V1.predicates)
GROUP_SIZES = (len(ATTENTION), len(SPATIAL), len(CONTACTING))
GROUP_K: Int = np.repeat(np.arange(3), GROUP_SIZES)
IS_NULL_K: Bool = np.array([name in NULL_PREDICATES for name in MODERATION_V1.predicates])
OBJECT_INDEX = {name: index for index, name in enumerate(MODERATION_V1.objects)}
PREDICATE_INDEX = {name: index for index, name in enumerate(MODERATION_V1.predicates)}


@dataclass(frozen=True, slots=True)
class TruthFrame:
    """What is true of one frame; `triplets_T3` names entities by their row, each triplet once."""

    boxes_N4: Float
    classes_N: Int
    ids_N: Int
    triplets_T3: Int


@dataclass(frozen=True, slots=True)
class PredictedFrame:
    """What a network says of one frame; a row of `probs_RK` is 0 outside its own group `group_R`."""

    boxes_N4: Float
    classes_N: Int
    scores_N: Float
    pairs_R2: Int
    group_R: Int
    probs_RK: Float


class Triplets(NamedTuple):
    """Predicted triplets, best first; the score is that of subject, object and predicate (`prob_T`) multiplied."""

    subject_T: Int
    predicate_T: Int
    object_T: Int
    score_T: Float
    prob_T: Float


def truth_of(frame: Frame) -> TruthFrame:
    """An annotated frame as arrays."""
    row_of = {entity.id: row for row, entity in enumerate(frame.entities)}
    triplets = {(row_of[one.subject], PREDICATE_INDEX[one.predicate], row_of[one.object]) for one in frame.relations}
    return TruthFrame(
        np.array([entity.box for entity in frame.entities], np.float64).reshape(-1, 4),
        np.array([OBJECT_INDEX[entity.label] for entity in frame.entities], np.int64),
        np.array([entity.id for entity in frame.entities], np.int64),
        np.array(sorted(triplets), np.int64).reshape(-1, 3),
    )


def predicted_of(boxes_N4: Float, classes_N: Int, scores_N: Float, pairs_R2: Int, probs_RK: Float) -> PredictedFrame:
    """A network's rows, which may mix groups, as one row per pair and group; unused rows (all probabilities 0) are left out."""
    mask_GK = np.arange(3)[:, None] == GROUP_K
    row_R, group_R = np.nonzero((probs_RK > 0.0) @ mask_GK.T)
    return PredictedFrame(boxes_N4, classes_N, scores_N, pairs_R2[row_R], group_R, probs_RK[row_R] * mask_GK[group_R])


def ranked(frame: PredictedFrame, constraint: Constraint, limit: int = MAX_RANKED) -> Triplets:
    """The best `limit` triplets that the constraint allows: the best cell of a row, any cell, or cells above .9."""
    row_T, predicate_T = np.nonzero(_allowed(frame, constraint))
    subject_T, object_T = frame.pairs_R2[row_T].T
    prob_T = frame.probs_RK[row_T, predicate_T]
    score_T = frame.scores_N[subject_T] * frame.scores_N[object_T] * prob_T
    best_T = np.argsort(-score_T, kind="stable")[:limit]
    return Triplets(subject_T[best_T], predicate_T[best_T], object_T[best_T], score_T[best_T], prob_T[best_T])


def without_null_states(frame: PredictedFrame) -> PredictedFrame:
    """The same rows as if there were no predicate that means "nothing"."""
    return predicted_of(frame.boxes_N4, frame.classes_N, frame.scores_N, frame.pairs_R2, frame.probs_RK * ~IS_NULL_K)


def class_groups(exact_words: bool = False) -> Int:
    """(C) which classes count as the same: Action Genome's 36 classes (every other word stands alone), or each word by itself."""
    group_C = np.arange(len(MODERATION_V1.objects))
    if not exact_words:
        for words in ACTION_GENOME_OBJECTS.values():
            group_C[[OBJECT_INDEX[word] for word in words]] = OBJECT_INDEX[words[0]]
    return group_C


def pairwise_iou(a_N4: Float, b_M4: Float) -> Float:
    """Intersection over union (N, M)."""
    low_NM2, high_NM2 = np.maximum(a_N4[:, None, :2], b_M4[None, :, :2]), np.minimum(a_N4[:, None, 2:], b_M4[None, :, 2:])
    overlap_NM = (high_NM2 - low_NM2).clip(min=0.0).prod(2)
    area_N, area_M = ((boxes[:, 2:] - boxes[:, :2]).prod(1) for boxes in (a_N4, b_M4))
    iou_NM: Float = overlap_NM / (area_N[:, None] + area_M[None] - overlap_NM).clip(min=1e-12)
    return iou_NM


def _allowed(frame: PredictedFrame, constraint: Constraint) -> Bool:
    """(R, K) cells that may be named."""
    best_RK = np.zeros(frame.probs_RK.shape, bool)
    best_RK[np.arange(len(best_RK)), frame.probs_RK.argmax(1)] = True
    if constraint == "with":
        allowed_RK = best_RK
    elif constraint == "semi":
        allowed_RK = np.where(frame.group_R[:, None] == 0, best_RK, frame.probs_RK > SEMI_FROM)
    else:
        allowed_RK = np.ones_like(best_RK)
    return allowed_RK & (frame.probs_RK > 0.0)
