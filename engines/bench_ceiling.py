"""What the processor can do at most, measured: a large matrix product and a large dense convolution; and what a network asks of it.

GFLOP are 1e9 operations in float32, two a multiply-add, of products and convolutions alone. Knows no engine.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

MATMUL_SIDE = 1024
CONV_CHANNELS, CONV_SIDE = 256, 48
POOLS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""Environment variables that hold numpy's matrix library to a number of threads; read when it is loaded, so in a process of its own."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """GFLOP/s of each kind on so many threads; None where its tool is missing."""

    threads: int
    numpy_matmul: float
    onnxruntime_matmul: float | None
    onnxruntime_conv: float | None

    @property
    def best(self) -> float:
        return max(self.numpy_matmul, self.onnxruntime_matmul or 0.0, self.onnxruntime_conv or 0.0)


def cpu_ceiling(threads: int, seconds: float = 0.5) -> Ceiling:
    """The best of several tries over `seconds` for each kind. Convolutions need the package onnx beside ONNX Runtime."""
    try:
        matmul, conv = _onnxruntime_matmul(threads, seconds), _onnxruntime_conv(threads, seconds)
    except ImportError:
        return Ceiling(threads, _numpy_matmul(threads, seconds), None, None)
    return Ceiling(threads, _numpy_matmul(threads, seconds), matmul, conv)


def best_rate(call: Callable[[], object], gflop: float, seconds: float) -> float:
    """The fastest of the calls that fit into `seconds` (two at least), in GFLOP/s."""
    shortest_s, deadline_s = float("inf"), time.perf_counter() + seconds
    call()
    while True:
        begun_s = time.perf_counter()
        call()
        ended_s = time.perf_counter()
        shortest_s = min(shortest_s, ended_s - begun_s)
        if ended_s > deadline_s:
            return gflop / shortest_s


@cache
def gflop_per_frame(folder: Path, height: int, width: int) -> float | None:
    """Of a checkpoint's whole network on one picture; None without torch or its weights."""
    try:
        import torch
        from torch.utils.flop_counter import FlopCounterMode

        from model.assemble import load_network
    except ImportError:
        return None
    try:
        network, prototypes = load_network(folder)
    except ValueError:
        return None
    dim = prototypes.objects_CD.shape[1]
    memory = (torch.zeros(1, network.num_slots, dim), torch.zeros(1, network.num_slots))
    images_BHW3 = torch.zeros(1, height, width, 3, dtype=torch.uint8)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network.requires_grad_(False)(images_BHW3, *memory, torch.zeros(1), *prototypes)
    return int(counter.get_total_flops()) / 1e9


def numpy_rate(seconds: float) -> float:
    """numpy's matrix product in this process, GFLOP/s."""
    square = np.full((MATMUL_SIDE, MATMUL_SIDE), 0.5, np.float32)
    return best_rate(lambda: square @ square, 2 * MATMUL_SIDE**3 / 1e9, seconds)


def _numpy_matmul(threads: int, seconds: float) -> float:
    code = f"from engines.bench_ceiling import numpy_rate; print(numpy_rate({seconds}))"
    environment = os.environ | dict.fromkeys(POOLS, str(threads))
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=root, capture_output=True, text=True, check=True)
    return float(done.stdout)


def _onnxruntime_matmul(threads: int, seconds: float) -> float:
    shape = (MATMUL_SIDE, MATMUL_SIDE)
    return best_rate(_session("MatMul", shape, shape, {}, threads), 2 * MATMUL_SIDE**3 / 1e9, seconds)


def _onnxruntime_conv(threads: int, seconds: float) -> float:
    kernels = (CONV_CHANNELS, CONV_CHANNELS, 3, 3)
    gflop = 2 * float(np.prod(kernels)) * CONV_SIDE**2 / 1e9
    return best_rate(_session("Conv", (1, CONV_CHANNELS, CONV_SIDE, CONV_SIDE), kernels, {"pads": [1, 1, 1, 1]}, threads), gflop, seconds)


def _session(
    operator: str, input_shape: tuple[int, ...], weight_shape: tuple[int, ...], attributes: dict[str, Any], threads: int
) -> Callable[[], object]:
    """A graph of one operator with constant weights, ready to be called."""
    import onnxruntime as ort
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy_helper.from_array(np.full(weight_shape, 0.01, np.float32), "weights")
    node = helper.make_node(operator, ["x", "weights"], ["y"], **attributes)
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (("x", input_shape), ("y", None))]
    graph = helper.make_graph([node], "ceiling", values[:1], values[1:], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 3
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    feeds = {"x": np.full(input_shape, 0.5, np.float32)}
    return lambda: session.run(None, feeds)
