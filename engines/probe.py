"""Which backends can run on this machine, and in words why the others cannot. Imports a library only when it could be of use.

The driver is asked directly, so that a machine without a GPU never loads torch. A process that asks should not fork afterwards:
CUDA does not survive that.
"""

import ctypes
import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

BACKENDS = ("tensorrt", "tensorrt_rtx", "torch_cuda", "openvino", "onnxruntime", "fake")
"""Best first; `fake` is only ever asked for by name."""
CPU_BACKENDS = ("openvino", "onnxruntime", "fake")
CPU = "cpu"
CUDA_LIBRARY = "libcuda.so.1"
NAME_BYTES = 256


@dataclass(frozen=True, slots=True)
class Capability:
    """Whether a backend can run here: `why` not, in words ("" when it can), and `device`, the processor it would run on ("" when none)."""

    backend: str
    usable: bool
    why: str
    device: str


class NotUsable(Exception):  # noqa: N818
    """Why a backend cannot run here, in words."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What is asked of a machine: does it have a package, and which CUDA device do the driver and torch see. Both raise NotUsable."""

    require: Callable[[str], None]
    driver_device: Callable[[], str]
    torch_device: Callable[[], None]


def probe(backend: str, machine: Machine | None = None) -> Capability:
    """Ask whether a backend can run, without opening it. Raises ValueError when there is no such backend."""
    if backend not in BACKENDS:
        raise ValueError(f"no engine {backend!r}; known: {', '.join(BACKENDS)}")
    try:
        device = _needs(backend, machine or THIS_MACHINE)
    except NotUsable as reason:
        return Capability(backend, usable=False, why=str(reason), device="")
    return Capability(backend, usable=True, why="", device=device)


def _needs(backend: str, machine: Machine) -> str:
    """The device that a backend would use; NotUsable names the first thing that it lacks, cheapest to find out first."""
    if backend in CPU_BACKENDS:
        if backend != "fake":
            machine.require(backend)
        return CPU
    if backend != "torch_cuda":
        machine.require(backend)
    machine.require("torch")
    device = machine.driver_device()
    machine.torch_device()
    return device


def _require(package: str) -> None:
    """The package is installed; it is not imported."""
    if importlib.util.find_spec(package) is None:
        raise NotUsable(f"{package} is not installed")


def _driver_device(library: str) -> str:
    """The name of the first device that the NVIDIA driver sees."""
    try:
        cuda = ctypes.CDLL(library)
    except OSError:
        raise NotUsable(f"there is no NVIDIA driver: {library} cannot be loaded") from None
    if error := cuda.cuInit(0):
        raise NotUsable(f"the NVIDIA driver does not start: cuInit says {error}")
    count, device, name = ctypes.c_int(), ctypes.c_int(), ctypes.create_string_buffer(NAME_BYTES)
    if cuda.cuDeviceGetCount(ctypes.byref(count)) or not count.value:
        raise NotUsable("the NVIDIA driver sees no device")
    if cuda.cuDeviceGet(ctypes.byref(device), 0) or cuda.cuDeviceGetName(name, NAME_BYTES, device):
        raise NotUsable("the NVIDIA driver does not name its first device")
    return name.value.decode()


def _torch_device() -> None:
    """Torch loads and sees a CUDA device."""
    try:
        torch = importlib.import_module("torch")
    except (ImportError, OSError) as error:
        raise NotUsable(f"torch does not load: {error}") from error
    if torch.version.cuda is None:
        raise NotUsable(f"torch {torch.__version__} is built without CUDA")
    if not torch.cuda.is_available():
        raise NotUsable(f"torch {torch.__version__} for CUDA {torch.version.cuda} sees no device: its driver may be too old")


THIS_MACHINE = Machine(_require, partial(_driver_device, CUDA_LIBRARY), _torch_device)
