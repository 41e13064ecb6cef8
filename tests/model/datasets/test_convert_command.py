"""`vigil data convert action-genome` end to end, on files and a video that the test writes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.annotations import read_clip
from model.datasets.charades import FIELDS
from model.datasets.lgsd import pictures, read_folder
from service.cli import main
from tests.model.datasets.genome_files import GenomeFiles, person, thing


def _root(folder: Path, names: tuple[str, ...] = ("AAAAA", "BBBBB"), count: int = 12) -> Path:
    files = GenomeFiles()
    for name in names:
        video, split = f"{name}.mp4", "train" if name < "B" else "test"
        for number in range(1, count + 1):
            table = thing("table", (100.0, 60.0, 120.0, 60.0), video, number, metadata={"tag": "", "set": split})
            files.add(video, number, person((10.0, 10.0, 90.0, 200.0)), table)
            path = folder / "frames" / video / f"{number:06d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((270, 480, 3), number, np.uint8)).save(path)
    files.write(folder)
    return folder


def _convert(*args: object) -> int:
    return main(["data", "convert", "action-genome", *map(str, args)])


def test_conversion_writes_clip_folders_that_are_read_with_their_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, out = _root(tmp_path / "ag"), tmp_path / "out"
    assert _convert("--root", root, "--out", out, "--fps", 24) == 0
    assert "train 1 clips, 12 frames, 36 relations; test 1 clips, 12 frames, 36 relations" in capsys.readouterr().out
    clips = read_folder(out)
    assert [(one.clip.name, one.split) for one in clips] == [("BBBBB", "test"), ("AAAAA", "train")]
    assert [int(picture[0, 0, 0]) for _, picture in pictures(clips[0])] == list(range(1, 13))
    assert _convert("--root", root, "--out", out, "--fps", 24) == 0


def test_mini_cuts_long_videos_and_keeps_only_those_that_charades_lists(tmp_path: Path) -> None:
    root, out = _root(tmp_path / "ag", ("BBBBB", "CCCCC"), count=22), tmp_path / "out"
    row = "CCCCC,HR43,Kitchen,6,7,Yes,s,food,d,c092 1 2,24.8"
    (tmp_path / "test.csv").write_text(f"{','.join(FIELDS)}\n{row}\n")
    assert _convert("--root", root, "--out", out, "--fps", 24, "--mini", "charades", "--charades", tmp_path / "test.csv") == 0
    assert sorted(path.parent.name for path in out.rglob("clip.json")) == ["CCCCC-0", "CCCCC-1"]
    assert len(read_clip(out / "test" / "CCCCC-1" / "clip.json").frames) == 11


def test_what_is_missing_is_one_sentence_and_status_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = _root(tmp_path / "ag", count=1)
    assert _convert("--root", root, "--out", tmp_path / "out") == 2
    assert "AAAAA.mp4 is not there: put the videos there, or say their frame rate with --fps" in capsys.readouterr().err
    assert _convert("--root", root, "--out", tmp_path / "out", "--fps", 24, "--mini", "charades") == 2
    assert "--mini charades and --charades CSV go together" in capsys.readouterr().err
    assert _convert("--root", tmp_path, "--out", tmp_path / "out", "--fps", 24) == 2
    assert "frame_list.txt cannot be read" in capsys.readouterr().err
