"""Rows on judged sets of clips: mean and spread over seeds, and how much the clips leave open. Markdown and numbers."""

from collections.abc import Sequence

from msgspec import Struct

from model.evaluation.recall import AT
from model.rivals.kept_sets import JUDGED_TASKS, Counted, SetAt
from model.rivals.table import ROWS, Result, over_seeds


class Spread(Struct, frozen=True, array_like=True):
    """Mean and standard deviation over seeds; 95 % over resampled clips, its ends averaged over seeds."""

    mean: float
    deviation: float
    low: float
    high: float


class SetFigures(Struct, frozen=True):
    """One row on one set in one task, with constraint, in the order of AT; F1 is (mean, standard deviation) over seeds."""

    set: str
    task: str
    row: str
    title: str
    seeds: int
    recall: list[Spread]
    mean_recall: list[Spread]
    f1: list[tuple[float, float]]


def set_figures(results: Sequence[Result], name: str, task: str) -> list[SetFigures]:
    """One line a row that was measured there, in the order of ROWS."""
    out = []
    for row, about in ROWS.items():
        there = [[at for at in one.judged if (at.set, at.task) == (name, task)] for one in results if one.row == row]
        runs = [run for run in there if run]
        if runs:
            by_k = [[next(at for at in run if at.k == k) for run in runs] for k in AT]
            recall, mean_recall = [_spread(some, "recall") for some in by_k], [_spread(some, "mean_recall") for some in by_k]
            f1 = [over_seeds([at.f1 for at in some]) for some in by_k]
            out.append(SetFigures(name, task, row, about.title, len(runs), recall, mean_recall, f1))
    return out


def all_figures(results: Sequence[Result], counted: Sequence[Counted]) -> list[SetFigures]:
    """Every set and task."""
    return [row for one in counted for task in JUDGED_TASKS for row in set_figures(results, one.name, task)]


def markdown(rows: Sequence[SetFigures]) -> str:
    """In per cent: mean ± standard deviation over seeds [95 % over clips]."""
    names = [f"{name}@{k}" for name in ("R", "mR", "F1") for k in AT]
    lines = ["| row | " + " | ".join(names) + " |", "|" + "---|" * (len(names) + 1)]
    for row in rows:
        cells = [_cell(one) for one in (*row.recall, *row.mean_recall)]
        cells += [f"{100 * mean:.1f} ± {100 * deviation:.1f}" for mean, deviation in row.f1]
        lines.append(f"| {row.title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _spread(runs: Sequence[SetAt], field: str) -> Spread:
    intervals = [getattr(at, field) for at in runs]
    mean, deviation = over_seeds([one.value for one in intervals])
    return Spread(mean, deviation, over_seeds([one.low for one in intervals])[0], over_seeds([one.high for one in intervals])[0])


def _cell(one: Spread) -> str:
    return f"{100 * one.mean:.1f} ± {100 * one.deviation:.1f} [{100 * one.low:.1f}, {100 * one.high:.1f}]"
