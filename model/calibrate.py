"""How good a head is on held-out clips, drawn or rendered, where each predicate's operating threshold lies and whether it is published.

The rule: a predicate is published if on the clips that thresholds come from (held out from training, never those that are reported)
its precision at the threshold reaches its aim on enough finds; states that mean "nothing" never are. Knows no training.

X pairs of all frames, K predicates, B batch.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from model.losses import pair_targets
from model.rollout import ClipSource
from model.samples import Clip
from model.scene_head import Relations, SceneHead
from model.text import Prototypes
from model.vocabulary import MODERATION_V1, NULL_PREDICATES

AIMED_PRECISION = 0.85
AIMED_INSTEAD = {"holding": 0.75, "in_front_of": 0.9, "behind": 0.8, "on_the_side_of": 0.8, "touching": 0.75, "leaning_on": 0.75}
"""A threshold is the centre of the relation filter, which asks for evidence beyond it for some time: single frames may be less precise
than what is published in the end. in_front_of at .85 named a plant beside a couch (LOG.md, 2026-11-23)."""
FEWEST_FOUND = 20
"""Finds above a threshold without which its precision means nothing."""
LOWEST_THRESHOLD = 0.5
LOWEST_INSTEAD = {"beneath": 0.7, "in_front_of": 0.6, "holding": 0.55, "sitting_on": 0.6}
"""beneath below .7 found tables under pupils (LOG.md, 2026-11-23). What is rare is rarely sure: there precision decides alone."""
HIGHEST_THRESHOLD = 0.95
WARM_UP_FRAMES = 3
"""Frames at the start of a clip that no figure counts: the memory is empty there."""


@dataclass(frozen=True, slots=True)
class Observed:
    """Published probabilities and truth of every proposed pair of held-out frames, and how often names were right."""

    probs_XK: Tensor
    labels_XK: Tensor
    blurred_X: Tensor
    names_right: float
    detector_names_right: float


@dataclass(frozen=True, slots=True)
class Score:
    """One predicate on held-out clips: `found` pairs reach the threshold, of them `precision` rightly."""

    name: str
    published: bool
    threshold: float
    average_precision: float
    precision: float
    recall: float
    positives: int
    found: int = 0


@torch.no_grad()
def observe(head: SceneHead, prototypes: Prototypes, *sets: ClipSource, use_memory: bool = True, seed: int = 0) -> Observed:
    """Run the clips of all sets frame by frame; without memory every frame starts empty."""
    generator = torch.Generator().manual_seed(seed)
    tally = _Tally()
    for samples in sets:
        for rows_B in samples.batches(128, None):
            state = _empty(head, len(rows_B))
            for index in range(samples.num_frames):
                clip = samples.frame(rows_B, index, generator)
                found = head.relate(clip.entities, clip.aspect_B, *state, clip.dt_B, *prototypes)
                state = (found.memory_BPD, found.counts_BP) if use_memory else state
                if index >= WARM_UP_FRAMES or samples.num_frames <= WARM_UP_FRAMES:
                    tally.add(clip, found, head.probabilities(found))
    return tally.observed()


class _Tally:
    """What has been seen so far."""

    def __init__(self) -> None:
        self._rows: list[tuple[Tensor, Tensor, Tensor]] = []
        self._right, self._total = torch.zeros(2), 0

    def add(self, clip: Clip, found: Relations, probs_BQK: Tensor) -> None:
        """One frame of a batch."""
        pairs = pair_targets(clip.targets, found)
        known_BQ = pairs.known_BQ > 0
        blurred_BQ = clip.blurred_B.unsqueeze(1).expand_as(known_BQ)
        self._rows.append((probs_BQK[known_BQ], pairs.labels_BQK[known_BQ], blurred_BQ[known_BQ]))
        named_BN = (clip.targets.real_BN >= 0) & (clip.entities.scores_BN > 0)
        guesses = (found.name_logits_BNC, clip.entities.class_probs_BNC)
        self._right += torch.stack([(guess.argmax(2) == clip.targets.real_BN)[named_BN].float().sum() for guess in guesses])
        self._total += int(named_BN.sum())

    def observed(self) -> Observed:
        """All of it."""
        probs, labels, blurred = zip(*self._rows, strict=True)
        return Observed(torch.cat(probs), torch.cat(labels), torch.cat(blurred), *(self._right / max(self._total, 1)).tolist())


def _empty(head: SceneHead, count: int) -> tuple[Tensor, Tensor]:
    dim = head.weight_delta.shape[1]
    return torch.zeros(count, head.num_slots, dim), torch.zeros(count, head.num_slots)


def average_precision(probs_X: Tensor, labels_X: Tensor) -> float:
    """Mean precision over the ranks of the positives; 0 where there are none."""
    positives = int(labels_X.sum())
    if positives == 0:
        return 0.0
    ranked_X = labels_X[probs_X.argsort(descending=True, stable=True)]
    precision_X = ranked_X.cumsum(0) / torch.arange(1, len(ranked_X) + 1)
    return float((precision_X * ranked_X).sum() / positives)


def choose_threshold(
    probs_X: Tensor, labels_X: Tensor, lowest: float = LOWEST_THRESHOLD, aim: float = AIMED_PRECISION, fewest: int = FEWEST_FOUND
) -> float:  # fmt: skip
    """The lowest threshold of at least `lowest` that holds the aimed precision on at least `fewest` finds; the highest where none does."""
    for hundredths in range(round(100 * lowest), round(100 * HIGHEST_THRESHOLD) + 1):
        chosen_X = probs_X >= hundredths / 100
        if int(chosen_X.sum()) >= fewest and float(labels_X[chosen_X].mean()) >= aim:
            return hundredths / 100
    return HIGHEST_THRESHOLD


def score(measured: Observed, chosen_on: Observed | None = None) -> tuple[Score, ...]:
    """Every predicate at its own operating threshold, in the order of the vocabulary.

    Thresholds, and what is published, come from `chosen_on` where it is given; the figures always from `measured`.
    """
    basis = measured if chosen_on is None else chosen_on
    return tuple(_score(row, name, measured, basis) for row, name in enumerate(MODERATION_V1.predicates))


def _score(row: int, name: str, measured: Observed, basis: Observed) -> Score:
    lowest, aim = LOWEST_INSTEAD.get(name, LOWEST_THRESHOLD), AIMED_INSTEAD.get(name, AIMED_PRECISION)
    threshold = choose_threshold(basis.probs_XK[:, row], basis.labels_XK[:, row], lowest, aim)
    reached, _, found_there = _at(basis, row, threshold)
    published = name not in NULL_PREDICATES and reached >= aim and found_there >= FEWEST_FOUND
    precision, recall, found = _at(measured, row, threshold)
    labels_X = measured.labels_XK[:, row]
    quality = average_precision(measured.probs_XK[:, row], labels_X)
    return Score(name, published, threshold, quality, precision, recall, int(labels_X.sum()), found)


def _at(observed: Observed, row: int, threshold: float) -> tuple[float, float, int]:
    """Precision, recall and number of finds of one predicate."""
    labels_X, chosen_X = observed.labels_XK[:, row], observed.probs_XK[:, row] >= threshold
    hits, found = float(labels_X[chosen_X].sum()), int(chosen_X.sum())
    return hits / max(found, 1), hits / max(int(labels_X.sum()), 1), found


def only_blurred(observed: Observed) -> Observed:
    """The part that comes from blurred frames."""
    at_X = observed.blurred_X
    return replace(observed, probs_XK=observed.probs_XK[at_X], labels_XK=observed.labels_XK[at_X], blurred_X=at_X[at_X])


def mean_average_precision(observed: Observed) -> float:
    """Over the predicates that occur."""
    rows = [row for row in range(observed.labels_XK.shape[1]) if observed.labels_XK[:, row].sum() > 0]
    return sum(average_precision(observed.probs_XK[:, row], observed.labels_XK[:, row]) for row in rows) / len(rows)
