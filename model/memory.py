"""ProxMemory: what a stream has shown so far, one prototype per class and predicate, as a conjugate-Gaussian mean and its evidence.

The proximal step in time, m' = argmin kappa/2 |m - m_prev|^2 + sum a_l/2 |m - v_l|^2, with learned reliability and half-life per slot.
Evidence is integrated over the time between frames, so that the memory of a steady scene does not depend on the frame rate.
Knows no boxes and no vocabulary.

B batch, L tokens, P slots, D width.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EVIDENCE_PER_S = 30.0
"""Evidence that one fully reliable token adds in a second."""
HALF_TRUST = 0.5
"""Evidence at which memory and text prototype count equally."""
MAX_EVIDENCE = 64.0
MAX_DT_S = 10.0
START_HALF_LIFE_S = 8.0
START_SHARPNESS = 8.0
EPS = 1e-6


class ProxMemory(nn.Module):
    """Reads and writes a bank of P prototypes of width D. State per stream: means (P, D) and evidence counts (P); empty is all zeros."""

    def __init__(self, dim: int, num_slots: int) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out, self.write_value = (nn.Linear(dim, dim, bias=False) for _ in range(5))
        self.gate = nn.Linear(dim, 1)
        self.norm = nn.LayerNorm(dim)
        self.reliability = nn.Sequential(nn.Linear(dim, 64), nn.GELU(), nn.Linear(64, 1))
        self.half_life = nn.Parameter(torch.full((num_slots,), math.log(math.expm1(START_HALF_LIFE_S))))
        self._start_as_nearest_mean(dim)

    @torch.no_grad()
    def _start_as_nearest_mean(self, dim: int) -> None:
        """Before training a token attends to the prototypes nearest to it and reads their mean."""
        scale = math.sqrt(START_SHARPNESS * math.sqrt(dim))
        for layer, factor in ((self.query, scale), (self.key, scale), (self.value, 1.0), (self.out, 1.0), (self.write_value, 1.0)):
            layer.weight.copy_(torch.eye(dim) * factor)
        self.norm.weight.fill_(0.5 / math.sqrt(dim))

    def half_lives_s(self) -> Tensor:
        """Half-life of the evidence of every slot (P), in seconds."""
        return F.softplus(self.half_life) + 0.1

    def effective(self, text_PD: Tensor, memory_BPD: Tensor, counts_BP: Tensor) -> Tensor:
        """Prototypes in force: text where there is no evidence, memory where there is much."""
        trust_BP1 = (counts_BP / (counts_BP + HALF_TRUST)).unsqueeze(2)
        return (1.0 - trust_BP1) * text_PD + trust_BP1 * memory_BPD

    def attend(self, tokens_BLD: Tensor, effective_BPD: Tensor, kind_LP: Tensor) -> Tensor:
        """Attention of tokens to slots (B, L, P); `kind_LP` is 0 where a kind of token may use a slot and very negative elsewhere."""
        asked_BLD = self.query(tokens_BLD) @ self.key.weight
        score_BLP = asked_BLD @ effective_BPD.transpose(1, 2)
        return torch.softmax(score_BLP / math.sqrt(tokens_BLD.shape[2]) + kind_LP, dim=2)

    def read(self, tokens_BLD: Tensor, attention_BLP: Tensor, effective_BPD: Tensor) -> Tensor:
        """Tokens with what the memory adds to them."""
        heard_BLD = self.norm(self.out(self.value(attention_BLP @ effective_BPD)))
        read_BLD: Tensor = tokens_BLD + torch.sigmoid(self.gate(tokens_BLD)) * heard_BLD
        return read_BLD

    def weigh(self, read_BLD: Tensor, weights_BL: Tensor) -> Tensor:
        """Evidence of each token per unit of time: its given weight (0 for unused) times its learned reliability."""
        return weights_BL * torch.sigmoid(self.reliability(read_BLD)).squeeze(2)

    def write(
        self, values_BLD: Tensor, attention_BLP: Tensor, evidence_BL: Tensor, memory_BPD: Tensor, counts_BP: Tensor, dt_B: Tensor
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """New means and counts. No evidence leaves means alone and lets counts fall by exactly 2^(-dt / half-life)."""
        half_life_P = self.half_lives_s()
        kept_BP = torch.exp2(-dt_B.clamp(0.0, MAX_DT_S).unsqueeze(1) / half_life_P)
        span_BP = EVIDENCE_PER_S * half_life_P / math.log(2.0) * (1.0 - kept_BP)
        share_BLP = attention_BLP * evidence_BL.unsqueeze(2)
        mass_BP = share_BLP.sum(1)
        mean_BPD = share_BLP.transpose(1, 2) @ values_BLD / (mass_BP.unsqueeze(2) + EPS)
        prior_BP, added_BP = kept_BP * counts_BP, span_BP * mass_BP
        step_BP1 = (added_BP / (prior_BP + added_BP + EPS)).unsqueeze(2)
        return memory_BPD + step_BP1 * (mean_BPD - memory_BPD), (prior_BP + added_BP).clamp(max=MAX_EVIDENCE)

    def values(self, read_BLD: Tensor) -> Tensor:
        """What tokens write after reading: unit vectors, so that no mean ever grows beyond length one."""
        return F.normalize(self.write_value(read_BLD), dim=2)
