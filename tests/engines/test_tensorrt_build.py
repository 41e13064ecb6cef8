"""The shipped network becomes engines for three GPU generations, on a machine without a GPU, by the real TensorRT-RTX builder.

That is the honest check that the graph can be exported; whether an engine runs is only seen on a GPU. Skipped, in words, where the
optional wheel is not installed (extra: rtx).
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engines.build import build_plan, logger_of
from engines.canvas import fit_canvas
from engines.factory import SHIPPED
from engines.store import EngineStore
from engines.trt_graph import prepare_graph
from engines.trt_network import OUTPUTS
from engines.trt_plans import generation_target, plans_of

GRAPH = SHIPPED / f"{SHIPPED.name}.onnx"
GENERATIONS = ("SM86", "SM89", "SM120")
USUAL = fit_canvas(720, 1280, 448 * 256)


@pytest.fixture(scope="module")
def trt() -> Any:
    if sys.platform != "linux":
        pytest.skip("TensorRT-RTX's wheels are tried on Linux only")
    return pytest.importorskip("tensorrt_rtx", reason="the optional wheel tensorrt_rtx is not installed (extra: rtx)")


@pytest.mark.timeout(400)
def test_the_shipped_network_builds_for_every_generation_with_any_batch(trt: Any) -> None:
    """In half precision, as it would serve; one build for all three, since each takes about fifteen seconds of a core."""
    phases: set[str] = set()
    graph = prepare_graph(GRAPH, USUAL.height, USUAL.width, "fp16")
    plan = build_plan(trt, graph, (1, 4, 16), GENERATIONS, lambda phase, _, __: phases.add(phase))
    assert len(plan) > GRAPH.stat().st_size
    assert "Building engine" in phases


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_other_precisions_are_read_whole(trt: Any, precision: str) -> None:
    network = trt.Builder(logger_of(trt)).create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    assert trt.OnnxParser(network, logger_of(trt)).parse(prepare_graph(GRAPH, USUAL.height, USUAL.width, precision))
    assert [network.get_output(index).shape[0] for index in range(network.num_outputs)] == [-1] * len(OUTPUTS)
    assert network.get_input(0).dtype == trt.DataType.UINT8


def test_the_parsers_own_words_reach_the_reader(trt: Any) -> None:
    with pytest.raises(ValueError, match=r"TensorRT 1\.\d+.* cannot read the graph: .*first input has type UInt8"):
        build_plan(trt, GRAPH.read_bytes(), (1, 4, 16))
    with pytest.raises(ValueError, match=r"cannot read the graph: .*Failed to parse the ONNX model"):
        build_plan(trt, b"junk", (1, 4, 16))


def test_a_generation_that_it_does_not_know_is_answered_with_the_known(trt: Any, tmp_path: Path) -> None:
    plans = plans_of(trt, SHIPPED, generation_target("SM35"), EngineStore(tmp_path / "store"))
    with pytest.raises(ValueError, match=r"builds for CURRENT, SM120, .*SM86, SM89, not for SM35"):
        plans.fetch(64, 64)


def test_building_ahead_needs_no_pytorch() -> None:
    program = "import sys; sys.modules['torch'] = None; from engines.prebuild import BUILDERS; print(*BUILDERS)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout.split(), done.returncode) == (["tensorrt", "tensorrt_rtx", "torch_tensorrt"], 0), done.stderr
