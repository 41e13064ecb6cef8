"""What every backend must do, run on each: the Engine protocol as its callers rely on it."""

from collections.abc import Iterator
from dataclasses import astuple

import numpy as np
import numpy.typing as npt
import pytest
import torch

from engines.factory import BACKENDS, SHIPPED, open_engine
from engines.probe import probe
from engines.protocol import Engine, Memory, SceneGraph
from engines.torch_cuda import open_on
from model.checkpoint import read_manifest, read_prototypes
from tests.pictures import photograph

NUM_STREAMS = 4
HEIGHT, WIDTH = 128, 192
MAX_PIXELS = HEIGHT * WIDTH
DT_S = 0.04
TORCH_ON_CPU = "torch_cuda on the CPU"
USABLE = [backend for backend in BACKENDS if probe(backend).usable]
Image = npt.NDArray[np.uint8]


def load(backend: str) -> Engine:
    """On every machine those that run on a CPU, on one with a GPU also the others; all in float32."""
    if backend == TORCH_ON_CPU:
        torch.set_num_threads(1)
        return open_on(torch.device("cpu"), SHIPPED, precision="fp32", num_streams=NUM_STREAMS, max_pixels=MAX_PIXELS)
    return open_engine(backend, num_streams=NUM_STREAMS, max_pixels=MAX_PIXELS, threads=1, precision="fp32")


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_backend_is_held_to_this_contract_where_it_can_run(backend: str) -> None:
    if backend not in USABLE:
        pytest.skip(f"{backend} cannot run here: {probe(backend).why}")
    engine = load(backend)
    assert (engine.spec.backend, engine.spec.precision) == (backend, "fp32")
    engine.close()


@pytest.fixture(scope="module", params=[*USABLE, TORCH_ON_CPU])
def loaded(request: pytest.FixtureRequest) -> Iterator[Engine]:
    engine = load(request.param)
    yield engine
    engine.close()


@pytest.fixture
def engine(loaded: Engine) -> Engine:
    for slot in range(NUM_STREAMS):
        loaded.write_memory(slot, None)
    return loaded


@pytest.fixture
def pictures() -> list[Image]:
    return [photograph(name, WIDTH, HEIGHT) for name in ("astronaut", "coffee", "chelsea")]


def look(engine: Engine, image_HW3: Image, slot: int, dt_s: float = DT_S) -> SceneGraph:
    return engine.infer(image_HW3[None], [slot], [dt_s])[0]


def assert_same(ours: SceneGraph | Memory, theirs: SceneGraph | Memory) -> None:
    for one, other in zip(astuple(ours), astuple(theirs), strict=True):
        np.testing.assert_allclose(one, other, atol=2e-4)


def test_graphs_have_the_shapes_and_types_of_the_spec(engine: Engine, pictures: list[Image]) -> None:
    spec = engine.spec
    graph = look(engine, pictures[0], 0)
    C, K, N, R, D = len(spec.vocabulary.objects), len(spec.predicates), spec.num_entities, spec.num_pairs, spec.dim
    shapes = {name: getattr(graph, name).shape for name in graph.__slots__}
    assert shapes == {
        "boxes_N4": (N, 4),
        "scores_N": (N,),
        "labels_N": (N,),
        "class_probs_NC": (N, C),
        "embeddings_ND": (N, D),
        "pairs_R2": (R, 2),
        "predicate_probs_RK": (R, K),
    }
    whole = {"labels_N", "pairs_R2"}
    assert all(getattr(graph, name).dtype == (np.int64 if name in whole else np.float32) for name in shapes)
    assert tuple(predicate.name for predicate in spec.predicates) == spec.vocabulary.predicates
    assert spec.num_slots >= C + K + 2


def test_entities_are_sorted_inside_the_canvas_and_unused_slots_are_empty(engine: Engine, pictures: list[Image]) -> None:
    for slot, picture in enumerate(pictures):
        graph = look(engine, picture, slot)
        used_N = graph.scores_N > 0
        assert used_N.any()
        assert (np.diff(graph.scores_N) <= 0).all()
        assert ((graph.boxes_N4 >= 0) & (graph.boxes_N4 <= 1)).all()
        assert not graph.boxes_N4[~used_N].any()
        np.testing.assert_allclose(np.linalg.norm(graph.embeddings_ND[used_N], axis=1), 1.0, atol=1e-4)
        np.testing.assert_array_equal(graph.labels_N, graph.class_probs_NC.argmax(axis=1))


def test_a_picture_of_nothing_leaves_most_slots_unsure(engine: Engine, pictures: list[Image]) -> None:
    graph = look(engine, np.full_like(pictures[0], 127), 0)
    assert (graph.scores_N < 0.25).mean() > 0.9
    assert not graph.boxes_N4[graph.scores_N == 0].any()


def test_pairs_name_used_entities_and_unused_pairs_say_nothing(engine: Engine, pictures: list[Image]) -> None:
    for slot, picture in enumerate(pictures):
        graph = look(engine, picture, slot)
        told_R = (graph.predicate_probs_RK > 0).any(axis=1)
        assert ((graph.predicate_probs_RK >= 0) & (graph.predicate_probs_RK <= 1)).all()
        assert (graph.scores_N[graph.pairs_R2[told_R]] > 0).all()
        assert (graph.pairs_R2[told_R, 0] != graph.pairs_R2[told_R, 1]).all()
        unused_R = (graph.pairs_R2 == 0).all(axis=1)
        assert not graph.predicate_probs_RK[unused_R].any()


def test_a_batch_gives_what_single_frames_give(engine: Engine, pictures: list[Image]) -> None:
    for _ in range(2):
        batched = engine.infer(np.stack(pictures), [2, 0, 3], [0.04, 0.1, 0.0])
    memories = [engine.read_memory(slot) for slot in (2, 0, 3)]
    for slot in range(NUM_STREAMS):
        engine.write_memory(slot, None)
    for picture, slot, dt, expected, memory in zip(pictures, (2, 0, 3), (0.04, 0.1, 0.0), batched, memories, strict=True):
        look(engine, picture, slot, dt)
        assert_same(look(engine, picture, slot, dt), expected)
        assert_same(engine.read_memory(slot), memory)


def test_memory_is_carried_from_frame_to_frame_of_its_own_slot_only(engine: Engine, pictures: list[Image]) -> None:
    look(engine, pictures[0], 1)
    after_one = engine.read_memory(1)
    look(engine, pictures[0], 1)
    after_two = engine.read_memory(1)
    assert 0 < after_one.counts_P.sum() < after_two.counts_P.sum()
    assert after_one.prototypes_PD.any()
    assert not any(engine.read_memory(slot).counts_P.any() for slot in (0, 2, 3))


def test_an_emptied_slot_is_a_stream_that_starts(engine: Engine, pictures: list[Image]) -> None:
    first = look(engine, pictures[0], 0)
    for picture in pictures:
        look(engine, picture, 0)
    engine.write_memory(0, None)
    assert not engine.read_memory(0).counts_P.any()
    assert not engine.read_memory(0).prototypes_PD.any()
    assert_same(look(engine, pictures[0], 0), first)


def test_a_memory_read_and_written_elsewhere_goes_on_as_if_nothing_happened(engine: Engine, pictures: list[Image]) -> None:
    for picture in pictures * 2:
        look(engine, picture, 0)
    engine.write_memory(3, engine.read_memory(0))
    for picture in pictures:
        assert_same(look(engine, picture, 3), look(engine, picture, 0))
        assert_same(engine.read_memory(3), engine.read_memory(0))


def test_a_memory_that_was_read_is_a_copy(engine: Engine, pictures: list[Image]) -> None:
    look(engine, pictures[0], 0)
    before = engine.read_memory(0)
    before.prototypes_PD[:] = 7.0
    assert not (engine.read_memory(0).prototypes_PD == 7.0).any()


def blank(count: int = 1, height: int = 64, width: int = 64) -> Image:
    return np.zeros((count, height, width, 3), np.uint8)


@pytest.mark.parametrize(
    ("images", "slots", "dt_s", "sentence"),
    [
        (blank().astype(np.float32), [0], [0.0], r"images are uint8 \(B, H, W, 3\), got float32"),
        (blank()[0], [0], [0.0], r"images are uint8 \(B, H, W, 3\), got uint8 \(64, 64, 3\)"),
        (blank(height=65), [0], [0.0], "multiples of 32, .* got 64x65"),
        (blank(height=32), [0], [0.0], "from 64 on, .* got 64x32"),
        (blank(height=256, width=128), [0], [0.0], "at most 24576 pixels, got 128x256"),
        (blank(0), [], [], "a batch holds 1 to .* images, got 0"),
        (blank(300), list(range(300)), [0.0] * 300, "a batch holds 1 to .* images, got 300"),
        (blank(2), [0], [0.0, 0.0], "got 2 images, 1 slots, 2 dt"),
        (blank(2), [1, 1], [0.0, 0.0], r"slots are distinct and from 0 to 3, got \[1, 1\]"),
        (blank(), [4], [0.0], r"slots are distinct and from 0 to 3, got \[4\]"),
        (blank(), [-1], [0.0], r"slots are distinct and from 0 to 3, got \[-1\]"),
        (blank(), [0], [-0.1], "at least 0, got"),
        (blank(), [0], [float("nan")], "at least 0, got"),
    ],
)
def test_a_batch_that_does_not_fit_is_refused_in_words(
    engine: Engine, images: Image, slots: list[int], dt_s: list[float], sentence: str
) -> None:  # fmt: skip
    with pytest.raises(ValueError, match=sentence):
        engine.infer(images, slots, dt_s)
    assert not any(engine.read_memory(slot).counts_P.any() for slot in range(NUM_STREAMS))


def prompts() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    return read_prototypes(SHIPPED, read_manifest(SHIPPED, to_run=True))


def test_other_prompts_work_from_the_next_frame_on_without_a_rebuild(engine: Engine, pictures: list[Image]) -> None:
    objects_CD, predicates_KD = prompts()
    before = look(engine, pictures[0], 0)
    engine.replace_prototypes(objects_CD, np.ascontiguousarray(predicates_KD[::-1]))
    after = look(engine, pictures[0], 1)
    engine.replace_prototypes(objects_CD, predicates_KD)
    change = np.abs(after.predicate_probs_RK - before.predicate_probs_RK).max()
    assert change > 0.1 or engine.spec.backend == "fake"
    np.testing.assert_array_equal(after.boxes_N4, before.boxes_N4)
    assert_same(look(engine, pictures[0], 2), before)


def test_prompts_that_do_not_fit_are_refused_in_words_and_change_nothing(engine: Engine, pictures: list[Image]) -> None:
    objects_CD, predicates_KD = prompts()
    before = look(engine, pictures[0], 0)
    with pytest.raises(ValueError, match=r"prototypes here are \(\d+, 128\) and \(26, 128\), got \(3, 128\) and \(26, 128\)"):
        engine.replace_prototypes(objects_CD[:3], predicates_KD)
    with pytest.raises(ValueError, match="prototypes are float32, got float64 and float32"):
        engine.replace_prototypes(objects_CD.astype(np.float64), predicates_KD)
    with pytest.raises(ValueError, match="prototypes are finite numbers"):
        engine.replace_prototypes(objects_CD, np.full_like(predicates_KD, np.nan))
    assert_same(look(engine, pictures[0], 1), before)


def test_a_memory_that_does_not_fit_is_refused_in_words(engine: Engine) -> None:
    P, D = engine.spec.num_slots, engine.spec.dim
    good = Memory(np.zeros((P, D), np.float32), np.zeros(P, np.float32))
    with pytest.raises(ValueError, match="slots are 0 to 3, got 4"):
        engine.write_memory(4, good)
    with pytest.raises(ValueError, match="slots are 0 to 3, got -1"):
        engine.read_memory(-1)
    with pytest.raises(ValueError, match=r"a memory here is .* got \(3, 128\)"):
        engine.write_memory(0, Memory(good.prototypes_PD[:3], good.counts_P))
    for wrong in (np.full(P, np.nan, np.float32), np.full(P, -1.0, np.float32)):
        with pytest.raises(ValueError, match="finite numbers and evidence of at least 0"):
            engine.write_memory(0, Memory(good.prototypes_PD, wrong))
