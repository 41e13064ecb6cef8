"""A stand-in for the module tensorrt on a machine without a GPU: the same calls, a plan that is the ONNX graph, ONNX Runtime inside.

Pointers are real: a context reads its inputs and writes its outputs in the memory whose addresses it was given.
"""

import ctypes
import types
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnx import helper

NAMES = {"float32": "FLOAT", "int64": "INT64", "uint8": "UINT8"}
SCRATCH_BYTES = 256


class HostDevice:
    """The CPU as a device; its stream has no handle."""

    torch_device = torch.device("cpu")

    def stream_handle(self) -> int:
        return 0


class ILogger:
    Severity = types.SimpleNamespace(INTERNAL_ERROR=0, ERROR=1, WARNING=2)

    def log(self, severity: int, message: str) -> None: ...


class IProgressMonitor:
    """Base class of what is told a build's phases."""


class Value:
    """One input or output of a graph: -1 stands for an open dimension."""

    def __init__(self, value: onnx.ValueInfoProto) -> None:
        kind = value.type.tensor_type
        self.name = value.name
        self.shape = tuple(side.dim_value if side.HasField("dim_value") else -1 for side in kind.shape.dim)
        self.numpy_dtype = np.dtype(helper.tensor_dtype_to_np_dtype(kind.elem_type))


class Network:
    graph = b""
    inputs: Sequence[Value] = ()

    @property
    def num_inputs(self) -> int:
        return len(self.inputs)

    def get_input(self, index: int) -> Value:
        return self.inputs[index]


class OnnxParser:
    def __init__(self, network: Network, logger: ILogger) -> None:
        self._network, self._errors = network, list[str]()
        del logger

    @property
    def num_errors(self) -> int:
        return len(self._errors)

    def get_error(self, index: int) -> str:
        return self._errors[index]

    def parse(self, graph: bytes) -> bool:
        if graph == b"junk":
            self._errors.append("no  graph\nat all")
            return False
        self._network.graph = graph
        self._network.inputs = [Value(value) for value in onnx.load_from_string(graph).graph.input]
        return True


class Profile:
    def __init__(self) -> None:
        self.shapes: dict[str, tuple[tuple[int, ...], ...]] = {}

    def set_shape(self, name: str, *shapes: tuple[int, ...]) -> None:
        self.shapes[name] = shapes


class Config:
    """What the builder was told."""

    progress_monitor: Any = None
    num_compute_capabilities = 0

    def __init__(self) -> None:
        self.profiles: list[Profile] = []
        self.capabilities: list[str] = []

    def clear_flag(self, flag: str) -> None:
        assert flag == "TF32"

    def add_optimization_profile(self, profile: Profile) -> None:
        self.profiles.append(profile)

    def set_compute_capability(self, name: str, index: int) -> None:
        assert index == len(self.capabilities) < self.num_compute_capabilities
        self.capabilities.append(name)


class Context:
    def __init__(self, session: ort.InferenceSession, values: Sequence[Value]) -> None:
        self._session, self._values = session, {value.name: value for value in values}
        self._addresses: dict[str, int] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}

    def set_device_memory(self, address: int, size_bytes: int) -> None:
        assert address
        assert size_bytes == SCRATCH_BYTES

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self._shapes[name] = shape
        return all(side in (-1, given) for side, given in zip(self._values[name].shape, shape, strict=True))

    def set_tensor_address(self, name: str, address: int) -> bool:
        self._addresses[name] = address
        return True

    def execute_async_v3(self, stream_handle: int) -> bool:
        assert stream_handle == 0
        feeds = {value.name: self._read(value.name) for value in self._session.get_inputs()}
        for value, result in zip(self._session.get_outputs(), self._session.run(None, feeds), strict=True):
            ctypes.memmove(self._addresses[value.name], np.ascontiguousarray(result).ctypes.data, result.nbytes)
        return True

    def _read(self, name: str) -> np.ndarray[Any, Any]:
        dtype, shape = self._values[name].numpy_dtype, self._shapes[name]
        raw = ctypes.string_at(self._addresses[name], dtype.itemsize * int(np.prod(shape)))
        return np.frombuffer(raw, dtype).reshape(shape)


class Engine:
    device_memory_size_v2 = SCRATCH_BYTES

    def __init__(self, plan: bytes) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = ort.InferenceSession(plan, options, providers=["CPUExecutionProvider"])
        graph = onnx.load_from_string(plan).graph
        self._values = [Value(value) for value in (*graph.input, *graph.output)]

    @property
    def num_io_tensors(self) -> int:
        return len(self._values)

    def get_tensor_name(self, index: int) -> str:
        return self._values[index].name

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self._value(name).shape

    def get_tensor_dtype(self, name: str) -> Any:
        return types.SimpleNamespace(name=NAMES[self._value(name).numpy_dtype.name])

    def create_runtime_config(self) -> "RuntimeConfig":
        return RuntimeConfig()

    def create_execution_context(self, how: "str | RuntimeConfig") -> Context:
        """Of TensorRT's by the allocation strategy alone, of TensorRT-RTX's by a configuration."""
        asked = how if isinstance(how, str) else (how.allocation, how.dynamic_shapes_kernel_specialization_strategy)
        assert asked in ("USER_MANAGED", ("USER_MANAGED", "EAGER"))
        return Context(self._session, self._values)

    def _value(self, name: str) -> Value:
        return next(value for value in self._values if value.name == name)


class RuntimeConfig:
    """How TensorRT-RTX makes a context."""

    allocation = "STATIC"
    dynamic_shapes_kernel_specialization_strategy = "LAZY"

    def set_execution_context_allocation_strategy(self, strategy: str) -> None:
        self.allocation = strategy


class FakeTrt:
    """The module. It keeps the configuration of every build in `builds`; `generations` are those that it builds for."""

    ILogger = ILogger
    IProgressMonitor = IProgressMonitor
    OnnxParser = OnnxParser
    NetworkDefinitionCreationFlag = types.SimpleNamespace(STRONGLY_TYPED=1)
    BuilderFlag = types.SimpleNamespace(TF32="TF32")
    ExecutionContextAllocationStrategy = types.SimpleNamespace(USER_MANAGED="USER_MANAGED")

    def __init__(self, generations: Sequence[str] = (), *, refuses: bool = False, version: str = "10.15", name: str = "tensorrt") -> None:
        self.__name__, self.__version__ = name, version
        self.ComputeCapability = types.SimpleNamespace(**{name: name for name in generations})
        self.builds: list[Config] = []
        self._refuses = refuses

    def Builder(self, logger: Any) -> Any:  # noqa: N802
        return _Builder(self, logger, refuses=self._refuses)

    def Runtime(self, logger: Any) -> Any:  # noqa: N802
        def deserialize(plan: bytes) -> Engine | None:
            if plan.startswith(b"\x08"):
                return Engine(plan)
            logger.log(ILogger.Severity.ERROR, "serialization assertion failed:\n  magic tag")
            return None

        return types.SimpleNamespace(deserialize_cuda_engine=deserialize)


class FakeRtx(FakeTrt):
    """The module tensorrt_rtx: the same and a compiler on the GPU that it meets."""

    DynamicShapesKernelSpecializationStrategy = types.SimpleNamespace(EAGER="EAGER")

    def __init__(self, generations: Sequence[str]) -> None:
        super().__init__(generations, version="1.7", name="tensorrt_rtx")


class _Builder:
    def __init__(self, trt: FakeTrt, logger: ILogger, *, refuses: bool) -> None:
        self._trt, self._logger, self._refuses = trt, logger, refuses

    def create_network(self, flags: int) -> Network:
        assert flags == 1 << 1
        return Network()

    def create_optimization_profile(self) -> Profile:
        return Profile()

    def create_builder_config(self) -> Config:
        return Config()

    def build_serialized_network(self, network: Network, config: Config) -> bytes | None:
        self._trt.builds.append(config)
        monitor = config.progress_monitor
        monitor.phase_start("Building", None, 2)
        if self._refuses:
            self._logger.log(ILogger.Severity.ERROR, "no  implementation\nfor node 7")
            return None
        assert monitor.step_complete("Building", 0)
        monitor.phase_finish("Building")
        return network.graph
