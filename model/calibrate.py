"""How good a head is on held-out clips, drawn or rendered, where each predicate's operating threshold lies and whether it is published.

The rule: a predicate is published if on the clips that thresholds come from (held out from training, never those that are reported)
its precision at the threshold reaches its aim on enough finds; states that mean "nothing" never are. Only pairs that a product would
publish count, and what it would call by a wrong name is wrong. Knows no training.

X pairs of all frames, K predicates, B batch, Q proposed pairs, N entity slots.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from model.evaluation.operating import SURE_ENTITY
from model.losses import pair_targets
from model.rollout import ClipSource
from model.samples import Clip
from model.scene_head import Relations, SceneHead
from model.slot_truth import GROUP_C
from model.text import Prototypes
from model.vocabulary import MODERATION_V1, NULL_PREDICATES

AIMED_PRECISION = 0.85
AIMED_INSTEAD = dict.fromkeys(("holding", "touching", "leaning_on", "above", "in_front_of", "behind", "on_the_side_of"), 0.75)
"""What hands do and where things are, against what carries or clothes a person. A threshold is the centre of the relation filter, which
asks for evidence beyond it for some time: single frames may be less precise than what is published in the end."""
FEWEST_FOUND = 20
"""Finds above a threshold without which its precision means nothing."""
LOWEST_THRESHOLD = 0.35
HIGHEST_THRESHOLD = 0.95
WARM_UP_FRAMES = 3
"""Frames at the start of a clip that no figure counts: the memory is empty there."""


@dataclass(frozen=True, slots=True)
class Observed:
    """Published probabilities and truth of every proposed pair of held-out frames, and how often names were right.

    `sure_X`: both ends have the score from which a product publishes; `named_X`: the thing is called by a name of its group.
    """

    probs_XK: Tensor
    labels_XK: Tensor
    blurred_X: Tensor
    sure_X: Tensor
    named_X: Tensor
    names_right: float
    detector_names_right: float


@dataclass(frozen=True, slots=True)
class Score:
    """One predicate on the held-out clips `measured_on`: `found` pairs reach the threshold, of them `precision` rightly. Average
    precision is over all pairs, the rest over those whose ends are sure."""

    name: str
    published: bool
    threshold: float
    average_precision: float
    precision: float
    recall: float
    positives: int
    found: int = 0
    measured_on: str = ""


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
        self._rows: list[tuple[Tensor, ...]] = []
        self._right, self._total = torch.zeros(2), 0

    def add(self, clip: Clip, found: Relations, probs_BQK: Tensor) -> None:
        """One frame of a batch."""
        pairs = pair_targets(clip.targets, found)
        known_BQ = pairs.known_BQ > 0
        blurred_BQ = clip.blurred_B.unsqueeze(1).expand_as(known_BQ)
        columns = (probs_BQK, pairs.labels_BQK, blurred_BQ, *_publishable(clip, found))
        self._rows.append(tuple(column[known_BQ] for column in columns))
        named_BN = (clip.targets.real_BN >= 0) & (clip.entities.scores_BN > 0)
        guesses = (found.name_logits_BNC, clip.entities.class_probs_BNC)
        self._right += torch.stack([(guess.argmax(2) == clip.targets.real_BN)[named_BN].float().sum() for guess in guesses])
        self._total += int(named_BN.sum())

    def observed(self) -> Observed:
        """All of it."""
        probs_XK, labels_XK, blurred_X, sure_X, named_X = (torch.cat(parts) for parts in zip(*self._rows, strict=True))
        ours, detectors = (self._right / max(self._total, 1)).tolist()
        return Observed(probs_XK, labels_XK, blurred_X, sure_X, named_X, ours, detectors)


def _publishable(clip: Clip, found: Relations) -> tuple[Tensor, Tensor]:
    """(B, Q) twice: whether both ends of each proposed pair are sure, and whether its thing has a name of the right group."""
    entities, group_C = clip.entities, torch.from_numpy(GROUP_C)
    person_BQ, thing_BQ = found.proposals.person_BQ, found.proposals.thing_BQ
    lower_BQ = torch.minimum(entities.scores_BN.gather(1, person_BQ), entities.scores_BN.gather(1, thing_BQ))
    real_BN = clip.targets.real_BN
    right_BN = (real_BN >= 0) & (group_C[entities.class_probs_BNC.argmax(2)] == group_C[real_BN.clamp(min=0)])
    return lower_BQ >= SURE_ENTITY, right_BN.gather(1, thing_BQ)


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


def score(sets: Mapping[str, Observed]) -> tuple[Score, ...]:
    """Every predicate at its own operating threshold, in the order of the vocabulary.

    A predicate's threshold and figures come from the first of the sets on which it can be published, else from the last.
    """
    return tuple(_score(row, name, sets) for row, name in enumerate(MODERATION_V1.predicates))


def _score(row: int, name: str, sets: Mapping[str, Observed]) -> Score:
    found = [_score_on(row, name, title, observed) for title, observed in sets.items()]
    return next((one for one in found if one.published), found[-1])


def _score_on(row: int, name: str, title: str, observed: Observed) -> Score:
    aim = AIMED_INSTEAD.get(name, AIMED_PRECISION)
    threshold = choose_threshold(*publishable(observed, row), aim=aim)
    precision, recall, positives, found = at_threshold(observed, row, threshold)
    published = name not in NULL_PREDICATES and precision >= aim and found >= FEWEST_FOUND
    quality = average_precision(observed.probs_XK[:, row], observed.labels_XK[:, row])
    return Score(name, published, threshold, quality, precision, recall, positives, found, title)


def at_threshold(observed: Observed, row: int, threshold: float) -> tuple[float, float, int, int]:
    """Precision and recall of one predicate, how often it is true and how often it is said, among what can be published."""
    probs_X, labels_X = publishable(observed, row)
    chosen_X = probs_X >= threshold
    hits, positives, found = float(labels_X[chosen_X].sum()), int(labels_X.sum()), int(chosen_X.sum())
    return hits / max(found, 1), hits / max(positives, 1), positives, found


def publishable(observed: Observed, row: int) -> tuple[Tensor, Tensor]:
    """Probabilities and truth of one predicate over the pairs whose ends are sure; under a wrong name nothing is true."""
    sure_X = observed.sure_X
    return observed.probs_XK[sure_X, row], (observed.labels_XK[:, row] * observed.named_X)[sure_X]


def only_blurred(observed: Observed) -> Observed:
    """The part that comes from blurred frames."""
    at_X = observed.blurred_X
    columns = {name: getattr(observed, name)[at_X] for name in ("probs_XK", "labels_XK", "blurred_X", "sure_X", "named_X")}
    return replace(observed, **columns)


def mean_average_precision(observed: Observed) -> float:
    """Over the predicates that occur."""
    return mean_precision(observed.probs_XK, observed.labels_XK)


def mean_precision(probs_XK: Tensor, labels_XK: Tensor) -> float:
    """The mean over predicates that occur of their average precision."""
    rows = [row for row in range(labels_XK.shape[1]) if labels_XK[:, row].sum() > 0]
    return sum(average_precision(probs_XK[:, row], labels_XK[:, row]) for row in rows) / len(rows)
