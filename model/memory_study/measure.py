"""What a head finds on held-out clips, apart for good and for bad views: relations by average precision and loss, names by accuracy.

S clips, F frames, B batch, N entity slots, Q pairs, K predicates, X pairs of all frames.
"""

import torch
from msgspec import Struct
from torch import Tensor

from model.calibrate import WARM_UP_FRAMES, mean_precision
from model.losses import PairTargets, pair_targets, relation_loss
from model.memory_study.clips import Worse, clips_at
from model.rollout import ClipSource, empty_state
from model.samples import Clip
from model.scene_head import Relations, SceneHead
from model.text import Prototypes

ALL = "all"
GROUPS = (ALL, "good view", "blurred frame", "faint", "cut", "cues lost", "any worse")
"""A pair belongs to a group by its frame, its person or its thing; the last one is the second one's opposite."""


class Group(Struct, frozen=True):
    """Figures of one group. `names` counts entities, not pairs."""

    pairs: int
    mean_average_precision: float
    loss: float
    names: int
    names_right: float
    detector_names_right: float


class _Tally:
    """What has been seen of one group so far."""

    def __init__(self) -> None:
        self.rows: list[tuple[Tensor, Tensor]] = []
        self.loss = self.pairs = 0.0
        self.right, self.names = torch.zeros(2), 0

    def add(self, found: Relations, pairs: PairTargets, probs_BQK: Tensor, allowed_CK: Tensor, of_BQ: Tensor) -> None:
        """The pairs of one frame of a batch that belong to the group."""
        inside = PairTargets(pairs.labels_BQK, pairs.known_BQ * of_BQ)
        count = float(inside.known_BQ.sum())
        self.loss, self.pairs = self.loss + count * float(relation_loss(found, inside, allowed_CK)), self.pairs + count
        self.rows.append((probs_BQK[inside.known_BQ > 0], pairs.labels_BQK[inside.known_BQ > 0]))

    def name(self, clip: Clip, found: Relations, of_BN: Tensor) -> None:
        """The entities of one frame of a batch that belong to the group."""
        of_BN = of_BN & (clip.targets.real_BN >= 0) & (clip.entities.scores_BN > 0)
        guesses = (found.name_logits_BNC, clip.entities.class_probs_BNC)
        self.right += torch.stack([(guess.argmax(2) == clip.targets.real_BN)[of_BN].float().sum() for guess in guesses])
        self.names += int(of_BN.sum())

    def group(self) -> Group:
        """All of it."""
        probs_XK, labels_XK = (torch.cat(rows) for rows in zip(*self.rows, strict=True))
        if not len(probs_XK):
            return Group(0, 0.0, 0.0, self.names, 0.0, 0.0)
        ours, detectors = (self.right / max(self.names, 1)).tolist()
        return Group(len(probs_XK), mean_precision(probs_XK, labels_XK), self.loss / self.pairs, self.names, ours, detectors)


@torch.no_grad()
def measure(head: SceneHead, prototypes: Prototypes, source: ClipSource, worse: Worse, *, torn: bool) -> dict[str, Group]:
    """Every group over the whole source, warm-up frames left out; torn clips have the very same frames, among strangers."""
    generator, tallies = torch.Generator().manual_seed(0), {name: _Tally() for name in GROUPS}
    for rows_B in source.batches(128, None):
        memory_BPD, counts_BP = empty_state(head, len(rows_B))
        for index in range(source.num_frames):
            at_B = clips_at(rows_B, index, source.num_clips, torn=torn)
            clip = source.frame(at_B, index, generator)
            found = head.relate(clip.entities, clip.aspect_B, memory_BPD, counts_BP, clip.dt_B, *prototypes)
            memory_BPD, counts_BP = found.memory_BPD, found.counts_BP
            if index < WARM_UP_FRAMES:
                continue
            pairs, probs_BQK = pair_targets(clip.targets, found), head.probabilities(found)
            for name, of_BN in _groups(clip, worse, at_B, index).items():
                of_BQ = of_BN.gather(1, found.proposals.person_BQ) | of_BN.gather(1, found.proposals.thing_BQ)
                if name == GROUPS[1]:
                    of_BQ = of_BN.gather(1, found.proposals.person_BQ) & of_BN.gather(1, found.proposals.thing_BQ)
                tallies[name].add(found, pairs, probs_BQK, head.allowed_CK, of_BQ)
                tallies[name].name(clip, found, of_BN)
    return {name: tally.group() for name, tally in tallies.items()}


def _groups(clip: Clip, worse: Worse, at_B: Tensor, index: int) -> dict[str, Tensor]:
    """Which entities belong to which group."""
    blurred_BN = clip.blurred_B.unsqueeze(1).expand_as(clip.entities.scores_BN)
    kinds = [blurred_BN, *(one_SFN[at_B, index] for one_SFN in (worse.faint_SFN, worse.cut_SFN, worse.cueless_SFN))]
    any_BN = torch.stack(kinds).any(0)
    return dict(zip(GROUPS, [torch.ones_like(any_BN), ~any_BN, *kinds, any_BN], strict=True))
