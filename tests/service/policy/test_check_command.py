"""`vigil policy check`."""

from pathlib import Path

import pytest

from service.cli import main

GOOD = "- name: a\n  when: {zone: {name: door}}\n"


def test_a_sound_file_ends_with_status_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(GOOD)
    assert main(["policy", "check", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}: 1 policy, 0 warnings\n"


def test_a_broken_file_ends_with_status_1_and_says_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(GOOD)
    bad.write_text("- name: a\n  when: {relation: {subject: persn, predicate: holding}}\n")
    assert main(["policy", "check", str(bad), str(good)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said == [f"{bad}:2: unknown label 'persn'; did you mean 'person'?", f"{good}: 1 policy, 0 warnings"]


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "check", str(tmp_path / "none.yaml")]) == 2
    assert "No such file or directory" in capsys.readouterr().err
