"""The memory bank on the device: one row a stream and a spare one for padding, read and written there. Knows no network and no stream."""

import torch
from torch import Tensor

from engines.bank import check_memory, check_slot
from engines.protocol import Memory


class TorchBank:
    """Prototype means (S + 1, P, D) and evidence counts (S + 1, P), float32; a row of zeros is an empty memory.

    `gather` and `scatter` take rows as a tensor on the device and may stand inside a CUDA graph; `read` and `write` are the copies
    to and from the host.
    """

    def __init__(self, num_streams: int, num_slots: int, dim: int, device: torch.device) -> None:
        self.num_streams = num_streams
        self._prototypes_SPD = torch.zeros(num_streams + 1, num_slots, dim, device=device)
        self._counts_SP = torch.zeros(num_streams + 1, num_slots, device=device)

    @property
    def spare(self) -> int:
        """The row that padding reads and writes; nobody's memory."""
        return self.num_streams

    def gather(self, rows_B: Tensor) -> tuple[Tensor, Tensor]:
        """Copies of these rows, in this order: (B, P, D) and (B, P)."""
        return self._prototypes_SPD.index_select(0, rows_B), self._counts_SP.index_select(0, rows_B)

    def scatter(self, rows_B: Tensor, prototypes_BPD: Tensor, counts_BP: Tensor) -> None:
        """Put advanced memories back; rows are distinct but for the spare one."""
        self._prototypes_SPD.index_copy_(0, rows_B, prototypes_BPD)
        self._counts_SP.index_copy_(0, rows_B, counts_BP)

    def read(self, slot: int) -> Memory:
        """A copy of one slot on the host. Raises ValueError when there is no such slot."""
        check_slot(slot, self.num_streams)
        return Memory(self._prototypes_SPD[slot].cpu().numpy().copy(), self._counts_SP[slot].cpu().numpy().copy())

    def write(self, slot: int, memory: Memory | None) -> None:
        """Fill one slot; None empties it. Raises ValueError on a foreign slot, shape or number (NaN, negative evidence)."""
        check_slot(slot, self.num_streams)
        if memory is None:
            self._prototypes_SPD[slot].zero_()
            self._counts_SP[slot].zero_()
            return
        check_memory(memory, *self._prototypes_SPD.shape[1:])
        self._prototypes_SPD[slot].copy_(torch.from_numpy(memory.prototypes_PD))
        self._counts_SP[slot].copy_(torch.from_numpy(memory.counts_P))
