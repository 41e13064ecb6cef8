"""The published TFLite model run in float: a small executor, op by op over its graph, written from TFLite's definitions alone.

Shares nothing with model/ but the way a constant is dequantised, so that agreement with our detector means something.
"""

import io
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import tflite
import torch
from torch import Tensor
from torch.nn import functional as F

from model.coco_import import dequantise

RELU6 = tflite.ActivationFunctionType.RELU6
SAME = tflite.Padding.SAME


def run_in_float(tflite_model: bytes, image_HW3: npt.NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
    """Scores (A, 90) and box deltas (A, 4) for one uint8 picture of the model's own size."""
    loaded = tflite.Model.GetRootAsModel(tflite_model, 0)
    graph = loaded.Subgraphs(0)
    names = {value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}
    values: dict[int, Tensor] = {graph.Inputs(0): (torch.tensor(image_HW3).float()[None] - 127.0) * 0.0078125}
    for index in range(graph.OperatorsLength()):
        operator = graph.Operators(index)
        code = loaded.OperatorCodes(operator.OpcodeIndex())
        kind = names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        inputs = [values[i] if i in values else _constant(loaded, graph.Tensors(i)) for i in operator.InputsAsNumpy()]
        values[operator.Outputs(0)] = _run(kind, operator, inputs)
    scores, deltas = (values[graph.Outputs(i)][0] for i in range(2))
    return scores, deltas


def _constant(loaded: Any, tensor: Any) -> Tensor:
    if tensor.Quantization().ScaleLength():
        return torch.from_numpy(dequantise(loaded, tensor))
    raw = loaded.Buffers(tensor.Buffer()).DataAsNumpy().tobytes()
    return torch.from_numpy(np.frombuffer(raw, np.int32).copy())


def _options(operator: Any, kind: Any) -> Any:
    options = kind()
    table = operator.BuiltinOptions()
    options.Init(table.Bytes, table.Pos)
    return options


def _run(kind: str, operator: Any, inputs: list[Tensor]) -> Tensor:
    x, *rest = inputs
    match kind:
        case "CONCATENATION":
            return torch.cat(inputs, dim=_options(operator, tflite.ConcatenationOptions).Axis())
        case "ADD":
            return _activate(x + rest[0], _options(operator, tflite.AddOptions))
        case "MAX_POOL_2D":
            return _pool(x, _options(operator, tflite.Pool2DOptions))
        case "CONV_2D":
            return _convolve(x, rest[0].permute(0, 3, 1, 2), rest[1], _options(operator, tflite.Conv2DOptions), groups=1)
        case "DEPTHWISE_CONV_2D":
            options = _options(operator, tflite.DepthwiseConv2DOptions)
            return _convolve(x, rest[0].permute(3, 0, 1, 2), rest[1], options, groups=x.shape[3])
    return _SIMPLE[kind](*inputs)


def _activate(x: Tensor, options: Any) -> Tensor:
    return x.clamp(0, 6) if options.FusedActivationFunction() == RELU6 else x


def _pad(x_BFHW: Tensor, kernel: tuple[int, ...], stride: int, options: Any, value: float) -> Tensor:
    if options.Padding() != SAME:
        return x_BFHW
    total = [max((-(-size // stride) - 1) * stride + k - size, 0) for size, k in zip(x_BFHW.shape[2:], kernel, strict=True)]
    (top, left), (bottom, right) = ([t // 2 for t in total], [t - t // 2 for t in total])
    return F.pad(x_BFHW, (left, right, top, bottom), value=value)


def _convolve(x_BHWF: Tensor, weight: Tensor, bias: Tensor, options: Any, groups: int) -> Tensor:
    stride = options.StrideH()
    x = _pad(x_BHWF.permute(0, 3, 1, 2), tuple(weight.shape[2:]), stride, options, 0.0)
    return _activate(F.conv2d(x, weight, bias, stride, groups=groups).permute(0, 2, 3, 1), options)


def _pool(x_BHWF: Tensor, options: Any) -> Tensor:
    kernel = (options.FilterHeight(), options.FilterWidth())
    x = _pad(x_BHWF.permute(0, 3, 1, 2), kernel, options.StrideH(), options, -torch.inf)
    return _activate(F.max_pool2d(x, kernel, options.StrideH()).permute(0, 2, 3, 1), options)


def _resize(x_BHWF: Tensor, size: list[int]) -> Tensor:
    rows, columns = (
        torch.tensor([int(np.floor(np.float32(i) * np.float32(old / new))) for i in range(new)])
        for old, new in zip(x_BHWF.shape[1:3], size, strict=True)
    )
    return x_BHWF[:, rows][:, :, columns]


_SIMPLE: dict[str, Callable[..., Tensor]] = {
    "QUANTIZE": lambda x: x,
    "DEQUANTIZE": lambda x: x,
    "LOGISTIC": torch.sigmoid,
    "RESHAPE": lambda x, shape: x.reshape([int(side) for side in shape]),
    "RESIZE_NEAREST_NEIGHBOR": lambda x, size: _resize(x, [int(side) for side in size]),
}


def class_columns(tflite_model: bytes, names: tuple[str, ...]) -> list[int]:
    """Which of the 90 outputs is which class, by the labels packed with the model."""
    with zipfile.ZipFile(io.BytesIO(tflite_model)) as archive:
        labels = archive.read("labels.txt").decode().splitlines()
    return [labels.index(name) for name in names]
