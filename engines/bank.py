"""The memory bank: one array for all streams, allocated once, addressed by slot. Knows no network and no stream."""

from collections.abc import Sequence

import numpy as np

from engines.protocol import Float, Memory


class MemoryBank:
    """Prototype means (S, P, D) and evidence counts (S, P), float32; a slot of zeros is an empty memory."""

    def __init__(self, num_streams: int, num_slots: int, dim: int) -> None:
        self.prototypes_SPD: Float = np.zeros((num_streams, num_slots, dim), np.float32)
        self.counts_SP: Float = np.zeros((num_streams, num_slots), np.float32)

    def gather(self, slots: Sequence[int]) -> tuple[Float, Float]:
        """Copies of the memories in these slots, in this order: (B, P, D) and (B, P)."""
        rows_B = np.asarray(slots, np.int64)
        return self.prototypes_SPD[rows_B], self.counts_SP[rows_B]

    def scatter(self, slots: Sequence[int], prototypes_BPD: Float, counts_BP: Float) -> None:
        """Put advanced memories back; the slots must be distinct."""
        rows_B = np.asarray(slots, np.int64)
        self.prototypes_SPD[rows_B] = prototypes_BPD
        self.counts_SP[rows_B] = counts_BP

    def read(self, slot: int) -> Memory:
        """A copy of one slot. Raises ValueError when there is no such slot."""
        check_slot(slot, len(self.counts_SP))
        return Memory(self.prototypes_SPD[slot].copy(), self.counts_SP[slot].copy())

    def write(self, slot: int, memory: Memory | None) -> None:
        """Fill one slot; None empties it. Raises ValueError on a foreign slot, shape or number (NaN, negative evidence)."""
        check_slot(slot, len(self.counts_SP))
        if memory is None:
            self.prototypes_SPD[slot] = 0.0
            self.counts_SP[slot] = 0.0
            return
        check_memory(memory, *self.prototypes_SPD.shape[1:])
        self.prototypes_SPD[slot] = memory.prototypes_PD
        self.counts_SP[slot] = memory.counts_P


def check_slot(slot: int, num_streams: int) -> None:
    """Raise ValueError when there is no such slot."""
    if not 0 <= slot < num_streams:
        raise ValueError(f"slots are 0 to {num_streams - 1}, got {slot}")


def check_memory(memory: Memory, num_slots: int, dim: int) -> None:
    """Raise ValueError on a foreign shape or number (NaN, negative evidence)."""
    expected = ((num_slots, dim), (num_slots,))
    if (memory.prototypes_PD.shape, memory.counts_P.shape) != expected:
        raise ValueError(f"a memory here is {expected}, got {memory.prototypes_PD.shape} and {memory.counts_P.shape}")
    if not (np.isfinite(memory.prototypes_PD).all() and np.isfinite(memory.counts_P).all() and (memory.counts_P >= 0).all()):
        raise ValueError("a memory holds finite numbers and evidence of at least 0")
