"""The engine store: what it gives back is exactly what was built for exactly this key, whatever happened to the folder meanwhile."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from engines.store import EngineKey, EngineStore

KEY = EngineKey(
    backend="tensorrt",
    model="nano-v1",
    model_hash="0123456789abcdef",
    graph_sha256="ab" * 32,
    height=256,
    width=448,
    batches=(1, 4, 16),
    precision="fp16",
    device="NVIDIA L4",
    capability="8.9",
    driver="580.65",
    libraries=("tensorrt 10.15",),
)
PLAN = bytes(range(256)) * 40


@pytest.fixture
def store(tmp_path: Path) -> EngineStore:
    return EngineStore(tmp_path / "engines")


class Builder:
    """Writes PLAN and counts how often it was asked."""

    def __init__(self) -> None:
        self.builds = 0

    def __call__(self, path: Path) -> None:
        self.builds += 1
        path.write_bytes(PLAN)


def test_an_engine_is_built_once_and_then_found(store: EngineStore) -> None:
    build = Builder()
    paths = [store.fetch(KEY, build), EngineStore(store.folder).fetch(KEY, build)]
    assert [path.read_bytes() for path in paths] == [PLAN, PLAN]
    assert build.builds == 1
    (entry,) = store.entries()
    assert (entry.fault, entry.card and entry.card.key, entry.path) == (None, KEY, paths[0])


@pytest.mark.parametrize(
    "change",
    [
        {"backend": "tensorrt_rtx"},
        {"model": "nano-v0"},
        {"model_hash": "0123456789abcdee"},
        {"graph_sha256": "ac" * 32},
        {"height": 288},
        {"width": 480},
        {"batches": (1, 4, 8)},
        {"precision": "fp32"},
        {"device": "NVIDIA A10"},
        {"capability": "8.6"},
        {"driver": "581.00"},
        {"libraries": ("tensorrt 10.16",)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_changes_in_the_key_another_engine_is_built(store: EngineStore, change: dict[str, object]) -> None:
    store.fetch(KEY, Builder())
    other = msgspec.structs.replace(KEY, **change)
    assert store.find(other) is None
    store.fetch(other, Builder())
    assert len(store.entries()) == 2


def cut(path: Path) -> None:
    path.write_bytes(PLAN[:5000])


def flip(path: Path) -> None:
    path.write_bytes(PLAN[:5000] + bytes([PLAN[5000] ^ 1]) + PLAN[5001:])


def lose_card(path: Path) -> None:
    path.with_suffix(".json").unlink()


def tear_card(path: Path) -> None:
    card = path.with_suffix(".json")
    card.write_bytes(card.read_bytes()[:100])


def swap_key(path: Path) -> None:
    """The card of another engine, renamed: its key is not the one that the name stands for."""
    card = path.with_suffix(".json")
    card.write_bytes(card.read_bytes().replace(b"NVIDIA L4", b"NVIDIA A9"))


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (cut, "torn: 5000 bytes of 10240"),
        (flip, "damaged: its sha256 is not that of its card"),
        (lose_card, "it has no card: its build did not end"),
        (tear_card, "its card cannot be read"),
        (swap_key, "its card is that of another engine"),
    ],
)
def test_a_torn_or_foreign_engine_is_named_and_built_again(store: EngineStore, harm: Callable[[Path], None], words: str) -> None:
    harm(store.fetch(KEY, Builder()))
    assert store.find(KEY) is None
    (entry,) = store.entries()
    assert words in str(entry.fault)
    build = Builder()
    assert store.fetch(KEY, build).read_bytes() == PLAN
    assert build.builds == 1


def test_a_build_that_fails_leaves_nothing(store: EngineStore) -> None:
    def fail(path: Path) -> None:
        path.write_bytes(PLAN[:10])
        raise ValueError("no such layer")

    with pytest.raises(ValueError, match="no such layer"):
        store.fetch(KEY, fail)
    assert store.entries() == []


def test_the_folder_is_made_private_and_lies_in_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = EngineStore().folder
    assert folder == tmp_path / "cache" / "vigil" / "engines"
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_may_write_to_is_refused(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    with pytest.raises(ValueError, match=r"others may write to the engine store .* chmod go-w"):
        EngineStore(tmp_path)


def test_a_folder_that_others_may_rename_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(ValueError, match=r"others may rename the engine store .* no sticky bit"):
        EngineStore(tmp_path / "engines")


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "engines").write_text("mine")
    with pytest.raises(ValueError, match="is not a folder"):
        EngineStore(tmp_path / "engines")


def test_a_disk_that_is_full_is_said_in_words_and_leaves_nothing(store: EngineStore) -> None:
    def fill(path: Path) -> None:
        path.write_bytes(PLAN[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(ValueError, match=r"the engine store .* cannot be written: No space left on device"):
        store.fetch(KEY, fill)
    assert store.entries() == []


def test_a_folder_that_cannot_be_made_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match=r"the engine store .* cannot be made: Not a directory"):
        EngineStore(tmp_path / "file" / "engines")


def start(task: Callable[[Path, Path], None], folder: Path, told: Path) -> subprocess.Popen[bytes]:
    """Another process that does one of the tasks below."""
    program = f"from pathlib import Path; from {__name__} import {task.__name__} as task; task(Path({str(folder)!r}), Path({str(told)!r}))"
    return subprocess.Popen([sys.executable, "-c", program])


def build_slowly(folder: Path, told: Path) -> None:
    """What one of several processes does: fetch, and leave a mark for each build."""

    def build(path: Path) -> None:
        (told / f"build-{os.getpid()}").touch()
        time.sleep(0.5)
        path.write_bytes(PLAN)

    assert EngineStore(folder).fetch(KEY, build).read_bytes() == PLAN


def test_of_two_processes_one_builds_and_the_other_waits(store: EngineStore, tmp_path: Path) -> None:
    builders = [start(build_slowly, store.folder, tmp_path) for _ in range(2)]
    assert [builder.wait(60) for builder in builders] == [0, 0]
    assert len(list(tmp_path.glob("build-*"))) == 1


def hang_half_way(folder: Path, told: Path) -> None:
    """A builder that has written half of its engine and never comes to the rest."""

    def build(path: Path) -> None:
        path.write_bytes(PLAN[:5000])
        (told / "half").touch()
        signal.pause()

    EngineStore(folder).fetch(KEY, build)


def test_a_builder_killed_in_the_middle_leaves_nothing_loadable_and_no_lock(store: EngineStore, tmp_path: Path) -> None:
    builder = start(hang_half_way, store.folder, tmp_path)
    while not (tmp_path / "half").exists():
        assert builder.poll() is None
        time.sleep(0.02)
    builder.kill()
    builder.wait()
    assert store.find(KEY) is None
    assert [entry.fault for entry in store.entries()] == ["a build that did not end"]
    assert store.fetch(KEY, Builder()).read_bytes() == PLAN
    assert [entry.fault for entry in store.entries()] == [None]
