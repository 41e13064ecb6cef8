"""What of a stream is stored and how it is taken up again: analysis and prototype memory to one blob and back. Pure."""

import numpy as np

from engines.protocol import EngineSpec, Memory
from service.shard.analysis import AnalysisState
from service.state.blob import StreamBlob
from service.types import GraphSnapshot

MAX_STORED_BYTES = 33_024
"""Of the model memory, in half precision: the slots with the most evidence, 129 of nano's width, 64 of base's. A slot left out is empty
when the stream is taken up."""


def make_blob(model_hash: str, epoch: int, state: AnalysisState, memory: Memory | None) -> StreamBlob:
    """Prototypes with evidence, in half precision; no memory is stored as nothing."""
    prototypes, counts = (b"", b"") if memory is None else _packed(memory)
    return StreamBlob(model_hash, epoch, state.seq, state.media_s, prototypes, counts, state.analysis, state.policies, state.incidents)


def _packed(memory: Memory) -> tuple[bytes, bytes]:
    """The rows that have evidence, and the evidence of all."""
    kept_P = np.zeros(len(memory.counts_P), bool)
    room = MAX_STORED_BYTES // (2 * memory.prototypes_PD.shape[1])
    kept_P[np.argsort(-memory.counts_P, kind="stable")[:room]] = True
    counts_P = np.where(kept_P, memory.counts_P, 0.0).astype(np.float32)
    return memory.prototypes_PD[counts_P > 0].astype(np.float16).tobytes(), counts_P.tobytes()


def analysis_state(blob: StreamBlob, seq: int) -> AnalysisState:
    """The blob's part of the analysis, going on after `seq`."""
    return AnalysisState(seq, blob.media_s, blob.analysis, blob.policies, blob.incidents)


def unpack_memory(blob: StreamBlob, spec: EngineSpec) -> Memory | None:
    """The stored memory; None when none was stored. ValueError when its size is not the engine's."""
    if not blob.counts:
        return None
    counts_P = np.frombuffer(blob.counts, np.float32).reshape(spec.num_slots)
    prototypes_PD = np.zeros((spec.num_slots, spec.dim), np.float32)
    prototypes_PD[counts_P > 0] = np.frombuffer(blob.prototypes, np.float16).reshape(-1, spec.dim)
    return Memory(prototypes_PD, counts_P)


def media_start_s(blob: StreamBlob, snapshot: GraphSnapshot | None, now_s: float) -> float:
    """Media time goes on through the time that nobody watched; a wall clock that was set back counts as no time."""
    away_s = now_s - snapshot.captured_at_s if snapshot else 0.0
    return blob.media_s + max(0.0, away_s)
