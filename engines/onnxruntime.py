"""The network on ONNX Runtime's CPU provider: runs everywhere. Knows the checkpoint's files, no stream and no torch.

A lone frame runs on all threads. Frames of several streams run side by side, one thread each: threads that share a frame wait for
each other, and on two cores that costs a third more processor time a frame.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from engines.canvas import fit_canvas
from engines.cpu_engine import WARM_UP_SOURCE, CpuEngine
from engines.inputs import check_batch
from engines.outputs import scene_graph
from engines.protocol import SceneGraph, UInt8

LOAD_ERRORS = (ort_errors.Fail, ort_errors.InvalidGraph, ort_errors.InvalidProtobuf, ort_errors.NotImplemented, ort_errors.RuntimeException)
RUN_ERRORS = (*LOAD_ERRORS, ort_errors.InvalidArgument, ort_errors.EPFail)


class OnnxRuntimeEngine(CpuEngine):
    """Float32."""

    def __init__(self, folder: Path, *, num_streams: int, max_pixels: int, threads: int) -> None:
        super().__init__(folder, "onnxruntime", num_streams=num_streams, max_pixels=max_pixels, threads=threads)
        network = folder / self._manifest.onnx_file
        self._wide = _open_session(network, self._num_lanes)
        self._narrow = _open_session(network, 1) if self._num_lanes > 1 else self._wide
        self._lanes = ThreadPoolExecutor(self._num_lanes, "vigil-lane")
        self._warm_up()

    def infer(self, images_BHW3: UInt8, slots: Sequence[int], dt_s: Sequence[float]) -> list[SceneGraph]:
        check_batch(self._spec, images_BHW3, slots, dt_s)
        if len(slots) == 1:
            return [self._one(self._wide, images_BHW3, slots[0], dt_s[0])]
        rows = range(len(slots))
        return list(self._lanes.map(lambda row: self._one(self._narrow, images_BHW3[row : row + 1], slots[row], dt_s[row]), rows))

    def close(self) -> None:
        """Let the sessions and their arenas go."""
        self._lanes.shutdown()
        del self._wide, self._narrow

    def _one(self, session: ort.InferenceSession, image_1HW3: UInt8, slot: int, dt_s: float) -> SceneGraph:
        """One frame of one stream: only its row of the bank is touched."""
        memory_1PD, counts_1P = self._bank.gather([slot])
        feeds = {"images": image_1HW3, "memory": memory_1PD, "counts": counts_1P, "dt": np.full(1, dt_s, np.float32), **self._prototypes}
        try:
            *scene, memory_1PD, counts_1P = session.run(None, feeds)
        except RUN_ERRORS as error:
            raise RuntimeError(f"ONNX Runtime fails on a {image_1HW3.shape[2]}x{image_1HW3.shape[1]} picture: {error}") from error
        self._bank.scatter([slot], memory_1PD, counts_1P)
        return scene_graph(*(rows[0] for rows in scene))

    def _warm_up(self) -> None:
        """Run once on the usual canvas, so that the first frame of a stream does not pay for allocations."""
        canvas = fit_canvas(*WARM_UP_SOURCE, self._spec.max_pixels)
        grey_1HW3 = np.full((1, canvas.height, canvas.width, 3), 127, np.uint8)
        for session in (self._wide, self._narrow):
            self._one(session, grey_1HW3, 0, 0.0)
        self._bank.write(0, None)


def open_engine(*, model_dir: Path, num_streams: int, max_pixels: int, threads: int) -> OnnxRuntimeEngine:
    """The factory's door. Raises ValueError when the checkpoint is missing, torn, foreign or not loadable."""
    return OnnxRuntimeEngine(model_dir, num_streams=num_streams, max_pixels=max_pixels, threads=threads)


def _open_session(path: Path, threads: int) -> ort.InferenceSession:
    """Threads sleep rather than spin between operators: decoding and the service share these cores."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or os.cpu_count() or 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except LOAD_ERRORS as error:
        raise ValueError(f"ONNX Runtime {ort.__version__} cannot load {path}: {error}") from error
