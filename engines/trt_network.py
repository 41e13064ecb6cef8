"""A TensorRT plan as a function of device tensors. Knows no checkpoint, no pictures' origin, no memory bank and no CUDA graph.

Each batch size has an execution context of its own, whose shapes never change, so that whoever records a call as a CUDA graph may
replay it while other sizes run. The contexts share one piece of scratch memory: one call at a time.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from engines.build import logger_of

INPUTS = ("images", "memory", "counts", "dt", "object_prototypes", "predicate_prototypes")
OUTPUTS = ("boxes", "scores", "class_probs", "embeddings", "pairs", "predicate_probs", "memory_out", "counts_out")
DTYPES = {"FLOAT": torch.float32, "HALF": torch.float16, "INT32": torch.int32, "INT64": torch.int64, "UINT8": torch.uint8}


class Device(Protocol):
    """Where a plan runs: the device of its tensors, and the stream that it enqueues its work on."""

    torch_device: torch.device

    def stream_handle(self) -> int: ...


class CudaDevice:
    """The current CUDA device, and whatever stream is PyTorch's current one at the time."""

    def __init__(self) -> None:
        self.torch_device = torch.device("cuda", torch.cuda.current_device())

    def stream_handle(self) -> int:
        return int(torch.cuda.current_stream(self.torch_device).cuda_stream)


@dataclass(frozen=True, slots=True)
class Binding:
    """One input or output of a plan; -1 in its shape is the batch."""

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype

    def at(self, batch: int) -> tuple[int, ...]:
        return tuple(batch if side == -1 else side for side in self.shape)


class TrtNetwork:
    """The network's inputs in the order of INPUTS give its outputs in the order of OUTPUTS; all on the device, enqueued, not waited for."""

    def __init__(self, trt: Any, plan: bytes, device: Device) -> None:
        """Raises ValueError in the library's words when it does not take the plan on this device; calls raise RuntimeError."""
        self._trt, self._device = trt, device
        logger_of(trt).errors.clear()
        self._runtime = trt.Runtime(logger_of(trt))
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise ValueError(f"TensorRT {trt.__version__} does not load this engine here: {self._last_words()}")
        self._bindings = read_bindings(self._engine)
        self._scratch = torch.empty(self._engine.device_memory_size_v2, dtype=torch.uint8, device=device.torch_device)
        self._contexts: dict[int, Any] = {}

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        batch = inputs[0].shape[0]
        if batch not in self._contexts:
            self._contexts[batch] = self._make_context(batch)
        context = self._contexts[batch]
        read = {name: value.contiguous() for name, value in zip(INPUTS, inputs, strict=True)}
        written = {name: self._empty(name, batch) for name in OUTPUTS}
        for name, value in (read | written).items():
            self._check(context.set_tensor_address(name, value.data_ptr()), f"bind {name}")
        self._check(context.execute_async_v3(self._device.stream_handle()), f"run a batch of {batch}")
        return tuple(written.values())

    def _empty(self, name: str, batch: int) -> Tensor:
        binding = self._bindings[name]
        return torch.empty(binding.at(batch), dtype=binding.dtype, device=self._device.torch_device)

    def _make_context(self, batch: int) -> Any:
        context = self._check(_create_context(self._trt, self._engine), f"prepare a batch of {batch}")
        context.set_device_memory(self._scratch.data_ptr(), self._scratch.numel())
        for name in INPUTS:
            self._check(context.set_input_shape(name, self._bindings[name].at(batch)), f"take {name} for a batch of {batch}")
        return context

    def _check(self, result: Any, act: str) -> Any:
        """The library answers None or False where it fails, and tells its logger why."""
        if result is None or result is False:
            raise RuntimeError(f"TensorRT {self._trt.__version__} cannot {act}: {self._last_words()}")
        return result

    def _last_words(self) -> str:
        errors = logger_of(self._trt).errors
        return " ".join(errors[-1].split()) if errors else "it gave no reason"


def read_bindings(engine: Any) -> dict[str, Binding]:
    """What a plan reads and writes, by name. Raises ValueError unless that is this product's network."""
    names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
    if sorted(names) != sorted((*INPUTS, *OUTPUTS)):
        raise ValueError(f"the engine is not one of this product's networks: it reads and writes {', '.join(names)}")
    return {name: Binding(name, tuple(engine.get_tensor_shape(name)), DTYPES[engine.get_tensor_dtype(name).name]) for name in names}


def _create_context(trt: Any, engine: Any) -> Any:
    """A context on borrowed scratch memory. TensorRT-RTX compiles for this GPU at the first run, all of it: a recorded graph stays true."""
    strategy = trt.ExecutionContextAllocationStrategy.USER_MANAGED
    if not hasattr(trt, "DynamicShapesKernelSpecializationStrategy"):
        return engine.create_execution_context(strategy)
    config = engine.create_runtime_config()
    config.set_execution_context_allocation_strategy(strategy)
    config.dynamic_shapes_kernel_specialization_strategy = trt.DynamicShapesKernelSpecializationStrategy.EAGER
    return engine.create_execution_context(config)
