"""The exported ONNX graph made ready for TensorRT's parser: one canvas, bytes turned to numbers first, convolutions in half precision.

TensorRT's networks are strongly typed: what runs in half precision is what the graph says. Here that is every convolution, every
product with a large weight, and the plain arithmetic between two of them; boxes, suppression, similarities and the memory stay float32.
Knows ONNX, no TensorRT and no device.
"""

import math
from collections import defaultdict, deque
from pathlib import Path

import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper

PRECISIONS = {"fp32": TensorProto.FLOAT, "fp16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16}
REWRITE = "graph rewrite 1"
"""Part of every engine's key: change it with what this file does to a graph."""
LARGE_WEIGHT = 2**18
"""A product with a constant of at least so many numbers is heavy: 512 x 512."""
HEAVY = ("Conv", "MatMul", "Gemm")
PLAIN = frozenset(
    "Add AveragePool Clip Concat Div Erf Gelu GlobalAveragePool LayerNormalization MatMul MaxPool Mul Pad Relu Reshape Resize Sigmoid "
    "Slice Softmax Split Squeeze Sub Transpose Unsqueeze".split()
)
"""Arithmetic that loses little in half precision, where it stands between heavy nodes."""
DATA_INPUTS = {"Resize": 1, "Reshape": 1, "Slice": 1, "Split": 1, "Squeeze": 1, "Unsqueeze": 1}
"""Of these, only the first input is data; the others are sizes and places."""


def prepare_graph(path: Path, height: int, width: int, precision: str) -> bytes:
    """The graph of a checkpoint for one canvas in one precision, still with any batch. Raises ValueError on an unknown precision."""
    if precision not in PRECISIONS:
        raise ValueError(f"no precision {precision!r}; known: {', '.join(PRECISIONS)}")
    model = onnx.load(str(path))
    _fix_canvas(model.graph, height, width)
    _cast_images_first(model.graph)
    if precision != "fp32":
        _lower_precision(model, PRECISIONS[precision])
    data: bytes = model.SerializeToString()
    return data


def _fix_canvas(graph: GraphProto, height: int, width: int) -> None:
    (images,) = (value for value in graph.input if value.name == "images")
    sides = images.type.tensor_type.shape.dim
    sides[1].dim_value, sides[2].dim_value = height, width


def _cast_images_first(graph: GraphProto) -> None:
    """Turn images -> Transpose -> Cast into images -> Cast -> Transpose: TensorRT takes bytes as inputs, but only a Cast may read them."""
    for moved in [node for node in graph.node if node.op_type == "Transpose" and node.input[0] == "images"]:
        casts = [node for node in graph.node if moved.output[0] in node.input]
        if [node.op_type for node in casts] != ["Cast"]:
            raise ValueError("this graph reads its images in a way that TensorRT does not take: not by one Cast")
        moved.output[0] = casts[0].output[0]
        casts[0].input[0], casts[0].output[0] = "images", "images.float"
        moved.input[0] = "images.float"
    _sort(graph)


def _lower_precision(model: ModelProto, lower: int) -> None:
    """Let heavy nodes, and plain ones between them, compute in `lower`; Casts at the borders keep every other node as it was."""
    typed = onnx.shape_inference.infer_shapes(model).graph
    types = {value.name: value.type.tensor_type.elem_type for value in (*typed.value_info, *typed.output, *typed.input)}
    types |= {constant.name: constant.data_type for constant in typed.initializer}
    lowered = _between_heavy(model.graph)
    produced = {name for node in model.graph.node if node.output[0] in lowered for name in node.output}
    casts: dict[str, NodeProto] = {}
    for node in model.graph.node:
        inside = node.output[0] in lowered
        for place, name in enumerate(_data_inputs(node) if inside else node.input):
            if types.get(name) == TensorProto.FLOAT and inside != (name in produced):
                node.input[place] = _cast(casts, name, lower if inside else TensorProto.FLOAT)
    model.graph.node.extend(casts.values())
    _restore_outputs(model.graph, produced)
    _sort(model.graph)


def _cast(casts: dict[str, NodeProto], name: str, to: int) -> str:
    """The name of this value in the other precision: one Cast for all who read it."""
    other = f"{name}.other"
    casts[name] = helper.make_node("Cast", [name], [other], name=other, to=to)
    return other


def _restore_outputs(graph: GraphProto, produced: set[str]) -> None:
    """An output of the graph keeps its name and type."""
    for name in produced & {value.name for value in graph.output}:
        for node in graph.node:
            node.output[:] = [f"{name}.lower" if output == name else output for output in node.output]
            node.input[:] = [f"{name}.lower" if read == name else read for read in node.input]
        graph.node.append(helper.make_node("Cast", [f"{name}.lower"], [name], name=f"{name}.restored", to=TensorProto.FLOAT))


def _between_heavy(graph: GraphProto) -> set[str]:
    """Heavy nodes, and the plain ones on a way from one heavy node to another that crosses plain nodes only; by first output."""
    large = _large_constants(graph)
    heavy = {node.output[0] for node in graph.node if node.op_type == "Conv" or (node.op_type in HEAVY and large & set(node.input))}
    after, before = set(heavy), set(heavy)
    for node in graph.node:
        if node.op_type in PLAIN and after & set(_data_inputs(node)):
            after.update(node.output)
    wanted = {name for node in graph.node if node.output[0] in heavy for name in _data_inputs(node)}
    for node in reversed(graph.node):
        if node.op_type in PLAIN and wanted & set(node.output):
            before.add(node.output[0])
            wanted.update(_data_inputs(node))
    return after & before


def _data_inputs(node: NodeProto) -> list[str]:
    return list(node.input[: DATA_INPUTS.get(node.op_type)])


def _large_constants(graph: GraphProto) -> set[str]:
    """Names of large weights, also behind a Cast or a Transpose."""
    large = {constant.name for constant in graph.initializer if math.prod(constant.dims) >= LARGE_WEIGHT}
    for node in graph.node:
        if node.op_type in ("Cast", "Transpose") and node.input[0] in large:
            large.add(node.output[0])
    return large


def _sort(graph: GraphProto) -> None:
    """Put every node behind those whose outputs it reads."""
    known = {"", *(value.name for value in graph.input), *(constant.name for constant in graph.initializer)}
    waiting: dict[str, list[NodeProto]] = defaultdict(list)
    missing = {node.output[0]: len(set(node.input) - known) for node in graph.node}
    ready = deque(node for node in graph.node if not missing[node.output[0]])
    for node in graph.node:
        for name in set(node.input) - known:
            waiting[name].append(node)
    ordered = []
    while ready:
        node = ready.popleft()
        ordered.append(node)
        for reader in (reader for name in node.output for reader in waiting[name]):
            missing[reader.output[0]] -= 1
            if not missing[reader.output[0]]:
                ready.append(reader)
    assert len(ordered) == len(graph.node)
    del graph.node[:]
    graph.node.extend(ordered)
