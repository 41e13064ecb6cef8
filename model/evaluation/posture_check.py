"""How often the posture cue is right about true people, as labelled or as a support relation implies it. Pure numpy.

N entities of a frame, C clips, S resamples, W what the cue says (each posture, then nothing), P postures.
"""

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from model.annotations import POSTURES, Clip
from model.evaluation.eval_set import EvalSet, Things
from model.evaluation.frames import PREDICATE_INDEX, Float, Int, TruthFrame
from model.evaluation.intervals import Interval, resampled_clips, spread
from model.evaluation.relate import to_entities

SUPPORTED = {"standing_on": "standing", "sitting_on": "sitting", "lying_on": "lying"}
NOT_SAID = -1
ALL = "all"


class PostureRow(msgspec.Struct, frozen=True):
    """People of one posture, frame by frame: how many, in how many clips, what the cue says of them in the order of POSTURES, of how many
    it says nothing, and the share that it is right about of those it speaks of, with an interval over resampled clips (None: of nobody)."""

    set: str
    truth: str
    posture: str
    true: int
    clips: int
    said: list[int]
    not_said: int
    right: Interval | None


def implied(truth: TruthFrame) -> Int:
    """(N) the posture that support relations imply of each person; -1 for nobody, for none, and where two differ."""
    posture_N = np.full(len(truth.ids_N), NOT_SAID)
    for predicate, name in SUPPORTED.items():
        people = np.unique(truth.triplets_T3[truth.triplets_T3[:, 1] == PREDICATE_INDEX[predicate], 0])
        posture_N[people] = np.where(posture_N[people] == NOT_SAID, POSTURES.index(name), len(POSTURES))
    return np.where(posture_N == len(POSTURES), NOT_SAID, posture_N)


def labelled(eval_set: EvalSet, clips: Sequence[Clip]) -> list[Int]:
    """The same for every frame of a set from its annotations. Raises ValueError where they are not of these frames."""
    by_name = {clip.name: clip for clip in clips}
    out = [np.full(len(truth.ids_N), NOT_SAID) for truth in eval_set.truths]
    for number, name in enumerate(eval_set.clips):
        rows = np.flatnonzero((eval_set.clip_F == number) & eval_set.judged_F)
        frames = sorted(by_name[name].frames, key=lambda frame: frame.index) if name in by_name else []
        if [list(eval_set.truths[row].ids_N) for row in rows] != [[entity.id for entity in frame.entities] for frame in frames]:
            raise ValueError(f"the numbers kept of {name} are not of the labels of {eval_set.name} as they are now: write them again")
        for row, frame in zip(rows, frames, strict=True):
            out[row] = np.array([POSTURES.index(one.body.posture) if one.body else NOT_SAID for one in frame.entities], np.int64)
    return out


def posture_rows(eval_set: EvalSet, truth: str, posture_FN: Iterable[Int], resamples: int = 1000, seed: int = 0) -> list[PostureRow]:
    """One row for each posture that occurs, then all of them; of frames that are judged."""
    count_CPW = np.zeros((len(eval_set.clips), len(POSTURES), len(POSTURES) + 1))
    for row, posture_N in enumerate(posture_FN):
        people = np.flatnonzero(posture_N != NOT_SAID)
        if eval_set.judged_F[row] and len(people):
            np.add.at(count_CPW, (eval_set.clip_F[row], posture_N[people], _said(eval_set.given[row])[people]), 1)
    weight_SC = np.vstack([np.ones(len(eval_set.clips)), resampled_clips(len(eval_set.clips), resamples, seed)])
    groups = [([index], name) for index, name in enumerate(POSTURES)] + [(list(range(len(POSTURES))), ALL)]
    return [_row(eval_set.name, truth, name, count_CPW, rows, weight_SC) for rows, name in groups if count_CPW[:, rows].any()]


def _said(things: Things) -> Int:
    """(N) the likeliest posture, one beyond the last where the cue says nothing."""
    cues, count = to_entities([things]).cues, len(things.scores_N)
    posture_N4, known_N = cues.posture_BN4[0, :count].numpy(), cues.known_BN[0, :count].numpy()
    return np.where((known_N > 0) & (posture_N4.max(1) > 0), posture_N4.argmax(1), len(POSTURES))


def _row(set_: str, truth: str, name: str, count_CPW: Float, postures: list[int], weight_SC: Float) -> PostureRow:
    said_CW = count_CPW[:, postures].sum(1)
    right_S = weight_SC @ count_CPW[:, postures, postures].sum(1)
    spoken_S = weight_SC @ said_CW[:, :-1].sum(1)
    share_S = right_S[spoken_S > 0] / spoken_S[spoken_S > 0]
    return PostureRow(
        set=set_,
        truth=truth,
        posture=name,
        true=int(said_CW.sum()),
        clips=int(said_CW.any(1).sum()),
        said=[int(count) for count in said_CW.sum(0)[:-1]],
        not_said=int(said_CW[:, -1].sum()),
        right=Interval(float(share_S[0]), *spread(share_S[1:])) if spoken_S[0] else None,
    )
