"""The Engine protocol over any network of device tensors: plans of fixed shape (CUDA graphs), a memory bank on the device.

Knows neither who made the network (PyTorch, Torch-TensorRT, a TensorRT plan) nor where its weights come from. On a CPU device it runs
without graphs, so that its tests need no GPU.

B batch, X numbers of one frame's output, packed: boxes, scores, classes, embeddings, pairs, predicates.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from engines.canvas import fit_canvas
from engines.cuda_graphs import BUCKETS, Inputs, Plans
from engines.inputs import check_batch, check_prototypes
from engines.outputs import scene_graph
from engines.protocol import EngineSpec, Float, Memory, SceneGraph, UInt8
from engines.torch_bank import TorchBank

WARM_UP_SOURCE = (720, 1280)
Network = Callable[..., Sequence[Tensor]]
"""(images, memory, counts, dt, object prototypes, predicate prototypes) -> the network's eight outputs, as in model/nano.py."""
NetworkFor = Callable[[int, int], Network]
"""The network for a canvas of this height and width; may take minutes where it is the first time."""
MAX_CANVASES = 4


class DeviceEngine:
    """A network behind plans; memories stay on the device."""

    def __init__(self, spec: EngineSpec, prototypes: tuple[Float, Float], network_for: NetworkFor, device: torch.device) -> None:
        """Raises ValueError or RuntimeError when the network cannot be made or does not run."""
        self._spec, self._network_for, self._device = spec, network_for, device
        self._networks: dict[tuple[int, int], Network] = {}
        self._prototypes = tuple(torch.from_numpy(table).to(device).clone() for table in prototypes)
        self._sizes = _frame_sizes(spec)
        self._bank = TorchBank(spec.num_streams, spec.num_slots, spec.dim, device)
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
        self._plans = Plans(self._advance, device, self._bank.spare)
        self._warm_up()

    @property
    def spec(self) -> EngineSpec:
        return self._spec

    def infer(self, images_BHW3: UInt8, slots: Sequence[int], dt_s: Sequence[float]) -> list[SceneGraph]:
        check_batch(self._spec, images_BHW3, slots, dt_s)
        _, height, width, _ = images_BHW3.shape
        with self._running():
            try:
                self._open_canvas(height, width)
            except ValueError as error:
                raise RuntimeError(f"no network for a canvas of {width}x{height}: {error}") from error
            packed_BX = self._plans.run(images_BHW3, slots, dt_s)
        return [self._unpack(packed_X) for packed_X in packed_BX]

    def read_memory(self, slot: int) -> Memory:
        with self._running():
            return self._bank.read(slot)

    def write_memory(self, slot: int, memory: Memory | None) -> None:
        with self._running():
            self._bank.write(slot, memory)

    def replace_prototypes(self, objects_CD: Float, predicates_KD: Float) -> None:
        """In place, so that recorded graphs read the new ones."""
        check_prototypes(self._spec, objects_CD, predicates_KD)
        with self._running():
            for table, new in zip(self._prototypes, (objects_CD, predicates_KD), strict=True):
                table.copy_(torch.from_numpy(new))

    def close(self) -> None:
        """Let graphs, networks and memories go."""
        self._plans.clear()
        self._networks.clear()
        del self._network_for, self._bank, self._prototypes

    def _advance(self, inputs: Inputs) -> Tensor:
        """One step of a plan: rows of the bank in and out, the frames' results packed into (B, X) float32."""
        _, height, width, _ = inputs.images_BHW3.shape
        memory_BPD, counts_BP = self._bank.gather(inputs.rows_B)
        network = self._networks[height, width]
        *scene, memory_BPD, counts_BP = network(inputs.images_BHW3, memory_BPD, counts_BP, inputs.dt_B, *self._prototypes)
        self._bank.scatter(inputs.rows_B, memory_BPD, counts_BP)
        return torch.cat([part.float().flatten(1) for part in scene], 1)

    def _open_canvas(self, height: int, width: int) -> None:
        """Have the network of this canvas. When there are too many, all go, graphs first: a graph must not outlive its network."""
        if (height, width) in self._networks:
            return
        if len(self._networks) == MAX_CANVASES:
            self._plans.clear()
            self._networks.clear()
        self._networks[height, width] = self._network_for(height, width)

    def _unpack(self, packed_X: Float) -> SceneGraph:
        ends = np.cumsum([int(np.prod(size)) for size in self._sizes])[:-1]
        parts = (part.reshape(size) for part, size in zip(np.split(packed_X, ends), self._sizes, strict=True))
        return scene_graph(*parts)

    def _warm_up(self) -> None:
        """Prepare the usual canvas: on CUDA every batch size, on the CPU one."""
        canvas = fit_canvas(*WARM_UP_SOURCE, self._spec.max_pixels)
        with self._running():
            self._open_canvas(canvas.height, canvas.width)
            for bucket in BUCKETS if self._stream is not None else BUCKETS[:1]:
                if bucket <= self._spec.max_batch:
                    self._plans.prepare(bucket, canvas.height, canvas.width)

    @contextlib.contextmanager
    def _running(self) -> Iterator[None]:
        """Without gradients and, on CUDA, in this engine's own stream: both belong to the calling thread."""
        with torch.no_grad(), torch.cuda.stream(self._stream):
            yield


def _frame_sizes(spec: EngineSpec) -> tuple[tuple[int, ...], ...]:
    """Shapes of one frame's results, in the network's order."""
    N, R = spec.num_entities, spec.num_pairs
    return ((N, 4), (N,), (N, len(spec.vocabulary.objects)), (N, spec.dim), (R, 2), (R, len(spec.predicates)))
