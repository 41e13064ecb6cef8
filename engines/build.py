"""From an ONNX graph to a TensorRT plan by the Builder API. Knows no checkpoint, no store and no device.

TensorRT and TensorRT-RTX have the same Python API under two module names, so whoever calls passes the module in as `trt`.
TensorRT builds for the GPU it runs on; TensorRT-RTX builds on any machine, also without a GPU, for the GPU generations it is told.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

Batches = tuple[int, int, int]
"""The smallest batch, the one to tune for, the largest."""
OnPhase = Callable[[str, int, int], None]
"""Told a phase of the build, the steps done and their number."""
CURRENT = "CURRENT"
"""To TensorRT-RTX: the GPU here, whatever its generation."""
SHOWN_ERRORS = 3


def build_plan(
    trt: Any, graph: bytes, batches: Batches, capabilities: Sequence[str] = (), on_phase: OnPhase = lambda *_: None
) -> bytes:  # fmt: skip
    """The serialized engine of an ONNX graph whose inputs' first dimension is the batch, where it is open.

    `capabilities` names GPU generations (SM86, SM89, ...) for TensorRT-RTX; empty means the GPU here. Raises ValueError with the
    builder's own words when the graph cannot be parsed or built, or a generation is unknown.
    """
    logger = logger_of(trt)
    logger.errors.clear()
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(graph):
        raise ValueError(f"TensorRT {trt.__version__} cannot read the graph: {_first(_parse_errors(parser))}")
    config = builder.create_builder_config()
    config.clear_flag(trt.BuilderFlag.TF32)
    config.add_optimization_profile(_profile(builder, network, batches))
    _set_capabilities(trt, config, capabilities)
    config.progress_monitor = monitor = _monitor(trt, on_phase)
    plan = builder.build_serialized_network(network, config)
    del monitor
    if plan is None:
        raise ValueError(f"TensorRT {trt.__version__} cannot build this network: {_first(logger.errors)}")
    return bytes(memoryview(plan))


def known_capabilities(trt: Any) -> tuple[str, ...]:
    """The GPU generations that TensorRT-RTX builds for; TensorRT has none to choose from."""
    return tuple(name for name in dir(getattr(trt, "ComputeCapability", None)) if name.startswith("SM") or name == CURRENT)


@cache
def logger_of(trt: Any) -> Any:
    """The one logger of this module: TensorRT keeps the first that it is given for the whole process. It remembers errors."""

    class Logger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                self.errors.append(message)

    return Logger()


def _monitor(trt: Any, on_phase: OnPhase) -> Any:
    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        """Passes the builder's phases on; phases may overlap and come from several threads."""

        def __init__(self) -> None:
            super().__init__()
            self._steps: dict[str, int] = {}

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            del parent_phase
            self._steps[phase_name] = num_steps
            on_phase(phase_name, 0, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            on_phase(phase_name, step + 1, self._steps[phase_name])
            return True

        def phase_finish(self, phase_name: str) -> None:
            on_phase(phase_name, self._steps[phase_name], self._steps[phase_name])

    return Monitor()


def _profile(builder: Any, network: Any, batches: Batches) -> Any:
    profile = builder.create_optimization_profile()
    for index in range(network.num_inputs):
        value = network.get_input(index)
        batch, *rest = tuple(value.shape)
        if -1 in rest:
            raise ValueError(f"only the batch of an engine may vary, but input {value.name!r} is {(batch, *rest)}")
        if batch == -1:
            profile.set_shape(value.name, *((size, *rest) for size in batches))
    return profile


def _set_capabilities(trt: Any, config: Any, capabilities: Sequence[str]) -> None:
    known = known_capabilities(trt)
    foreign = [name for name in capabilities if name not in known]
    if foreign:
        raise ValueError(f"TensorRT {trt.__version__} builds for {', '.join(known) or 'the GPU here only'}, not for {', '.join(foreign)}")
    if capabilities:
        config.num_compute_capabilities = len(capabilities)
        for index, name in enumerate(capabilities):
            config.set_compute_capability(getattr(trt.ComputeCapability, name), index)


def _parse_errors(parser: Any) -> list[str]:
    return [str(parser.get_error(index)) for index in range(parser.num_errors)]


def _first(errors: Sequence[str]) -> str:
    """The first errors on one line: the later ones follow from them."""
    return " | ".join(" ".join(error.split()) for error in errors[:SHOWN_ERRORS]) or "it gave no reason"
