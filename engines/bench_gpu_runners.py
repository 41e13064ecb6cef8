"""The ways to run one network on a device, for `engines.bench_gpu`: each makes a call that runs one batch whose inputs already lie there.

Raises what the libraries raise; ValueError in words where a way is not for this device. Knows no clock and no report.
B batch, H W canvas, P memory slots, D width.
"""

import importlib
import tempfile
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from model.nano import Nano
from model.text import Prototypes

Call = Callable[[], Sequence[Tensor]]
WARM_RUNS = 3
PRECISION_NAMES = {torch.float16: "fp16", torch.bfloat16: "bf16", torch.float32: "fp32"}
TRT_BATCHES = (1, 8, 16)


@dataclass(frozen=True, slots=True)
class Subject:
    """A network to be measured. `weights` says in words where they are from; `onnx` is its graph where a checkpoint has one."""

    name: str
    weights: str
    network: nn.Module
    prototypes: Prototypes
    num_slots: int
    height: int
    width: int
    onnx: Path | None = None

    def on(self, device: torch.device, dtype: torch.dtype) -> "Subject":
        """A copy there; the image tower in `dtype`, memory and scene head in float32, as the product runs it."""
        network = deepcopy(self.network).to(device).eval().requires_grad_(False)
        tower = cast(Nano, network).detector
        tower.to(dtype)
        prototypes = Prototypes(*(one.to(device) for one in self.prototypes))
        return Subject(self.name, self.weights, network, prototypes, self.num_slots, self.height, self.width, self.onnx)

    def inputs(self, batch: int, device: torch.device) -> tuple[Tensor, ...]:
        """Noise and empty memories: shapes are fixed, so what is to be seen costs no time."""
        generator = torch.Generator().manual_seed(0)
        images_BHW3 = torch.randint(0, 256, (batch, self.height, self.width, 3), generator=generator, dtype=torch.uint8).to(device)
        dim = self.prototypes.objects_CD.shape[1]
        memory_BPD = torch.zeros(batch, self.num_slots, dim, device=device)
        counts_BP, dt_B = torch.zeros(batch, self.num_slots, device=device), torch.full((batch,), 0.04, device=device)
        return (images_BHW3, memory_BPD, counts_BP, dt_B, *self.prototypes)


Make = Callable[[int], Call]
"""From a batch to its call; what is made once for all batches (a build, a compilation) is made before."""


def eager(subject: Subject, device: torch.device, dtype: torch.dtype) -> Make:
    """Operator by operator, as PyTorch does it."""
    del dtype
    return lambda batch: _calling(subject.network, subject.inputs(batch, device))


def cuda_graphs(subject: Subject, device: torch.device, dtype: torch.dtype) -> Make:
    """The same operators recorded once for each batch."""
    del dtype
    return lambda batch: captured(_calling(subject.network, subject.inputs(batch, device)), device)


def compiled(subject: Subject, device: torch.device, dtype: torch.dtype) -> Make:
    """By torch.compile for each batch; on CUDA recorded as a graph too, so that only the kernels count."""
    del dtype
    network = torch.compile(subject.network, dynamic=False)

    def make(batch: int) -> Call:
        call = _calling(network, subject.inputs(batch, device))
        call()
        return captured(call, device) if device.type == "cuda" else call

    return make


def tensorrt(subject: Subject, device: torch.device, dtype: torch.dtype) -> Make:
    """The ONNX graph built by TensorRT for this GPU, up to the largest batch."""
    return _from_plan("tensorrt", subject, device, dtype)


def tensorrt_rtx(subject: Subject, device: torch.device, dtype: torch.dtype) -> Make:
    """The ONNX graph built by TensorRT-RTX."""
    return _from_plan("tensorrt_rtx", subject, device, dtype)


def torch_tensorrt(subject: Subject, device: torch.device, dtype: torch.dtype) -> Make:
    """torch.export, then Torch-TensorRT, for each batch."""
    _need_cuda(device, "Torch-TensorRT")
    library = importlib.import_module("torch_tensorrt")

    def make(batch: int) -> Call:
        inputs = subject.inputs(batch, device)
        program = torch.export.export(subject.network, inputs)
        network = library.dynamo.compile(program, arg_inputs=list(inputs), min_block_size=1, enabled_precisions={torch.float32, dtype})
        return _calling(network, inputs)

    return make


WAYS: dict[str, Callable[[Subject, torch.device, torch.dtype], Make]] = {
    "eager": eager,
    "cuda graphs": cuda_graphs,
    "tensorrt": tensorrt,
    "tensorrt_rtx": tensorrt_rtx,
    "compile": compiled,
    "torch_tensorrt": torch_tensorrt,
}
"""By the names that `engines.bench_gpu` knows them by."""


def captured(call: Call, device: torch.device) -> Call:
    """Record what `call` launches; its outputs lie where the recording put them. ValueError without CUDA."""
    _need_cuda(device, "a CUDA graph")
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_RUNS):
            call()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        outputs = call()

    def replay() -> Sequence[Tensor]:
        graph.replay()
        return outputs

    return replay


def worst_difference(outputs: Sequence[Tensor], reference: Sequence[Tensor]) -> float:
    """The largest difference of the sorted scores, the second output. (Rows of near ties may swap, so boxes say little.)"""
    return float((outputs[1].float() - reference[1].float()).abs().max())


def _from_plan(module: str, subject: Subject, device: torch.device, dtype: torch.dtype) -> Make:
    _need_cuda(device, module)
    trt = importlib.import_module(module)
    from engines.build import build_plan
    from engines.trt_graph import prepare_graph
    from engines.trt_network import CudaDevice, TrtNetwork

    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as folder:
        path = subject.onnx or _export(subject, Path(folder) / "network.onnx")
        graph = prepare_graph(path, subject.height, subject.width, PRECISION_NAMES[dtype])
    network = TrtNetwork(trt, build_plan(trt, graph, TRT_BATCHES), CudaDevice())
    return lambda batch: _calling(network, subject.inputs(batch, device))


def _export(subject: Subject, path: Path) -> Path:
    """The graph of a subject without a checkpoint, from a float32 copy on the CPU: needs onnx and onnxscript."""
    from model.export import export_onnx

    cpu = subject.on(torch.device("cpu"), torch.float32)
    export_onnx(cpu.network, cpu.num_slots, path, cpu.prototypes.objects_CD.shape[1])
    return path


def _calling(network: Callable[..., Sequence[Tensor]], inputs: tuple[Tensor, ...]) -> Call:
    return lambda: network(*inputs)


def _need_cuda(device: torch.device, what: str) -> None:
    if device.type != "cuda":
        raise ValueError(f"{what} needs CUDA, and this runs on {device.type}")
