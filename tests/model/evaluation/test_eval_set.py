"""Numbers kept of judged clips come back as they went in, within sixteen bits."""

from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from model.checkpoint import DETECTOR, HEAD, IMAGE_HEADS, read_manifest
from model.commands.export import DEFAULT_FOLDER
from model.evaluation.eval_set import FULL, path_for, read_set, rounded, tower_of, write_set
from tests.model.evaluation.made import eval_set


def test_a_set_comes_back_from_its_file(tmp_path: Path) -> None:
    path = path_for("synth-home-test", "t0", tmp_path / "new")
    write_set(eval_set(), path)
    back, before = read_set(path), eval_set()
    assert (back.name, back.tower, back.clips) == (before.name, before.tower, before.clips)
    assert back.judged_F.tolist() == before.judged_F.tolist()
    assert back.time_F == pytest.approx(before.time_F)
    for mine, yours in zip(back.truths, before.truths, strict=True):
        assert mine.triplets_T3.tolist() == yours.triplets_T3.tolist()
        assert mine.ids_N.tolist() == yours.ids_N.tolist()
        assert np.abs(mine.boxes_N4 - yours.boxes_N4).max(initial=0.0) <= 0.5 / FULL + 1e-9
    for mine_, yours_ in zip(back.found + back.given, before.found + before.given, strict=True):
        assert mine_.probs_NC == pytest.approx(yours_.probs_NC, abs=1 / FULL)
        assert mine_.scores_N == pytest.approx(yours_.scores_N, abs=1 / FULL)


def test_rounding_is_what_the_file_does_and_does_it_once(tmp_path: Path) -> None:
    write_set(eval_set(), tmp_path / "set.npz")
    stored, direct = read_set(tmp_path / "set.npz"), rounded(eval_set())
    for sets in ((stored, direct), (direct, rounded(direct))):
        for mine, yours in zip(*(one.found for one in sets), strict=True):
            assert all((left == right).all() for left, right in zip(mine, yours, strict=True))


def test_another_file_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", format="else")
    with pytest.raises(ValueError, match="vigil-eval-1"):
        read_set(tmp_path / "other.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(ValueError, match="is no set of judged clips"):
        read_set(tmp_path / "text.npz")


def test_the_tower_changes_with_what_makes_entities_and_not_with_the_scene_head() -> None:
    manifest = read_manifest(DEFAULT_FOLDER)
    tower = tower_of(manifest)
    changed = {name: {**manifest.files, name: "0" * 64} for name in (DETECTOR, IMAGE_HEADS, HEAD)}
    towers = {name: tower_of(replace(manifest, files=files)) for name, files in changed.items()}
    assert towers[HEAD] == tower
    assert len({tower, towers[DETECTOR], towers[IMAGE_HEADS]}) == 3
