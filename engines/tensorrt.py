"""The network by TensorRT: plans built from the ONNX graph for this GPU, or by Torch-TensorRT where TensorRT refuses the graph.

Imports TensorRT only when it is opened; the engines' arithmetic is that of trt_graph.py: fp16 means convolutions, float32 around them.
"""

import importlib.util
import logging
from pathlib import Path

from engines.device_engine import DeviceEngine
from engines.gpu import this_gpu
from engines.store import EngineStore
from engines.trt_engine import open_plans
from engines.trt_network import CudaDevice
from engines.trt_plans import load_library, plans_of, target_of

BACKEND = "tensorrt"
log = logging.getLogger(__name__)


def open_engine(*, model_dir: Path, num_streams: int, max_pixels: int, threads: int, precision: str = "fp16") -> DeviceEngine:
    """The factory's door; host threads mean nothing here. The first opening on a machine builds for minutes.

    Raises ValueError when there is no GPU, the checkpoint cannot be used, or neither way builds it.
    """
    gpu = this_gpu()
    trt = load_library("tensorrt")
    plans = plans_of(trt, model_dir, target_of(gpu), EngineStore(), precision)
    try:
        return open_plans(plans, BACKEND, CudaDevice(), gpu.name, num_streams=num_streams, max_pixels=max_pixels)
    except ValueError as error:
        if importlib.util.find_spec("torch_tensorrt") is None:
            raise
        log.warning("TensorRT refuses the ONNX graph, Torch-TensorRT takes over: %s", error)
    from engines.torch_trt import open_engine as open_torch_trt

    return open_torch_trt(model_dir=model_dir, num_streams=num_streams, max_pixels=max_pixels, threads=threads, precision=precision)
