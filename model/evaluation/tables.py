"""Reports as text for a terminal, in percent; 95 % intervals in brackets. Knows no measuring."""

from collections.abc import Iterator, Sequence

from model.annotations import POSTURES
from model.evaluation.cue_ablation import MISSING, CueTable
from model.evaluation.intervals import Interval
from model.evaluation.posture_check import PostureRow
from model.evaluation.report import CheckpointReport, Gain, OperatingRow, PredicateTable, RecallRow, SetReport

SAID = {
    ("published", "published"): "published, of their truth",
    ("published", "all"): "published, of all truth",
    ("all", "all"): "all that says something",
}


def checkpoint_lines(report: CheckpointReport) -> Iterator[str]:
    """All tables of a checkpoint."""
    yield f"{report.checkpoint} ({report.model_hash}, image tower {report.tower}), {len(report.published)} predicates published"
    for one in report.sets:
        yield ""
        yield from _set_lines(one)


def gain_lines(gains: list[Gain]) -> Iterator[str]:
    """What the checkpoint has over the baseline."""
    yield "over the baseline, in points, on the same clips; triplet F1 against all true relations that say something"
    for one in gains:
        yield f"  {one.set:16} {one.task:8} {one.figure:34} {'+' if one.gain.value >= 0 else ''}{_percent(one.gain)}"


def cue_lines(table: CueTable) -> Iterator[str]:
    """One set and task: average precision with all cues, then what each part adds, in points."""
    yield f"{table.set}, {table.task}, {table.clips} clips; average precision with all cues, then how much of it is lost without"
    yield _cue_row("", ("true", "clips"), ("all cues", *list(MISSING)[1:]))
    for row in table.rows:
        adds = [f"{'+' if one.adds.value >= 0 else ''}{_percent(one.adds)}" for one in row.without]
        yield _cue_row(row.name, (str(row.true), str(row.clips)), (_percent(row.average_precision), *adds))
    if table.absent:
        yield f"  never true here: {', '.join(table.absent)}"


def posture_lines(rows: Sequence[PostureRow]) -> Iterator[str]:
    """What the posture cue says of true people, and how often it is right where it says something."""
    yield "the posture cue of true people, frame by frame: what it says, and the share that is right of those it speaks of"
    titles = "".join(f" {name:>9}" for name in ("people", "clips", *POSTURES, "not said"))
    yield f"  {'set':16} {'truth':10} {'posture':10}{titles}   right"
    for row in rows:
        counts = "".join(f" {count:9d}" for count in (row.true, row.clips, *row.said, row.not_said))
        yield f"  {row.set:16} {row.truth:10} {row.posture:10}{counts}   {_percent(row.right) if row.right else 'nobody'}"


def _cue_row(name: str, counts: Sequence[str], cells: Sequence[str]) -> str:
    return f"  {name:16}" + "".join(f" {count:>6}" for count in counts) + "".join(f" {cell:>19}" for cell in cells)


def _set_lines(one: SetReport) -> Iterator[str]:
    yield f"{one.name}: {one.clips} clips, {one.frames} frames, {one.true_triplets} true triplets"
    tasks = list(dict.fromkeys(row.task for row in one.recall))
    for task in tasks:
        yield from _recall_lines(task, [row for row in one.recall if row.task == task])
    for task in tasks:
        yield from _operating_lines(task, [row for row in one.operating if row.task == task])
    for table in one.predicates:
        yield from _predicate_lines(table)


def _recall_lines(task: str, rows: list[RecallRow]) -> Iterator[str]:
    titles = ("R@10/20/50", "mR@10/20/50", "F1@10/20/50", "R@20", "mR@20", "mR@20 per frame", "median@20")
    yield _row(task, "", titles)
    for row in rows:
        middle = row.at[1]
        three = ([one.recall.value for one in row.at], [one.mean_recall.value for one in row.at], [one.f1 for one in row.at])
        cells = [" / ".join(f"{100 * value:.1f}" for value in values) for values in three]
        cells += [_percent(middle.recall), _percent(middle.mean_recall)]
        cells += [f"{100 * share:.1f}" for share in (middle.mean_recall_per_frame, middle.median_recall)]
        yield _row("", f"{row.constraint} constraint{'' if row.null_states else ', no null states'}", cells)


def _operating_lines(task: str, rows: list[OperatingRow]) -> Iterator[str]:
    yield _row(task, "at its thresholds", ("precision", "recall", "F1", "without ghosts", "said", "right", "ghosts", "true"))
    for row in rows:
        figures = row.figures
        cells = [_percent(share) for share in (figures.precision, figures.recall, figures.f1, figures.precision_listed)]
        counts = (figures.said, figures.right, figures.ghosts, figures.true)
        yield _row("", SAID[row.said, row.counted], [*cells, *map(str, counts)])


def _predicate_lines(table: PredicateTable) -> Iterator[str]:
    yield _row(table.task, "predicate", ("precision", "recall", "average precision", "said", "right", "true", "from"))
    for row in table.rows:
        use = "" if row.threshold is None else f"{row.threshold:.2f}{'' if row.published else ' held back'}"
        cells = (_percent(row.precision), _percent(row.recall), f"{100 * row.average_precision:.1f}")
        yield _row("", row.name, (*cells, *map(str, (row.said, row.right, row.true)), use))


def _row(task: str, name: str, cells: Sequence[str]) -> str:
    """One line: the first three columns are wider."""
    return f"  {task:8} {name:32}" + "".join(f" {cell:>{20 if column < 3 else 17}}" for column, cell in enumerate(cells))


def _percent(share: Interval) -> str:
    return f"{100 * share.value:.1f} [{100 * share.low:.1f}, {100 * share.high:.1f}]"
