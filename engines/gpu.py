"""Which NVIDIA GPU and driver this is, for the keys of engine files. Knows no network."""

import ctypes
import re
from dataclasses import dataclass
from pathlib import Path

DRIVER_FILE = Path("/proc/driver/nvidia/version")
CUDA_LIBRARY = "libcuda.so.1"


@dataclass(frozen=True, slots=True)
class Gpu:
    """`capability` is (major, minor) of its compute capability."""

    name: str
    capability: tuple[int, int]
    driver: str


def this_gpu() -> Gpu:
    """The current CUDA device. Raises ValueError in words where there is none."""
    import torch

    if not torch.cuda.is_available():
        raise ValueError(f"PyTorch {torch.__version__} sees no CUDA device")
    return Gpu(torch.cuda.get_device_name(), torch.cuda.get_device_capability(), driver_version(DRIVER_FILE, CUDA_LIBRARY))


def driver_version(path: Path, library: str) -> str:
    """The driver's own version where the kernel tells it, else the newest CUDA version that it speaks, else "unknown"."""
    if path.is_file() and (found := re.search(r"\b\d{3}\.\d+(\.\d+)?\b", path.read_text())):
        return found[0]
    try:
        cuda = ctypes.CDLL(library)
    except OSError:
        return "unknown"
    version = ctypes.c_int()
    return "unknown" if cuda.cuDriverGetVersion(ctypes.byref(version)) else f"CUDA {version.value}"
