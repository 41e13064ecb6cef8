"""An engine without a network, for tests: what it sees is a plain function of the picture. Deterministic, fast, same shapes as `nano`.

By default there is always a person; a content brighter than `CUP_LUMA` also shows a cup in the person's hand, held with
probability .95; a darker one shows no cup. A test scripts other worlds with `scene` (see `make_scene`).
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from engines.bank import MemoryBank
from engines.inputs import check_batch, check_prototypes
from engines.protocol import EngineSpec, Float, Memory, Predicate, SceneGraph, UInt8
from model.vocabulary import MODERATION_V1, NULL_PREDICATES

NUM_ENTITIES = 32
NUM_PAIRS = 64
NUM_SCENE_SLOTS = 2
DIM = 128
MAX_BATCH = 8
MODEL_HASH = "fake-moderation-v1"
CUP_LUMA = 110.0
LOW_PROB = 0.02
OBJECTS = MODERATION_V1.objects
PREDICATES = MODERATION_V1.predicates

Scene = Callable[[UInt8, float], SceneGraph]
Thing = tuple[str, float, tuple[float, float, float, float]]
Relation = tuple[int, str, int, float]


class FakeEngine:
    """The Engine protocol over `scene(image_HW3, dt_s)`. The memory counts the frames in which each class was seen.

    `infer` takes `call_s` and `frame_s` for each picture longer than the scenes do, asleep, as a host that waits for its device.
    """

    def __init__(
        self,
        *,
        num_streams: int,
        max_pixels: int,
        scene: Scene | None = None,
        call_s: float = 0.0,
        frame_s: float = 0.0,
        best_batch: int = 1,
        model_hash: str = MODEL_HASH,
    ) -> None:
        num_slots = len(OBJECTS) + len(PREDICATES) + NUM_SCENE_SLOTS
        self._scene = scene or default_scene
        self._call_s, self._frame_s = call_s, frame_s
        self._bank = MemoryBank(num_streams, num_slots, DIM)
        self._spec = EngineSpec(
            backend="fake",
            model="fake",
            model_hash=model_hash,
            vocabulary=MODERATION_V1,
            predicates=tuple(Predicate(name, name not in NULL_PREDICATES, 0.5) for name in PREDICATES),
            max_batch=MAX_BATCH,
            max_pixels=max_pixels,
            num_streams=num_streams,
            num_entities=NUM_ENTITIES,
            num_pairs=NUM_PAIRS,
            num_slots=num_slots,
            dim=DIM,
            best_batch=best_batch,
        )

    @property
    def spec(self) -> EngineSpec:
        return self._spec

    def infer(self, images_BHW3: UInt8, slots: Sequence[int], dt_s: Sequence[float]) -> list[SceneGraph]:
        check_batch(self._spec, images_BHW3, slots, dt_s)
        if cost_s := self._call_s + self._frame_s * len(slots):
            time.sleep(cost_s)
        graphs = [self._scene(image_HW3, dt) for image_HW3, dt in zip(images_BHW3, dt_s, strict=True)]
        for slot, graph in zip(slots, graphs, strict=True):
            self._remember(slot, graph)
        return graphs

    def read_memory(self, slot: int) -> Memory:
        return self._bank.read(slot)

    def write_memory(self, slot: int, memory: Memory | None) -> None:
        self._bank.write(slot, memory)

    def replace_prototypes(self, objects_CD: Float, predicates_KD: Float) -> None:
        """Only checked: a fake network has no prompts."""
        check_prototypes(self._spec, objects_CD, predicates_KD)

    def close(self) -> None:
        """Nothing to free."""

    def _remember(self, slot: int, graph: SceneGraph) -> None:
        seen = graph.scores_N > 0
        labels = graph.labels_N[seen]
        self._bank.prototypes_SPD[slot, labels] = graph.embeddings_ND[seen]
        self._bank.counts_SP[slot, labels] += 1.0


def open_engine(*, model_dir: Path | None, num_streams: int, max_pixels: int, threads: int) -> FakeEngine:
    """The factory's door; a folder of weights and threads mean nothing here."""
    del model_dir, threads
    return FakeEngine(num_streams=num_streams, max_pixels=max_pixels)


def default_scene(image_HW3: UInt8, dt_s: float) -> SceneGraph:
    """A person; and, when the content is bright, a cup that the person holds."""
    del dt_s
    height, width = content_size(image_HW3)
    canvas_height, canvas_width = image_HW3.shape[:2]
    x, y = width / canvas_width, height / canvas_height
    person: Thing = ("person", 0.9, (0.3 * x, 0.2 * y, 0.6 * x, 0.95 * y))
    if mean_luma(image_HW3[:height, :width]) <= CUP_LUMA:
        return make_scene([person], [])
    cup: Thing = ("cup", 0.8, (0.56 * x, 0.5 * y, 0.64 * x, 0.62 * y))
    return make_scene([person, cup], [(0, "holding", 1, 0.95)])


def make_scene(things: Sequence[Thing], relations: Sequence[Relation]) -> SceneGraph:
    """A SceneGraph from (label, score, box) and (subject row, predicate, object row, probability); rows sorted by score."""
    order = sorted(range(len(things)), key=lambda row: -things[row][1])
    new_row = {old: new for new, old in enumerate(order)}
    graph = _empty_scene()
    for row, (label, score, box) in enumerate(things[old] for old in order):
        label_id = OBJECTS.index(label)
        graph.boxes_N4[row] = box
        graph.scores_N[row] = score
        graph.labels_N[row] = label_id
        graph.class_probs_NC[row, label_id] = score
        graph.embeddings_ND[row] = appearance(label_id)
    pairs = list(dict.fromkeys((new_row[subject], new_row[obj]) for subject, _, obj, _ in relations))
    for row, pair in enumerate(pairs):
        graph.pairs_R2[row] = pair
        graph.predicate_probs_RK[row] = LOW_PROB
    for subject, predicate, obj, prob in relations:
        graph.predicate_probs_RK[pairs.index((new_row[subject], new_row[obj])), PREDICATES.index(predicate)] = prob
    return graph


def appearance(label_id: int) -> Float:
    """A fixed unit vector per class, near-orthogonal between classes."""
    vector_D = np.random.default_rng(label_id).standard_normal(DIM).astype(np.float32)
    return np.asarray(vector_D / np.linalg.norm(vector_D), np.float32)


def content_size(image_HW3: UInt8) -> tuple[int, int]:
    """Height and width without the one-coloured margin at the bottom and the right; all of it when nothing else is there."""
    differs_HW = (image_HW3 != image_HW3[-1, -1]).any(axis=2)
    if not differs_HW.any():
        return image_HW3.shape[0], image_HW3.shape[1]
    return int(np.flatnonzero(differs_HW.any(axis=1))[-1]) + 1, int(np.flatnonzero(differs_HW.any(axis=0))[-1]) + 1


def mean_luma(image_HW3: UInt8) -> float:
    """BT.601 luma, 0 to 255."""
    return float(image_HW3.reshape(-1, 3).mean(axis=0) @ np.array([0.299, 0.587, 0.114]))


def _empty_scene() -> SceneGraph:
    return SceneGraph(
        boxes_N4=np.zeros((NUM_ENTITIES, 4), np.float32),
        scores_N=np.zeros(NUM_ENTITIES, np.float32),
        labels_N=np.zeros(NUM_ENTITIES, np.int64),
        class_probs_NC=np.zeros((NUM_ENTITIES, len(OBJECTS)), np.float32),
        embeddings_ND=np.zeros((NUM_ENTITIES, DIM), np.float32),
        pairs_R2=np.zeros((NUM_PAIRS, 2), np.int64),
        predicate_probs_RK=np.zeros((NUM_PAIRS, len(PREDICATES)), np.float32),
    )
