"""The TensorRT plans of one checkpoint: which there are, from the store, built where they are missing. Knows no pictures and no memory.

A plan is for one canvas, one precision and a range of batches. TensorRT's runs on the GPU and the driver that built it; TensorRT-RTX's on
every GPU of the generation it was built for, so it can be built anywhere beforehand, with neither a GPU nor PyTorch.
"""

import importlib
import platform
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engines.build import CURRENT, Batches, OnPhase, build_plan, known_capabilities
from engines.gpu import Gpu
from engines.store import EngineKey, EngineStore
from engines.trt_graph import PRECISIONS, REWRITE, prepare_graph
from model.checkpoint import Manifest, read_manifest

BATCH_SIZES = (1, 2, 4, 8, 16)
MAX_BATCH = BATCH_SIZES[-1]
TUNED_BATCH = 4
ANY = "any"


@dataclass(frozen=True, slots=True)
class Target:
    """What a plan is built for, in the words of its key; `build_for` is what TensorRT-RTX's builder is told."""

    device: str
    capability: str
    driver: str
    build_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TrtPlans:
    """Plans of one checkpoint in one precision for one target. `trt` is the module tensorrt or tensorrt_rtx."""

    trt: Any
    folder: Path
    manifest: Manifest
    target: Target
    store: EngineStore
    precision: str
    max_batch: int = MAX_BATCH

    @property
    def batches(self) -> Batches:
        return 1, min(TUNED_BATCH, self.max_batch), self.max_batch

    def key(self, height: int, width: int) -> EngineKey:
        """Of the plan for this canvas."""
        libraries = (f"{self.trt.__name__} {self.trt.__version__}", REWRITE)
        canvas = (height, width)
        return make_key(self.trt.__name__, self.manifest, canvas, self.batches, self.precision, self.target, libraries)

    def fetch(self, height: int, width: int, on_phase: OnPhase = lambda *_: None) -> Path:
        """The plan's file. Building takes from seconds to minutes; raises ValueError in the builder's words where it fails."""

        def build(path: Path) -> None:
            graph = prepare_graph(self.folder / self.manifest.onnx_file, height, width, self.precision)
            path.write_bytes(build_plan(self.trt, graph, self.batches, self.target.build_for, on_phase))

        return self.store.fetch(self.key(height, width), build)

    def largest_stored(self, height: int, width: int) -> "TrtPlans":
        """These plans, up to the largest batch for which the store has one for this canvas; unchanged where it has none."""
        sizes = (replace(self, max_batch=size) for size in reversed(BATCH_SIZES))
        return next((plans for plans in sizes if self.store.find(plans.key(height, width))), self)


def plans_of(trt: Any, folder: Path, target: Target, store: EngineStore, precision: str = "fp16") -> TrtPlans:
    """Raises ValueError when the checkpoint is missing, torn or foreign, or there is no such precision."""
    if precision not in PRECISIONS:
        raise ValueError(f"precisions are {', '.join(PRECISIONS)}, got {precision!r}")
    return TrtPlans(trt, folder, read_manifest(folder, to_run=True), target, store, precision)


def load_library(name: str) -> Any:
    """The module, where it is installed and loads. Raises ValueError in words where not."""
    try:
        return importlib.import_module(name)
    except (ImportError, OSError, RuntimeError) as error:
        raise ValueError(f"{name} does not load here: {error}") from error


def make_key(
    backend: str,
    manifest: Manifest,
    canvas_HW: tuple[int, int],
    batches: Batches,
    precision: str,
    target: Target,
    libraries: tuple[str, ...],
) -> EngineKey:
    """The key of a checkpoint's engine; the kind of machine stands among the libraries."""
    return EngineKey(
        backend=backend,
        model=manifest.name,
        model_hash=manifest.model_hash,
        graph_sha256=manifest.files[manifest.onnx_file],
        height=canvas_HW[0],
        width=canvas_HW[1],
        batches=batches,
        precision=precision,
        device=target.device,
        capability=target.capability,
        driver=target.driver,
        libraries=(*libraries, f"{platform.system()} {platform.machine()}"),
    )


def target_of(gpu: Gpu) -> Target:
    """This GPU with this driver and no other."""
    return Target(gpu.name, f"{gpu.capability[0]}.{gpu.capability[1]}", gpu.driver)


def rtx_target(trt: Any, gpu: Gpu) -> Target:
    """The GPU's generation where TensorRT-RTX builds for generations of that name, else the GPU itself."""
    generation = f"SM{gpu.capability[0]}{gpu.capability[1]}"
    if generation in known_capabilities(trt):
        return generation_target(generation)
    return replace(target_of(gpu), build_for=(CURRENT,))


def generation_target(name: str) -> Target:
    """Every GPU of one generation, under any driver."""
    return Target(ANY, name, ANY, (name,))
