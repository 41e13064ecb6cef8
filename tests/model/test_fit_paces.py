"""Fitting the relation filter: stays and delays by hand, a fit that beats a raw threshold, and paces that travel with a checkpoint."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from model.belief import BeliefFilter, Floats, Pace
from model.checkpoint import read_manifest, read_paces, write_paces
from model.commands.export import DEFAULT_FOLDER
from model.fit_paces import Bools, Followed, averaged, beliefs, compare, fit_paces, switched


def followed(probs_SF: Floats, true_SF: Bools, dt_s: float = 0.1) -> Followed:
    shape = true_SF.shape
    return Followed(probs_SF[..., None], np.ones(shape, np.bool_), true_SF[..., None], np.full(shape, dt_s))


def row(text: str) -> Bools:
    """One relation over time: # holds."""
    return np.array([[letter == "#" for letter in text]])


@pytest.mark.parametrize(
    ("true", "said", "precision", "recall", "flicker", "found", "delay_s"),
    [
        ("..####..", "..####..", 1.0, 1.0, 1.0, 1, 0.0),
        ("..####..", "....##..", 1.0, 0.5, 1.0, 1, 0.2),
        ("..####..", "...#.#..", 1.0, 0.5, 2.0, 1, 0.1),
        ("..####..", "......##", 0.0, 0.0, 0.5, 0, None),
        ("##..##..", "##......", 1.0, 0.5, 2 / 4, 1, 0.0),
    ],
)
def test_figures_of_a_filter_by_hand(
    true: str, said: str, precision: float, recall: float, flicker: float, found: int, delay_s: float | None
) -> None:  # fmt: skip
    figures = compare(followed(np.zeros((1, 8)), row(true)), row(said)[..., None])
    assert figures.precision == pytest.approx(precision)
    assert figures.recall == pytest.approx(recall)
    assert figures.flicker == pytest.approx(flicker)
    assert figures.found == found
    assert np.isnan(figures.delay_median_s) if delay_s is None else figures.delay_median_s == pytest.approx(delay_s)


def noisy(seed: int, count: int = 60, frames: int = 120) -> Followed:
    """Relations that hold for 3 s and stay away for 6 s, said by a network that errs for a few frames at a time."""
    rng = np.random.default_rng(seed)
    true_SF = np.zeros((count, frames), np.bool_)
    true_SF[:, 0] = rng.random(count) < 1 / 3
    for frame in range(1, frames):
        turn_S = rng.random(count) < np.where(true_SF[:, frame - 1], 0.1 / 3, 0.1 / 6)
        true_SF[:, frame] = true_SF[:, frame - 1] ^ turn_S
    error_SF = np.repeat(rng.normal(0, 1.5, (count, frames // 3)), 3, 1)
    return followed(1 / (1 + np.exp(-(np.where(true_SF, 1.5, -1.5) + error_SF))), true_SF)


def test_the_fitted_filter_flickers_less_and_finds_more_than_a_raw_threshold_of_like_precision() -> None:
    paces = fit_paces(noisy(1), [0.5], aimed_precision=0.85)
    unseen = noisy(2)
    fitted = compare(unseen, switched(beliefs(unseen, BeliefFilter([0.5], paces))))
    raw = compare(unseen, unseen.probs_SFK >= 0.5)
    assert fitted.precision > 0.8
    assert fitted.precision >= raw.precision
    assert fitted.flicker < 0.5 * raw.flicker
    assert fitted.f1 > raw.f1


def test_stays_are_near_those_that_made_the_truth() -> None:
    pace = fit_paces(noisy(3), [0.5], aimed_precision=0.85)[0]
    assert pace.on_s == pytest.approx(3.0, rel=0.25)
    assert pace.off_s == pytest.approx(6.0, rel=0.3)


def test_a_predicate_that_hardly_occurs_keeps_the_default_pace() -> None:
    rare = followed(np.zeros((3, 20)), np.zeros((3, 20), np.bool_))
    assert fit_paces(rare, [0.5], aimed_precision=0.9) == (Pace(),)


def test_an_average_waits_for_looks_and_moves_by_time() -> None:
    looks = Followed(
        np.array([[[1.0], [0.0], [0.0]]]), np.array([[True, False, True]]), np.zeros((1, 3, 1), np.bool_), np.full((1, 3), 0.3)
    )
    assert averaged(looks, 0.3)[0, :, 0].tolist() == pytest.approx([1.0, 1.0, np.exp(-1)])


def test_paces_travel_with_the_checkpoint_and_do_not_change_what_its_state_means(tmp_path: Path) -> None:
    folder = tmp_path / DEFAULT_FOLDER.name
    shutil.copytree(DEFAULT_FOLDER, folder)
    before = read_manifest(folder)
    write_paces(folder, {"holding": Pace(2.0, 8.0, 0.2)})
    after = read_manifest(folder)
    assert {use.name: use.pace for use in after.predicates}["holding"] == Pace(2.0, 8.0, 0.2)
    assert read_paces(folder)["holding"].evidence_s == 0.2
    assert after.model_hash == before.model_hash


def test_a_broken_file_of_paces_is_named(tmp_path: Path) -> None:
    (tmp_path / "paces.json").write_text('{"holding": 3}')
    with pytest.raises(ValueError, match=r"paces\.json does not hold a pace"):
        read_paces(tmp_path)
