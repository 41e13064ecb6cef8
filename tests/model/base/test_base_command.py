"""`vigil base` as a user meets it: the size beside the paper's, and a sentence for weights that are not there."""

from pathlib import Path

import pytest

from service.cli import main


def test_size_prints_parameters_and_operations_beside_the_papers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["base", "size"]) == 0
    said = capsys.readouterr().out
    rows = {line[:24].strip(): line[24:].split() for line in said.splitlines()}
    assert rows["the paper"] == ["163.37", "M", "42.74"]
    assert 0.97 < float(rows["ratio to the paper"][0]) < 1.03
    assert 0.97 < float(rows["ratio to the paper"][1]) < 1.03
    assert "A multiply-add counts as two operations" in said


def test_weights_that_are_not_there_end_with_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    assert main(["base", "export", str(tmp_path / "out"), "--clip", str(tmp_path / "clip.safetensors")]) == 2
    assert "expected a safetensors file with CLIP weights" in capsys.readouterr().err
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert main(["base", "export", str(tmp_path / "out"), "--clip-cache"]) == 2
    assert f"looked for {tmp_path}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
