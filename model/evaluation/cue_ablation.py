"""What each part of the cues adds to a head's relations: average precision with all of them, without one, without any. Pure numpy.

The head stays as it is; what it gets is taken away. That says how much it leans on a part, not how well it could do had it never had it.

X predicted cells and T true triplets of a predicate, R right cells, K predicates, C clips, S resamples, V cue columns.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace

import msgspec
import numpy as np
import torch

from model.cue_parts import PARTS, without
from model.entities import Cues
from model.evaluation.eval_set import EvalSet, Things
from model.evaluation.frames import PREDICATE_INDEX, Bool, Float, Int
from model.evaluation.intervals import Interval, resampled_clips, spread
from model.evaluation.operating import Judged, PredicateCells, cells_of
from model.evaluation.relate import CUE_SHAPES

ALL = "nothing"
MISSING: dict[str, tuple[str, ...]] = {ALL: (), **{part: (part,) for part in PARTS}, "all three": PARTS}
"""What is taken away, by the word for it."""
PREDICATES = (
    "holding", "touching", "looking_at", "behind", "in_front_of", "on_the_side_of", "sitting_on", "standing_on", "lying_on",
)  # fmt: skip
MEAN = "mean"


class Without(msgspec.Struct, frozen=True):
    """Average precision where a part is missing, and how much more there is with all parts, clips drawn together."""

    missing: str
    average_precision: float
    adds: Interval


class CueRow(msgspec.Struct, frozen=True):
    """One predicate, or the mean of those that occur: how often it is true, in how many clips, average precision with all cues."""

    name: str
    true: int
    clips: int
    average_precision: Interval
    without: list[Without]


class CueTable(msgspec.Struct, frozen=True):
    """One set and task; `absent` are predicates that are never true there."""

    set: str
    task: str
    clips: int
    rows: list[CueRow]
    absent: list[str]


def set_without(eval_set: EvalSet, parts: Collection[str]) -> EvalSet:
    """The same clips as if nobody had looked at these parts of people."""
    ones = Cues(*(torch.ones(1, 1, *shape) for shape in CUE_SHAPES))
    kept_V = torch.cat([values.flatten() for values in without(ones, parts)]).numpy()

    def blinded(frames: tuple[Things, ...]) -> tuple[Things, ...]:
        return tuple(things._replace(cues_NV=things.cues_NV * kept_V) for things in frames)

    return replace(eval_set, found=blinded(eval_set.found), given=blinded(eval_set.given))


def cue_table(eval_set: EvalSet, task: str, judged: Mapping[str, Judged], resamples: int = 1000, seed: int = 0) -> CueTable:
    """The table of one set and task; `judged` has one entry for every word of MISSING. Raises ValueError where there is no truth."""
    num_clips = len(eval_set.clips)
    clip_T = {name: judged[ALL].clip_T[judged[ALL].predicate_T == PREDICATE_INDEX[name]] for name in PREDICATES}
    names = [name for name in PREDICATES if len(clip_T[name])]
    if not names:
        raise ValueError(f"none of {', '.join(PREDICATES)} is ever true in {eval_set.name}: there is nothing to compare")
    weight_SC = np.vstack([np.ones(num_clips), resampled_clips(num_clips, resamples, seed)])
    found = {missing: _precisions(one, names, weight_SC) for missing, one in judged.items()}
    every_T = np.concatenate(list(clip_T.values()))
    rows = [
        _row(name, clip_T.get(name, every_T), {missing: drawn_SK[:, at] for missing, drawn_SK in found.items()})
        for at, name in enumerate([*names, MEAN])
    ]
    return CueTable(eval_set.name, task, num_clips, rows, [name for name in PREDICATES if name not in names])


def drawn_precision(cells: PredicateCells, weight_SC: Float) -> Float:
    """(S): average precision where each clip counts as often as it was drawn, its copies at one rank; NaN where no triplet is true."""
    right_R = np.flatnonzero(cells.right_X)
    before_RC, found_RC = (_ranks(of_X, cells.clip_X, right_R, weight_SC.shape[1]) for of_X in (np.ones_like(cells.right_X), cells.right_X))
    precision_SR = (weight_SC @ found_RC.T) / np.maximum(weight_SC @ before_RC.T, 1.0)
    true_S = weight_SC @ np.bincount(cells.clip_T, minlength=weight_SC.shape[1])
    sum_S = (precision_SR * weight_SC[:, cells.clip_X[right_R]]).sum(1)
    return np.where(true_S > 0, sum_S / np.maximum(true_S, 1.0), np.nan)


def _ranks(counted_X: Bool, clip_X: Int, at_R: Int, num_clips: int) -> Float:
    """(R, C): how many counted cells of each clip there are up to and with each of these."""
    own = [np.flatnonzero(counted_X & (clip_X == clip)) for clip in range(num_clips)]
    return np.stack([np.searchsorted(at_X, at_R, "right") for at_X in own], 1).astype(np.float64)


def _precisions(judged: Judged, names: list[str], weight_SC: Float) -> Float:
    """(S, K + 1): of each predicate, and the mean of those that are true in a resample."""
    each_SK = np.stack([drawn_precision(cells_of(judged, PREDICATE_INDEX[name]), weight_SC) for name in names], 1)
    occur_S = np.isfinite(each_SK).sum(1)
    mean_S = np.where(occur_S > 0, np.nansum(each_SK, 1) / np.maximum(occur_S, 1), np.nan)
    return np.concatenate([each_SK, mean_S[:, None]], 1)


def _row(name: str, clip_T: Int, drawn: Mapping[str, Float]) -> CueRow:
    whole_S = drawn[ALL]
    less = [Without(key, float(drawn_S[0]), _interval(whole_S - drawn_S)) for key, drawn_S in drawn.items() if key != ALL]
    return CueRow(name, len(clip_T), len(np.unique(clip_T)), _interval(whole_S), less)


def _interval(drawn_S: Float) -> Interval:
    """The first is the figure itself; resamples in which nothing is true say nothing."""
    return Interval(float(drawn_S[0]), *spread(drawn_S[1:][np.isfinite(drawn_S[1:])]))
