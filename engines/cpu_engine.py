"""What the backends on the CPU share: a checkpoint's prototypes, the bank of memories in main memory, and the spec. Runs no network."""

import os
from pathlib import Path

from engines.bank import MemoryBank
from engines.inputs import check_prototypes
from engines.outputs import network_spec
from engines.protocol import EngineSpec, Float, Memory
from model.checkpoint import read_manifest, read_prototypes

MAX_BATCH = 8
WARM_UP_SOURCE = (720, 1280)


class CpuEngine:
    """All of the Engine protocol but `infer` and `close`; frames run side by side, one on each of `num_lanes` threads."""

    def __init__(self, folder: Path, backend: str, *, num_streams: int, max_pixels: int, threads: int) -> None:
        self._manifest = read_manifest(folder, to_run=True)
        self._prototypes: dict[str, Float] = {}
        self._put_prototypes(*read_prototypes(folder, self._manifest))
        self._num_lanes = min(threads or os.cpu_count() or 1, MAX_BATCH)
        self._bank = MemoryBank(num_streams, self._manifest.num_slots, self._manifest.dim)
        self._spec = network_spec(
            self._manifest, backend, num_streams=num_streams, max_pixels=max_pixels, max_batch=MAX_BATCH, best_batch=self._num_lanes
        )

    @property
    def spec(self) -> EngineSpec:
        return self._spec

    def read_memory(self, slot: int) -> Memory:
        return self._bank.read(slot)

    def write_memory(self, slot: int, memory: Memory | None) -> None:
        self._bank.write(slot, memory)

    def replace_prototypes(self, objects_CD: Float, predicates_KD: Float) -> None:
        check_prototypes(self._spec, objects_CD, predicates_KD)
        self._put_prototypes(objects_CD, predicates_KD)

    def _put_prototypes(self, objects_CD: Float, predicates_KD: Float) -> None:
        """By the names of the network's inputs."""
        self._prototypes = {"object_prototypes": objects_CD, "predicate_prototypes": predicates_KD}
