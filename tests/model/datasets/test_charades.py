"""Charades' CSV field by field, on files that the test writes."""

from pathlib import Path

import pytest

from model.datasets.charades import FIELDS, Action, read_charades

HEADER = ",".join((*FIELDS, "egocentric"))
ROW = (
    '46GP8,HR43,Kitchen,6,7,Yes,"A person cooks, then eats.",food;stove/oven,A person cooks.;Someone eats.,'
    "c092 11.90 21.20;c147 0.00 12.60,24.83,No"
)


def _csv(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "Charades_v1_test.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def test_a_row_is_read_field_by_field(tmp_path: Path) -> None:
    (video,) = read_charades(_csv(tmp_path, ROW))
    assert (video.id, video.subject, video.scene, video.quality, video.relevance, video.verified) == (
        "46GP8",
        "HR43",
        "Kitchen",
        6,
        7,
        True,
    )
    assert video.script == "A person cooks, then eats."
    assert video.objects == ("food", "stove/oven")
    assert video.descriptions == ("A person cooks.", "Someone eats.")
    assert video.actions == (Action(92, 11.9, 21.2), Action(147, 0.0, 12.6))
    assert video.length_s == 24.83


def test_empty_ratings_objects_and_actions_are_nothing(tmp_path: Path) -> None:
    (video,) = read_charades(_csv(tmp_path, "N11GT,0KZ7,Stairs,,,No,s,,,,18.33,No"))
    assert (video.quality, video.relevance, video.objects, video.actions) == (None, None, (), ())


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (ROW.replace("c092", "c157"), r"row 2, actions: 'c157 11.90 21.20', expected `cNNN start end`"),
        (ROW.replace("c092 11.90 21.20", "c092 11.90"), r"row 2, actions: 'c092 11.90'"),
        (ROW.replace("21.20", "late"), r"row 2, actions: 'late', expected seconds"),
        (ROW.replace("24.83", "nan"), r"row 2, length: 'nan', expected seconds"),
        (ROW.replace("Yes", "maybe"), r"row 2: verified is 'maybe', expected Yes or No"),
        (ROW.replace(",6,7,", ",9,7,"), r"row 2, quality: '9', expected a rating"),
        (ROW.replace("46GP8", ""), r"row 2: id is empty"),
    ],
)
def test_what_does_not_fit_is_said_with_its_row_and_field(tmp_path: Path, row: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_charades(_csv(tmp_path, row))


def test_a_file_without_the_columns_or_with_a_video_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="lacks the columns subject, scene"):
        read_charades(_csv(tmp_path, "a", header="id"))
    with pytest.raises(ValueError, match="lists 46GP8 more than once"):
        read_charades(_csv(tmp_path, ROW, ROW))
