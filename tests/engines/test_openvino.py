"""OpenVINO's own: a network that it cannot compile, and pictures that it gets bit by bit."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest

from engines.factory import AUTO, PREFERRED, SHIPPED, choose_engine, open_engine
from engines.probe import probe
from model.checkpoint import digest, read_manifest, write_manifest

if not probe("openvino").usable:
    pytest.skip(probe("openvino").why, allow_module_level=True)


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A whole checkpoint whose network has an operator that ONNX Runtime knows and OpenVINO does not."""
    folder = tmp_path / "foreign"
    shutil.copytree(SHIPPED, folder)
    manifest = read_manifest(folder)
    network = onnx.load(folder / manifest.onnx_file)
    for node in network.graph.node:
        node.input[:] = ["dt.back" if name == "dt" else name for name in node.input]
    there = onnx.helper.make_node("ExpandDims", ["dt", "dt.axis"], ["dt.wide"], domain="com.microsoft")
    back = onnx.helper.make_node("Squeeze", ["dt.wide", "dt.axes"], ["dt.back"])
    network.graph.node.insert(0, back)
    network.graph.node.insert(0, there)
    network.graph.initializer.append(onnx.helper.make_tensor("dt.axis", onnx.TensorProto.INT32, [], [0]))
    network.graph.initializer.append(onnx.helper.make_tensor("dt.axes", onnx.TensorProto.INT64, [1], [0]))
    network.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    onnx.save(network, folder / manifest.onnx_file)
    files = manifest.files | {manifest.onnx_file: digest(folder / manifest.onnx_file)}
    write_manifest(folder, msgspec.structs.replace(manifest, files=files))
    return folder


def test_a_network_that_it_cannot_compile_is_refused_in_words(foreign: Path) -> None:
    with pytest.raises(ValueError, match=r"OpenVINO 20.* cannot compile .*nano-v1\.onnx: .*ExpandDims"):
        open_engine("openvino", model_dir=foreign, num_streams=1, max_pixels=64 * 64)


def test_the_choice_then_falls_on_onnx_runtime_and_tells_the_reason(foreign: Path) -> None:
    if better := [backend for backend in PREFERRED[: PREFERRED.index("openvino")] if probe(backend).usable]:
        pytest.skip(f"{better[0]} is better and can run here")
    chosen = choose_engine(AUTO, model_dir=foreign, num_streams=1, max_pixels=64 * 64)
    chosen.engine.close()
    passed_over = {one.backend: one.why for one in chosen.passed_over}
    assert chosen.engine.spec.backend == "onnxruntime"
    assert "cannot compile" in passed_over["openvino"]


def test_pictures_need_not_lie_in_one_piece() -> None:
    engine = open_engine("openvino", num_streams=2, max_pixels=64 * 96, threads=1)
    picture_HW3 = np.random.default_rng(3).integers(0, 255, (64, 96, 3), np.uint8)
    backwards = engine.infer(picture_HW3[None, :, :, ::-1], [0], [0.0])[0]
    copied = engine.infer(np.ascontiguousarray(picture_HW3[None, :, :, ::-1]), [1], [0.0])[0]
    engine.close()
    np.testing.assert_array_equal(backwards.scores_N, copied.scores_N)


def test_it_is_opened_without_a_word_to_its_makers(tmp_path: Path) -> None:
    script = "import sys, engines.openvino; print(sys.modules['openvino_telemetry'])"
    environment = {**os.environ, "HOME": str(tmp_path)}
    said = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout == "None\n"
    assert list(tmp_path.iterdir()) == [], "telemetry keeps a client's id in the home folder"
