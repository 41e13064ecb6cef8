"""Opening a backend by name, and what is said when it cannot be opened."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engines.factory import SHIPPED, open_engine


def test_an_unknown_backend_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no engine 'abacus'; known: onnxruntime, fake"):
        open_engine("abacus", num_streams=1, max_pixels=64 * 64)


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"is no checkpoint: it has no manifest\.json"):
        open_engine("onnxruntime", model_dir=tmp_path, num_streams=1, max_pixels=64 * 64)


def test_a_torn_network_is_refused_before_it_is_loaded(tmp_path: Path) -> None:
    folder = tmp_path / "nano-v1"
    shutil.copytree(SHIPPED, folder)
    network = folder / "nano-v1.onnx"
    network.write_bytes(network.read_bytes()[:100_000])
    with pytest.raises(ValueError, match=r"nano-v1\.onnx is not the file of this checkpoint"):
        open_engine("onnxruntime", model_dir=folder, num_streams=1, max_pixels=64 * 64)


def test_the_same_checkpoint_has_the_same_hash_wherever_it_lies(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    shutil.copytree(SHIPPED, folder)
    specs = [open_engine("onnxruntime", model_dir=where, num_streams=1, max_pixels=64 * 64, threads=1).spec for where in (None, folder)]
    assert specs[0] == specs[1]
    assert len(specs[0].model_hash) == 16


def test_the_default_backend_runs_without_torch() -> None:
    program = (
        "import sys; sys.modules['torch'] = None; from engines.factory import open_engine; "
        "print(open_engine('onnxruntime', num_streams=1, max_pixels=64 * 64, threads=1).spec.backend)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("onnxruntime", 0), done.stderr
