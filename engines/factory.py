"""Opens a backend by name, or the best that runs here. A backend is imported only when it is wanted: none is a dependency of the others."""

import importlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import model
from engines.probe import BACKENDS, CPU_BACKENDS, THIS_MACHINE, Machine, NotUsable, probe
from engines.protocol import Engine
from model.checkpoint import read_manifest

__all__ = ["AUTO", "BACKENDS", "PREFERRED", "SHIPPED", "Chosen", "PassedOver", "choose_engine", "open_engine"]

AUTO = "auto"
PREFERRED = tuple(backend for backend in BACKENDS if backend != "fake")
FP32_ONLY = ("onnxruntime", "fake")
SHIPPED = Path(model.__file__).parent / "checkpoints" / "nano-v1"


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A better backend that was not taken, and why in words. `was_usable`: it could run here by all that is known, and yet did not open."""

    backend: str
    why: str
    was_usable: bool = False


@dataclass(frozen=True, slots=True)
class Chosen:
    """An opened engine, and what was passed over for it. `gpu_idles`: there is a GPU, and an engine on the CPU was taken."""

    engine: Engine
    passed_over: tuple[PassedOver, ...]
    gpu_idles: bool = False

    @property
    def fell_back(self) -> bool:
        """It is not the engine that this machine should have."""
        return self.gpu_idles or any(one.was_usable for one in self.passed_over)


def open_engine(
    backend: str,
    *,
    model_dir: Path | None = None,
    num_streams: int,
    max_pixels: int,
    threads: int = 0,
    precision: str | None = None,
) -> Engine:
    """A loaded, warmed-up engine with `num_streams` empty memory slots: `choose_engine` for callers who do not ask what was passed over."""
    return choose_engine(
        backend, model_dir=model_dir, num_streams=num_streams, max_pixels=max_pixels, threads=threads, precision=precision
    ).engine


def choose_engine(
    backend: str,
    *,
    model_dir: Path | None = None,
    num_streams: int,
    max_pixels: int,
    threads: int = 0,
    precision: str | None = None,
    machine: Machine = THIS_MACHINE,
) -> Chosen:
    """Open a backend, or for "auto" the first of `PREFERRED` that opens this network on this machine.

    `model_dir` None is the shipped nano-v1; `threads` 0 is one per core; `precision` (fp32, fp16, bf16) None is the backend's own.
    Raises ValueError with a sentence when the backend is unknown or cannot run here, or the checkpoint is missing, torn or foreign;
    for "auto" when nothing opens, with the reason of each.
    """
    folder = model_dir or SHIPPED
    open_one = partial(
        _open, folder=folder, num_streams=num_streams, max_pixels=max_pixels, threads=threads, precision=precision, machine=machine
    )  # fmt: skip
    if backend != AUTO:
        return Chosen(open_one(backend), ())
    read_manifest(folder, to_run=True)
    passed_over: list[PassedOver] = []
    for candidate in PREFERRED:
        try:
            engine = open_one(candidate)
        except ValueError as error:
            passed_over.append(PassedOver(candidate, str(error), probe(candidate, machine).usable))
        else:
            return Chosen(engine, tuple(passed_over), candidate in CPU_BACKENDS and _has_gpu(machine))
    raise ValueError(f"no engine opens {folder} here: {'; '.join(f'{one.backend}: {one.why}' for one in passed_over)}")


def _has_gpu(machine: Machine) -> bool:
    """The NVIDIA driver names a device, whether or not the packages to use it are installed."""
    try:
        machine.driver_device()
    except NotUsable:
        return False
    return True


def _open(
    backend: str, *, folder: Path, num_streams: int, max_pixels: int, threads: int, precision: str | None, machine: Machine
) -> Engine:
    """Any failure to open is a ValueError, whatever the library raised."""
    capability = probe(backend, machine)
    if not capability.usable:
        raise ValueError(f"{backend} cannot run here: {capability.why}")
    wanted = {} if precision is None else {"precision": precision}
    if backend in FP32_ONLY and wanted.pop("precision", "fp32") != "fp32":
        raise ValueError(f"{backend} computes in fp32, got {precision!r}")
    try:
        door = importlib.import_module(f"engines.{backend}").open_engine
        engine: Engine = door(model_dir=folder, num_streams=num_streams, max_pixels=max_pixels, threads=threads, **wanted)
    except (ImportError, RuntimeError) as error:
        raise ValueError(f"{backend} does not open {folder.name}: {error}") from error
    return engine
