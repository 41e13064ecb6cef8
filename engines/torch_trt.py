"""The network by torch.export and Torch-TensorRT: the second way to TensorRT, from the PyTorch weights instead of the ONNX graph.

One exported program for a canvas and any batch up to the largest, compiled whole and saved in the engine store. Torch-TensorRT's own
engine cache is not used: its key lacks weights, GPU and versions. The saved file holds pickled objects of theirs: loading it is safe
because the store is private and every file's digest is checked.
"""

import inspect
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from engines.device_engine import DeviceEngine, Network
from engines.gpu import this_gpu
from engines.outputs import network_spec
from engines.store import EngineKey, EngineStore
from engines.trt_plans import MAX_BATCH, TUNED_BATCH, Target, load_library, make_key, target_of
from model.any_size import load_any
from model.checkpoint import Manifest, read_manifest, read_prototypes

BACKEND = "tensorrt"
NUM_BATCHED = 4
"""Images, memory, counts and dt have a row for each frame; prototypes do not."""
PRECISIONS = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}
SETTINGS = {
    "min_block_size": 1,
    "require_full_compilation": True,
    "use_explicit_typing": True,
    "decompose_attention": True,
    "attn_bias_is_causal": False,
    "cache_built_engines": False,
    "reuse_cached_engines": False,
}
"""Of these, a version of Torch-TensorRT gets the ones that it knows."""


class FromFloats(nn.Module):
    """The network on pixels that are already numbers: TensorRT reads no bytes."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor, memory: Tensor, counts: Tensor, dt: Tensor, things: Tensor, relations: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.network(images, memory, counts, dt, things, relations))


@dataclass(frozen=True, slots=True)
class TorchPrograms:
    """Compiled programs of one checkpoint in one precision for one GPU. `library` is the module torch_tensorrt."""

    library: Any
    folder: Path
    target: Target
    store: EngineStore
    device: torch.device
    precision: str

    def key(self, manifest: Manifest, height: int, width: int) -> EngineKey:
        """Two packages bring a module of this name: one on TensorRT, one on TensorRT-RTX."""
        flavour = "rtx" if getattr(getattr(self.library, "ENABLED_FEATURES", None), "tensorrt_rtx", False) else "standard"
        libraries = (f"torch_tensorrt {self.library.__version__} {flavour}", f"torch {torch.__version__}")
        batches = (1, TUNED_BATCH, MAX_BATCH)
        return make_key("torch_tensorrt", manifest, (height, width), batches, self.precision, self.target, libraries)

    def fetch(self, height: int, width: int) -> Path:
        """The program's file, compiled where the store has none (minutes). Raises ValueError when it cannot be."""
        manifest = read_manifest(self.folder)
        return self.store.fetch(self.key(manifest, height, width), lambda part: self._build(part, manifest, height, width))

    def network_for(self, height: int, width: int) -> Network:
        """The program for this canvas, as `fetch` gives it."""
        path = self.fetch(height, width)
        modules: dict[int, Network] = {}

        def run(images: Tensor, *rest: Tensor) -> Sequence[Tensor]:
            """Each batch size has a module of its own: a call recorded as a CUDA graph must find its execution context as it left it."""
            batch = images.shape[0]
            if batch not in modules:
                modules[batch] = torch.export.load(io.BytesIO(path.read_bytes())).module()
            return modules[batch](images.float(), *rest)

        return run

    def _build(self, path: Path, manifest: Manifest, height: int, width: int) -> None:
        program, example = export_program(self.folder, manifest, height, width, self.precision, self.device)
        settings = {**SETTINGS, "arg_inputs": [self._input(value, batched=place < NUM_BATCHED) for place, value in enumerate(example)]}
        known = inspect.signature(self.library.dynamo.compile).parameters
        try:
            module = self.library.dynamo.compile(program, **{name: value for name, value in settings.items() if name in known})
        except RuntimeError as error:
            raise ValueError(f"Torch-TensorRT {self.library.__version__} cannot build {manifest.name}: {error}") from error
        package = path.with_suffix(".pt2")
        self.library.save(module, str(package), arg_inputs=list(example), dynamic_shapes=_dynamic_shapes())
        package.replace(path)

    def _input(self, example: Tensor, *, batched: bool) -> Any:
        """What one input may be: its batch, where it has one, from one to the largest."""
        if not batched:
            return self.library.Input(shape=tuple(example.shape), dtype=example.dtype)
        least, tuned, most = ((size, *example.shape[1:]) for size in (1, TUNED_BATCH, MAX_BATCH))
        return self.library.Input(min_shape=least, opt_shape=tuned, max_shape=most, dtype=example.dtype)


def export_program(
    folder: Path, manifest: Manifest, height: int, width: int, precision: str, device: torch.device
) -> tuple[ExportedProgram, tuple[Tensor, ...]]:
    """The checkpoint's network for one canvas and any batch, its detector in this precision, and the example it was traced with."""
    if precision not in PRECISIONS:
        raise ValueError(f"precisions are {', '.join(PRECISIONS)}, got {precision!r}")
    network, _ = load_any(folder)
    network.detector.to(PRECISIONS[precision])
    example = tuple(value.to(device) for value in _example(manifest, height, width))
    with torch.no_grad():
        program = torch.export.export(FromFloats(network.to(device).eval()), example, dynamic_shapes=_dynamic_shapes())
    return program, example


def open_engine(*, model_dir: Path, num_streams: int, max_pixels: int, threads: int, precision: str = "fp16") -> DeviceEngine:
    """A door like the factory's. Raises ValueError when there is no GPU, Torch-TensorRT does not load, or the network cannot be built."""
    del threads
    programs = programs_here(model_dir, EngineStore(), precision)
    return open_programs(programs, programs.target.device, num_streams=num_streams, max_pixels=max_pixels)


def programs_here(folder: Path, store: EngineStore, precision: str) -> TorchPrograms:
    """Those of the current GPU. Raises ValueError when there is none or Torch-TensorRT does not load."""
    target = target_of(this_gpu())
    library = load_library("torch_tensorrt")
    return TorchPrograms(library, folder, target, store, torch.device("cuda", torch.cuda.current_device()), precision)


def open_programs(programs: TorchPrograms, device_name: str, *, num_streams: int, max_pixels: int) -> DeviceEngine:
    """An engine that runs these programs, warmed up on the usual canvas."""
    manifest = read_manifest(programs.folder)
    spec = network_spec(
        manifest, BACKEND, num_streams=num_streams, max_pixels=max_pixels, max_batch=MAX_BATCH, best_batch=MAX_BATCH
    )  # fmt: skip
    spec = replace(spec, precision=programs.precision, device=device_name)
    return DeviceEngine(spec, read_prototypes(programs.folder, manifest), programs.network_for, programs.device)


def _example(manifest: Manifest, height: int, width: int) -> tuple[Tensor, ...]:
    """Inputs of two frames: with one, the exporter would take the batch for a constant."""
    slots, dim = manifest.num_slots, manifest.dim
    frames = (torch.zeros(2, height, width, 3), torch.zeros(2, slots, dim), torch.zeros(2, slots), torch.zeros(2))
    return *frames, torch.zeros(len(manifest.objects), dim), torch.zeros(len(manifest.predicates), dim)


def _dynamic_shapes() -> tuple[dict[int, Dim], ...]:
    batch = Dim("batch", min=1, max=MAX_BATCH)
    return ({0: batch},) * NUM_BATCHED + ({}, {})
