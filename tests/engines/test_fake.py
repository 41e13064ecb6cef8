"""The scripted engine: what end-to-end tests may count on."""

import numpy as np
import pytest

from engines.fake import CUP_LUMA, FakeEngine, content_size, make_scene
from engines.protocol import SceneGraph, UInt8
from model.vocabulary import MODERATION_V1


def canvas(luma: int, content_hw: tuple[int, int] = (126, 224), grey: int = 127) -> UInt8:
    """A one-coloured picture on a grey canvas of 128x224."""
    image_HW3 = np.full((128, 224, 3), grey, np.uint8)
    image_HW3[: content_hw[0], : content_hw[1]] = luma
    return image_HW3


def look(image_HW3: UInt8) -> SceneGraph:
    return FakeEngine(num_streams=1, max_pixels=128 * 224).infer(image_HW3[None], [0], [0.04])[0]


@pytest.mark.parametrize(("luma", "things"), [(0, ["person"]), (CUP_LUMA, ["person"]), (111, ["person", "cup"]), (255, ["person", "cup"])])
def test_bright_pictures_show_a_cup_and_dark_ones_only_a_person(luma: int, things: list[str]) -> None:
    graph = look(canvas(int(luma)))
    assert [MODERATION_V1.objects[label] for label in graph.labels_N[graph.scores_N > 0]] == things


def test_the_person_holds_the_cup_at_95_percent() -> None:
    graph = look(canvas(200))
    assert graph.pairs_R2[0].tolist() == [0, 1]
    assert graph.predicate_probs_RK[0, MODERATION_V1.predicates.index("holding")] == pytest.approx(0.95)
    assert np.partition(graph.predicate_probs_RK.ravel(), -2)[-2] < 0.1


def test_the_grey_margin_is_not_looked_at() -> None:
    assert content_size(canvas(200, (100, 224))) == (100, 224)
    assert content_size(canvas(200, (128, 200))) == (128, 200)
    assert content_size(canvas(127)) == (128, 224)
    assert (look(canvas(100, (10, 10), grey=255)).scores_N > 0).sum() == 1


def test_a_test_may_script_its_own_world() -> None:
    def two_people(image_HW3: UInt8, dt_s: float) -> SceneGraph:
        assert (image_HW3.shape, dt_s) == ((64, 64, 3), 0.5)
        things = [("person", 0.6, (0.0, 0.0, 0.4, 1.0)), ("person", 0.9, (0.5, 0.0, 0.9, 1.0))]
        return make_scene(things, [(0, "touching", 1, 0.8), (0, "looking_at", 1, 0.7)])

    engine = FakeEngine(num_streams=1, max_pixels=64 * 64, scene=two_people)
    graph = engine.infer(np.zeros((1, 64, 64, 3), np.uint8), [0], [0.5])[0]
    assert graph.scores_N[:3].tolist() == pytest.approx([0.9, 0.6, 0.0])
    assert graph.pairs_R2[0].tolist() == [1, 0]
    told = {name: float(graph.predicate_probs_RK[0, MODERATION_V1.predicates.index(name)]) for name in ("touching", "looking_at")}
    assert told == pytest.approx({"touching": 0.8, "looking_at": 0.7})
