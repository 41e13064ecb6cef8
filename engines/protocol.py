"""What an engine is: images and a memory slot in, scene graphs out. Knows no backend, no stream, no torch.

Shape suffixes: B batch, H W canvas, N entity slots, R pairs, K predicates, C object classes, P memory slots, D embedding,
4 = (x0, y0, x1, y1) as fractions of the canvas.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from model.belief import Pace
from model.vocabulary import Vocabulary

Float = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Predicate:
    """How one predicate is used: published or held back, the operating threshold it was measured at, and the pace of belief in it."""

    name: str
    published: bool
    threshold: float
    pace: Pace = Pace()  # noqa: RUF009


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """What a loaded network is. `model_hash` changes with weights, vocabulary or shapes: state of another hash is refused.

    `max_batch` is the most that `infer` takes; `best_batch` is how many frames at once it runs best, 1 where more only wait for each
    other. `precision` is what it computes in (fp32, fp16, bf16), `device` names the processor in words.
    """

    backend: str
    model: str
    model_hash: str
    vocabulary: Vocabulary
    predicates: tuple[Predicate, ...]
    max_batch: int
    max_pixels: int
    num_streams: int
    num_entities: int
    num_pairs: int
    num_slots: int
    dim: int
    best_batch: int = 1
    precision: str = "fp32"
    device: str = "cpu"


@dataclass(frozen=True, slots=True)
class SceneGraph:
    """One frame as the network saw it, without identity. Entities are sorted by score; an unused slot has score 0.

    A pair is (subject row, object row); an unused pair is (0, 0). Predicate probabilities are for "subject predicate object".
    """

    boxes_N4: Float
    scores_N: Float
    labels_N: npt.NDArray[np.int64]
    class_probs_NC: Float
    embeddings_ND: Float
    pairs_R2: npt.NDArray[np.int64]
    predicate_probs_RK: Float

    def is_finite(self) -> bool:
        """False when the network has lost its numbers: a broken half-precision engine gives NaN, not an error."""
        arrays = (self.boxes_N4, self.scores_N, self.class_probs_NC, self.embeddings_ND, self.predicate_probs_RK)
        return all(bool(np.isfinite(array).all()) for array in arrays)


@dataclass(frozen=True, slots=True)
class Memory:
    """One stream's prototype memory: means M and evidence counts c. An empty memory is all zeros."""

    prototypes_PD: Float
    counts_P: Float


class Engine(Protocol):
    """A network on a device, with one memory slot per stream (a bank, allocated once).

    Which stream owns which slot is the caller's book-keeping. `infer` reads and advances the memory of the given slots.
    Calls come from one thread at a time, not always the same one.
    Errors: ValueError when the images or slots do not fit the spec, saying what came and what was expected; RuntimeError when the
    library or the device fails under a batch that fits.
    """

    @property
    def spec(self) -> EngineSpec: ...

    def infer(self, images_BHW3: UInt8, slots: Sequence[int], dt_s: Sequence[float]) -> list[SceneGraph]: ...

    def read_memory(self, slot: int) -> Memory: ...

    def write_memory(self, slot: int, memory: Memory | None) -> None:
        """Put a stored memory into a slot; None empties it."""

    def replace_prototypes(self, objects_CD: Float, predicates_KD: Float) -> None:
        """Other prompts for the same number of objects and predicates, from the next frame on. ValueError for another shape."""

    def close(self) -> None: ...
