"""Contact sheets of failures: what part of a picture is shown, that a sheet is written, and that it is refused without pictures."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.evaluation import failure_sheet
from model.evaluation.failure_sheet import cut_around, write_failures, write_found
from model.evaluation.failures import Box, End, Outcomes, Shown
from service.cli import main


@pytest.mark.parametrize(
    ("subject", "object_", "expected"),
    [
        ((0.4, 0.4, 0.5, 0.5), (0.5, 0.5, 0.6, 0.6), (0.275, 0.275, 0.725, 0.725)),
        ((0.0, 0.9, 0.1, 1.0), (0.0, 0.9, 0.1, 1.0), (0.0, 0.55, 0.45, 1.0)),
        ((0.2, 0.0, 0.7, 0.1), (0.3, 0.0, 0.4, 0.2), (0.125, 0.0, 0.775, 0.65)),
        ((0.0, 0.0, 0.9, 0.1), (0.0, 0.0, 0.1, 0.1), (0.0, 0.0, 1.0, 1.0)),
    ],
)
def test_a_cut_holds_both_boxes_with_room_and_stays_inside(subject: Box, object_: Box, expected: Box) -> None:
    assert cut_around(subject, object_) == pytest.approx(expected)


def test_sheets_are_written_also_where_a_half_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failure_sheet, "frames_of", lambda _folder: np.zeros((2, 64, 96, 3), np.uint8))
    ends = (End("person", (0.1, 0.1, 0.5, 0.9), 0.7), End("cup", (0.4, 0.4, 0.5, 0.5), 0.5))
    one = Shown(0, 1, ends[0], "holding", ends[1], 0.8, 0.3, "relation", "nothing of the kind is true")
    found = Outcomes([], [one], [])
    write_failures(tmp_path / "new" / "failures.png", "nano", found, [tmp_path / "test-00000"])
    write_found(tmp_path / "found.png", "nano", found, [tmp_path / "test-00000"])
    with Image.open(tmp_path / "new" / "failures.png") as failures, Image.open(tmp_path / "found.png") as empty:
        assert failures.width == empty.width
        assert failures.height > 2 * empty.height
        assert (np.asarray(failures) == failure_sheet.SUBJECT).all(2).any()


@pytest.mark.parametrize("option", ["--failures", "--found"])
def test_pictures_without_clips_are_refused(option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", option, str(tmp_path / "sheet.png"), "--out", str(tmp_path)]) == 2
    assert "give --data" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
