"""Cues taken away from judged clips, and what each part adds to average precision, against tables by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.evaluation.cue_ablation import MISSING, cue_table, drawn_precision, set_without
from model.evaluation.frames import class_groups
from model.evaluation.operating import Judged, PredicateCells, average_precision, cells_of, judge
from model.evaluation.plot import draw_cues
from model.evaluation.recall import Case
from model.evaluation.tables import cue_lines
from tests.model.evaluation.made import HOLDING, eval_set, predicted, truth

HOLDS = [HOLDING[2]]
CELLS = PredicateCells(np.array([True, False, True]), np.array([0, 1, 1]), np.array([0, 1]))
"""Best first: right in clip 0, wrong in clip 1, right in clip 1; both true triplets are found."""


def holding(cup: float, bed: float) -> Judged:
    """One frame in which the cup is held, said of the cup and of the bed."""
    return judge([Case(0, truth(HOLDS), predicted([(0, 1, {"holding": cup}), (0, 2, {"holding": bed})]))], class_groups())


@pytest.mark.parametrize(
    ("missing", "zeros"),
    [("nothing", []), ("hands", range(8)), ("gaze", range(8, 12)), ("posture", range(12, 16)), ("all three", range(17))],
)
def test_a_set_without_a_part_has_zeros_in_its_columns_only(missing: str, zeros: list[int]) -> None:
    """Hands 4, seen 2, contact 2; gaze 3, face 1; posture 4; known 1, which falls with the last part."""
    plain = eval_set()
    seen = replace(plain, found=tuple(one._replace(cues_NV=np.ones_like(one.cues_NV)) for one in plain.found))
    blind = set_without(seen, MISSING[missing])
    for one in blind.found:
        assert np.flatnonzero(one.cues_NV[0] == 0).tolist() == list(zeros)
    assert blind.truths is seen.truths


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ([1, 1], (1 + 2 / 3) / 2),
        ([2, 0], 1.0),
        ([0, 2], 0.5),  # two wrong, then two right at rank 4
        ([2, 1], (2 * 1 + 3 / 4) / 3),
    ],
)
def test_average_precision_of_drawn_clips_by_hand(weights: list[float], expected: float) -> None:
    assert drawn_precision(CELLS, np.array([weights], float))[0] == pytest.approx(expected)


def test_where_every_clip_is_drawn_once_it_is_the_average_precision() -> None:
    rng = np.random.default_rng(3)
    right_X, clip_X = rng.random(60) < 0.3, rng.integers(0, 5, 60)
    clip_T = np.concatenate([clip_X[right_X], [4, 4]])
    drawn = drawn_precision(PredicateCells(right_X, clip_X, clip_T), np.ones((1, 5)))
    assert drawn[0] == pytest.approx(average_precision(right_X, len(clip_T)))


def test_a_draw_in_which_nothing_is_true_says_nothing() -> None:
    assert np.isnan(drawn_precision(CELLS._replace(clip_T=np.array([0])), np.array([[0.0, 2.0]]))[0])


def test_cells_of_a_predicate_count_the_first_find_alone() -> None:
    """Holding is said twice of the cup: the better one finds it."""
    rows = [(0, 1, {"holding": 0.9, "touching": 0.7}), (0, 1, {"holding": 0.8})]
    judged = judge([Case(0, truth(HOLDS), predicted(rows))], class_groups())
    cells = cells_of(judged, int(judged.predicate_T[0]))
    assert (cells.right_X.tolist(), cells.clip_X.tolist(), cells.clip_T.tolist()) == ([True, False], [0, 0], [0])


def test_what_a_part_adds_is_what_is_lost_without_it() -> None:
    """With all cues the cup comes first (1.0), without hands second (.5)."""
    judged = {missing: holding(0.6, 0.7) if missing == "hands" else holding(0.8, 0.7) for missing in MISSING}
    table = cue_table(eval_set((2,)), "predcls", judged)
    assert [row.name for row in table.rows] == ["holding", "mean"]
    assert "touching" in table.absent
    for row in table.rows:
        assert (row.true, row.clips, row.average_precision.value) == (1, 1, 1.0)
        adds = {one.missing: (one.average_precision, one.adds.value, one.adds.low, one.adds.high) for one in row.without}
        assert adds["hands"] == (0.5, 0.5, 0.5, 0.5)
        assert adds["gaze"] == adds["posture"] == adds["all three"] == (1.0, 0.0, 0.0, 0.0)


def test_the_table_is_printed_and_drawn(tmp_path: Path) -> None:
    table = cue_table(eval_set((2,)), "predcls", {missing: holding(0.8 - 0.2 * bool(parts), 0.7) for missing, parts in MISSING.items()})
    printed = "\n".join(cue_lines(table))
    assert "+50.0 [50.0, 50.0]" in printed
    assert "never true here: touching" in printed
    draw_cues("nano", [table, table], tmp_path / "cues.png")
    assert (tmp_path / "cues.png").stat().st_size > 1000


def test_a_set_where_none_of_the_predicates_is_true_is_refused() -> None:
    nothing = judge([Case(0, truth([(0, "wearing", 1)]), predicted([]))], class_groups())
    with pytest.raises(ValueError, match="nothing to compare"):
        cue_table(eval_set((2,)), "predcls", dict.fromkeys(MISSING, nothing))
