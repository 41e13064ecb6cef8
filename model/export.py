"""The network as one ONNX file: any batch, any canvas, weights in half precision inside. Knows no checkpoint and no runtime.

Only the storage is half: a Cast in front of each weight, which every runtime folds away at load, makes it float32 again.
"""

import logging
import warnings
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import nn
from torch.export import Dim

from model.appearance import DIM
from model.vocabulary import MODERATION_V1

OPSET = 18
INPUTS = ("images", "memory", "counts", "dt", "object_prototypes", "predicate_prototypes")
OUTPUTS = ("boxes", "scores", "class_probs", "embeddings", "pairs", "predicate_probs", "memory_out", "counts_out")
EXAMPLE_HW = (256, 448)
MIN_STORED = 256
"""Constants of at least so many numbers are weights; smaller ones stay as they are."""


def export_onnx(network: nn.Module, num_slots: int, path: Path, dim: int = DIM) -> None:
    """Write the graph of a network of any size; `dim` is the width of its prototypes and memory."""
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            _example(num_slots, dim),
            dynamo=True,
            opset_version=OPSET,
            dynamic_shapes=_dynamic_shapes(),
            input_names=INPUTS,
            output_names=OUTPUTS,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    _store_half(model.graph)
    _drop_traces(model.graph)
    onnx.checker.check_model(model)
    onnx.save_model(model, str(path))


def _example(num_slots: int, dim: int) -> tuple[torch.Tensor, ...]:
    batch = 2
    objects, predicates = len(MODERATION_V1.objects), len(MODERATION_V1.predicates)
    return (
        torch.zeros(batch, *EXAMPLE_HW, 3, dtype=torch.uint8),
        torch.zeros(batch, num_slots, dim),
        torch.zeros(batch, num_slots),
        torch.zeros(batch),
        torch.zeros(objects, dim),
        torch.zeros(predicates, dim),
    )


def _dynamic_shapes() -> tuple[dict[int, object] | None, ...]:
    batch = Dim("batch", min=1, max=256)
    sides = {1: 32 * Dim("rows", min=2, max=64), 2: 32 * Dim("columns", min=2, max=64)}
    return ({0: batch, **sides}, {0: batch}, {0: batch}, {0: batch}, None, None)


def _store_half(graph: onnx.GraphProto) -> None:
    """Replace each large float32 constant that half precision holds exactly by its twin and a Cast."""
    casts = []
    for constant in graph.initializer:
        values = numpy_helper.to_array(constant)
        if constant.data_type != onnx.TensorProto.FLOAT or values.size < MIN_STORED:
            continue
        half = values.astype("float16")
        if (half.astype("float32") != values).any():
            continue
        name = constant.name
        constant.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
        casts.append(onnx.helper.make_node("Cast", [f"{name}.half"], [name], name=f"{name}.float", to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _drop_traces(graph: onnx.GraphProto) -> None:
    """Forget where in the source each node came from: it bloats the file and names the exporting machine's folders."""
    del graph.value_info[:]
    for node in graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
