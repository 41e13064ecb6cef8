"""Precision and recall of triplets at the thresholds a product runs at, over all and for each predicate. Pure numpy.

A prediction is right when it finds a true triplet (recall.matches) that no better prediction has found: a second one for the same pair is
wrong. One whose person or thing matches nothing true is wrong too, and counted apart as a ghost.

X predicted cells of all frames, T true triplets of all frames, K predicates, C clips, S resamples.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from model.evaluation.frames import NUM_PREDICATES, Bool, Float, Int, pairwise_iou, ranked
from model.evaluation.intervals import Interval, resampled_clips, spread, wilson
from model.evaluation.recall import MIN_IOU, Case, matches
from model.vocabulary import MODERATION_V1

SURE_ENTITY = 0.4
"""Both ends of a published relation need this score, as in the service."""
EVERY_CELL = 10_000


class _Cells(NamedTuple):
    """Predicted cells. `prob_X` is the predicate's own, `ends_X` the lower entity score; `truth_X` numbers the triplet found, -1 none."""

    predicate_X: Int
    score_X: Float
    prob_X: Float
    ends_X: Float
    truth_X: Int
    ghost_X: Bool
    clip_X: Int


@dataclass(frozen=True, slots=True)
class Judged:
    """All predicted cells, best first, and the predicates and clips of all true triplets."""

    cells: _Cells
    predicate_T: Int
    clip_T: Int


class PredicateCells(NamedTuple):
    """One predicate: its cells, best first, which of them find a true triplet that none before has, and the clips of its true triplets."""

    right_X: Bool
    clip_X: Int
    clip_T: Int


class AtThreshold(msgspec.Struct, frozen=True):
    """Counts and shares at one operating point; intervals of shares are Wilson's, that of F1 is over resampled clips.

    `precision_listed` leaves ghosts out, for sets whose truth does not list every thing.
    """

    said: int
    right: int
    ghosts: int
    true: int
    precision: Interval
    precision_listed: Interval
    recall: Interval
    f1: Interval


class PredicateRow(msgspec.Struct, frozen=True):
    """One predicate: how often it is true, average precision over all cells, precision and recall at its threshold."""

    name: str
    published: bool
    threshold: float | None
    true: int
    average_precision: float
    said: int
    right: int
    precision: Interval
    recall: Interval


def judge(cases: Iterable[Case], group_C: Int) -> Judged:
    """Match every predicted cell of every frame."""
    cells: list[_Cells] = []
    predicates, clips, count = [], [], 0
    for case in cases:
        cells.append(_cells(case, count, group_C))
        predicates.append(case.truth.triplets_T3[:, 1])
        clips.append(np.full(len(predicates[-1]), case.clip))
        count += len(predicates[-1])
    if not cells:
        raise ValueError("there is no frame to judge")
    columns: list[npt.NDArray[Any]] = [np.concatenate(parts) for parts in zip(*cells, strict=True)]
    best_X = np.argsort(-columns[1], kind="stable")
    return Judged(_Cells(*(column_X[best_X] for column_X in columns)), np.concatenate(predicates), np.concatenate(clips))


def cells_of(judged: Judged, predicate: int) -> PredicateCells:
    """The cells of one predicate, whatever their probability."""
    cells, at_X = judged.cells, judged.cells.predicate_X == predicate
    right_X = _first_finds(cells.truth_X, np.ones(len(at_X), bool))
    return PredicateCells(right_X[at_X], cells.clip_X[at_X], judged.clip_T[judged.predicate_T == predicate])


def at_thresholds(
    judged: Judged, threshold_K: Float, counted_K: Bool, min_entity: float, resamples: int = 1000, seed: int = 0
) -> AtThreshold:  # fmt: skip
    """All predicates together; a threshold of infinity says nothing of a predicate, `counted_K` are those whose truth counts."""
    cells, said_X, _ = published_cells(judged, threshold_K, min_entity)
    parts_3C = _per_clip(judged, threshold_K, counted_K, min_entity)
    said, right, true = (int(part) for part in parts_3C.sum(1))
    ghosts = int((said_X & cells.ghost_X).sum())
    said_S, right_S, true_S = parts_3C @ resampled_clips(parts_3C.shape[1], resamples, seed).T
    return AtThreshold(
        said=said,
        right=right,
        ghosts=ghosts,
        true=true,
        precision=wilson(right, said),
        precision_listed=wilson(right, said - ghosts),
        recall=wilson(right, true),
        f1=Interval(2 * right / max(said + true, 1), *spread(2 * right_S / np.maximum(said_S + true_S, 1))),
    )


def f1_gain(
    new: tuple[Judged, Float], old: tuple[Judged, Float], counted_K: Bool, min_entity: float, resamples: int = 1000, seed: int = 0
) -> Interval:  # fmt: skip
    """How much more F1 the first has than the second (each with its thresholds) on the same clips, drawn together."""
    parts = [_per_clip(judged, threshold_K, counted_K, min_entity) for judged, threshold_K in (new, old)]
    num_clips = max(part_3C.shape[1] for part_3C in parts)
    weight_SC = resampled_clips(num_clips, resamples, seed)
    f1 = []
    for part_3C in parts:
        said, right, true = np.pad(part_3C, ((0, 0), (0, num_clips - part_3C.shape[1]))) @ np.vstack([np.ones(num_clips), weight_SC]).T
        f1.append(2 * right / np.maximum(said + true, 1))
    gain = f1[0] - f1[1]
    return Interval(float(gain[0]), *spread(gain[1:]))


def predicate_rows(judged: Judged, threshold_K: Float, published_K: Bool, min_entity: float) -> list[PredicateRow]:
    """Every predicate that is true or said at least once."""
    cells, said_X, right_X = published_cells(judged, threshold_K, min_entity)
    first_X = _first_finds(cells.truth_X, np.ones_like(said_X))
    said_K, right_K = (np.bincount(cells.predicate_X[at_X], minlength=NUM_PREDICATES) for at_X in (said_X, right_X))
    true_K = np.bincount(judged.predicate_T, minlength=NUM_PREDICATES)
    return [
        PredicateRow(
            name=name,
            published=bool(published_K[row]),
            threshold=float(threshold_K[row]) if np.isfinite(threshold_K[row]) else None,
            true=int(true_K[row]),
            average_precision=average_precision(first_X[cells.predicate_X == row], int(true_K[row])),
            said=int(said_K[row]),
            right=int(right_K[row]),
            precision=wilson(int(right_K[row]), int(said_K[row])),
            recall=wilson(int(right_K[row]), int(true_K[row])),
        )
        for row, name in enumerate(MODERATION_V1.predicates)
        if true_K[row] + said_K[row] > 0
    ]


def average_precision(right_X: Bool, num_true: int) -> float:
    """Mean precision over the ranks of what is right, missed ones counting 0; predictions come best first."""
    precision_X = right_X.cumsum() / np.arange(1, len(right_X) + 1)
    return float((precision_X * right_X).sum() / max(num_true, 1))


def published_cells(judged: Judged, threshold_K: Float, min_entity: float) -> tuple[_Cells, Bool, Bool]:
    """The cells, which of them are published, and which of those are right."""
    cells = judged.cells
    said_X = (cells.prob_X >= threshold_K[cells.predicate_X]) & (cells.ends_X >= min_entity)
    return cells, said_X, _first_finds(cells.truth_X, said_X)


def _per_clip(judged: Judged, threshold_K: Float, counted_K: Bool, min_entity: float) -> Float:
    """(3, C): what is said, right and true in each clip."""
    cells, said_X, right_X = published_cells(judged, threshold_K, min_entity)
    num_clips = int(max(cells.clip_X.max(initial=0), judged.clip_T.max(initial=0))) + 1
    clips = (cells.clip_X[said_X], cells.clip_X[right_X], judged.clip_T[counted_K[judged.predicate_T]])
    return np.stack([np.bincount(clip, minlength=num_clips) for clip in clips]).astype(np.float64)


def _first_finds(truth_X: Int, among_X: Bool) -> Bool:
    """The first cell, among those given, that finds each true triplet."""
    first_X = np.zeros(len(truth_X), bool)
    at_Y = np.flatnonzero(among_X & (truth_X >= 0))
    _, first_Z = np.unique(truth_X[at_Y], return_index=True)
    first_X[at_Y[first_Z]] = True
    return first_X


def _cells(case: Case, first_truth: int, group_C: Int) -> _Cells:
    """One frame's cells, matched to its truth; of several true triplets that one finds, it finds the one whose boxes fit best."""
    truth, predicted, named = case.truth, case.predicted, ranked(case.predicted, "no", EVERY_CELL)
    iou_NM = pairwise_iou(predicted.boxes_N4, truth.boxes_N4) * (group_C[predicted.classes_N][:, None] == group_C[truth.classes_N])
    subject_T, _, object_T = truth.triplets_T3.T
    fit_XT = iou_NM[named.subject_T][:, subject_T] + iou_NM[named.object_T][:, object_T]
    fit_XT = np.where(matches(truth, predicted, named, group_C), fit_XT, -1.0)
    fit_X1 = np.concatenate([np.zeros((len(fit_XT), 1)), fit_XT], 1)
    best_X = fit_X1.argmax(1)
    known_N = (iou_NM >= MIN_IOU).any(1)
    subject_X, object_X = predicted.scores_N[named.subject_T], predicted.scores_N[named.object_T]
    return _Cells(
        predicate_X=named.predicate_T,
        score_X=named.score_T,
        prob_X=named.prob_T,
        ends_X=np.minimum(subject_X, object_X),
        truth_X=np.where(best_X > 0, first_truth + best_X - 1, -1),
        ghost_X=~(known_N[named.subject_T] & known_N[named.object_T]),
        clip_X=np.full(len(best_X), case.clip),
    )
