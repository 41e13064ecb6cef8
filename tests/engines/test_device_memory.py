"""How full an engine's memory is: on a CPU by /proc and control groups, here written by hand."""

import os
import sys
from pathlib import Path

import psutil
import pytest

from engines.device_memory import DeviceMemory, cpu_memory, cuda_memory, device_memory

PAGE = os.sysconf("SC_PAGE_SIZE")
UNLIMITED_V1 = "9223372036854771712"


def machine(root: Path, groups: str, limits: dict[str, str]) -> Path:
    """8 GiB, 1000 pages resident, with these control groups."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/statm").write_text("5000 1000 300 1 0 700 0\n")
    (root / "proc/meminfo").write_text("MemTotal:        8388608 kB\nMemFree:          100000 kB\n")
    (root / "proc/self/cgroup").write_text(groups)
    for name, said in limits.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(said + "\n")
    return root


@pytest.mark.parametrize(
    ("groups", "limits", "total_mib"),
    [
        ("0::/\n", {"memory.max": "max"}, 8192),
        ("0::/\n", {"memory.max": str(512 << 20)}, 512),
        ("0::/a/b\n", {"a/memory.max": str(1024 << 20), "a/b/memory.max": "max"}, 1024),
        ("5:cpu:/\n4:memory:/box\n0::/\n", {"memory/box/memory.limit_in_bytes": str(256 << 20)}, 256),
        ("4:memory:/not/seen/inside\n", {"memory/memory.limit_in_bytes": str(128 << 20)}, 128),
        ("4:memory:/\n", {"memory/memory.limit_in_bytes": UNLIMITED_V1}, 8192),
        ("0::/\n", {"memory.max": str(64 << 30)}, 8192),
        ("", {}, 8192),
    ],
    ids=[
        "no limit",
        "a container",
        "a limit above",
        "version 1",
        "version 1 in a container",
        "none in 1",
        "more than there is",
        "no group",
    ],
)
def test_the_memory_of_a_cpu_is_what_the_least_limit_leaves(tmp_path: Path, groups: str, limits: dict[str, str], total_mib: int) -> None:
    assert cpu_memory(machine(tmp_path, groups, limits)) == DeviceMemory("cpu", 1000 * PAGE, total_mib << 20)


def test_without_proc_nobody_tells(tmp_path: Path) -> None:
    assert cpu_memory(tmp_path) is None


@pytest.mark.parametrize("backend", ["fake", "openvino", "onnxruntime"])
def test_a_cpu_engine_is_told_its_own_process(backend: str) -> None:
    memory = device_memory(backend)
    assert memory is not None
    assert memory.device == "cpu"
    assert 0.5 < memory.used_bytes / psutil.Process().memory_info().rss < 2.0
    assert memory.used_bytes < memory.total_bytes <= psutil.virtual_memory().total


class FakeCuda:
    """torch.cuda on a machine whose second GPU is in use."""

    def __init__(self, is_there: bool) -> None:
        self.is_available = lambda: is_there
        self.mem_get_info = lambda: (30 << 30, 80 << 30)
        self.current_device = lambda: 1


class FakeTorch:
    def __init__(self, is_there: bool) -> None:
        self.cuda = FakeCuda(is_there)


@pytest.mark.parametrize(("is_there", "told"), [(True, DeviceMemory("cuda:1", 50 << 30, 80 << 30)), (False, None)])
def test_a_gpu_is_told_by_torch(monkeypatch: pytest.MonkeyPatch, is_there: bool, told: DeviceMemory | None) -> None:
    monkeypatch.setitem(sys.modules, "torch", FakeTorch(is_there))
    assert cuda_memory() == told
    memory = device_memory("torch_cuda")
    assert memory is not None
    assert memory.device == (told.device if told else "cpu")
