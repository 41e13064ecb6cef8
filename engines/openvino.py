"""The network on OpenVINO's CPU plugin: the fastest on a CPU. Knows the checkpoint's files, no stream and no torch.

Frames run side by side, one thread each, as in engines/onnxruntime.py. For fixed shapes OpenVINO plans better: each canvas gets a
network of its own, made ready in the background while one for any canvas serves it. Compiled networks lie in the engine store.
"""

import io
import logging
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from engines.canvas import fit_canvas
from engines.cpu_engine import WARM_UP_SOURCE, CpuEngine
from engines.inputs import check_batch
from engines.outputs import scene_graph
from engines.protocol import SceneGraph, UInt8
from engines.quiet_openvino import ov
from engines.store import EngineKey, EngineStore
from model.checkpoint import Manifest

MAX_FIXED = 8
"""Canvases with a network of their own; further ones stay with the network for any canvas."""
PRECISIONS = {"fp32": "f32", "bf16": "bf16"}
Lanes: TypeAlias = list[ov.InferRequest]
log = logging.getLogger(__name__)


class OpenVinoEngine(CpuEngine):
    """Compiled networks of one checkpoint."""

    def __init__(self, folder: Path, *, num_streams: int, max_pixels: int, threads: int, precision: str | None) -> None:
        super().__init__(folder, "openvino", num_streams=num_streams, max_pixels=max_pixels, threads=threads)
        self._compiler = _Compiler(folder / self._manifest.onnx_file, self._manifest, self._num_lanes, precision)
        self._background = ThreadPoolExecutor(1, "vigil-compile")
        self._fixed: dict[tuple[int, int], Future[Lanes]] = {}
        self._spec = replace(self._spec, precision=self._compiler.precision)
        self._warm_up()

    def infer(self, images_BHW3: UInt8, slots: Sequence[int], dt_s: Sequence[float]) -> list[SceneGraph]:
        check_batch(self._spec, images_BHW3, slots, dt_s)
        lanes = self._lanes(images_BHW3.shape[1], images_BHW3.shape[2])
        graphs: list[SceneGraph] = []
        for first in range(0, len(slots), len(lanes)):
            rows = range(first, min(first + len(lanes), len(slots)))
            busy = [self._start(lane, images_BHW3[row : row + 1], slots[row], dt_s[row]) for lane, row in zip(lanes, rows, strict=False)]
            graphs += [self._finish(lane, slots[row]) for lane, row in zip(busy, rows, strict=True)]
        return graphs

    def close(self) -> None:
        """Let the networks go; waits for one that is being compiled."""
        self._background.shutdown(cancel_futures=True)
        self._fixed.clear()
        del self._any

    def _lanes(self, height: int, width: int) -> Lanes:
        """The requests to use for this canvas now; the first call for a canvas orders a network of its own."""
        ordered = self._fixed.get((height, width))
        if ordered is None and len(self._fixed) < MAX_FIXED:
            self._fixed[height, width] = self._background.submit(self._compiler.ready, (height, width))
        is_ready = ordered is not None and ordered.done() and ordered.exception() is None
        return ordered.result() if ordered is not None and is_ready else self._any.result()

    def _start(self, lane: ov.InferRequest, image_1HW3: UInt8, slot: int, dt_s: float) -> ov.InferRequest:
        """Inputs are read where they lie: what is fed stays alive inside the request."""
        memory_1PD, counts_1P = self._bank.gather([slot])
        feeds = {"memory": memory_1PD, "counts": counts_1P, "dt": np.full(1, dt_s, np.float32), **self._prototypes}
        lane.start_async({"images": np.ascontiguousarray(image_1HW3), **feeds}, share_inputs=True)
        return lane

    def _finish(self, lane: ov.InferRequest, slot: int) -> SceneGraph:
        lane.wait()
        *scene, memory_1PD, counts_1P = (tensor.data for tensor in lane.output_tensors)
        self._bank.scatter([slot], memory_1PD, counts_1P)
        return scene_graph(*(rows[0].copy() for rows in scene))

    def _warm_up(self) -> None:
        """Make the usual canvas ready and run every lane once, so that the first frames of a stream do not pay for it."""
        canvas = fit_canvas(*WARM_UP_SOURCE, self._spec.max_pixels)
        usual = self._fixed[canvas.height, canvas.width] = self._background.submit(self._compiler.ready, (canvas.height, canvas.width))
        self._any = self._background.submit(self._compiler.ready, None)
        grey_1HW3 = np.full((1, canvas.height, canvas.width, 3), 127, np.uint8)
        for lane in usual.result():
            self._finish(self._start(lane, grey_1HW3, 0, 0.0), 0)
        self._bank.write(0, None)


class _Compiler:
    """Makes one checkpoint's network ready as `num_lanes` requests of one thread each. ValueError when OpenVINO cannot."""

    def __init__(self, path: Path, manifest: Manifest, num_lanes: int, precision: str | None) -> None:
        self._path, self._manifest, self._num_lanes = path, manifest, num_lanes
        self._core = ov.Core()
        self._store = _open_store()
        self.precision = _precision(self._core, precision)
        self._options = {
            "INFERENCE_PRECISION_HINT": PRECISIONS[self.precision],
            "INFERENCE_NUM_THREADS": num_lanes,
            "NUM_STREAMS": num_lanes,
            "ENABLE_CPU_PINNING": False,
        }

    def ready(self, canvas: tuple[int, int] | None) -> Lanes:
        """For one canvas (height, width), or for any; compiled once on a machine, then loaded."""
        try:
            compiled = self._compile(canvas) if self._store is None else self._load(self._store, canvas)
        except RuntimeError as error:
            raise ValueError(f"OpenVINO {ov.__version__} cannot compile {self._path}: {' '.join(str(error).split())[-400:]}") from error
        return [compiled.create_infer_request() for _ in range(self._num_lanes)]

    def _load(self, store: EngineStore, canvas: tuple[int, int] | None) -> ov.CompiledModel:
        def build(part: Path) -> None:
            part.write_bytes(self._compile(canvas).export_model().getvalue())

        path = store.fetch(self._key(canvas), build)
        return self._core.import_model(io.BytesIO(path.read_bytes()), "CPU", self._options)

    def _compile(self, canvas: tuple[int, int] | None) -> ov.CompiledModel:
        network = self._core.read_model(self._path)
        height, width = canvas or (-1, -1)
        slots = [1, self._manifest.num_slots]
        network.reshape({"images": [1, height, width, 3], "memory": [*slots, self._manifest.dim], "counts": slots, "dt": [1]})
        return self._core.compile_model(network, "CPU", self._options)

    def _key(self, canvas: tuple[int, int] | None) -> EngineKey:
        """Height and width 0 stand for any canvas."""
        height, width = canvas or (0, 0)
        capabilities = " ".join(sorted(self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")))
        return EngineKey(
            backend="openvino",
            model=self._manifest.name,
            model_hash=self._manifest.model_hash,
            graph_sha256=self._manifest.files[self._manifest.onnx_file],
            height=height,
            width=width,
            batches=(1, 1, 1),
            precision=self.precision,
            device=self._core.get_property("CPU", "FULL_DEVICE_NAME"),
            capability=f"{capabilities}, {self._num_lanes} lanes",
            driver="",
            libraries=(f"openvino {ov.__version__}",),
        )


def open_engine(*, model_dir: Path, num_streams: int, max_pixels: int, threads: int, precision: str | None = None) -> OpenVinoEngine:
    """The factory's door; `precision` None is bf16 where the processor computes in it, else fp32.

    Raises ValueError when the checkpoint is missing, torn, foreign, or OpenVINO cannot compile its network.
    """
    return OpenVinoEngine(model_dir, num_streams=num_streams, max_pixels=max_pixels, threads=threads, precision=precision)


def _open_store() -> EngineStore | None:
    """None where this machine has no place for it: networks are compiled at every start then."""
    try:
        return EngineStore()
    except (ValueError, OSError) as error:
        log.warning("compiled networks are not kept: %s", error)
        return None


def _precision(core: ov.Core, asked: str | None) -> str:
    has_bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if asked is None:
        return "bf16" if has_bf16 else "fp32"
    if asked not in PRECISIONS:
        raise ValueError(f"OpenVINO computes in {' or '.join(PRECISIONS)} on a CPU, got {asked!r}")
    if asked == "bf16" and not has_bf16:
        raise ValueError("OpenVINO says that this CPU has no bf16")
    return asked
