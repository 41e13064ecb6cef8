"""The network by TensorRT-RTX: plans for generations of consumer and workstation GPUs, compiled to the end on the GPU they meet.

Imports TensorRT-RTX only when it is opened. `vigil engine build --backend tensorrt_rtx --for SM89` makes the plans on a machine without
a GPU, under the key that is looked for here.
"""

from pathlib import Path

from engines.device_engine import DeviceEngine
from engines.gpu import this_gpu
from engines.store import EngineStore
from engines.trt_engine import open_plans
from engines.trt_network import CudaDevice
from engines.trt_plans import load_library, plans_of, rtx_target

BACKEND = "tensorrt_rtx"


def open_engine(*, model_dir: Path, num_streams: int, max_pixels: int, threads: int, precision: str = "fp16") -> DeviceEngine:
    """The factory's door; host threads mean nothing here. Raises ValueError when there is no GPU, the checkpoint cannot be used, or
    TensorRT-RTX does not build or load it."""
    del threads
    gpu = this_gpu()
    trt = load_library("tensorrt_rtx")
    plans = plans_of(trt, model_dir, rtx_target(trt, gpu), EngineStore(), precision)
    return open_plans(plans, BACKEND, CudaDevice(), gpu.name, num_streams=num_streams, max_pixels=max_pixels)
