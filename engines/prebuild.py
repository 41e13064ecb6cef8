"""Engine files made before they are needed, for the canvases of given sources: what `vigil engine build` does. Knows no pictures.

torch and torch_tensorrt are imported only when they are to build: TensorRT-RTX builds without PyTorch and without a GPU.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engines.build import OnPhase
from engines.canvas import Canvas, fit_canvas
from engines.gpu import this_gpu
from engines.store import EngineStore
from engines.trt_plans import BATCH_SIZES, MAX_BATCH, TrtPlans, generation_target, load_library, plans_of, rtx_target, target_of

BUILDERS = ("tensorrt", "tensorrt_rtx", "torch_tensorrt")


@dataclass(frozen=True, slots=True)
class Order:
    """What to build: `generations` (SM86, ...) are for tensorrt_rtx, none means the GPU here; `sources_HW` are pictures' sizes."""

    backend: str
    folder: Path
    precision: str = "fp16"
    generations: tuple[str, ...] = ()
    max_batch: int = MAX_BATCH
    max_pixels: int = 448 * 256
    sources_HW: tuple[tuple[int, int], ...] = ((720, 1280),)

    @property
    def canvases(self) -> tuple[Canvas, ...]:
        return tuple(dict.fromkeys(fit_canvas(*source, self.max_pixels) for source in self.sources_HW))


def build_ahead(order: Order, store: EngineStore, on_phase: OnPhase = lambda *_: None) -> Iterator[tuple[str, Path]]:
    """What each engine is for, in words, and its file; those that the store has already are not built again.

    Raises ValueError in words when the order, the checkpoint, a library or the GPU does not allow it.
    """
    if order.backend not in BUILDERS:
        raise ValueError(f"engines are built by {', '.join(BUILDERS)}, got {order.backend!r}")
    if order.max_batch not in BATCH_SIZES:
        raise ValueError(f"the largest batch is one of {', '.join(map(str, BATCH_SIZES))}, got {order.max_batch}")
    if order.generations and order.backend != "tensorrt_rtx":
        raise ValueError(
            f"only tensorrt_rtx builds for other GPUs than the one here; {order.backend} cannot take {', '.join(order.generations)}"
        )
    if order.backend == "torch_tensorrt":
        yield from _programs(order, store)
        return
    for plans in _plans(order, store):
        for canvas in order.canvases:
            path = plans.fetch(canvas.height, canvas.width, on_phase)
            yield f"{canvas.width}x{canvas.height} {plans.precision} {plans.target.capability}", path


def _plans(order: Order, store: EngineStore) -> Sequence[TrtPlans]:
    trt = load_library(order.backend)
    if order.generations:
        targets = [generation_target(name) for name in order.generations]
    else:
        gpu = this_gpu()
        targets = [rtx_target(trt, gpu) if order.backend == "tensorrt_rtx" else target_of(gpu)]
    plans = replace(plans_of(trt, order.folder, targets[0], store, order.precision), max_batch=order.max_batch)
    return [replace(plans, target=target) for target in targets]


def _programs(order: Order, store: EngineStore) -> Iterator[tuple[str, Path]]:
    from engines.torch_trt import programs_here

    programs = programs_here(order.folder, store, order.precision)
    if order.max_batch != MAX_BATCH:
        raise ValueError(f"torch_tensorrt builds for batches up to {MAX_BATCH} only, got {order.max_batch}")
    for canvas in order.canvases:
        yield f"{canvas.width}x{canvas.height} {order.precision} {programs.target.capability}", programs.fetch(canvas.height, canvas.width)
