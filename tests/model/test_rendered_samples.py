"""Rendered clips as samples: who is matched to what, labels by slot, and three tiny clips through the shipped network."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from model.annotations import Body, Entity, Frame, Hand, Relation, read_clip
from model.losses import pair_targets
from model.nano import Nano
from model.rendered_samples import RenderedSamples
from model.slot_truth import NOT_CONTACTING, NOT_LOOKING, match, overlaps, slot_truth, unpacked
from model.synth.dataset import clips
from model.text import Prototypes
from model.vocabulary import MODERATION_V1

CLIPS = Path(__file__).parent / "synth" / "clips"
PERSON, CUP, BOTTLE, BED, COUCH, DOG = (MODERATION_V1.objects.index(name) for name in ("person", "cup", "bottle", "bed", "couch", "dog"))
LEFT = (0.0, 0.0, 0.4, 0.4)
RIGHT = (0.5, 0.0, 0.9, 0.4)
LOW = (0.0, 0.6, 0.4, 1.0)


def boxes(*rows: tuple[float, float, float, float]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.array(rows, np.float32)


def shifted(box: tuple[float, float, float, float], by: float) -> tuple[float, float, float, float]:
    return (box[0] + by, box[1], box[2] + by, box[3])


def test_overlaps_by_hand() -> None:
    iou = overlaps(boxes(LEFT, shifted(LEFT, 0.2)), boxes(LEFT, RIGHT))
    assert iou == pytest.approx(np.array([[1.0, 0.0], [1 / 3, 0.1 / 0.7]]), abs=1e-5)


@pytest.mark.parametrize(
    ("labels", "slots", "classes", "expected"),
    [
        (("cup", "person"), (LEFT, RIGHT), (CUP, PERSON), (0, 1)),
        (("cup",), (LEFT,), (BOTTLE,), (0,)),  # one group of Action Genome
        (("cup",), (shifted(LEFT, 0.1),), (CUP,), (0,)),  # IoU .6
        (("cup",), (shifted(LEFT, 0.1),), (DOG,), (-1,)),  # .6 is too little for another name
        (("cup",), (shifted(LEFT, 0.05),), (DOG,), (0,)),  # .78 is not
        (("person",), (LEFT,), (DOG,), (-1,)),  # nobody is a misnamed dog
        (("couch", "bed"), (LEFT, LEFT), (BED, COUCH), (-1, 0)),  # both boxes on the couch, the right name wins
        (("cup",), (LEFT, LEFT), (CUP, CUP), (0, -1)),  # one to one
    ],
)
def test_a_slot_is_the_entity_that_it_covers(
    labels: tuple[str, ...], slots: tuple[tuple[float, float, float, float], ...], classes: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    places = (LEFT, RIGHT) if labels[0] != "couch" else (LEFT, LOW)
    entities = tuple(Entity(10 + index, label, box) for index, (label, box) in enumerate(zip(labels, places, strict=False)))
    found = match(entities, boxes(*slots), np.full(len(slots), 0.5, np.float32), np.array(classes))
    assert tuple(found) == expected


def test_an_unused_slot_is_nobody() -> None:
    assert match((Entity(1, "cup", LEFT),), boxes(LEFT), np.zeros(1, np.float32), np.array([CUP]))[0] == -1
    assert (match((), boxes(LEFT), np.ones(1, np.float32), np.array([CUP])) == -1).all()


def test_labels_lie_at_person_and_thing_with_spatial_ones_turned_around() -> None:
    body = Body("sitting", (0.2, 0.1), True, True, (0.0, 0.0, -1.0), Hand((0.1, 0.2), True, 8), Hand((0.3, 0.2), False))
    entities = (Entity(8, "cup", RIGHT), Entity(5, "person", LEFT, body=body))
    relations = (Relation(5, "looking_at", 8), Relation(8, "in_front_of", 5), Relation(5, "holding", 8), Relation(5, "touching", 8))
    frame = Frame(0, 0.0, entities, relations)
    truth = slot_truth(frame, boxes(LOW, LEFT, RIGHT), np.ones(3, np.float32), np.array([DOG, PERSON, CUP]))
    assert truth.real_N.tolist() == [-1, PERSON, CUP]
    labels = unpacked(truth.labels_NN)

    def said(person: int, thing: int) -> set[str]:
        return {name for name, holds in zip(MODERATION_V1.predicates, labels[person, thing], strict=True) if holds}

    assert said(1, 2) == {"looking_at", "in_front_of", "holding", "touching"}
    assert said(1, 0) == {"not_looking_at", "not_contacting"}
    assert said(2, 1) == {"not_looking_at", "not_contacting"}
    assert truth.bodies_NV[1] == pytest.approx([0.1, 0.2, 0.3, 0.2, 1, 0, 1, 0, 0, 0, -1, 1, 0, 1, 0, 0, 1])
    assert (truth.bodies_NV[[0, 2]] == 0).all()


@pytest.fixture(scope="module")
def samples(shipped: tuple[Nano, Prototypes], tmp_path_factory: pytest.TempPathFactory) -> RenderedSamples:
    return RenderedSamples(CLIPS, "test", shipped[0], num_frames=2, cache=tmp_path_factory.mktemp("seen"))


def test_windows_do_not_overlap_and_every_clip_gives_all_it_has(samples: RenderedSamples) -> None:
    frames = clips(CLIPS, "test")[0].frames
    assert (samples.num_clips, samples.num_frames) == (len(frames) // 2, 2)
    assert [batch.tolist() for batch in samples.batches(1, None)] == [[0], [1]]
    first, second = samples.frame(torch.tensor([0, 1]), 0), samples.frame(torch.tensor([0, 1]), 1)
    assert first.dt_B.tolist() == pytest.approx([0.2, 0.2])
    assert first.aspect_B.tolist() == pytest.approx([384 / 224] * 2)
    assert not torch.equal(first.entities.boxes_BN4[0], second.entities.boxes_BN4[0])
    assert first.blurred_B.tolist() == [frames[0].blurred, frames[2].blurred]


def test_the_network_sees_the_sitting_person_and_the_truth_is_beside_it(samples: RenderedSamples) -> None:
    clip = samples.frame(torch.tensor([0]), 0)
    entities, targets = clip.entities, clip.targets
    person = int((targets.real_BN[0] == PERSON).nonzero()[0])
    chairs = (targets.real_BN[0] == MODERATION_V1.objects.index("chair")).nonzero().flatten().tolist()
    assert entities.scores_BN[0, person] > 0.5
    sitting = targets.labels_BNNK[0, person, :, MODERATION_V1.predicates.index("sitting_on")]
    assert [slot for slot in chairs if sitting[slot] == 1]
    assert sitting.sum() == 1
    ghosts = (targets.real_BN[0] < 0).nonzero().flatten()
    assert (targets.labels_BNNK[0, person, ghosts][:, [NOT_LOOKING, NOT_CONTACTING]] == 1).all()
    true = samples.true_cues(torch.tensor([0]), 0)
    assert true.known_BN[0].nonzero().flatten().tolist() == [person]
    assert true.posture_BN4[0, person].tolist() == [0, 1, 0, 0]


def test_the_head_can_be_trained_on_it(samples: RenderedSamples, shipped: tuple[Nano, Prototypes]) -> None:
    network, prototypes = shipped
    clip = samples.frame(torch.tensor([0, 1]), 1)
    dim = prototypes.objects_CD.shape[1]
    memory, counts = torch.zeros(2, network.num_slots, dim), torch.zeros(2, network.num_slots)
    found = network.head.relate(clip.entities, clip.aspect_B, memory, counts, clip.dt_B, *prototypes)
    targets = pair_targets(clip.targets, found)
    assert targets.known_BQ.sum() > 0
    assert targets.labels_BQK[..., :3].sum(2)[targets.known_BQ > 0].eq(1).all()
    frequencies = samples.pair_frequencies()
    assert frequencies.shape == (len(MODERATION_V1.objects), len(MODERATION_V1.predicates))
    assert ((frequencies >= 0) & (frequencies <= 1)).all()


def test_clips_cut_into_windows_are_whole_again(samples: RenderedSamples) -> None:
    whole = samples.whole()
    assert (whole.num_clips, whole.num_frames, samples.num_frames) == (1, 4, 2)
    third, same = whole.frame(torch.tensor([0]), 2), samples.frame(torch.tensor([1]), 0)
    assert torch.equal(third.entities.boxes_BN4, same.entities.boxes_BN4)
    assert torch.equal(third.targets.labels_BNNK, same.targets.labels_BNNK)


def test_what_was_seen_is_kept_for_these_weights_and_these_clips(shipped: tuple[Nano, Prototypes], tmp_path: Path) -> None:
    data = tmp_path / "home"
    shutil.copytree(CLIPS, data)
    first = RenderedSamples(data, "test", shipped[0], num_frames=4)
    kept = list((data / "seen").glob("test-00001-*.npz"))
    assert len(kept) == 1
    seen_at = kept[0].stat().st_mtime_ns
    again = RenderedSamples(data, "test", shipped[0], num_frames=4)
    assert kept[0].stat().st_mtime_ns == seen_at
    one, same = first.frame(torch.tensor([0]), 3), again.frame(torch.tensor([0]), 3)
    assert torch.equal(one.entities.boxes_BN4, same.entities.boxes_BN4)
    assert torch.equal(one.targets.labels_BNNK, same.targets.labels_BNNK)
    kept[0].write_bytes(b"torn")
    with pytest.raises(ValueError, match="delete it"):
        RenderedSamples(data, "test", shipped[0], num_frames=4)
    with pytest.raises(ValueError, match="does not fit"):
        RenderedSamples(data, "test", shipped[0], num_frames=5)


def test_the_tiny_clips_are_whole() -> None:
    for split, count in (("train", 2), ("test", 1)):
        for clip in clips(CLIPS, split):
            assert len(clip.frames) == 4
            assert clip == read_clip(CLIPS / split / clip.name / "clip.json")
        assert len(clips(CLIPS, split)) == count
