"""The PyTorch network itself on a CUDA device: detector in half precision, scene head and memory in float32, behind CUDA graphs.

It also runs on the CPU, without graphs, so that its tests need no GPU. Knows the checkpoint's weights, no stream.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from engines.cuda_graphs import BUCKETS
from engines.device_engine import DeviceEngine, Network
from engines.outputs import network_spec
from model.any_size import load_any
from model.checkpoint import read_manifest, read_prototypes

PRECISIONS = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}


def open_engine(*, model_dir: Path, num_streams: int, max_pixels: int, threads: int, precision: str = "fp16") -> DeviceEngine:
    """The factory's door; host threads mean nothing here. Raises ValueError when the checkpoint or the device cannot be used, and torch's
    own RuntimeError when the device's memory or kernels do not suffice."""
    del threads
    if not torch.cuda.is_available():
        raise ValueError(f"PyTorch {torch.__version__} sees no CUDA device")
    device = torch.device("cuda", torch.cuda.current_device())
    return open_on(device, model_dir, precision=precision, num_streams=num_streams, max_pixels=max_pixels)


def open_on(device: torch.device, folder: Path, *, precision: str, num_streams: int, max_pixels: int) -> DeviceEngine:
    """The checkpoint's network on any device. Raises ValueError when it is missing, torn or foreign, or the precision is unknown."""
    if precision not in PRECISIONS:
        raise ValueError(f"precisions are {', '.join(PRECISIONS)}, got {precision!r}")
    manifest = read_manifest(folder)
    network = _network_on(device, folder, PRECISIONS[precision])
    most = BUCKETS[-1]
    spec = network_spec(manifest, "torch_cuda", num_streams=num_streams, max_pixels=max_pixels, max_batch=most, best_batch=most)
    spec = replace(spec, precision=precision, device=torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu")
    return DeviceEngine(spec, read_prototypes(folder, manifest), lambda *_canvas: network, device)


def _network_on(device: torch.device, folder: Path, dtype: torch.dtype) -> Network:
    """Only the detector computes in `dtype`; what leaves it is float32 again, and so is all that follows."""
    network, _ = load_any(folder)
    network.detector.to(dtype)
    module: nn.Module = network.to(device).requires_grad_(False)

    def run(*inputs: Tensor) -> Sequence[Tensor]:
        outputs: Sequence[Tensor] = module(*inputs)
        return outputs

    return run
