"""Which triplets of a checkpoint to look at: false ones it publishes, true ones it misses, right ones; and in words why. Pure numpy.

Right and wrong are operating's: published is a cell whose predicate reaches its threshold and whose ends are both sure enough.
X predicted cells of a frame, T its true triplets, N predicted entities, M true ones, C object classes, K predicates.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from model.evaluation.frames import GROUP_K, IS_NULL_K, Bool, Float, Int, Triplets, pairwise_iou, ranked
from model.evaluation.operating import EVERY_CELL, SURE_ENTITY, judge, published_cells
from model.evaluation.recall import MIN_IOU, Case
from model.vocabulary import MODERATION_V1

Box = tuple[float, float, float, float]
Fault = Literal["ends", "relation", "none"]
"""`ends`: a thing is not found, not there or named wrongly. `relation`: both are right, the relation between them is not."""
NEAR_IOU = 0.1
"""A box of the right class that overlaps this much lies beside its thing rather than on nothing."""
PER_PREDICATE = 2


class End(NamedTuple):
    """Subject or object: its class in words, its box as fractions of the canvas, its score (1 where it is true)."""

    word: str
    box: Box
    score: float


class Shown(NamedTuple):
    """One triplet to look at. `frame` numbers the judged frames of its clip; `prob` is the predicate's (of a missed one 0); the greatest
    `weight` comes first; `why` says in words what is wrong."""

    clip: int
    frame: int
    subject: End
    predicate: str
    object: End
    prob: float
    weight: float
    fault: Fault
    why: str


class Outcomes(NamedTuple):
    """Every published triplet that is right or false, and every true one that is missed."""

    right: list[Shown]
    false: list[Shown]
    missed: list[Shown]


@dataclass(frozen=True, slots=True)
class _Frame:
    """One judged frame. `truth_X` is the true triplet that a cell finds, -1 none; `fits_NM` where class and box agree."""

    case: Case
    number: int
    named: Triplets
    published_X: Bool
    right_X: Bool
    truth_X: Int
    iou_NM: Float
    same_NM: Bool
    fits_NM: Bool


def outcomes(cases: Iterable[Case], threshold_K: Float, group_C: Int, min_entity: float = SURE_ENTITY) -> Outcomes:
    """Sort all triplets of the predicates that have a finite threshold. A clip's cases come in order of time."""
    found = Outcomes([], [], [])
    numbers: Counter[int] = Counter()
    for case in cases:
        frame = _frame(case, numbers[case.clip], threshold_K, group_C, min_entity)
        numbers[case.clip] += 1
        found.right.extend(_said(frame, row, "none", "") for row in _rows(frame.right_X))
        found.false.extend(_said(frame, row, *_why_false(frame, row)) for row in _rows(frame.published_X & ~frame.right_X))
        found.missed.extend(_missed(frame, threshold_K, min_entity))
    return found


def chosen(shown: Sequence[Shown], limit: int, per_predicate: int = PER_PREDICATE) -> list[Shown]:
    """The weightiest, no more than so many of a predicate and one of a predicate and clip."""
    kept: list[Shown] = []
    of_predicate: Counter[str] = Counter()
    seen: set[tuple[int, str]] = set()
    for one in sorted(shown, key=lambda each: -each.weight):
        key = (one.clip, one.predicate)
        if len(kept) < limit and of_predicate[one.predicate] < per_predicate and key not in seen:
            kept.append(one)
            seen.add(key)
            of_predicate[one.predicate] += 1
    return kept


def one_a_pair(shown: Iterable[Shown]) -> list[Shown]:
    """The weightiest of each clip and two classes, whichever way round: a bed beneath a person who lies on it is one thing to look at."""
    best: dict[tuple[int, frozenset[str]], Shown] = {}
    for one in shown:
        key = (one.clip, frozenset((one.subject.word, one.object.word)))
        if key not in best or one.weight > best[key].weight:
            best[key] = one
    return list(best.values())


def _frame(case: Case, number: int, threshold_K: Float, group_C: Int, min_entity: float) -> _Frame:
    cells, published_X, right_X = published_cells(judge([case], group_C), threshold_K, min_entity)
    iou_NM = pairwise_iou(case.predicted.boxes_N4, case.truth.boxes_N4)
    same_NM = group_C[case.predicted.classes_N][:, None] == group_C[case.truth.classes_N]
    fits_NM = same_NM & (iou_NM >= MIN_IOU)
    named = ranked(case.predicted, "no", EVERY_CELL)
    return _Frame(case, number, named, published_X, right_X, cells.truth_X, iou_NM, same_NM, fits_NM)


def _said(frame: _Frame, row: int, fault: Fault, why: str) -> Shown:
    named = frame.named
    return Shown(
        clip=frame.case.clip,
        frame=frame.number,
        subject=_predicted_end(frame, named.subject_T[row]),
        predicate=MODERATION_V1.predicates[named.predicate_T[row]],
        object=_predicted_end(frame, named.object_T[row]),
        prob=float(named.prob_T[row]),
        weight=float(named.score_T[row]),
        fault=fault,
        why=why,
    )


def _missed(frame: _Frame, threshold_K: Float, min_entity: float) -> Iterator[Shown]:
    """The true triplets of one frame that no published cell finds; weighty is what is large at both ends."""
    truth = frame.case.truth
    area_M = (truth.boxes_N4[:, 2:] - truth.boxes_N4[:, :2]).prod(1)
    told = set(frame.truth_X[frame.right_X].tolist())
    for row, (subject, predicate, object_) in enumerate(truth.triplets_T3):
        if row in told or not np.isfinite(threshold_K[predicate]):
            continue
        fault, why = _why_missed(frame, row, float(threshold_K[predicate]), min_entity)
        yield Shown(
            clip=frame.case.clip,
            frame=frame.number,
            subject=_true_end(frame, subject),
            predicate=MODERATION_V1.predicates[predicate],
            object=_true_end(frame, object_),
            prob=0.0,
            weight=float(min(area_M[subject], area_M[object_])),
            fault=fault,
            why=why,
        )


def _why_false(frame: _Frame, row: int) -> tuple[Fault, str]:
    if frame.truth_X[row] >= 0:
        return "ends", "true, but said twice: two boxes of one thing"
    ends = (frame.named.subject_T[row], frame.named.object_T[row])
    wrong = [_not_there(frame, end) for end in ends if not frame.fits_NM[end].any()]
    if wrong:
        return "ends", ", ".join(wrong)
    return "relation", _true_instead(frame, *ends, frame.named.predicate_T[row])


def _not_there(frame: _Frame, end: int) -> str:
    """What is true where a predicted thing is not."""
    word, iou_M = _word(frame.case.predicted.classes_N[end]), frame.iou_NM[end]
    if iou_M.max(initial=0.0) >= MIN_IOU:
        return f"not {word} but {_word(frame.case.truth.classes_N[iou_M.argmax()])}"
    if (iou_M * frame.same_NM[end]).max(initial=0.0) >= NEAR_IOU:
        return f"the box of {word} is off"
    return f"no {word} there"


def _true_instead(frame: _Frame, subject: int, object_: int, predicate: int) -> str:
    """What else of the predicate's group is true of two things, or of which other one the predicate is true."""
    truth = frame.case.truth
    subject_T, predicate_T, object_T = truth.triplets_T3.T
    from_T, to_T = frame.fits_NM[subject][subject_T], frame.fits_NM[object_][object_T]
    others_T = from_T & to_T & (GROUP_K[predicate_T] == GROUP_K[predicate]) & ~IS_NULL_K[predicate_T]
    if others_T.any():
        return f"true is {', '.join(dict.fromkeys(MODERATION_V1.predicates[one] for one in predicate_T[others_T]))}"
    same_T = predicate_T == predicate
    for way_T, end_T, end in ((from_T, object_T, object_), (to_T, subject_T, subject)):
        word_T = truth.classes_N[end_T]
        if (same_T & way_T & (word_T == frame.case.predicted.classes_N[end])).any():
            return f"true of another {_word(frame.case.predicted.classes_N[end])}"
    return "nothing of the kind is true"


def _why_missed(frame: _Frame, row: int, threshold: float, min_entity: float) -> tuple[Fault, str]:
    subject, predicate, object_ = frame.case.truth.triplets_T3[row]
    sure_N = frame.case.predicted.scores_N >= min_entity
    lost = [_not_found(frame, end, sure_N) for end in (subject, object_) if not (frame.fits_NM[:, end] & sure_N).any()]
    if lost:
        return "ends", ", ".join(lost)
    found_NM = frame.fits_NM & sure_N[:, None]
    pair_X = found_NM[frame.named.subject_T, subject] & found_NM[frame.named.object_T, object_]
    prob = float(frame.named.prob_T[pair_X & (frame.named.predicate_T == predicate)].max(initial=0.0))
    if prob >= threshold:
        return "ends", "found, but taken for one beside it"
    return "relation", f"both found; relation only {prob:.2f}, needs {threshold:.2f}"


def _not_found(frame: _Frame, end: int, sure_N: Bool) -> str:
    """What the detector made of a true thing."""
    word, predicted, fits_N = _word(frame.case.truth.classes_N[end]), frame.case.predicted, frame.fits_NM[:, end]
    if fits_N.any():
        return f"{word} found, but unsure {predicted.scores_N[fits_N].max():.2f}"
    iou_N = frame.iou_NM[:, end] * sure_N
    if iou_N.max(initial=0.0) >= MIN_IOU:
        return f"{word} taken for {_word(predicted.classes_N[iou_N.argmax()])}"
    return f"{word} not found"


def _predicted_end(frame: _Frame, row: int) -> End:
    predicted = frame.case.predicted
    return End(_word(predicted.classes_N[row]), _box(predicted.boxes_N4[row]), float(predicted.scores_N[row]))


def _true_end(frame: _Frame, row: int) -> End:
    return End(_word(frame.case.truth.classes_N[row]), _box(frame.case.truth.boxes_N4[row]), 1.0)


def _box(box_4: Float) -> Box:
    x0, y0, x1, y1 = box_4.tolist()
    return x0, y0, x1, y1


def _rows(at_X: Bool) -> list[int]:
    rows: list[int] = np.flatnonzero(at_X).tolist()
    return rows


def _word(class_: int) -> str:
    return MODERATION_V1.objects[class_]
