"""The whole-method table as one page of markdown: judged sets first, then what parts add, over time, and the row's own test clips."""

from collections.abc import Iterator

from model.evaluation.frames import CONSTRAINTS
from model.rivals import adds, set_report
from model.rivals.kept_sets import JUDGED_TASKS
from model.rivals.report import Report, markdown
from model.rivals.table import Setup

LEGEND = """
Mean ± standard deviation over {seeds} seeds, per cent{gaps}. Trained on {epochs} epochs of {scenes} scenes and {clips} clips of the box
world{passes}. Episode memory, the second formulation of the memory, has a row for every thing and pair. Rows named after others are
reimplementations of their ideas on the same trunk, data, seeds and steps, trained with AdamW + cosine and without memory.
"""
COMPLETE = """
With complete labels self-training is plain training, to the digit: its row only tells something where labels are hidden.
"""
JUDGED = """
All that is annotated counts, also what the detector misses; with constraint. In brackets 95 % over resampled clips, averaged over seeds:
rows share the clips, so they differ more surely than brackets suggest.
"""
COSTS = """
Parameters and head MFLOP are those of the head: trained ones, and of one frame. Network: detector, image heads and head at 448x256, two
operations a multiply-add, group learning's earlier classifiers left out. FPS: of the network in torch on {threads} thread to the plain
row's, frame by frame in turns; ms for information. Association and relation filter have no figure here: frame recall does not see them.
"""
PARTS = """
Differences between rows of the same seed, points of per cent, mean ± standard deviation; the last column says whether the 95 % interval
of the mean difference in F1@20 (Student's t over seeds) leaves 0 out.
"""


def page(report: Report, seeds: int, over_time: str) -> str:
    """All of it; `over_time` is that section's text."""
    parts = [_legend(report.setup, seeds), *([COMPLETE] if _needs_gaps(report) else []), *_judged(report)]
    parts += ["## What each part adds", PARTS, adds.markdown(report.adds)]
    parts += ["## + association and relation filter: over time", over_time, *_reported(report), COSTS.format(threads=report.threads)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _legend(setup: Setup, seeds: int) -> str:
    gaps = f"; {setup.hidden:.0%} of training pairs without labels, for every row" if setup.hidden else ""
    passes = f" and {setup.rendered_passes:g} passes of rendered clips" if setup.data != "world" else ""
    return LEGEND.format(seeds=seeds, gaps=gaps, epochs=setup.epochs, scenes=setup.scenes, clips=setup.clips, passes=passes)


def _needs_gaps(report: Report) -> bool:
    return report.setup.hidden == 0.0 and any(result.row == "st_sgg" for result in report.results)


def _judged(report: Report) -> Iterator[str]:
    if not report.counted:
        yield f"No judged set: no numbers are kept for the image tower of {report.setup.detector} (`vigil eval --keep` keeps them)."
        return
    yield JUDGED
    for one in report.counted:
        for task in JUDGED_TASKS:
            rows = [row for row in report.sets if (row.set, row.task) == (one.name, task)]
            counts = f"{one.clips} clips, {one.frames} frames, {one.triplets} true triplets"
            yield f"## {one.name}, {task}: {counts}"
            yield set_report.markdown(rows)


def _reported(report: Report) -> Iterator[str]:
    setup = report.setup
    held_out = f"{setup.test_clips} held-out clips of the box world" if setup.data == "world" else f"the test clips of {setup.data}"
    for constraint in CONSTRAINTS:
        yield f"## {constraint} constraint, over reported entities of {held_out}"
        yield markdown(report.tables[constraint], report.costs)
