"""The image tower against the published model, against hand-computed numbers, and on canvases of any size."""

import pytest
import torch
from torch import Tensor

from model.anchors import decode, level_anchors
from model.coco_import import import_detector
from model.commands.export import DEFAULT_FOLDER
from model.detector import Detections, Detector, double, halve
from model.suppression import suppress
from model.vocabulary import COCO
from model.weights import load_detector
from tests.model.published import class_columns, run_in_float
from tests.pictures import photograph

PICTURES = ("astronaut", "coffee", "chelsea")
SEEN = {"astronaut": "person", "coffee": "cup", "chelsea": "cat"}
MAX_SCORE_ERROR = 0.01


def published_detections(model: bytes, raw: Detections, scores_AC: Tensor, deltas_A4: Tensor) -> Detections:
    logits_AC = torch.logit(scores_AC[:, class_columns(model, COCO)].double()).float()
    return raw._replace(logits_BCA=logits_AC.T[None], deltas_B4A=deltas_A4.T[None])


def test_the_imported_detector_equals_the_published_model_run_in_float(published_model: bytes) -> None:
    exact = import_detector(published_model).requires_grad_(False)
    shipped = load_detector(DEFAULT_FOLDER / "detector.safetensors").requires_grad_(False)
    for name in PICTURES:
        image_HW3 = photograph(name, 320, 320)
        scores_AC, deltas_A4 = run_in_float(published_model, image_HW3)
        for detector in (exact, shipped) if name == PICTURES[0] else (exact,):
            raw = detector(torch.from_numpy(image_HW3)[None])
            theirs = published_detections(published_model, raw, scores_AC, deltas_A4)
            error = (torch.sigmoid(raw.logits_BCA) - torch.sigmoid(theirs.logits_BCA)).abs().max()
            assert error < (1e-5 if detector is exact else MAX_SCORE_ERROR)
            assert_same_detections(raw, theirs, SEEN[name])


def assert_same_detections(ours: Detections, theirs: Detections, seen: str) -> None:
    (our_boxes_B4, our_scores_B, our_probs_BC), (boxes_B4, scores_B, probs_BC) = (
        [part[0] for part in suppress(raw, 101)] for raw in (ours, theirs)
    )
    sure = scores_B > 0.2
    assert (our_scores_B - scores_B)[sure].abs().max() < MAX_SCORE_ERROR
    assert our_probs_BC[sure].argmax(1).tolist() == probs_BC[sure].argmax(1).tolist()
    assert (our_boxes_B4[sure] - boxes_B4[sure]).abs().max() < 0.01
    assert COCO.index(seen) in our_probs_BC[sure].argmax(1).tolist()


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ([1, 2, 3, 4], [3, 4]),
        ([4, 3, 2, 1], [4, 2]),
        ([1, 2, 3, 4, 5], [2, 4, 5]),
        ([-5, -4, -3], [-4, -3]),
        ([7], [7]),
    ],
)
def test_halving_pools_as_same_padding_does_for_either_parity(row: list[float], expected: list[float]) -> None:
    features_BFHW = torch.tensor(row, dtype=torch.float32).expand(1, 1, len(row), len(row)).transpose(2, 3)
    assert halve(features_BFHW)[0, 0, :, 0].tolist() == expected
    assert halve(features_BFHW.transpose(2, 3))[0, 0, 0].tolist() == expected


def test_doubling_repeats_cells_and_crops_to_an_odd_level() -> None:
    features_BFHW = torch.tensor([[1.0, 2.0, 3.0]]).expand(1, 1, 2, 3)
    assert double(features_BFHW, torch.zeros(1, 1, 3, 5))[0, 0, 0].tolist() == [1, 1, 2, 2, 3]
    assert double(features_BFHW, torch.zeros(1, 1, 4, 6))[0, 0, 3].tolist() == [1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize(
    ("cells", "anchor", "expected_px"),
    [
        (40, 0, (4.0, 4.0, 24.0, 24.0)),
        (40, 9, (12.0, 4.0, 24.0, 24.0)),
        (40, 1, (4.0, 4.0, 33.941, 16.971)),
        (3, 0, (53.333, 53.333, 320.0, 320.0)),
        (3, 36, (160.0, 160.0, 320.0, 320.0)),
    ],
)
def test_anchors_are_those_of_the_published_model(cells: int, anchor: int, expected_px: tuple[float, ...]) -> None:
    anchors_4A = level_anchors(cells, cells) * 320
    assert anchors_4A[:, anchor].tolist() == pytest.approx(expected_px, abs=1e-3)


def test_boxes_are_decoded_from_centre_offsets_and_log_sizes() -> None:
    deltas_B4A = torch.tensor([0.5, -0.25, 0.0, torch.log(torch.tensor(2.0))]).reshape(1, 4, 1)
    anchors_B4A = torch.tensor([0.5, 0.5, 0.2, 0.4]).reshape(1, 4, 1)
    assert decode(deltas_B4A, anchors_B4A)[0, 0].tolist() == pytest.approx([0.25, 0.5, 0.65, 0.9])


@pytest.mark.parametrize(("height", "width"), [(64, 64), (64, 96), (96, 160), (256, 448), (224, 128)])
def test_any_canvas_of_multiples_of_32_gives_nine_anchors_a_cell(height: int, width: int) -> None:
    raw = Detector().eval()(torch.zeros(2, height, width, 3, dtype=torch.uint8))
    sizes = [(-(-height // stride), -(-width // stride)) for stride in (8, 16, 32, 64, 128)]
    num_anchors = 9 * sum(rows * columns for rows, columns in sizes)
    assert [tuple(level.shape[2:]) for level in raw.pyramid] == sizes
    assert raw.logits_BCA.shape == (2, 80, num_anchors)
    assert raw.deltas_B4A.shape == (2, 4, num_anchors)
    assert raw.anchors_4A.shape == (4, num_anchors)


def test_the_published_class_order_is_the_vocabulary(published_model: bytes) -> None:
    columns = class_columns(published_model, COCO)
    assert len(set(columns)) == 80
    assert (columns[COCO.index("person")], columns[COCO.index("bottle")], columns[COCO.index("toothbrush")]) == (0, 43, 89)
