"""What of a stream is stored and how it is taken up again: analysis and prototype memory to one blob and back. Pure."""

import numpy as np

from engines.protocol import EngineSpec, Memory
from service.shard.analysis import AnalysisState
from service.state.blob import StreamBlob
from service.types import GraphSnapshot


def make_blob(model_hash: str, epoch: int, state: AnalysisState, memory: Memory | None) -> StreamBlob:
    """Prototypes in half precision; no memory is stored as nothing."""
    prototypes = b"" if memory is None else memory.prototypes_PD.astype(np.float16).tobytes()
    counts = b"" if memory is None else memory.counts_P.astype(np.float32).tobytes()
    return StreamBlob(model_hash, epoch, state.seq, state.media_s, prototypes, counts, state.analysis, state.policies, state.incidents)


def analysis_state(blob: StreamBlob, seq: int) -> AnalysisState:
    """The blob's part of the analysis, going on after `seq`."""
    return AnalysisState(seq, blob.media_s, blob.analysis, blob.policies, blob.incidents)


def unpack_memory(blob: StreamBlob, spec: EngineSpec) -> Memory | None:
    """The stored memory; None when none was stored. ValueError when its size is not the engine's."""
    if not blob.counts:
        return None
    prototypes_PD = np.frombuffer(blob.prototypes, np.float16).astype(np.float32).reshape(spec.num_slots, spec.dim)
    return Memory(prototypes_PD, np.frombuffer(blob.counts, np.float32).reshape(spec.num_slots))


def media_start_s(blob: StreamBlob, snapshot: GraphSnapshot | None, now_s: float) -> float:
    """Media time goes on through the time that nobody watched; a wall clock that was set back counts as no time."""
    away_s = now_s - snapshot.captured_at_s if snapshot else 0.0
    return blob.media_s + max(0.0, away_s)
