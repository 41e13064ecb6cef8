"""The extra classes: anchors get the right things, boxes survive encoding, COCO's finds are never suppressed, and it learns a class."""

import copy

import pytest
import torch
from torch import Tensor

from model.anchors import SHAPES, all_anchors, decode
from model.detector import NUM_CLASSES, Detections
from model.image_heads.extra_classes import NUM_EXTRA, ExtraClasses
from model.image_heads.fit_classes import TRUSTED_PRECISION, assign, encode, fit_classes, measure_classes, trusted
from model.image_heads.gather import MAX_THINGS, Sights
from model.suppression import suppress
from model.vocabulary import ACTION_GENOME_ONLY, MODERATION_V1

SIZES = ((8, 12), (4, 6), (2, 3))
DOOR, WINDOW = (ACTION_GENOME_ONLY.index(name) for name in ("door", "window"))


def truth(things: list[tuple[int, tuple[float, float, float, float]]]) -> tuple[Tensor, Tensor]:
    boxes_1M4, classes_1M = torch.zeros(1, MAX_THINGS, 4), torch.full((1, MAX_THINGS), -1)
    for row, (class_, box) in enumerate(things):
        boxes_1M4[0, row], classes_1M[0, row] = torch.tensor(box), class_
    return boxes_1M4, classes_1M


def test_every_thing_gets_an_anchor_even_where_none_fits_well() -> None:
    anchors_4A = all_anchors(SIZES)
    assigned = assign(anchors_4A, *truth([(DOOR, (0.1, 0.1, 0.4, 0.9)), (WINDOW, (0.5, 0.05, 0.99, 0.1))]))
    per_class_E = assigned.labels_BAE.sum((0, 1))
    assert per_class_E[DOOR] >= 1
    assert per_class_E[WINDOW] >= 1
    assert per_class_E.sum() == assigned.positive_BA.sum()


def test_an_empty_frame_has_no_positive_and_counts_every_anchor() -> None:
    assigned = assign(all_anchors(SIZES), *truth([]))
    assert assigned.positive_BA.sum() == 0
    assert assigned.counted_BA.min() == 1


def test_encoded_boxes_decode_to_themselves() -> None:
    anchors_4A = all_anchors(SIZES)
    boxes_BA4 = torch.tensor([0.2, 0.3, 0.7, 0.8]).expand(1, anchors_4A.shape[1], 4)
    deltas_B4A = encode(boxes_BA4, anchors_4A).transpose(1, 2)
    assert torch.allclose(decode(deltas_B4A, anchors_4A[None]), boxes_BA4, atol=1e-5)


def detections(num_classes: int, class_: int, score: float, box: tuple[float, float, float, float]) -> Detections:
    logits_BCA = torch.full((1, num_classes, 48), -20.0)
    logits_BCA[0, class_, 0] = torch.logit(torch.tensor(score))
    x0, y0, x1, y1 = box
    anchors_4A = torch.tensor([(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0])[:, None].expand(4, 48)
    return Detections(logits_BCA, torch.zeros(1, 4, 48), anchors_4A, (), ())


@pytest.mark.parametrize(("far", "extra_left"), [(False, 0), (True, 1)])
def test_an_extra_find_gives_way_to_coco_on_the_same_box_and_stands_elsewhere(far: bool, extra_left: int) -> None:
    here, there = (0.1, 0.1, 0.4, 0.5), (0.5, 0.5, 0.9, 0.9)
    coco = detections(NUM_CLASSES, MODERATION_V1.objects.index("bed"), 0.4, here)
    extra = detections(NUM_EXTRA, DOOR, 0.95, there if far else here)
    num_objects = len(MODERATION_V1.objects)
    _, alone_BN, _ = suppress(coco, num_objects)
    _, scores_BN, probs_BNC = suppress(coco, num_objects, extra)
    names = [MODERATION_V1.objects[index] for index in probs_BNC[0][scores_BN[0] > 0.1].argmax(1).tolist()]
    assert names == ["door"] * extra_left + ["bed"]
    assert torch.isclose(scores_BN[0, extra_left], alone_BN[0, 0])


@pytest.fixture(scope="module")
def shown() -> Sights:
    """Frames in which a bright cell of the middle level is the middle of a door."""
    generator = torch.Generator().manual_seed(5)
    count = 32
    levels = tuple((0.1 * torch.randn(count, 64, *size, generator=generator)).half() for size in SIZES)
    boxes_SM4, classes_SM = torch.zeros(count, MAX_THINGS, 4), torch.full((count, MAX_THINGS), -1)
    column_S = torch.randint(1, 5, (count,), generator=generator)
    for row, column in enumerate(column_S.tolist()):
        boxes_SM4[row, 0] = torch.tensor([(column - 1) / 6, 0.0, (column + 2) / 6, 0.75])
        classes_SM[row, 0] = DOOR
        levels[1][row, 0, 1, column] = 3.0
    return Sights(levels, boxes_SM4, classes_SM)


@pytest.fixture(scope="module")
def learned(shown: Sights) -> ExtraClasses:
    return fit_classes(shown, epochs=60, seed=3)


def test_it_learns_a_class_where_the_pyramid_shows_it(shown: Sights, learned: ExtraClasses) -> None:
    torch.manual_seed(0)
    assert measure_classes(ExtraClasses().eval(), shown)[DOOR].average_precision < 0.5
    figures = measure_classes(learned, shown)[DOOR]
    assert figures.things == len(shown.classes_SM)
    assert figures.average_precision > 0.9


def test_a_trusted_class_passes_the_score_of_publishing_where_it_is_right_and_another_nowhere(shown: Sights, learned: ExtraClasses) -> None:
    """The same finds in the same order: only the score moves. Windows were never shown, so none is believed, however sure it looked."""
    eager = copy.deepcopy(learned)
    with torch.no_grad():
        eager.predict.get_parameter("bias")[: NUM_EXTRA * len(SHAPES)] += 4.0
    windows = shown._replace(classes_SM=torch.where(shown.classes_SM == DOOR, WINDOW, -1))
    before, after = (measure_classes(head, shown)[DOOR] for head in (eager, trusted(eager, shown)))
    assert after.average_precision == pytest.approx(before.average_precision, abs=1e-6)
    assert after.sure_right >= 20
    assert after.sure_right / after.sure >= TRUSTED_PRECISION > before.sure_right / before.sure
    assert measure_classes(trusted(eager, shown), windows)[WINDOW].sure == 0
