"""How full the memory is that an engine runs in: the GPU's by its driver, else this process's share of what the machine gives it.

Knows no network. Torch is asked only for a backend that has loaded it.
"""

import importlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engines.probe import CPU_BACKENDS

ROOT = Path("/")


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """`device` is "cpu" or as torch numbers it, "cuda:0". On a CPU `used_bytes` are this process's own, on a GPU everybody's."""

    device: str
    used_bytes: int
    total_bytes: int


def device_memory(backend: str) -> DeviceMemory | None:
    """Of the device that `backend` runs on, in this process; None where nobody tells it."""
    return cpu_memory() if backend in CPU_BACKENDS else cuda_memory() or cpu_memory()


def cuda_memory() -> DeviceMemory | None:
    """Of torch's current CUDA device; None without one."""
    torch = importlib.import_module("torch")
    if not torch.cuda.is_available():
        return None
    free_bytes, total_bytes = torch.cuda.mem_get_info()
    return DeviceMemory(f"cuda:{torch.cuda.current_device()}", total_bytes - free_bytes, total_bytes)


def cpu_memory(root: Path = ROOT) -> DeviceMemory | None:
    """Resident memory of this process, of what its control groups leave it of the machine's; None without Linux's /proc."""
    try:
        pages = int((root / "proc/self/statm").read_text().split()[1])
        total_kib = next(int(line.split()[1]) for line in (root / "proc/meminfo").read_text().splitlines() if line.startswith("MemTotal:"))
    except OSError:
        return None
    return DeviceMemory("cpu", pages * os.sysconf("SC_PAGE_SIZE"), min((total_kib * 1024, *_limits(root))))


def _limits(root: Path) -> Iterator[int]:
    """What each control group from this process's to the topmost allows: version 2 says "max" for all, version 1 a huge number."""
    for folder, name in _groups(root):
        for level in (folder, *folder.parents):
            try:
                said = (level / name).read_text().strip()
            except OSError:
                continue
            if said.isdigit():
                yield int(said)


def _groups(root: Path) -> Iterator[tuple[Path, str]]:
    """Folder of this process's group and the file that names its limit; a container sees its own group as the topmost."""
    top = root / "sys/fs/cgroup"
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number == "0" and not controllers:
            yield top / path.lstrip("/"), "memory.max"
        elif "memory" in controllers.split(","):
            yield top / "memory" / path.lstrip("/"), "memory.limit_in_bytes"
