"""Does a second look at hands pay: which true things lie at hands, which are found with and without crops, false finds, and the time.

Counts and 95 % intervals over clips; knows no pixel and no network. "Small" is COCO's word for it, on the canvas of the first pass.
N entities and M finds of a frame, T true things of all frames, X false finds of all frames, F frames, V ways to look (the first is without
crops), C clips, K true palms, S resamples, 3 = kinds, 4 = (x0, y0, x1, y1) as fractions of the picture.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from model.annotations import Frame
from model.evaluation.frames import OBJECT_INDEX, PREDICATE_INDEX, Bool, Float, Int, TruthFrame, pairwise_iou
from model.evaluation.hand_crops import Finds, squares
from model.evaluation.intervals import Interval, resampled_clips, spread
from model.machine import Machine
from model.vocabulary import MODERATION_V1

HELD = ("holding", "touching", "drinking_from", "eating", "carrying")
SMALL_PX2, MEDIUM_PX2 = 32.0**2, 96.0**2
MATCH_IOU = 0.5
SCORES = (0.4, 0.2)
KINDS = ("small, near a hand", "held or touched", "small, held or touched")
NUM_CLASSES_SHOWN = 8
RESAMPLES = 1000


class Watched(NamedTuple):
    """One judged frame: its truth, which kinds each true entity is of (N, 3 kinds), and per way to look finds, crops and milliseconds."""

    clip: str
    truth: TruthFrame
    kinds_N3: Bool
    finds: tuple[Finds, ...]
    crops: tuple[int, ...]
    cpu_ms: tuple[float, ...]


class RecallRow(msgspec.Struct, frozen=True):
    """Share of the true things of a kind that are found at a score; `gain` is over no crops, on the same clips drawn together."""

    kind: str
    score: float
    way: str
    true: int
    found: int
    recall: Interval
    gain: Interval


class FalseRow(msgspec.Struct, frozen=True):
    """Finds a frame that fit nothing listed, and how many more than without crops."""

    score: float
    way: str
    a_frame: Interval
    added: Interval


class ClassRow(msgspec.Struct, frozen=True):
    """One class at one score: how many true things of a kind, how many each way finds; or, of no kind, each way's false finds."""

    kind: str
    score: float
    name: str
    true: int
    found: list[int]


class CostRow(msgspec.Struct, frozen=True):
    """Processor milliseconds a frame on one thread (the first pass alone, or what crops add to it), and their share of the first pass."""

    way: str
    crops_a_frame: float
    cpu_ms: float
    cpu_ms_a_crop: float
    of_first_pass: float


class SetReport(msgspec.Struct, frozen=True):
    """All figures of one set of clips."""

    name: str
    clips: int
    frames: int
    recall: list[RecallRow]
    false_finds: list[FalseRow]
    classes: list[ClassRow]
    cost: list[CostRow]


class Report(msgspec.Struct, frozen=True):
    """One run of `vigil hand-crops`; `every` is the step between SynthHome's judged frames."""

    machine: Machine
    checkpoint: str
    model_hash: str
    crop_side: int
    reach: float
    every: int
    sets: list[SetReport]


def kinds_of(frame: Frame, truth: TruthFrame, reach: float, size_2: tuple[int, int], on_canvas_2: tuple[float, float]) -> Bool:
    """(N, 3) which entities are things of `KINDS`. Near is inside the square of a true seen palm; held things larger than COCO's medium
    (floors, tables) do not count. `on_canvas_2` is the picture's width and height on the first pass's canvas."""
    thing_N = truth.classes_N != OBJECT_INDEX["person"]
    area_N = ((truth.boxes_N4[:, 2:] - truth.boxes_N4[:, :2]) * on_canvas_2).prod(1)
    small_N = thing_N & (area_N < SMALL_PX2)
    held_N = np.zeros(len(thing_N), bool)
    relation_T = np.isin(truth.triplets_T3[:, 1], [PREDICATE_INDEX[name] for name in HELD])
    held_N[truth.triplets_T3[relation_T, 2]] = True
    return np.stack([small_N & _near(frame, truth, reach, size_2), held_N & thing_N & (area_N < MEDIUM_PX2), held_N & small_N], 1)


def _near(frame: Frame, truth: TruthFrame, reach: float, size_2: tuple[int, int]) -> Bool:
    """(N) which boxes lie inside the square of a true palm."""
    hands = [(hand.point, one.box) for one in frame.entities if one.body for hand in (one.body.left, one.body.right) if hand.seen]
    palms_K2 = np.array([point for point, _ in hands]).reshape(-1, 2)
    squares_K4 = squares(palms_K2, np.array([box for _, box in hands]).reshape(-1, 4), reach, size_2) / np.tile(size_2, 2)
    low_NK = (truth.boxes_N4[:, None, :2] >= squares_K4[None, :, :2]).all(2)
    high_NK = (truth.boxes_N4[:, None, 2:] <= squares_K4[None, :, 2:]).all(2)
    near_N: Bool = (low_NK & high_NK).any(1)
    return near_N


class Tally(NamedTuple):
    """All frames of a set in columns. `best_TV` is the score of the surest find that fits a true thing, 0 for none; X are false finds."""

    num_frames_C: Float
    clip_T: Int
    class_T: Int
    kinds_T3: Bool
    best_TV: Float
    clip_X: Int
    way_X: Int
    class_X: Int
    score_X: Float


def tally(frames: Sequence[Watched], group_C: Int) -> Tally:
    """Match all finds with the truth: of the same group of classes, IoU >= .5, many to many."""
    clips = list(dict.fromkeys(one.clip for one in frames))
    truths, false = [], []
    for one in frames:
        clip = clips.index(one.clip)
        fits = [_fits(finds, one.truth, group_C) for finds in one.finds]
        best_NV = np.stack(
            [(fit_MN * finds.scores_N[:, None]).max(0, initial=0.0) for fit_MN, finds in zip(fits, one.finds, strict=True)], 1
        )
        truths.append((np.full(len(best_NV), clip), one.truth.classes_N, one.kinds_N3, best_NV))
        for way, (fit_MN, finds) in enumerate(zip(fits, one.finds, strict=True)):
            false_M = ~fit_MN.any(1)
            count = int(false_M.sum())
            false.append((np.full(count, clip), np.full(count, way), finds.classes_N[false_M], finds.scores_N[false_M]))
    num_frames_C = np.bincount([clips.index(one.clip) for one in frames]).astype(np.float64)
    columns = [np.concatenate(column) for table in (truths, false) for column in zip(*table, strict=True)]
    return Tally(num_frames_C, *columns)


def _fits(finds: Finds, truth: TruthFrame, group_C: Int) -> Bool:
    same_MN = group_C[finds.classes_N][:, None] == group_C[truth.classes_N][None]
    fits_MN: Bool = same_MN & (pairwise_iou(finds.boxes_N4, truth.boxes_N4) >= MATCH_IOU)
    return fits_MN


def measure(name: str, ways: Sequence[str], frames: Sequence[Watched], group_C: Int) -> SetReport:
    """All figures of a set; `ways` names the ways to look, the one without crops first. Raises ValueError where there is no frame."""
    if not frames:
        raise ValueError(f"{name} has no frame to judge")
    table = tally(frames, group_C)
    return SetReport(
        name=name,
        clips=len(table.num_frames_C),
        frames=len(frames),
        recall=[row for kind in range(len(KINDS)) for score in SCORES for row in _recall(table, kind, score, ways)],
        false_finds=[row for score in SCORES for row in _false(table, score, ways)],
        classes=[row for score in SCORES for row in _classes(table, score, len(ways))],
        cost=_cost(frames, ways),
    )


def _recall(table: Tally, kind: int, score: float, ways: Sequence[str]) -> list[RecallRow]:
    own_T = table.kinds_T3[:, kind]
    clips = len(table.num_frames_C)
    true_C = np.bincount(table.clip_T[own_T], minlength=clips).astype(np.float64)
    found = [_sums(table.clip_T, own_T & (table.best_TV[:, way] >= score), clips) for way in range(len(ways))]
    recalls = _over(found, true_C)
    return [
        RecallRow(KINDS[kind], score, way, int(true_C.sum()), int(found_C.sum()), recall, gain)
        for way, found_C, (recall, gain) in zip(ways, found, recalls, strict=True)
    ]


def _false(table: Tally, score: float, ways: Sequence[str]) -> list[FalseRow]:
    clips = len(table.num_frames_C)
    false = [_sums(table.clip_X, (table.way_X == way) & (table.score_X >= score), clips) for way in range(len(ways))]
    return [FalseRow(score, way, *pair) for way, pair in zip(ways, _over(false, table.num_frames_C), strict=True)]


def _sums(clip_T: Int, counts_T: Bool, clips: int) -> Float:
    return np.bincount(clip_T[counts_T], minlength=clips).astype(np.float64)


def _over(counts: Sequence[Float], total_C: Float) -> list[tuple[Interval, Interval]]:
    """Each way's count over the total, and that minus the first way's, with intervals over clips; 0 where the total is 0."""
    weight_SC = resampled_clips(len(total_C), RESAMPLES, seed=0)
    shares = [float(count_C.sum() / max(total_C.sum(), 1.0)) for count_C in counts]
    shares_S = [weight_SC @ count_C / np.maximum(weight_SC @ total_C, 1.0) for count_C in counts]
    return [
        (Interval(share, *spread(share_S)), Interval(share - shares[0], *spread(share_S - shares_S[0])))
        for share, share_S in zip(shares, shares_S, strict=True)
    ]


def _classes(table: Tally, score: float, ways: int) -> list[ClassRow]:
    """The commonest classes near hands and among things held, then the commonest among false finds."""
    rows = []
    for kind in (0, 1):
        own_T = table.kinds_T3[:, kind]
        for index, true in Counter(table.class_T[own_T].tolist()).most_common(NUM_CLASSES_SHOWN):
            best_TV = table.best_TV[own_T & (table.class_T == index)]
            rows.append(ClassRow(KINDS[kind], score, MODERATION_V1.objects[index], true, (best_TV >= score).sum(0).tolist()))
    sure_X = table.score_X >= score
    for index, _ in Counter(table.class_X[sure_X & (table.way_X == ways - 1)].tolist()).most_common(NUM_CLASSES_SHOWN):
        counts_V = np.bincount(table.way_X[sure_X & (table.class_X == index)], minlength=ways)
        rows.append(ClassRow("false finds", score, MODERATION_V1.objects[index], 0, counts_V.tolist()))
    return rows


def _cost(frames: Sequence[Watched], ways: Sequence[str]) -> list[CostRow]:
    ms_FV, crops_FV = np.array([one.cpu_ms for one in frames]), np.array([one.crops for one in frames])
    mean_V, crops_V = ms_FV.mean(0), crops_FV.mean(0)
    return [
        CostRow(
            way,
            float(crops),
            round(float(ms), 2),
            round(float(ms / crops), 2) if crops else 0.0,
            round(float(ms / max(mean_V[0], 1e-9)), 3),
        )
        for way, crops, ms in zip(ways, crops_V, mean_V, strict=True)
    ]


def lines(report: SetReport) -> list[str]:
    """The tables as text, shares in percent with 95 % intervals."""
    said = [f"{report.name}: {report.clips} clips, {report.frames} frames"]
    said += [f"  {'recall of things that are':24} score {'':14}{'true':>6} {'found':>6} {'recall':>21} {'gain in points':>21}"]
    for row in report.recall:
        cells = f"{row.true:6} {row.found:6} {_figure(row.recall, 100):>21} {_figure(row.gain, 100):>21}"
        said.append(f"  {row.kind:24} {row.score:5.1f} {row.way:14}{cells}")
    said.append(f"  {'finds that fit nothing listed, a frame':40} {'':14}{'all':>21} {'added':>21}")
    said += [f"  {'':34} {one.score:5.1f} {one.way:14}{_figure(one.a_frame):>21} {_figure(one.added):>21}" for one in report.false_finds]
    said.append(f"  {'commonest classes: true, found each way':44}")
    for kind, score in dict.fromkeys((one.kind, one.score) for one in report.classes):
        own = [one for one in report.classes if (one.kind, one.score) == (kind, score)]
        said.append(f"    {kind} {score:.1f}: " + ", ".join(f"{one.name} {_counts(one)}" for one in own))
    said.append("  processor ms a frame, one thread")
    for cost in report.cost:
        said.append(
            f"    {cost.way:14} {cost.cpu_ms:7.1f} ms = {cost.of_first_pass:.2f} of the first pass, {cost.crops_a_frame:.2f} crops a frame"
        )
    return said


def _counts(one: ClassRow) -> str:
    return (f"{one.true}: " if one.true else "") + "/".join(map(str, one.found))


def _figure(one: Interval, scale: float = 1.0) -> str:
    digits = 1 if scale == 100 else 3
    return f"{scale * one.value:.{digits}f} [{scale * one.low:.{digits}f}, {scale * one.high:.{digits}f}]"
