"""One batch size on one canvas, with buffers that never move: run as it is on a CPU, recorded once and replayed on CUDA.

Batches are padded up to a bucket, so that few graphs serve every batch; graphs share one pool of memory, and the canvas that was not
used for longest makes room. Knows no network: it is given a step from device tensors to one device tensor.

B batch, H W canvas, X numbers of one frame's output.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from engines.protocol import Float, UInt8

BUCKETS = (1, 2, 4, 8, 16)
MAX_PLANS = 4 * len(BUCKETS)
"""Graphs kept: those of four canvases, wide, tall, 4:3 and one more."""
WARM_UP_RUNS = 2


class Inputs(NamedTuple):
    """What changes from batch to batch: pixels, rows of the memory bank, seconds since each stream's last frame."""

    images_BHW3: Tensor
    rows_B: Tensor
    dt_B: Tensor


Step = Callable[[Inputs], Tensor]
"""Advances the memory in these rows and packs the frames' results into (B, X) float32."""


class Plans:
    """The plans made so far, by bucket and canvas. `spare` is the row of the bank that padding uses."""

    def __init__(self, step: Step, device: torch.device, spare: int) -> None:
        self._step, self._device, self._spare = step, device, spare
        self._pool = torch.cuda.graph_pool_handle() if device.type == "cuda" else None
        self._plans: OrderedDict[tuple[int, int, int], Plan] = OrderedDict()

    def __len__(self) -> int:
        return len(self._plans)

    def run(self, images_BHW3: UInt8, slots: Sequence[int], dt_s: Sequence[float]) -> Float:
        """Results (B, X) of one batch, on the host."""
        return self.prepare(len(slots), *images_BHW3.shape[1:3]).run(images_BHW3, slots, dt_s)

    def prepare(self, num_images: int, height: int, width: int) -> "Plan":
        """The plan for so many images; made, and recorded on CUDA, when it is asked for the first time."""
        key = (bucket_of(num_images), height, width)
        if key not in self._plans:
            self._plans[key] = Plan(self._step, key, self._device, self._spare, self._pool)
        self._plans.move_to_end(key)
        if len(self._plans) > MAX_PLANS:
            self._plans.popitem(last=False)
        return self._plans[key]

    def clear(self) -> None:
        """Let all graphs and buffers go."""
        self._plans.clear()


class Plan:
    """Buffers of one bucket and canvas on both sides, and the way from one to the other."""

    def __init__(
        self, step: Step, shape_BHW: tuple[int, int, int], device: torch.device, spare: int, pool: "torch.cuda._POOL_HANDLE | None"
    ) -> None:  # fmt: skip
        self._step, self._spare, self._on_cuda = step, spare, device.type == "cuda"
        self._host = self._buffers(shape_BHW, torch.device("cpu"), pinned=self._on_cuda)
        self._inputs = self._buffers(shape_BHW, device) if self._on_cuda else self._host
        self._graph = torch.cuda.CUDAGraph() if self._on_cuda else None
        self._packed_BX = self._record(pool)
        self._results_BX = torch.empty_like(self._packed_BX, device="cpu", pin_memory=self._on_cuda)

    def run(self, images_BHW3: UInt8, slots: Sequence[int], dt_s: Sequence[float]) -> Float:
        """Results (B, X); rows that only pad are cut off."""
        count = len(slots)
        images, rows, dt = (buffer.numpy() for buffer in self._host)
        images[:count], dt[:count], rows[:count], rows[count:] = images_BHW3, dt_s, slots, self._spare
        if self._graph is None:
            self._results_BX = self._step(self._inputs)
        else:
            self._replay(self._graph)
        return self._results_BX[:count].numpy().copy()

    def _buffers(self, shape_BHW: tuple[int, int, int], device: torch.device, *, pinned: bool = False) -> Inputs:
        batch = shape_BHW[0]
        return Inputs(
            torch.zeros(*shape_BHW, 3, dtype=torch.uint8, device=device, pin_memory=pinned),
            torch.full((batch,), self._spare, dtype=torch.int64, device=device, pin_memory=pinned),
            torch.zeros(batch, device=device, pin_memory=pinned),
        )

    def _record(self, pool: "torch.cuda._POOL_HANDLE | None") -> Tensor:
        """Run on spare rows until libraries have chosen their kernels; on CUDA, record what runs. Returns where results will lie."""
        for _ in range(WARM_UP_RUNS if self._graph is not None else 1):
            packed_BX = self._step(self._inputs)
        if self._graph is not None:
            torch.cuda.current_stream().synchronize()
            # thread_local: another engine may be opening in its own thread
            with torch.cuda.graph(self._graph, pool=pool, capture_error_mode="thread_local"):
                packed_BX = self._step(self._inputs)
        return packed_BX

    def _replay(self, graph: torch.cuda.CUDAGraph) -> None:
        """Upload, run and download in the current stream; the thread sleeps until all is there."""
        for buffer, pinned in zip(self._inputs, self._host, strict=True):
            buffer.copy_(pinned, non_blocking=True)
        graph.replay()
        self._results_BX.copy_(self._packed_BX, non_blocking=True)
        done = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        done.record()
        done.synchronize()


def bucket_of(num_images: int) -> int:
    """The smallest bucket that holds so many images."""
    return next(bucket for bucket in BUCKETS if bucket >= num_images)
