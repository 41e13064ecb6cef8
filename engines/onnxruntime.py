"""The network on ONNX Runtime's CPU provider: the default backend. Knows the checkpoint's files, no stream and no torch."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from engines.bank import MemoryBank
from engines.canvas import fit_canvas
from engines.inputs import check_batch, check_prototypes
from engines.protocol import EngineSpec, Float, Memory, Predicate, SceneGraph, UInt8
from model.checkpoint import Manifest, read_manifest, read_prototypes
from model.vocabulary import Vocabulary

MAX_BATCH = 8
WARM_UP_SOURCE = (720, 1280)
LOAD_ERRORS = (ort_errors.Fail, ort_errors.InvalidGraph, ort_errors.InvalidProtobuf, ort_errors.NotImplemented, ort_errors.RuntimeException)


class OnnxRuntimeEngine:
    """One session, float32, with the bank of memories beside it."""

    def __init__(self, folder: Path, *, num_streams: int, max_pixels: int, threads: int) -> None:
        manifest = read_manifest(folder, to_run=True)
        objects_CD, predicates_KD = read_prototypes(folder, manifest)
        self._prototypes = {"object_prototypes": objects_CD, "predicate_prototypes": predicates_KD}
        self._session = _open_session(folder / manifest.onnx_file, threads)
        self._bank = MemoryBank(num_streams, manifest.num_slots, manifest.dim)
        self._spec = _spec(manifest, num_streams, max_pixels)
        self._warm_up()

    @property
    def spec(self) -> EngineSpec:
        return self._spec

    def infer(self, images_BHW3: UInt8, slots: Sequence[int], dt_s: Sequence[float]) -> list[SceneGraph]:
        check_batch(self._spec, images_BHW3, slots, dt_s)
        memory_BPD, counts_BP = self._bank.gather(slots)
        *scene, memory_BPD, counts_BP = self._run(images_BHW3, memory_BPD, counts_BP, np.asarray(dt_s, np.float32))
        self._bank.scatter(slots, memory_BPD, counts_BP)
        return [_scene_graph(*rows) for rows in zip(*scene, strict=True)]

    def read_memory(self, slot: int) -> Memory:
        return self._bank.read(slot)

    def write_memory(self, slot: int, memory: Memory | None) -> None:
        self._bank.write(slot, memory)

    def replace_prototypes(self, objects_CD: Float, predicates_KD: Float) -> None:
        check_prototypes(self._spec, objects_CD, predicates_KD)
        self._prototypes = {"object_prototypes": objects_CD, "predicate_prototypes": predicates_KD}

    def close(self) -> None:
        """Let the session and its arena go."""
        del self._session

    def _run(self, images_BHW3: UInt8, memory_BPD: Float, counts_BP: Float, dt_B: Float) -> list[Float]:
        feeds = {"images": images_BHW3, "memory": memory_BPD, "counts": counts_BP, "dt": dt_B, **self._prototypes}
        outputs: list[Float] = self._session.run(None, feeds)
        return outputs

    def _warm_up(self) -> None:
        """Run once on the usual canvas, so that the first frame of a stream does not pay for allocations."""
        canvas = fit_canvas(*WARM_UP_SOURCE, self._spec.max_pixels)
        memory_BPD, counts_BP = self._bank.gather([0])
        self._run(np.full((1, canvas.height, canvas.width, 3), 127, np.uint8), memory_BPD, counts_BP, np.zeros(1, np.float32))


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


def _spec(manifest: Manifest, num_streams: int, max_pixels: int) -> EngineSpec:
    names = tuple(use.name for use in manifest.predicates)
    return EngineSpec(
        backend="onnxruntime",
        model=manifest.name,
        model_hash=manifest.model_hash,
        vocabulary=Vocabulary(manifest.vocabulary, manifest.objects, names),
        predicates=tuple(Predicate(use.name, use.published, use.threshold, use.pace) for use in manifest.predicates),
        max_batch=MAX_BATCH,
        max_pixels=max_pixels,
        num_streams=num_streams,
        num_entities=manifest.num_entities,
        num_pairs=manifest.num_pairs,
        num_slots=manifest.num_slots,
        dim=manifest.dim,
    )


def _scene_graph(
    boxes_N4: Float, scores_N: Float, class_probs_NC: Float, embeddings_ND: Float, pairs_R2: Float, predicate_probs_RK: Float
) -> SceneGraph:
    return SceneGraph(
        boxes_N4=boxes_N4,
        scores_N=scores_N,
        labels_N=class_probs_NC.argmax(axis=1),
        class_probs_NC=class_probs_NC,
        embeddings_ND=embeddings_ND,
        pairs_R2=pairs_R2.astype(np.int64, copy=False),
        predicate_probs_RK=predicate_probs_RK,
    )
