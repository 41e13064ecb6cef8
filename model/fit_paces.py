"""How fast belief in each predicate should come and go: fitted on training clips, then compared with simpler filters. Knows no service.

S relations followed over F frames, K predicates. A relation is a (person, thing) pair that the head saw in a clip.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from tqdm import tqdm

from model.belief import BeliefFilter, Floats, Pace, bounded, holds
from model.losses import Targets, pair_targets
from model.rollout import empty_state
from model.samples import Samples
from model.scene_head import Relations, SceneHead
from model.text import Prototypes

Bools = npt.NDArray[np.bool_]

PRIOR_PACE = Pace()
PRIOR_STAYS = 5.0
"""How many stays of the default length count beside those that were seen."""
SHORTEST_S, LONGEST_ON_S, LONGEST_OFF_S = 1.0, 10.0, 30.0
"""Stays longer than the clips that teach them cannot be told from one another."""
EVIDENCE_S = (0.08, 0.14, 0.25, 0.4, 0.7, 1.2)
MIN_ON_FRAMES = 200
MAX_FLICKER = 1.5
MIN_RECALL = 0.01
"""Predicates that hold in fewer frames keep the default pace."""
BATCH = 64


@dataclass(frozen=True, slots=True)
class Followed:
    """Relations over time: what the head said, whether it saw the pair, what was true, and seconds since the frame before."""

    probs_SFK: Floats
    seen_SF: Bools
    true_SFK: Bools
    dt_SF: Floats

    def only(self, k: int) -> "Followed":
        """One predicate alone."""
        return Followed(self.probs_SFK[..., k : k + 1], self.seen_SF, self.true_SFK[..., k : k + 1], self.dt_SF)


@dataclass(frozen=True, slots=True)
class FilterFigures:
    """What a filter publishes against the truth, over seen frames. `flicker` is published changes per true change; delays are of the true
    spells that were found before they ended, of `spells` in all."""

    precision: float
    recall: float
    f1: float
    flicker: float
    spells: int
    found: int
    delay_median_s: float
    delay_p95_s: float


@torch.no_grad()
def follow(head: SceneHead, prototypes: Prototypes, samples: Samples, seed: int = 0) -> Followed:
    """Run the head over clips frame by frame and line its pairs up by entity slots, which are identities in the box world."""
    generator = torch.Generator().manual_seed(seed)
    parts = []
    for rows_B in tqdm(samples.batches(BATCH, None), desc="following relations", unit="batch"):
        state = empty_state(head, len(rows_B))
        memory, counts, frames, times = state.memory_BPD, state.counts_BP, [], []
        for index in range(samples.num_frames):
            clip = samples.frame(rows_B, index, generator)
            found = head.relate(clip.entities, clip.aspect_B, memory, counts, clip.dt_B, *prototypes)
            memory, counts = found.memory_BPD, found.counts_BP
            frames.append(_by_cells(found, head.probabilities(found), clip.targets))
            times.append(clip.dt_B)
        parts.append(_followed(frames, torch.stack(times, 1)))
    return Followed(*(np.concatenate([getattr(part, name) for part in parts]) for name in Followed.__slots__))


def _by_cells(found: Relations, probs_BQK: Tensor, targets: Targets) -> tuple[Tensor, Tensor, Tensor]:
    """Pairs scattered to cells (person slot, thing slot): probabilities, truth, and whether the cell was seen."""
    num_people, num_slots = targets.labels_BNNK.shape[1:3]
    truth = pair_targets(targets, found)
    known_BQ = truth.known_BQ > 0
    cell_BQ = torch.where(known_BQ, found.proposals.person_BQ * num_slots + found.proposals.thing_BQ, num_people * num_slots)
    values_BQV = torch.cat([probs_BQK, truth.labels_BQK, truth.known_BQ.unsqueeze(2)], 2)
    cells_BXV = torch.zeros(len(cell_BQ), num_people * num_slots + 1, values_BQV.shape[2])
    cells_BXV.scatter_(1, cell_BQ.unsqueeze(2).expand_as(values_BQV), values_BQV)
    width = probs_BQK.shape[2]
    return cells_BXV[:, :-1, :width], cells_BXV[:, :-1, width : 2 * width], cells_BXV[:, :-1, -1]


def _followed(frames: list[tuple[Tensor, Tensor, Tensor]], dt_BF: Tensor) -> Followed:
    """Cells that were seen in at least half of the frames, each a relation of its own."""
    probs_BFXK, true_BFXK, seen_BFX = (torch.stack([frame[part] for frame in frames], 1) for part in range(3))
    clip_S, cell_S = (seen_BFX.mean(1) >= 0.5).nonzero(as_tuple=True)
    return Followed(
        probs_BFXK[clip_S, :, cell_S].numpy(),
        (seen_BFX[clip_S, :, cell_S] > 0).numpy(),
        (true_BFXK[clip_S, :, cell_S] > 0).numpy(),
        dt_BF[clip_S].numpy(),
    )


def fit_paces(followed: Followed, thresholds: Sequence[float], aimed_precision: float) -> tuple[Pace, ...]:
    """For each predicate the lengths of its stays, then the evidence time that finds most at the aimed precision, around its threshold.

    The least log loss chose slow evidence and found less at the same precision (model/LOG.md)."""
    on_K, off_K = _stays(followed)
    known_K = (followed.true_SFK & followed.seen_SF[..., None]).sum((0, 1)) >= MIN_ON_FRAMES
    rows = tqdm(range(len(on_K)), desc="fitting paces", unit="predicate")
    return tuple(
        _fit_one(followed.only(k), thresholds[k], (float(on_K[k]), float(off_K[k])), aimed_precision) if known_K[k] else PRIOR_PACE
        for k in rows
    )


def _stays(followed: Followed) -> tuple[Floats, Floats]:
    """Mean seconds that each predicate holds and stays away (K), exponential with clips' ends censored, with a prior and within bounds."""
    now, before = slice(1, None), slice(None, -1)
    both_SFK = (followed.seen_SF[:, now] & followed.seen_SF[:, before])[..., None]
    was_SFK, is_SFK = followed.true_SFK[:, before], followed.true_SFK[:, now]
    stays = []
    for state_SFK, default_s, longest_s in ((was_SFK, PRIOR_PACE.on_s, LONGEST_ON_S), (~was_SFK, PRIOR_PACE.off_s, LONGEST_OFF_S)):
        seconds_K = (followed.dt_SF[:, now, None] * (both_SFK & state_SFK)).sum((0, 1))
        ends_K = (both_SFK & state_SFK & (is_SFK != was_SFK)).sum((0, 1))
        stays.append(((seconds_K + PRIOR_STAYS * default_s) / (ends_K + PRIOR_STAYS)).clip(SHORTEST_S, longest_s).round(2))
    return stays[0], stays[1]


def _fit_one(one: Followed, threshold: float, stays_s: tuple[float, float], aimed_precision: float) -> Pace:
    """The highest recall among those precise and steady enough; where none is, the most precise that publishes anything."""
    trials = [Pace(*stays_s, evidence_s) for evidence_s in EVIDENCE_S]
    figures = [compare(one, switched(beliefs(one, BeliefFilter([threshold], [pace])))) for pace in trials]
    steady = [row for row, figure in enumerate(figures) if figure.flicker <= MAX_FLICKER and figure.recall > MIN_RECALL]
    good = [row for row in steady if figures[row].precision >= aimed_precision]
    if good:
        return trials[max(good, key=lambda row: figures[row].recall)]
    return trials[max(steady, key=lambda row: figures[row].precision)] if steady else PRIOR_PACE


def beliefs(followed: Followed, belief_filter: BeliefFilter) -> Floats:
    """Log-odds (S, F, K) after each frame."""
    odds_SK = np.broadcast_to(belief_filter.start_K, followed.probs_SFK[:, 0].shape)
    steps = []
    for index in range(followed.probs_SFK.shape[1]):
        dt_S1 = followed.dt_SF[:, index, None]
        said_SK = belief_filter.evidence(followed.probs_SFK[:, index], dt_S1) * followed.seen_SF[:, index, None]
        odds_SK = bounded(belief_filter.passed(odds_SK, dt_S1) + said_SK)
        steps.append(odds_SK)
    return np.stack(steps, 1)


def switched(odds_SFK: Floats) -> Bools:
    """The states (S, F, K) that hysteresis makes of beliefs."""
    held_SK = np.zeros(odds_SFK[:, 0].shape, np.bool_)
    states = []
    for index in range(odds_SFK.shape[1]):
        held_SK = holds(odds_SFK[:, index], held_SK)
        states.append(held_SK)
    return np.stack(states, 1)


def averaged(followed: Followed, tau_s: float) -> Floats:
    """Exponential averages (S, F, K) of the probabilities, the plain rival of the filter."""
    mean_SK = followed.probs_SFK[:, 0] * followed.seen_SF[:, 0, None]
    steps = [mean_SK]
    for index in range(1, followed.probs_SFK.shape[1]):
        share_SK = (1.0 - np.exp(-followed.dt_SF[:, index, None] / tau_s)) * followed.seen_SF[:, index, None]
        mean_SK = mean_SK + share_SK * (followed.probs_SFK[:, index] - mean_SK)
        steps.append(mean_SK)
    return np.stack(steps, 1)


def compare(followed: Followed, states_SFK: Bools) -> FilterFigures:
    """Published states against true ones, all predicates pooled."""
    seen_SF1, true_SFK = followed.seen_SF[..., None], followed.true_SFK
    hits = int((states_SFK & true_SFK & seen_SF1).sum())
    said, held = int((states_SFK & seen_SF1).sum()), int((true_SFK & seen_SF1).sum())
    precision, recall = hits / max(said, 1), hits / max(held, 1)
    delays = _delays(true_SFK, states_SFK, np.cumsum(followed.dt_SF, 1))
    found = delays[np.isfinite(delays)]
    median_s, p95_s = np.quantile(found, [0.5, 0.95]) if len(found) else (np.nan, np.nan)
    f1 = 2 * precision * recall / max(precision + recall, 1e-9)
    flicker = _changes(states_SFK) / max(_changes(true_SFK), 1)
    return FilterFigures(precision, recall, f1, flicker, len(delays), len(found), float(median_s), float(p95_s))


def _changes(states_SFK: Bools) -> int:
    return int((states_SFK[:, 1:] != states_SFK[:, :-1]).sum()) + int(states_SFK[:, 0].sum())


def _delays(true_SFK: Bools, said_SFK: Bools, times_SF: Floats) -> Floats:
    """Seconds from the start of every true spell to its first publication within it; infinite where there is none."""
    num_frames = true_SFK.shape[1]
    padded_SFK = np.pad(true_SFK, ((0, 0), (1, 1), (0, 0)))
    starts = np.argwhere((padded_SFK[:, 1:] & ~padded_SFK[:, :-1]).transpose(0, 2, 1))
    ends = np.argwhere((padded_SFK[:, :-1] & ~padded_SFK[:, 1:]).transpose(0, 2, 1))
    frame_SFK = np.where(said_SFK, np.arange(num_frames)[None, :, None], num_frames)
    next_SFK = np.minimum.accumulate(frame_SFK[:, ::-1], 1)[:, ::-1]
    s, k, start = starts.T
    first = next_SFK[s, start, k]
    late = times_SF[s, first.clip(max=num_frames - 1)] - times_SF[s, start]
    return np.where(first < ends[:, 2], late, np.inf)
