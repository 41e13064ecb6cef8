"""A folder that goes with its owner, however the owner ends."""

import subprocess
import sys
from pathlib import Path

import pytest

from service.shard.folder import run_folder, sweep

HOLD = "from service.shard.folder import run_folder\nwith run_folder() as folder:\n    print(folder, flush=True)\n    input()"


@pytest.fixture(autouse=True)
def own_temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)


def test_it_is_gone_after_the_block(tmp_path: Path) -> None:
    with run_folder() as folder:
        assert folder.is_relative_to(tmp_path)
        assert folder.stat().st_mode & 0o077 == 0, "nobody else may look in"
        (folder / "engine.sock").touch()
    assert not folder.exists()


def test_what_a_killed_owner_left_is_swept_and_a_living_ones_is_not() -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        folder = Path(owner.stdout.readline().strip())
        sweep()
        assert folder.exists(), "its owner lives"
        owner.kill()
        owner.wait()
        assert folder.exists()
        sweep()
        assert not folder.exists()
