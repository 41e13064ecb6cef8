"""Another checkpoint in the folder is seen once, when it has been quiet for a look."""

from itertools import count
from pathlib import Path

import pytest

from service.shard.model_watch import ModelWatch


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return made(tmp_path / "one", "first")


def made(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / "manifest.json").write_text(text)
    (folder / "weights.onnx").write_text(text)
    return folder


def looks(watch: ModelWatch, times: int, since_s: float = 0.0) -> list[Path | None]:
    return [watch.look(since_s + 1.5 * number) for number in range(times)]


def test_what_lies_there_at_the_start_is_in_use(checkpoint: Path) -> None:
    assert looks(ModelWatch(checkpoint), 4) == [None] * 4


def test_a_changed_file_is_said_once_and_only_when_all_is_quiet(checkpoint: Path) -> None:
    watch = ModelWatch(checkpoint)
    (checkpoint / "weights.onnx").write_text("second, half")
    assert watch.look(0.0) is None
    (checkpoint / "weights.onnx").write_text("second, whole now")
    assert watch.look(1.5) is None
    assert looks(watch, 3, 3.0) == [checkpoint, None, None]


def test_a_link_pointed_elsewhere_counts_and_is_followed(checkpoint: Path, tmp_path: Path) -> None:
    link, other = tmp_path / "current", made(tmp_path / "two", "second")
    link.symlink_to(checkpoint)
    watch = ModelWatch(link)
    link.unlink()
    link.symlink_to(other)
    assert looks(watch, 3) == [None, other, None]


def test_a_folder_that_is_gone_for_a_while_is_nothing_new(checkpoint: Path, tmp_path: Path) -> None:
    watch = ModelWatch(checkpoint)
    checkpoint.rename(tmp_path / "away")
    assert looks(watch, 3) == [None] * 3
    (tmp_path / "away").rename(checkpoint)
    assert looks(watch, 3, 10.0) == [None] * 3


def test_it_looks_once_a_second(checkpoint: Path) -> None:
    watch = ModelWatch(checkpoint)
    (checkpoint / "manifest.json").write_text("second")
    found = [watch.look(0.01 * step) for step in range(300)]
    assert [at for at, folder in zip(count(), found, strict=False) if folder] == [100]
