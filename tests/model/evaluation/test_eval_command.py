"""`vigil eval` from kept numbers alone: tables, files, the baseline beside it, and a clear word where there is nothing."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from model.checkpoint import read_manifest
from model.commands import eval as command
from model.commands.export import DEFAULT_FOLDER
from model.evaluation import eval_set as sets
from model.evaluation.eval_set import path_for, tower_of, write_set
from model.evaluation.frames import NUM_PREDICATES, class_groups
from model.evaluation.recall import Case
from model.evaluation.report import Report, Thresholds, gains, measure
from service.cli import main
from tests.model.evaluation.made import HOLDING, eval_set, predicted, truth


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Numbers of the shipped image tower for one set, in a folder of their own."""
    tower = tower_of(read_manifest(DEFAULT_FOLDER))
    monkeypatch.setattr(command, "path_for", lambda name, of: path_for(name, of, tmp_path / "kept"))
    write_set(eval_set((3, 2), tower=tower), sets.path_for("synth-home-test", tower, tmp_path / "kept"))
    return tmp_path


def test_tables_are_printed_and_written_without_any_clip(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "--checkpoint", str(DEFAULT_FOLDER), "--out", str(kept / "out")]) == 0
    printed = capsys.readouterr().out
    assert printed.index("sgdet") < printed.index("sgcls") < printed.index("predcls")
    (path,) = (kept / "out").glob("*.json")
    report = msgspec.json.decode(path.read_bytes(), type=Report)
    ((one,),) = [checkpoint.sets for checkpoint in report.checkpoints]
    assert (one.name, one.clips, one.frames, one.true_triplets) == ("synth-home-test", 2, 3, 9)
    assert {(row.task, row.constraint, row.null_states) for row in one.recall} == {
        (task, constraint, null_states)
        for task in ("sgdet", "sgcls", "predcls")
        for constraint in ("with", "no", "semi")
        for null_states in (True, False)
    }
    (picture,) = (kept / "out").glob("*.png")
    assert picture.stat().st_size > 1000


def test_a_checkpoint_gains_nothing_over_itself(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "--baseline", str(DEFAULT_FOLDER), "--checkpoint", str(DEFAULT_FOLDER), "--out", str(kept / "out")]) == 0
    assert "over the baseline" in capsys.readouterr().out
    (path,) = (kept / "out").glob("*.json")
    gains = msgspec.json.decode(path.read_bytes(), type=Report).gains
    assert len(gains) == 9
    assert all(gain.gain.value == gain.gain.low == gain.gain.high == 0.0 for gain in gains)


def test_checkpoints_are_not_compared_on_different_clips() -> None:
    thresholds = Thresholds(np.zeros(NUM_PREDICATES), np.zeros(NUM_PREDICATES), np.ones(NUM_PREDICATES, bool))
    group_C = class_groups()
    case = Case(0, truth(HOLDING), predicted([(0, 1, {"holding": 0.9})]))
    one, two = (measure("realmini", count, [("sgdet", [case] * count)], thresholds, group_C) for count in (1, 2))
    with pytest.raises(ValueError, match="not the same for both"):
        gains(one, thresholds, two, thresholds)


def test_nothing_to_measure_on_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(command, "path_for", lambda name, of: path_for(name, of, tmp_path))
    assert main(["eval", "--checkpoint", str(DEFAULT_FOLDER), "--out", str(tmp_path)]) == 2
    assert "--data" in capsys.readouterr().err
