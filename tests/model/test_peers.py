"""What Vigil is measured against: the rebuilt network has its published size, the plain loop sees what the file shows."""

from pathlib import Path

import numpy as np
import pytest
import torch

from engines.factory import SHIPPED
from model.peers import reltr
from model.vocabulary import MODERATION_V1
from tests.servers.publisher import make_video

CLIP = Path(__file__).parents[2] / "service" / "cli" / "demo_clip" / "room.mp4"


@pytest.fixture(scope="module")
def network() -> reltr.RelTR:
    return reltr.build()


def test_reltr_has_the_published_number_of_parameters(network: reltr.RelTR) -> None:
    assert reltr.num_parameters(network) / 1e6 == pytest.approx(reltr.PUBLISHED.parameters_m, rel=0.005)


def test_reltr_says_classes_boxes_and_predicates_of_all_its_queries(network: reltr.RelTR) -> None:
    found = network(torch.rand(2, 3, 64, 96))
    for logits, boxes, count in (
        (found.class_logits_BNC, found.boxes_BN4, reltr.NUM_ENTITIES),
        (found.subject_logits_BRC, found.subject_boxes_BR4, reltr.NUM_TRIPLETS),
        (found.object_logits_BRC, found.object_boxes_BR4, reltr.NUM_TRIPLETS),
    ):
        assert logits.shape == (2, count, reltr.NUM_CLASSES)
        assert boxes.shape == (2, count, 4)
        assert ((boxes >= 0) & (boxes <= 1)).all()
    assert found.predicate_logits_BRK.shape == (2, reltr.NUM_TRIPLETS, reltr.NUM_PREDICATES)
    assert not torch.equal(found.subject_logits_BRC[0], found.subject_logits_BRC[1])


@pytest.mark.parametrize(("source", "own"), [((720, 1280), (750, 1333)), ((480, 640), (800, 1067)), ((1000, 1000), (800, 800))])
def test_reltr_looks_at_its_evaluation_size(source: tuple[int, int], own: tuple[int, int]) -> None:
    assert reltr.own_size(*source) == own


def test_every_cell_has_a_place_of_its_own() -> None:
    places_TF = reltr.sine_places(3, 5, torch.device("cpu"), torch.float32)
    assert places_TF.shape == (15, reltr.WIDTH)
    assert len({tuple(place.tolist()) for place in places_TF}) == 15


def test_the_plain_loop_sees_a_relation_in_the_demo_clip() -> None:
    plain_loop = pytest.importorskip("model.peers.plain_loop", reason="OpenCV is not installed")
    loop = plain_loop.PlainLoop(CLIP, SHIPPED, 256, 448, threads=1)
    seen = set()
    for _ in range(5):
        loop.step()
        seen |= {(one.subject, one.predicate, one.object) for one in loop.seen}
    assert seen
    assert all(subject in MODERATION_V1.objects and predicate in MODERATION_V1.predicates for subject, predicate, _ in seen)
    assert loop.counts_BP.sum() > 0


def test_the_file_begins_again_after_its_end(tmp_path: Path) -> None:
    plain_loop = pytest.importorskip("model.peers.plain_loop", reason="OpenCV is not installed")
    video = make_video(tmp_path / "short.mp4", size="128x64", fps=5, duration_s=1.0)
    pictures = plain_loop.endless_pictures(video, 64, 128)
    shown = [next(pictures) for _ in range(6)]
    assert shown[0].shape == (64, 128, 3)
    np.testing.assert_array_equal(shown[5], shown[0])
    assert (shown[1] != shown[0]).any()


def test_a_file_without_pictures_is_refused(tmp_path: Path) -> None:
    plain_loop = pytest.importorskip("model.peers.plain_loop", reason="OpenCV is not installed")
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(ValueError, match="OpenCV reads no picture"):
        next(plain_loop.endless_pictures(tmp_path / "text.mp4", 64, 128))
