"""Where and when something was measured: what every results file says first."""

import datetime
import importlib.metadata
import os
import platform
from pathlib import Path

from msgspec import Struct

PACKAGES = ("vigil", "torch", "numpy", "scipy", "onnx")


class Machine(Struct, frozen=True):
    """`load_before` is the load average when the measurement ended its set-up: above the number of cores, times are too long."""

    measured_at: str
    processor: str
    cores: int
    load_before: float
    system: str
    python: str
    packages: dict[str, str]


def this_machine() -> Machine:
    """This machine, now."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    versions = {package: _version(package) for package in PACKAGES}
    return Machine(now, _processor(), os.cpu_count() or 1, os.getloadavg()[0], platform.platform(), platform.python_version(), versions)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    """As Linux names it, else what Python knows."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
