"""The comparison goes on where it was killed, and its table and verdict follow from the runs."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from PIL import Image

from model.proxvp.compare import Run, Setup, Shared, draw_shared, fingerprint, kept_or_run
from model.proxvp.figure import draw_curves
from model.proxvp.verdict import as_good, lines, markdown, rows

TINY = Setup(scenes=12, epochs=1, batch=6, probe_scenes=4, test_scenes=4, probe_every=1)
STEPS = list(range(0, 100, 4))


def made(method: str, seed: int, wiggle: float, test_loss: float) -> Run:
    """A curve that falls from 5 to 2.6 and rises by `wiggle` at every second point."""
    losses = [5.0 - 0.1 * index + (wiggle if index % 2 else 0.0) for index in range(len(STEPS))]
    return Run(method, seed, STEPS, losses, test_loss, 0.5, 10.0, [])


def runs(**rows_of: tuple[float, float]) -> list[Run]:
    return [made(method, seed, *rows_of[method]) for method in rows_of for seed in range(3)]


def test_a_run_is_kept_and_not_done_again(tmp_path: Path) -> None:
    ticks: list[str] = []
    first = kept_or_run(tmp_path, TINY, lambda: draw_shared(TINY, 1), "proxvp", 0, ticks.append)
    assert first.steps == [0, 1, 2]
    assert len(first.losses) == 3
    assert len(first.diagnoses) == 1
    assert len(ticks) == 2

    def nothing() -> Shared:
        raise AssertionError("asked for data again")

    assert kept_or_run(tmp_path, TINY, nothing, "proxvp", 0, ticks.append) == first


def test_the_lines_hold_for_a_calm_curve_and_fail_for_one_that_is_not() -> None:
    calm = rows(runs(adamw=(0.5, 3.0), proxvp=(0.11, 3.0)))
    assert [line.holds for line in lines(calm)] == [True, True, True]
    wild = rows(runs(adamw=(0.5, 3.0), proxvp=(0.4, 3.1)))
    assert [line.holds for line in lines(wild)] == [False, False, False]


def test_upward_variation_of_the_row_is_that_of_its_curves() -> None:
    """12 rises of .5 - .1 each over a fall from 5 to 2.6."""
    (row,) = rows(runs(adamw=(0.5, 3.0)))
    assert row.upward_variation[0] == pytest.approx(12 * 0.4 / 2.4)
    assert row.upward_variation[1] == pytest.approx(0.0)


def test_a_simpler_row_that_passes_the_same_lines_is_named() -> None:
    table = rows(runs(adamw=(0.5, 3.0), adamw_ema=(0.11, 2.99), adamw_cosine=(0.4, 2.9), proxvp=(0.1, 3.0)))
    assert as_good(table) == ["adamw_ema"]
    assert as_good(rows(runs(adamw=(0.5, 3.0)))) == []


def test_the_table_has_a_line_a_method() -> None:
    text = markdown(rows(runs(adamw=(0.5, 3.0), proxvp=(0.1, 2.9)))).splitlines()
    assert len(text) == 4
    assert text[3].startswith("| proxvp | 0.000 ± 0.000 |")


def test_the_figure_is_a_picture_of_two_panels(tmp_path: Path) -> None:
    draw_curves(runs(adamw=(0.5, 3.0), proxvp=(0.1, 2.9)), tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.size == (1240, 460)
        colours = picture.convert("RGB").resize((124, 46)).getcolors(10_000)
        assert colours is not None
        assert len(colours) > 20


def test_runs_of_another_set_up_lie_elsewhere() -> None:
    assert fingerprint(TINY) == fingerprint(TINY)
    assert fingerprint(TINY) != fingerprint(replace(TINY, batch=5))
