"""What an image tower makes of judged frames, on grey pictures: shapes, order, and what is said of true boxes."""

import numpy as np
import pytest
import torch

from model.annotations import Clip, Entity, Frame, Relation
from model.evaluation.eval_set import NUM_CUES
from model.evaluation.look import Shot, look
from model.evaluation.sources import LEAD_FPS, LEAD_S, times_of
from model.image_heads.cue_head import CueHead
from model.image_heads.extra_classes import ExtraClasses
from model.image_heads.weights import ImageHeads
from model.nano import Nano
from model.text import Prototypes
from model.vocabulary import COCO

FRAME = Frame(1, 0.2, (Entity(4, "person", (0.25, 0.25, 0.5, 0.75)), Entity(9, "cup", (0.5, 0.5, 0.6, 0.6))), (Relation(4, "holding", 9),))


def shots(size: tuple[int, int] = (90, 160)) -> list[Shot]:
    picture_HW3 = np.full((*size, 3), 90, np.uint8)
    return [
        Shot("a", 0.0, None, picture_HW3), Shot("a", 0.2, FRAME, picture_HW3), Shot("a", 0.4, FRAME, picture_HW3),
        Shot("b", 0.2, FRAME, picture_HW3),
    ]  # fmt: skip


def test_frames_keep_their_order_clip_and_truth_on_the_canvas(shipped: tuple[Nano, Prototypes]) -> None:
    """90x160 fills 252 of 256 rows of its canvas: boxes shrink in height by 252 / 256."""
    seen = look(shipped[0], "t0", "set", shots(), 4)
    assert (seen.clips, seen.clip_F.tolist(), seen.judged_F.tolist()) == (("a", "b"), [0, 0, 0, 1], [False, True, True, True])
    assert seen.aspect_F == pytest.approx(448 / 256)
    assert len(seen.truths[0].ids_N) == len(seen.given[0].scores_N) == 0
    assert seen.truths[1].boxes_N4[0] == pytest.approx([0.25, 0.25 * 252 / 256, 0.5, 0.75 * 252 / 256], abs=1e-4)
    assert seen.given[1].boxes_N4 == pytest.approx(seen.truths[1].boxes_N4, abs=1e-4)
    assert seen.given[1].probs_NC.shape == (2, 101)


def test_what_is_found_is_what_the_network_finds(shipped: tuple[Nano, Prototypes]) -> None:
    picture_HW3 = np.random.default_rng(3).integers(0, 255, (224, 384, 3), np.uint8)
    (found,) = look(shipped[0], "t0", "set", [Shot("a", 0.0, FRAME, picture_HW3)], 1).found
    with torch.no_grad():
        entities = shipped[0].entities(torch.from_numpy(picture_HW3)[None], 101)
    used = int((entities.scores_BN > 0).sum())
    assert len(found.scores_N) == used
    assert found.boxes_N4 == pytest.approx(entities.boxes_BN4[0, :used].numpy(), abs=1e-4)


def test_nothing_to_look_at_is_said(shipped: tuple[Nano, Prototypes]) -> None:
    with pytest.raises(ValueError, match="no frame to judge"):
        look(shipped[0], "t0", "set", [], 0)


def test_key_frames_are_led_up_to_at_five_a_second() -> None:
    """30 frames a second, one key frame at 4 s: five frames before it, six apart."""
    clip = Clip("vigil-clip-1", "c", "c.mp4", 64, 64, (Frame(120, 4.0, (), ()),))
    times = times_of(clip)
    assert len(times) == round(LEAD_FPS * LEAD_S) + 1
    assert list(times) == list(range(90, 121, 6))
    assert list(times.values()) == pytest.approx([3.0 + 0.2 * step for step in range(6)])


def test_nothing_is_before_the_start() -> None:
    assert list(times_of(Clip("vigil-clip-1", "c", "c.mp4", 64, 64, (Frame(9, 0.3, (), ()),)))) == [3, 9]


def test_image_heads_name_further_classes_and_tell_cues_of_true_people_alone(shipped: tuple[Nano, Prototypes]) -> None:
    torch.manual_seed(0)
    network = Nano(shipped[0].detector, shipped[0].head, ImageHeads(CueHead(), ExtraClasses()).eval())
    seen = look(network, "t1", "set", shots()[1:2], 1)
    assert seen.given[0].cues_NV.shape == (2, NUM_CUES)
    known_N = seen.given[0].cues_NV[:, -1]
    assert known_N.tolist() == [1.0, 0.0]
    assert seen.given[0].cues_NV[1].tolist() == [0.0] * NUM_CUES
    assert (seen.given[0].probs_NC[:, len(COCO) :] > 0).any()
