"""The posture that is true of people, and how often the cue says it, by hand."""

from dataclasses import replace

import numpy as np
import pytest

from model.annotations import FORMAT, Body, Clip, Entity, Frame, Hand
from model.checkpoint import read_manifest
from model.commands.cues import READS_CUES
from model.evaluation.eval_set import NUM_CUES, EvalSet, path_for, read_set, tower_of
from model.evaluation.posture_check import implied, labelled, posture_rows
from model.realmini.reader import load_realmini
from tests.model.evaluation.made import BED_BOX, CUP_BOX, PERSON_BOX, eval_set, truth

STANDING, SITTING, LYING = range(3)
POSTURE, KNOWN = 12, 16


def clip(name: str, postures: tuple[str | None, ...]) -> Clip:
    """One frame for each posture: a person, who is labelled or not, a cup, a bed."""
    hand, frames = Hand((0.0, 0.0), False), []
    for index, posture in enumerate(postures):
        body = Body(posture, (0.2, 0.2), True, True, (0.0, 0.0, -1.0), hand, hand) if posture else None
        things = (Entity(0, "person", PERSON_BOX, 1.0, body), Entity(1, "cup", CUP_BOX), Entity(2, "bed", BED_BOX))
        frames.append(Frame(index, 0.2 * index, things, ()))
    return Clip(FORMAT, name, f"{name}.mp4", 640, 360, tuple(frames))


def saying(*postures: int | None) -> EvalSet:
    """Judged frames, two of clip 0 and one of clip 1, with what the cue says of the person."""
    plain, given = eval_set((3, 2)), []
    said = iter(postures)
    for one, judged in zip(plain.given, plain.judged_F, strict=True):
        cues_NV = np.zeros((len(one.scores_N), NUM_CUES), np.float32)
        posture = next(said) if judged else None
        if posture is not None:
            cues_NV[0, [POSTURE + posture, KNOWN]] = 0.9, 1.0
        given.append(one._replace(cues_NV=cues_NV))
    return replace(plain, given=tuple(given))


@pytest.mark.parametrize(
    ("relations", "expected"),
    [
        ([(0, "sitting_on", 2)], SITTING),
        ([(0, "sitting_on", 2), (0, "sitting_on", 1)], SITTING),
        ([(0, "standing_on", 2), (0, "holding", 1)], STANDING),
        ([(0, "sitting_on", 2), (0, "lying_on", 2)], -1),
        ([(0, "standing_on", 2), (0, "sitting_on", 2), (0, "lying_on", 2)], -1),
        ([(0, "holding", 1)], -1),
    ],
)
def test_support_implies_a_posture_unless_two_differ(relations: list[tuple[int, str, int]], expected: int) -> None:
    assert implied(truth(relations)).tolist() == [expected, -1, -1]


def test_labels_go_to_the_judged_frames_of_their_clip_in_order() -> None:
    found = labelled(eval_set((3, 2)), [clip("clip-1", ("lying",)), clip("clip-0", ("sitting", None))])
    assert [people.tolist() for people in found] == [[], [SITTING, -1, -1], [-1, -1, -1], [], [LYING, -1, -1]]


@pytest.mark.parametrize("clips", [[], [clip("clip-0", ("sitting",)), clip("clip-1", ("lying",))]])
def test_labels_of_other_frames_are_refused(clips: list[Clip]) -> None:
    with pytest.raises(ValueError, match="not of the labels"):
        labelled(eval_set((3, 2)), clips)


def test_right_wrong_and_not_said_by_hand() -> None:
    """All sit; the cue says sitting and standing in clip 0 and nothing in clip 1: half of what it says is right, in every draw."""
    truths = [np.array([SITTING, -1, -1])] * 5
    sitting, everybody = posture_rows(saying(SITTING, STANDING, None), "implied", truths)
    assert (sitting.posture, everybody.posture) == ("sitting", "all")
    for row in (sitting, everybody):
        assert (row.true, row.clips, row.said, row.not_said) == (3, 2, [1, 1, 0, 0], 1)
        assert row.right is not None
        assert (row.right.value, row.right.low, row.right.high) == (0.5, 0.5, 0.5)


def test_where_the_cue_never_speaks_there_is_no_share() -> None:
    (lying, _) = posture_rows(saying(None, None, None), "labelled", [np.array([LYING, -1, -1])] * 5)
    assert (lying.true, lying.not_said, lying.right) == (3, 3, None)


def test_nobody_has_no_row() -> None:
    assert posture_rows(saying(None, None, None), "labelled", [np.full(3, -1)] * 5) == []


def test_the_numbers_kept_of_the_real_clips_are_of_their_labels() -> None:
    kept = read_set(path_for("realmini", tower_of(read_manifest(READS_CUES))))
    assert sum(int((people >= 0).sum()) for people in labelled(kept, load_realmini())) > 50
