"""The ways of remembering that are compared: each is a bank of prototypes, with or without episodes, on clips in order or torn apart.

B batch, L tokens, P slots, D width.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from model.memory import EPS, ProxMemory
from model.scene_head import SceneHead
from model.train import DIM, new_head
from model.vocabulary import MODERATION_V1

GAIN = 0.1
"""Share of the way that a fixed-gain mean goes in every frame."""


class NoBank(ProxMemory):
    """Forgets everything at once: every frame reads the text prototypes."""

    def write(
        self, values_BLD: Tensor, attention_BLP: Tensor, evidence_BL: Tensor, memory_BPD: Tensor, counts_BP: Tensor, dt_B: Tensor  # noqa: ARG002
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """An empty memory."""
        return torch.zeros_like(memory_BPD), torch.zeros_like(counts_BP)


class FixedGain(ProxMemory):
    """An exponential average of what each slot is shown, frame by frame: knows no evidence, no reliability and no clock."""

    def weigh(self, read_BLD: Tensor, weights_BL: Tensor) -> Tensor:  # noqa: ARG002
        """Every used token counts the same."""
        return (weights_BL > 0).to(weights_BL.dtype)

    def write(
        self, values_BLD: Tensor, attention_BLP: Tensor, evidence_BL: Tensor, memory_BPD: Tensor, counts_BP: Tensor, dt_B: Tensor  # noqa: ARG002
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """The counts only say how far a mean that began at nothing is from being one (0..1)."""
        share_BLP = attention_BLP * evidence_BL.unsqueeze(2)
        mass_BP1 = share_BLP.sum(1).unsqueeze(2)
        mean_BPD = share_BLP.transpose(1, 2) @ values_BLD / (mass_BP1 + EPS)
        after_BP = counts_BP + GAIN * (1.0 - counts_BP)
        step_BP1 = GAIN / after_BP.unsqueeze(2) * (mass_BP1 > EPS)
        return memory_BPD + step_BP1 * (mean_BPD - memory_BPD), after_BP


class NoReliability(ProxMemory):
    """ProxMemory that believes every token as far as its given weight."""

    def weigh(self, read_BLD: Tensor, weights_BL: Tensor) -> Tensor:  # noqa: ARG002
        """The given weight alone."""
        return weights_BL


BANKS: dict[str, type[ProxMemory]] = {"none": NoBank, "ema": FixedGain, "no_reliability": NoReliability, "prox": ProxMemory}


@dataclass(frozen=True, slots=True)
class Variant:
    """One row of the table. `torn`: every frame of a clip comes from another clip, in training and in the test."""

    bank: str
    episodes: bool = False
    torn: bool = False


VARIANTS = {
    "none": Variant("none"),
    "ema": Variant("ema"),
    "no_reliability": Variant("no_reliability"),
    "prox": Variant("prox"),
    "prox_shuffled": Variant("prox", torn=True),
    "episodes": Variant("none", episodes=True),
    "prox_episodes": Variant("prox", episodes=True),
    "episodes_shuffled": Variant("none", episodes=True, torn=True),
}
BASELINE = "none"


def head_of(variant: Variant, num_pairs: int, base: SceneHead | None = None) -> SceneHead:
    """An untrained head of a variant, or one that goes on from a base without memory."""
    head = SceneHead(DIM, len(MODERATION_V1.objects), len(MODERATION_V1.predicates), num_pairs, episodes=variant.episodes)
    head.memory = BANKS[variant.bank](DIM, head.num_prototypes)
    head.load_state_dict((base or new_head(num_pairs)).state_dict(), strict=False)
    return head
