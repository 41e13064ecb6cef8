"""Batches as training and measuring draw them: parts of cues are missing for a whole clip in the one and never in the other."""

import pytest
import torch
from torch import Tensor

from model.cue_parts import FIELDS, PARTS
from model.rollout import Batch, draw_batch, empty_state
from model.samples import Plan, Samples
from model.train import DIM, PART_DROPOUT, Recipe, Trainer, TrainingSet, new_head

CLIPS, FRAMES = 160, 3
SHARES = {"hands": "hand_seen_BNH", "gaze": "gaze_BN3", "posture": "posture_BN4"}


@pytest.fixture(scope="module")
def samples() -> Samples:
    return Samples(Plan(CLIPS, FRAMES, 9), 1, DIM, "drawing")


def drawn(samples: Samples, dropout: float = 0.0, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    return draw_batch(samples, torch.arange(CLIPS), empty_state(new_head(8), CLIPS), 0.0, generator, dropout)


def missing(batch: Batch, part: str) -> list[Tensor]:
    """(B, N) of each frame: who is known but for this part."""
    cues = [clip.entities.cues for clip in batch.frames]
    return [(one.known_BN > 0) & (getattr(one, SHARES[part]).flatten(2).abs().amax(2) == 0) for one in cues]


@pytest.mark.parametrize("part", PARTS)
def test_without_dropout_whoever_is_known_has_every_part(samples: Samples, part: str) -> None:
    assert not any(bool(frame_BN.any()) for frame_BN in missing(drawn(samples), part))


@pytest.mark.parametrize("part", PARTS)
def test_a_tenth_of_the_people_lack_a_part(samples: Samples, part: str) -> None:
    batches = [drawn(samples, PART_DROPOUT, seed) for seed in range(6)]
    lacking = sum(int(frame_BN.sum()) for batch in batches for frame_BN in missing(batch, part))
    known = sum(int((clip.entities.cues.known_BN > 0).sum()) for batch in batches for clip in batch.frames)
    assert known > 1500
    assert lacking / known == pytest.approx(0.1, abs=0.03)


def test_what_is_missing_is_missing_all_through_the_clip(samples: Samples) -> None:
    """People of the box world keep their slots. Two who stand in one place may be taken for each other."""
    batch = drawn(samples, 0.5)
    for part in PARTS:
        known = [clip.entities.cues.known_BN > 0 for clip in batch.frames]
        lacking = missing(batch, part)
        both_BN = known[0] & known[-1]
        same_BN = lacking[0] == lacking[-1]
        assert float(same_BN[both_BN].float().mean()) > 0.95


def test_parts_are_missing_independently_of_each_other(samples: Samples) -> None:
    """Of those who lack their hands, half lack their gaze; who lacks all three is not known, hence 1 in 3."""
    batch = drawn(samples, 0.5)
    hands_BN, gaze_BN = missing(batch, "hands")[0], missing(batch, "gaze")[0]
    assert float(gaze_BN[hands_BN].float().mean()) == pytest.approx(1 / 3, abs=0.12)


def test_dropout_repeats_with_its_seed_and_changes_nothing_but_cues(samples: Samples) -> None:
    first, again, other, plain = drawn(samples, 0.5), drawn(samples, 0.5), drawn(samples, 0.5, 1), drawn(samples)
    cues = [one.frames[0].entities.cues.posture_BN4 for one in (first, again, other)]
    assert torch.equal(cues[0], cues[1])
    assert not torch.equal(cues[0], cues[2])
    for mine, yours in zip(first.frames, plain.frames, strict=True):
        assert torch.equal(mine.entities.class_probs_BNC, yours.entities.class_probs_BNC)
        assert torch.equal(mine.targets.labels_BNNK, yours.targets.labels_BNNK)
    for name in (name for part in PARTS for name in FIELDS[part]):
        mine, yours = (getattr(one.frames[0].entities.cues, name) for one in (first, plain))
        assert bool(((mine == yours) | (mine == 0)).all())


def test_training_drops_parts(samples: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the trainer's method is given: some people lack a part."""
    trainer = Trainer(Recipe(seed=1, epochs=1), [TrainingSet(samples, CLIPS)])
    seen: list[Batch] = []
    monkeypatch.setattr(trainer.method, "step", seen.append)
    list(trainer.steps())
    (batch,) = seen
    assert all(bool(missing(batch, part)[0].any()) for part in PARTS)
