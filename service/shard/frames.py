"""One stream's region of memory shared with the engine process: a picture going in, a scene graph and a memory coming out.

The region has no name: its file descriptor travels over a socket, so nothing stays behind in /dev/shm however a process ends.
Who writes when is agreed by messages (wire.py); this file knows only where the bytes lie.
Shape suffixes as in engines/protocol.py.
"""

import math
import mmap
import os
import tempfile
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engines.protocol import EngineSpec, Memory, SceneGraph, UInt8

ALIGN_BYTES = 64


@dataclass(frozen=True, slots=True)
class Span:
    """One array inside the region."""

    offset: int
    shape: tuple[int, ...]
    dtype: str

    @property
    def end(self) -> int:
        size_bytes = int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize
        return self.offset + -(-size_bytes // ALIGN_BYTES) * ALIGN_BYTES


@dataclass(frozen=True, slots=True)
class SlotLayout:
    """Where everything lies: the picture first (up to `max_pixels`), then the fields of SceneGraph (`numbers`: the float32 ones, in one
    piece), then those of Memory.
    """

    image: Span
    graph: dict[str, Span]
    numbers: Span
    memory: dict[str, Span]
    size_bytes: int

    @classmethod
    def of(cls, spec: EngineSpec) -> "SlotLayout":
        """The layout that both sides derive from the engine's spec."""
        N, R, K, C = spec.num_entities, spec.num_pairs, len(spec.vocabulary.predicates), len(spec.vocabulary.objects)
        image = Span(0, (spec.max_pixels, 3), "uint8")
        graph = {
            "labels_N": ((N,), "int64"),
            "pairs_R2": ((R, 2), "int64"),
            "boxes_N4": ((N, 4), "float32"),
            "scores_N": ((N,), "float32"),
            "class_probs_NC": ((N, C), "float32"),
            "embeddings_ND": ((N, spec.dim), "float32"),
            "predicate_probs_RK": ((R, K), "float32"),
        }
        memory = {"prototypes_PD": ((spec.num_slots, spec.dim), "float32"), "counts_P": ((spec.num_slots,), "float32")}
        graph_spans, end = _pack(graph, image.end)
        start = graph_spans["boxes_N4"].offset
        numbers = Span(start, ((end - start) // 4,), "float32")
        memory_spans, end = _pack(memory, end)
        return cls(image, graph_spans, numbers, memory_spans, end)


def _pack(arrays: dict[str, tuple[tuple[int, ...], str]], start: int) -> tuple[dict[str, Span], int]:
    spans: dict[str, Span] = {}
    for name, (shape, dtype) in arrays.items():
        spans[name] = Span(start, shape, dtype)
        start = spans[name].end
    return spans, start


def create_region(size_bytes: int) -> int:
    """A file descriptor of fresh, zeroed, nameless shared memory; the caller closes it."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("vigil-frames", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size_bytes)
    return descriptor


class Slot:
    """A mapped region. Reading copies out, writing copies in; the views never leave this class except `image`."""

    def __init__(self, descriptor: int, layout: SlotLayout) -> None:
        self._bytes = mmap.mmap(descriptor, layout.size_bytes)
        self._image_L = self._view(layout.image).reshape(-1)
        self._graph = tuple((name, self._view(span)) for name, span in layout.graph.items())
        self._numbers_L = self._view(layout.numbers)
        self._memory = tuple((name, self._view(span)) for name, span in layout.memory.items())

    def _view(self, span: Span) -> npt.NDArray[Any]:
        return np.ndarray(span.shape, span.dtype, buffer=self._bytes, offset=span.offset)

    def image(self, height: int, width: int) -> UInt8:
        """The picture as a view (H, W, 3). ValueError when it does not fit."""
        if height <= 0 or width <= 0 or height * width * 3 > self._image_L.size:
            raise ValueError(f"a picture of {width}x{height} does not fit a slot of {self._image_L.size // 3} pixels")
        picture: UInt8 = self._image_L[: height * width * 3].reshape(height, width, 3)
        return picture

    def close(self) -> None:
        """Unmap. No picture of this slot may be in use any more."""
        del self._image_L, self._graph, self._numbers_L, self._memory
        self._bytes.close()

    def write_graph(self, graph: SceneGraph) -> bool:
        """Copy it in; False when it holds a number that is not finite, or too large to be squared."""
        _copy_into(self._graph, graph)
        return math.isfinite(np.vdot(self._numbers_L, self._numbers_L))

    def read_graph(self) -> SceneGraph:
        return SceneGraph(**{name: array.copy() for name, array in self._graph})

    def write_memory(self, memory: Memory) -> None:
        _copy_into(self._memory, memory)

    def read_memory(self) -> Memory:
        return Memory(**{name: array.copy() for name, array in self._memory})


def _copy_into(arrays: tuple[tuple[str, npt.NDArray[Any]], ...], source: SceneGraph | Memory) -> None:
    for name, into in arrays:
        array = getattr(source, name)
        if array.shape != into.shape:
            raise ValueError(f"{name} has shape {array.shape}, the slot holds {into.shape}")
        np.copyto(into, array)
