"""The accuracy gate: what passes, what fails, and in which words; and what half precision gives on this network."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from engines.accuracy import FRAMES, Accuracy, Limits, box_iou, compare, measure, record, require_accuracy
from engines.factory import SHIPPED, open_engine
from engines.fake import FakeEngine, make_scene
from engines.probe import probe
from engines.protocol import Engine, SceneGraph, UInt8
from engines.torch_cuda import open_on
from model.vocabulary import MODERATION_V1
from tests.pictures import photograph

WIDTH, HEIGHT = 192, 128
Distort = Callable[[SceneGraph], SceneGraph]


def pictures() -> UInt8:
    return np.stack([photograph(name, WIDTH, HEIGHT) for name in ("astronaut", "coffee", "chelsea")])


def bright_and_dark() -> UInt8:
    return np.stack([np.full((HEIGHT, WIDTH, 3), luma, np.uint8) for luma in (20, 200, 230)])


class Distorted(FakeEngine):
    """Sees what the fake engine sees, and tells it wrongly."""

    def __init__(self, distort: Distort) -> None:
        super().__init__(num_streams=2, max_pixels=WIDTH * HEIGHT)
        self._distort = distort

    def infer(self, images_BHW3: UInt8, slots: Sequence[int], dt_s: Sequence[float]) -> list[SceneGraph]:
        return [self._distort(graph) for graph in super().infer(images_BHW3, slots, dt_s)]


def fake() -> FakeEngine:
    return FakeEngine(num_streams=2, max_pixels=WIDTH * HEIGHT)


def against_fake(distort: Distort) -> Accuracy:
    return measure(record(fake(), bright_and_dark()), Distorted(distort))


def shifted(graph: SceneGraph) -> SceneGraph:
    return replace(graph, boxes_N4=np.where(graph.boxes_N4 > 0, graph.boxes_N4 + np.float32(0.01), 0.0))


def swapped(graph: SceneGraph) -> SceneGraph:
    cup, bottle = MODERATION_V1.objects.index("cup"), MODERATION_V1.objects.index("bottle")
    return replace(graph, labels_N=np.where(graph.labels_N == cup, bottle, graph.labels_N))


def unsure(graph: SceneGraph) -> SceneGraph:
    return replace(graph, predicate_probs_RK=graph.predicate_probs_RK * np.float32(0.7))


def noisy(graph: SceneGraph) -> SceneGraph:
    noise_NK = np.random.default_rng(0).uniform(-0.3, 0.3, graph.predicate_probs_RK.shape).astype(np.float32)
    return replace(graph, predicate_probs_RK=np.where(graph.predicate_probs_RK > 0, graph.predicate_probs_RK + noise_NK, 0.0))


def blind(graph: SceneGraph) -> SceneGraph:
    return replace(graph, scores_N=np.where(np.arange(len(graph.scores_N)) == 0, graph.scores_N, 0.0))


def lost(graph: SceneGraph) -> SceneGraph:
    return replace(graph, scores_N=graph.scores_N * np.float32("nan"))


def test_an_engine_agrees_with_itself() -> None:
    report = against_fake(lambda graph: graph)
    assert report.mean_iou == pytest.approx(1.0)
    assert replace(report, mean_iou=1.0) == Accuracy(
        num_things=5 * FRAMES,
        num_triplets=2 * 2 * FRAMES,
        mean_iou=1.0,
        same_labels=1.0,
        triplet_f1=1.0,
        probability_gap=0.0,
        is_finite=True,
    )
    assert report.verdict() == ""


@pytest.mark.parametrize(
    ("distort", "sentence"),
    [
        (shifted, "mean IoU of boxes is 0.8"),
        (blind, "mean IoU of boxes is 0.600, at least 0.950 was expected"),
        (swapped, "the share of same labels is 0.600, at least 0.950 was expected; F1 of triplets is 0.000"),
        (unsure, "a probability differs by 0.285, at most 0.150 was expected"),
        (noisy, "a probability differs by 0.2"),
        (lost, "it gives numbers that are not finite"),
    ],
)
def test_each_way_to_be_wrong_is_named_with_its_number(distort: Distort, sentence: str) -> None:
    assert sentence in against_fake(distort).verdict()


def test_the_gate_refuses_with_a_sentence_and_lets_the_same_engine_pass() -> None:
    reference = record(fake(), bright_and_dark())
    require_accuracy(reference, fake())
    with pytest.raises(ValueError, match="fake in fp32 does not see what fake saw: mean IoU"):
        require_accuracy(reference, Distorted(shifted))
    require_accuracy(reference, Distorted(shifted), Limits(mean_iou=0.5))


def test_another_model_is_not_compared() -> None:
    reference = record(fake(), bright_and_dark())
    with pytest.raises(ValueError, match="the reference is of model fake-moderation-v1, got one of another"):
        measure(reference, FakeEngine(num_streams=1, max_pixels=WIDTH * HEIGHT, model_hash="another"))


def test_recording_leaves_no_memory_behind() -> None:
    engine = fake()
    record(engine, bright_and_dark())
    assert not any(engine.read_memory(slot).counts_P.any() for slot in range(2))


def test_a_triplet_just_under_its_threshold_is_told_by_both() -> None:
    def holding(prob: float) -> list[SceneGraph]:
        return [make_scene([("person", 0.9, (0.1, 0.1, 0.5, 0.9)), ("cup", 0.8, (0.4, 0.4, 0.5, 0.5))], [(0, "holding", 1, prob)])]

    predicates = fake().spec.predicates
    assert compare(holding(0.52), holding(0.48), predicates).triplet_f1 == 1.0
    assert compare(holding(0.52), holding(0.40), predicates).triplet_f1 == 0.0
    assert compare(holding(0.40), holding(0.30), predicates).num_triplets == 0


def test_things_of_the_same_name_are_matched_before_those_that_overlap_a_little_more() -> None:
    box, near = (0.2, 0.2, 0.6, 0.6), (0.2, 0.2, 0.6, 0.62)
    one = [make_scene([("chair", 0.9, box), ("couch", 0.8, near)], [])]
    other = [make_scene([("chair", 0.8, near), ("couch", 0.9, box)], [])]
    assert compare(one, other, fake().spec.predicates).same_labels == 1.0


def test_overlap_is_that_worked_out_by_hand() -> None:
    a, b = np.array([[0, 0, 2, 2], [0, 0, 0, 0]], np.float32), np.array([[1, 1, 3, 3], [0, 0, 2, 2]], np.float32)
    np.testing.assert_allclose(box_iou(a, b), [[1 / 7, 1.0], [0.0, 0.0]])


def real(backend: str, precision: str) -> Engine:
    if backend == "torch":
        torch.set_num_threads(1)
        return open_on(torch.device("cpu"), SHIPPED, precision=precision, num_streams=4, max_pixels=WIDTH * HEIGHT)
    capability = probe(backend)
    if not capability.usable:
        pytest.skip(capability.why)
    return open_engine(backend, precision=precision, num_streams=4, max_pixels=WIDTH * HEIGHT, threads=1)


@pytest.mark.parametrize(
    ("backend", "precision"), [("torch", "fp32"), ("torch", "fp16"), ("torch", "bf16"), ("openvino", "fp32"), ("openvino", "bf16")]
)
def test_backends_and_half_precision_on_the_cpu_pass_the_gate(backend: str, precision: str) -> None:
    reference = record(real("onnxruntime", "fp32"), pictures())
    engine = real(backend, precision)
    report = measure(reference, engine)
    engine.close()
    assert report.num_things > 10
    assert report.num_triplets > 0
    assert report.verdict() == ""
    assert (report.probability_gap < 1e-4) == (precision == "fp32")
