"""Does one engine see what another saw? The gate before a lower precision or another backend serves. Pure numpy: knows no backend.

A reference is recorded once, so that the two need not be open, or idle, at the same time.

N pictures or entity slots, H W canvas, K predicates, 4 = (x0, y0, x1, y1) as fractions of the canvas.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engines.protocol import Engine, EngineSpec, Float, Predicate, SceneGraph, UInt8

FRAMES = 3
"""How often each picture is shown: the first frame has no memory, the others have."""
DT_S = 0.2
SHOWN = 0.3
"""Score from which a thing counts; what one engine shows the other must have, with any score."""
MATCH_IOU = 0.5
GAP_SHARE = 99.9
"""Percentile of the differences that is `probability_gap`: the rest are borderline decisions, which the triplets judge."""
NEAR = 0.05
"""A triplet that one engine tells and the other has this little under its threshold counts as told by both."""

Triplets = Counter[tuple[int, int, int]]


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a candidate may stray: least mean IoU, share of same labels and F1 of triplets, largest gap of a probability."""

    mean_iou: float = 0.95
    same_labels: float = 0.95
    triplet_f1: float = 0.9
    probability_gap: float = 0.15


@dataclass(frozen=True, slots=True)
class Recording:
    """What an engine saw: its spec, the pictures (N, H, W, 3), and N x FRAMES graphs, all frames of a picture in a row."""

    spec: EngineSpec
    pictures_NHW3: UInt8
    graphs: tuple[SceneGraph, ...]


@dataclass(frozen=True, slots=True)
class Accuracy:
    """One engine against another, over all frames.

    `mean_iou` is over things that either shows, 0 for one that the other lacks; `same_labels` a share of the matched ones; `triplet_f1`
    is over (subject class, published predicate over its threshold, object class) of both engines; `probability_gap` over scores of
    matched things and predicates between them. Without any thing or triplet a measure is 1.
    """

    num_things: int
    num_triplets: int
    mean_iou: float
    same_labels: float
    triplet_f1: float
    probability_gap: float
    is_finite: bool

    def verdict(self, limits: Limits | None = None) -> str:
        """What is wrong, in words; empty when nothing is."""
        limits = limits or Limits()
        if not self.is_finite:
            return "it gives numbers that are not finite"
        wrong = [
            f"{words} is {value:.3f}, at least {least:.3f} was expected"
            for words, value, least in (
                ("mean IoU of boxes", self.mean_iou, limits.mean_iou),
                ("the share of same labels", self.same_labels, limits.same_labels),
                ("F1 of triplets", self.triplet_f1, limits.triplet_f1),
            )
            if value < least
        ]
        if self.probability_gap > limits.probability_gap:
            wrong.append(f"a probability differs by {self.probability_gap:.3f}, at most {limits.probability_gap:.3f} was expected")
        return "; ".join(wrong)


def record(engine: Engine, pictures_NHW3: UInt8) -> Recording:
    """Show an engine each picture FRAMES times, in batches. Nobody else may use it meanwhile: the slots are emptied before and after."""
    width = min(engine.spec.max_batch, engine.spec.num_streams)
    graphs: list[SceneGraph] = []
    for first in range(0, len(pictures_NHW3), width):
        batch_BHW3 = pictures_NHW3[first : first + width]
        slots = range(len(batch_BHW3))
        _empty(engine, slots)
        shown = [engine.infer(batch_BHW3, slots, [DT_S] * len(slots)) for _ in range(FRAMES)]
        _empty(engine, slots)
        graphs += [frame[row] for row in slots for frame in shown]
    return Recording(engine.spec, pictures_NHW3, tuple(graphs))


def measure(reference: Recording, candidate: Engine) -> Accuracy:
    """Show the candidate the same pictures and compare. Raises ValueError when it is another model."""
    if candidate.spec.model_hash != reference.spec.model_hash:
        raise ValueError(f"the reference is of model {reference.spec.model_hash}, got one of {candidate.spec.model_hash}")
    return compare(reference.graphs, record(candidate, reference.pictures_NHW3).graphs, reference.spec.predicates)


def require_accuracy(reference: Recording, candidate: Engine, limits: Limits | None = None) -> None:
    """Raise ValueError with a sentence when the candidate strays too far from the reference."""
    verdict = measure(reference, candidate).verdict(limits)
    if verdict:
        spec = candidate.spec
        raise ValueError(f"{spec.backend} in {spec.precision} does not see what {reference.spec.backend} saw: {verdict}")


def compare(reference: Sequence[SceneGraph], candidate: Sequence[SceneGraph], predicates: Sequence[Predicate]) -> Accuracy:
    """Frame by frame; both sequences are of the same pictures."""
    ious: list[float] = []
    same: list[bool] = []
    gaps: list[float] = [0.0]
    told, agreed = 0, 0
    for one, other in zip(reference, candidate, strict=True):
        matched = match(one, other)
        ious += [iou for _, _, iou in matched] + [0.0] * _num_missing(one, other, matched)
        same += [bool(one.labels_N[row] == other.labels_N[twin]) for row, twin, _ in matched]
        gaps += _gaps(one, other, {row: twin for row, twin, _ in matched})
        for teller, listener in ((one, other), (other, one)):
            triplets = _triplets(teller, predicates)
            told, agreed = told + triplets.total(), agreed + (triplets & _triplets(listener, predicates, NEAR)).total()
    return Accuracy(
        num_things=len(ious),
        num_triplets=told,
        mean_iou=float(np.mean(ious or [1.0])),
        same_labels=float(np.mean(same or [True])),
        triplet_f1=agreed / told if told else 1.0,
        probability_gap=float(np.percentile(gaps, GAP_SHARE, method="higher")),
        is_finite=all(graph.is_finite() for graph in candidate),
    )


def match(one: SceneGraph, other: SceneGraph) -> list[tuple[int, int, float]]:
    """(row, twin, IoU) of the things of two graphs that overlap most, those of the same label first; at least one of them is shown."""
    iou_NM = box_iou(one.boxes_N4, other.boxes_N4)
    possible_NM = (iou_NM >= MATCH_IOU) & (one.scores_N > 0)[:, None] & (other.scores_N > 0)
    affinity_NM = np.where(possible_NM, iou_NM + (one.labels_N[:, None] == other.labels_N), 0.0)
    matched = []
    while affinity_NM.max() > 0:
        row, twin = divmod(int(affinity_NM.argmax()), affinity_NM.shape[1])
        affinity_NM[row], affinity_NM[:, twin] = 0.0, 0.0
        if max(one.scores_N[row], other.scores_N[twin]) >= SHOWN:
            matched.append((row, twin, float(iou_NM[row, twin])))
    return matched


def box_iou(a_N4: Float, b_M4: Float) -> npt.NDArray[np.float64]:
    """Intersection over union (N, M); 0 where both are empty."""
    low_NM2, high_NM2 = np.maximum(a_N4[:, None, :2], b_M4[:, :2]), np.minimum(a_N4[:, None, 2:], b_M4[:, 2:])
    overlap_NM = (high_NM2 - low_NM2).clip(min=0).astype(np.float64).prod(axis=2)
    area_N, area_M = ((boxes[:, 2:] - boxes[:, :2]).astype(np.float64).prod(axis=1) for boxes in (a_N4, b_M4))
    iou_NM: npt.NDArray[np.float64] = overlap_NM / (area_N[:, None] + area_M - overlap_NM).clip(min=1e-12)
    return iou_NM


def _num_missing(one: SceneGraph, other: SceneGraph, matched: Sequence[tuple[int, int, float]]) -> int:
    """Things that one engine shows and the other has not at all."""
    found = {row for row, _, _ in matched}, {twin for _, twin, _ in matched}
    return sum(len(set(np.flatnonzero(graph.scores_N >= SHOWN).tolist()) - rows) for graph, rows in zip((one, other), found, strict=True))


def _gaps(one: SceneGraph, other: SceneGraph, twins: dict[int, int]) -> list[float]:
    """Differences of the scores of matched things, and of the predicates' probabilities of pairs that both propose."""
    gaps = [abs(float(one.scores_N[row]) - float(other.scores_N[twin])) for row, twin in twins.items()]
    rows = {(int(subject), int(obj)): row for row, (subject, obj) in enumerate(other.pairs_R2) if subject != obj}
    for (subject, obj), probs_K in zip(one.pairs_R2.tolist(), one.predicate_probs_RK, strict=True):
        row = rows.get((twins.get(subject, -1), twins.get(obj, -1)))
        if subject != obj and row is not None:
            gaps += np.abs(probs_K - other.predicate_probs_RK[row]).tolist()
    return gaps


def _triplets(graph: SceneGraph, predicates: Sequence[Predicate], near: float = 0.0) -> Triplets:
    """What a graph tells, and what it nearly tells."""
    thresholds_K = np.array([one.threshold - near if one.published else np.inf for one in predicates])
    told = zip(*np.nonzero(graph.predicate_probs_RK >= thresholds_K), strict=True)
    labels_R2 = graph.labels_N[graph.pairs_R2]
    return Counter((int(labels_R2[row, 0]), int(predicate), int(labels_R2[row, 1])) for row, predicate in told)


def _empty(engine: Engine, slots: Sequence[int]) -> None:
    for slot in slots:
        engine.write_memory(slot, None)
