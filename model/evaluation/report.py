"""Everything that is measured of one checkpoint on one set of clips, as a results file keeps it. Pure numpy; heads come as cases."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from model.checkpoint import Manifest
from model.evaluation.frames import CONSTRAINTS, IS_NULL_K, NUM_PREDICATES, Bool, Constraint, Float, Int, TruthFrame, without_null_states
from model.evaluation.intervals import Interval
from model.evaluation.operating import SURE_ENTITY, AtThreshold, Judged, PredicateRow, at_thresholds, f1_gain, judge, predicate_rows
from model.evaluation.recall import AT, Case, Hits, Recall, find, mean_recall_gain, recall_at
from model.machine import Machine

EVERY_K: Bool = np.ones(NUM_PREDICATES, bool)


class RecallRow(msgspec.Struct, frozen=True):
    """One task under one constraint at 10, 20, 50; with or without the predicates that mean "nothing"."""

    task: str
    constraint: Constraint
    null_states: bool
    at: list[Recall]


class OperatingRow(msgspec.Struct, frozen=True):
    """Triplets as a product publishes them. `said`: published predicates or all; `counted`: the truth that they are held against."""

    task: str
    said: str
    counted: str
    figures: AtThreshold


class PredicateTable(msgspec.Struct, frozen=True):
    """Every predicate in one task."""

    task: str
    rows: list[PredicateRow]


class SetReport(msgspec.Struct, frozen=True):
    """One set of clips: counts, then tables, detected things (sgdet) first."""

    name: str
    clips: int
    frames: int
    true_triplets: int
    recall: list[RecallRow]
    operating: list[OperatingRow]
    predicates: list[PredicateTable]


class CheckpointReport(msgspec.Struct, frozen=True):
    """One checkpoint on all sets."""

    checkpoint: str
    model_hash: str
    tower: str
    published: list[str]
    sets: list[SetReport]


class Gain(msgspec.Struct, frozen=True):
    """How much more of a figure the checkpoint has than the baseline, with clips drawn together; both against the same truth."""

    set: str
    task: str
    figure: str
    gain: Interval


class Report(msgspec.Struct, frozen=True):
    """A results file."""

    machine: Machine
    class_matching: str
    seconds: float
    checkpoints: list[CheckpointReport]
    gains: list[Gain]


class Thresholds(msgspec.Struct, frozen=True):
    """Operating thresholds (K); infinite for what is held back in `published_K`."""

    every_K: NDArray[np.float64]
    published_K: NDArray[np.float64]
    is_published_K: NDArray[np.bool_]


class Measured(msgspec.Struct, frozen=True):
    """A set's report, and what a comparison needs beyond it: of each task the judged cells and the ranks with constraint."""

    report: SetReport
    judged: list[tuple[str, Judged, Hits]]


def thresholds_of(manifest: Manifest) -> Thresholds:
    """As the checkpoint says; null states are never said."""
    value_K = np.where(IS_NULL_K, np.inf, [use.threshold for use in manifest.predicates])
    is_published_K = np.array([use.published for use in manifest.predicates]) & ~IS_NULL_K
    return Thresholds(value_K, np.where(is_published_K, value_K, np.inf), is_published_K)


def measure(name: str, num_clips: int, tasks: Iterable[tuple[str, list[Case]]], thresholds: Thresholds, group_C: Int) -> Measured:
    """All tables of one set. Raises ValueError where no frame has a true relation."""
    recall: list[RecallRow] = []
    operating: list[OperatingRow] = []
    predicates: list[PredicateTable] = []
    judged: list[tuple[str, Judged, Hits]] = []
    frames = triplets = 0
    for task, cases in tasks:
        frames, triplets = len(cases), sum(len(case.truth.triplets_T3) for case in cases)
        recall += _recall_rows(task, cases, group_C)
        cells = judge(cases, group_C)
        judged.append((task, cells, find(cases, "with", group_C)))
        operating += [
            OperatingRow(task, said, counted, at_thresholds(cells, threshold_K, counted_K, surest(task)))
            for said, counted, threshold_K, counted_K in products(thresholds)
        ]
        predicates.append(PredicateTable(task, predicate_rows(cells, thresholds.every_K, thresholds.is_published_K, surest(task))))
    return Measured(SetReport(name, num_clips, frames, triplets, recall, operating, predicates), judged)


def gains(new: Measured, new_at: Thresholds, old: Measured, old_at: Thresholds) -> list[Gain]:
    """The checkpoint against the baseline on one set, where both are held against all that says something.

    Raises ValueError where they were measured on other frames or other labels.
    """
    counts = [(one.report.clips, one.report.frames, one.report.true_triplets) for one in (new, old)]
    if counts[0] != counts[1]:
        raise ValueError(f"{new.report.name} is not the same for both checkpoints (clips, frames, triplets: {counts}): give both the clips")
    name, rows = new.report.name, []
    for (task, new_cells, new_hits), (_, old_cells, old_hits) in zip(new.judged, old.judged, strict=True):
        rows.append(Gain(name, task, "mR@20 with constraint", mean_recall_gain(new_hits, old_hits, 20)))
        for said, new_K, old_K in (("published", new_at.published_K, old_at.published_K), ("all", new_at.every_K, old_at.every_K)):
            gain = f1_gain((new_cells, new_K), (old_cells, old_K), ~IS_NULL_K, surest(task))
            rows.append(Gain(name, task, f"triplet F1 of {said} predicates", gain))
    return rows


def products(thresholds: Thresholds) -> Iterator[tuple[str, str, Float, Bool]]:
    """What is said, against which truth: published against published, published against all, all against all (null states never)."""
    yield "published", "published", thresholds.published_K, thresholds.is_published_K
    yield "published", "all", thresholds.published_K, ~IS_NULL_K
    yield "all", "all", thresholds.every_K, ~IS_NULL_K


def surest(task: str) -> float:
    """The entity score from which relations are published: given boxes are sure."""
    return SURE_ENTITY if task == "sgdet" else 0.0


def _recall_rows(task: str, cases: list[Case], group_C: Int) -> Iterator[RecallRow]:
    bare = [replace(case, truth=_without_null(case.truth), predicted=without_null_states(case.predicted)) for case in cases]
    for null_states, those in ((True, cases), (False, bare)):
        for constraint in CONSTRAINTS:
            hits = find(those, constraint, group_C)
            yield RecallRow(task, constraint, null_states, [recall_at(hits, k) for k in AT])


def _without_null(truth: TruthFrame) -> TruthFrame:
    return replace(truth, triplets_T3=truth.triplets_T3[~IS_NULL_K[truth.triplets_T3[:, 1]]])
