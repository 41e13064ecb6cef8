"""A user's clips as samples: the same as rendered ones where both can read them, and windows that cover clips of any length."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image

from model.annotations import Entity, write_clip_annotation
from model.datasets.lgsd import Labelled, pictures, read_folder
from model.labelled_samples import LabelledSamples, window_length
from model.nano import Nano
from model.rendered_samples import RenderedSamples
from model.text import Prototypes

CLIPS = Path(__file__).parent / "synth" / "clips"


@pytest.fixture(scope="module")
def train() -> tuple[Labelled, ...]:
    return tuple(one for one in read_folder(CLIPS) if one.split == "train")


def test_rendered_clips_give_the_same_samples_by_either_reader(
    tmp_path: Path, train: tuple[Labelled, ...], shipped: tuple[Nano, Prototypes]
) -> None:
    length = window_length(train)
    ours = LabelledSamples(train, shipped[0], length, "looking")
    theirs = RenderedSamples(CLIPS, "train", shipped[0], length, cache=tmp_path)
    assert (ours.num_clips, ours.num_frames) == (theirs.num_clips, theirs.num_frames)
    rows_B = torch.arange(ours.num_clips)
    for index in range(length):
        mine, other = ours.frame(rows_B, index), theirs.frame(rows_B, index)
        torch.testing.assert_close(mine.entities.boxes_BN4, other.entities.boxes_BN4, atol=1e-4, rtol=0)
        torch.testing.assert_close(mine.entities.class_probs_BNC, other.entities.class_probs_BNC, atol=2e-3, rtol=0)
        assert torch.equal(mine.targets.real_BN, other.targets.real_BN)
        assert torch.equal(mine.targets.labels_BNNK, other.targets.labels_BNNK)
        torch.testing.assert_close(mine.dt_B, other.dt_B)
        torch.testing.assert_close(mine.aspect_B, other.aspect_B)
    assert torch.equal(ours.pair_frequencies(), theirs.pair_frequencies())


def test_windows_cover_every_frame_the_last_one_flush_with_the_end(
    train: tuple[Labelled, ...], shipped: tuple[Nano, Prototypes]
) -> None:  # fmt: skip
    first = train[0]
    short = Labelled(msgspec.structs.replace(first.clip, frames=first.clip.frames[:4]), first.video, "")
    samples = LabelledSamples([short], shipped[0], 3, "looking")
    assert samples.num_clips == 2
    boxes = [samples.frame(torch.arange(2), index).entities.boxes_BN4 for index in range(3)]
    assert torch.equal(boxes[2][0], boxes[1][1])
    assert not torch.equal(boxes[0][0], boxes[0][1])


def _lower(entity: Entity, share: float) -> Entity:
    x0, y0, x1, y1 = entity.box
    return msgspec.structs.replace(entity, box=(x0, y0 * share, x1, y1 * share))


def test_a_picture_of_another_shape_is_put_on_the_canvas_with_its_boxes(
    tmp_path: Path, train: tuple[Labelled, ...], shipped: tuple[Nano, Prototypes]
) -> None:
    """The same pictures with a border of a fifth below: boxes shrink to five sixths, and what is found and true stays."""
    first = msgspec.structs.replace(train[0].clip, frames=train[0].clip.frames[:2])
    folder, tall = tmp_path / "a", first.height * 6 // 5
    (folder / "frames").mkdir(parents=True)
    for frame, picture in pictures(Labelled(first, train[0].video, "")):
        bordered = np.full((tall, first.width, 3), 127, np.uint8)
        bordered[: first.height] = picture
        Image.fromarray(bordered).save(folder / "frames" / f"{frame.index + 1:06d}.png")
    share = first.height / tall
    moved = tuple(msgspec.structs.replace(frame, entities=tuple(_lower(one, share) for one in frame.entities)) for frame in first.frames)
    write_clip_annotation(folder / "clip.json", msgspec.structs.replace(first, video="frames", height=tall, frames=moved))
    samples = LabelledSamples(read_folder(tmp_path), shipped[0], 2, "looking")
    plain = LabelledSamples([Labelled(first, train[0].video, "")], shipped[0], 2, "looking")
    assert samples.people_and_pairs()[0] >= 0.5 * plain.people_and_pairs()[0] > 0
    ratio = float(samples.frame(torch.arange(1), 0).aspect_B[0])
    assert ratio < float(plain.frame(torch.arange(1), 0).aspect_B[0])


def test_incomplete_annotations_and_frames_out_of_order_are_refused(
    train: tuple[Labelled, ...], shipped: tuple[Nano, Prototypes]
) -> None:  # fmt: skip
    first = train[0]
    partial = Labelled(msgspec.structs.replace(first.clip, complete=False), first.video, "")
    with pytest.raises(ValueError, match="is not complete: a pair without a relation would be learned as one that has none"):
        LabelledSamples([partial], shipped[0], 2, "looking")
    still = tuple(msgspec.structs.replace(frame, time_s=0.0) for frame in first.clip.frames)
    with pytest.raises(ValueError, match=r"expected 2 or more, in order"):
        LabelledSamples([Labelled(msgspec.structs.replace(first.clip, frames=still), first.video, "")], shipped[0], 2, "looking")
