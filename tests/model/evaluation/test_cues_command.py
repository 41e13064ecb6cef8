"""`vigil cues` from kept numbers: a table, a file, a picture, and a clear word where there is nothing to take away."""

from pathlib import Path

import msgspec
import pytest

from model.checkpoint import read_manifest
from model.commands import cues as command
from model.commands.cues import READS_CUES, CueReport
from model.commands.export import DEFAULT_FOLDER
from model.evaluation.eval_set import path_for, tower_of, write_set
from service.cli import main
from tests.model.evaluation.made import eval_set


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for kept numbers, with one set of the image tower that gives cues."""
    tower = tower_of(read_manifest(READS_CUES))
    monkeypatch.setattr(command, "path_for", lambda name, of: path_for(name, of, tmp_path / "kept"))
    write_set(eval_set((3, 2), tower=tower), path_for("synth-home-test", tower, tmp_path / "kept"))
    return tmp_path


def test_tables_are_printed_and_written_without_any_clip(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The made clips have no cues at all: nothing is lost without them."""
    assert main(["cues", "--out", str(kept / "out")]) == 0
    printed = capsys.readouterr().out
    assert printed.index("predcls") < printed.index("sgdet") < printed.index("posture cue")
    (path,) = (kept / "out").glob("cues-*.json")
    report = msgspec.json.decode(path.read_bytes(), type=CueReport)
    assert [(table.set, table.task, table.clips) for table in report.tables] == [
        ("synth-home-test", "predcls", 2),
        ("synth-home-test", "sgdet", 2),
    ]
    for table in report.tables:
        assert [row.name for row in table.rows] == ["holding", "looking_at", "in_front_of", "mean"]
        assert all(one.adds.value == one.adds.low == one.adds.high == 0.0 for row in table.rows for one in row.without)
    assert report.postures == []
    (picture,) = (kept / "out").glob("cues-*.png")
    assert picture.stat().st_size > 1000


def test_a_head_that_reads_no_cues_is_refused(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cues", "--checkpoint", str(DEFAULT_FOLDER.with_name("nano-v0")), "--out", str(kept)]) == 2
    assert "nano-v0 reads no cues" in capsys.readouterr().err


def test_nothing_kept_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(command, "path_for", lambda name, of: path_for(name, of, tmp_path))
    assert main(["cues", "--out", str(tmp_path)]) == 2
    assert "vigil eval --keep" in capsys.readouterr().err


def test_the_help_says_what_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["cues", "--help"])
    assert ended.value.code == 0
    assert "--checkpoint" in capsys.readouterr().out
