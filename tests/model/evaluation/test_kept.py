"""The numbers that ship for runs without clips: of checkpoints that ship, with today's labels, and small."""

from pathlib import Path

import pytest

from model.checkpoint import read_manifest
from model.commands.export import DEFAULT_FOLDER
from model.evaluation.eval_set import FOLDER, read_set, tower_of
from model.evaluation.frames import truth_of
from model.realmini.reader import load_realmini

KEPT = sorted(FOLDER.glob("*.npz"))
MOST_BYTES = 6 * 2**20


def test_they_are_small() -> None:
    assert sum(path.stat().st_size for path in KEPT) <= MOST_BYTES


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_each_is_of_a_checkpoint_that_ships_and_says_so(path: Path) -> None:
    towers = {tower_of(read_manifest(folder)) for folder in DEFAULT_FOLDER.parent.iterdir() if folder.is_dir()}
    kept = read_set(path)
    assert path.stem == f"{kept.name}-{kept.tower}"
    assert kept.tower in towers, "no checkpoint has this image tower any more: remove the file"


@pytest.mark.parametrize("path", [path for path in KEPT if path.stem.startswith("realmini")], ids=lambda path: path.stem)
def test_the_real_clips_have_todays_labels(path: Path) -> None:
    kept = read_set(path)
    labelled = [(clip.name, truth_of(frame)) for clip in load_realmini() for frame in sorted(clip.frames, key=lambda frame: frame.index)]
    judged = [row for row in range(len(kept.truths)) if kept.judged_F[row]]
    assert [kept.clips[kept.clip_F[row]] for row in judged] == [name for name, _ in labelled]
    for row, (name, truth) in zip(judged, labelled, strict=True):
        assert kept.truths[row].triplets_T3.tolist() == truth.triplets_T3.tolist(), f"{name}: labels have changed, run vigil eval --keep"
        assert kept.truths[row].classes_N.tolist() == truth.classes_N.tolist()
