"""The graph rewritten for TensorRT: one canvas, the same numbers in fp32, half precision only where it is meant."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from engines.factory import SHIPPED
from engines.trt_graph import HEAVY, LARGE_WEIGHT, PLAIN, prepare_graph
from model.checkpoint import read_manifest, read_prototypes
from tests.pictures import photograph

GRAPH = SHIPPED / f"{SHIPPED.name}.onnx"


def run(graph: bytes, feeds: dict[str, Any]) -> dict[str, Any]:
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return dict(zip([value.name for value in session.get_outputs()], session.run(None, feeds), strict=True))


def kinds(graph: bytes) -> tuple[onnx.GraphProto, dict[str, int]]:
    """The graph, and the element type of every value."""
    model = onnx.load_from_string(graph)
    onnx.checker.check_model(model)
    typed = onnx.shape_inference.infer_shapes(model).graph
    types = {value.name: value.type.tensor_type.elem_type for value in (*typed.value_info, *typed.output, *typed.input)}
    return typed, types


def test_in_float32_one_canvas_gives_the_numbers_of_the_shipped_graph() -> None:
    manifest = read_manifest(SHIPPED, to_run=True)
    objects_CD, predicates_KD = read_prototypes(SHIPPED, manifest)
    feeds = {
        "images": np.stack([photograph(name, 128, 96) for name in ("astronaut", "coffee")]),
        "memory": np.zeros((2, manifest.num_slots, manifest.dim), np.float32),
        "counts": np.zeros((2, manifest.num_slots), np.float32),
        "dt": np.array([0.0, 0.2], np.float32),
        "object_prototypes": objects_CD,
        "predicate_prototypes": predicates_KD,
    }
    ours, shipped = run(prepare_graph(GRAPH, 96, 128, "fp32"), feeds), run(GRAPH.read_bytes(), feeds)
    assert ours.keys() == shipped.keys()
    for name, value in ours.items():
        np.testing.assert_allclose(value, shipped[name], atol=1e-5, err_msg=name)


def test_in_half_precision_are_all_convolutions_and_plain_arithmetic_between_them_and_nothing_else() -> None:
    graph, types = kinds(prepare_graph(GRAPH, 256, 448, "fp16"))
    halves = [node.op_type for node in graph.node if types[node.output[0]] == TensorProto.FLOAT16 and node.op_type != "Cast"]
    assert halves.count("Conv") == sum(node.op_type == "Conv" for node in graph.node) > 100
    assert set(halves) <= PLAIN | set(HEAVY)
    assert {"Clip", "Add", "Resize", "MaxPool"} <= set(halves)
    assert {types[value.name] for value in graph.output} == {TensorProto.FLOAT, TensorProto.INT64}
    assert [side.dim_value for side in graph.input[0].type.tensor_type.shape.dim] == [0, 256, 448, 3]


def test_bfloat16_is_the_same_graph_with_another_type() -> None:
    counts = []
    for name, lower in (("fp16", TensorProto.FLOAT16), ("bf16", TensorProto.BFLOAT16)):
        nodes = onnx.load_from_string(prepare_graph(GRAPH, 64, 64, name)).graph.node
        counts.append(sum(node.op_type == "Cast" and node.attribute[0].i == lower for node in nodes))
    assert counts[0] == counts[1] > 0


def tiny(path: Path, *, first: str = "Cast") -> Path:
    """images -> product with a large weight -> Erf -> the same product, which is also the graph's output."""
    side = 512
    assert side * side == LARGE_WEIGHT
    rng = np.random.default_rng(1)
    weight = numpy_helper.from_array((rng.standard_normal((side, side)) / side).astype(np.float32), "weight")
    nodes = [
        helper.make_node("Transpose", ["images"], ["turned"], perm=[0, 3, 1, 2]),
        helper.make_node(first, ["turned"], ["numbers"], to=TensorProto.FLOAT if first == "Cast" else None),
        helper.make_node("MatMul", ["numbers", "weight"], ["hidden"]),
        helper.make_node("Erf", ["hidden"], ["bent"]),
        helper.make_node("MatMul", ["bent", "weight"], ["out"]),
        helper.make_node("Exp", ["out"], ["also"]),
    ]
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", "rows", "columns", 3])
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3, "rows", side]) for name in ("out", "also")]
    graph = helper.make_graph(nodes, "tiny", [images], outputs, [weight])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(path))
    return path


def test_products_with_large_weights_are_lowered_and_an_output_keeps_name_and_type(tmp_path: Path) -> None:
    prepared = prepare_graph(tiny(tmp_path / "tiny.onnx"), 64, 512, "fp16")
    graph, types = kinds(prepared)
    lowered = [node.op_type for node in graph.node if types[node.output[0]] == TensorProto.FLOAT16 and node.op_type != "Cast"]
    assert lowered == ["MatMul", "Erf", "MatMul"]
    assert [types[value.name] for value in graph.output] == [TensorProto.FLOAT] * 2
    feeds = {"images": photograph("coffee", 512, 64)[None]}
    ours, exact = run(prepared, feeds), run((tmp_path / "tiny.onnx").read_bytes(), feeds)
    np.testing.assert_allclose(ours["out"], exact["out"], atol=2e-3)
    np.testing.assert_allclose(ours["also"], np.exp(ours["out"]), atol=1e-6)


def test_a_graph_that_reads_its_pictures_in_another_way_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="reads its images in a way that TensorRT does not take"):
        prepare_graph(tiny(tmp_path / "tiny.onnx", first="Identity"), 64, 512, "fp32")


def test_an_unknown_precision_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no precision 'int3'; known: fp32, fp16, bf16"):
        prepare_graph(GRAPH, 64, 64, "int3")
