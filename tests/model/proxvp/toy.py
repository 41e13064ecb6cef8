"""A toy beside the scene head: random pairs for the convex problem, and a small network with a linear head on correlated clips.

X pairs, K predicates, E = D + 1, D width.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.losses import ATTENTION_WEIGHT
from model.proxvp.convex import Cells, Ridge, with_constant
from model.scene_head import FIRST_SPATIAL, SUPPORT
from model.vocabulary import MODERATION_V1

K = len(MODERATION_V1.predicates)
DIM = 12


def random_cells(count: int, seed: int = 0) -> Cells:
    """Unit embeddings with labels that follow from them, noisily; a third of the sigmoid cells is masked."""
    generator = torch.Generator().manual_seed(seed)
    embeddings_XD = F.normalize(torch.randn(count, DIM, generator=generator).double(), dim=1)
    truth_KD = 4.0 * torch.randn(K, DIM, generator=generator).double()
    logits_XK = embeddings_XD @ truth_KD.T - 1.0
    labels_XK = (torch.rand(count, K, generator=generator).double() < torch.sigmoid(logits_XK)).double()
    labels_XK[:, :FIRST_SPATIAL] = F.one_hot(logits_XK[:, :FIRST_SPATIAL].argmax(1), FIRST_SPATIAL).double()
    labels_XK[:, SUPPORT] = F.one_hot(F.pad(logits_XK[:, SUPPORT], (0, 1)).argmax(1), 4).double()[:, :3]
    weights_XK = (torch.rand(count, K, generator=generator) < 0.67).double()
    weights_XK[:, :FIRST_SPATIAL], weights_XK[:, SUPPORT] = ATTENTION_WEIGHT, 1.0
    return Cells(with_constant(embeddings_XD), labels_XK, weights_XK)


def ridge(lam: float = 1e-2, seed: int = 1) -> Ridge:
    """A random anchor."""
    generator = torch.Generator().manual_seed(seed)
    return Ridge(torch.randn(K, DIM + 1, generator=generator).double(), lam)


class Trunk(nn.Module):
    """Inputs to unit embeddings and a constant, in double precision."""

    def __init__(self, inputs: int, dim: int, hidden: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, dim)).double()

    def forward(self, inputs_XI: Tensor) -> Tensor:
        return with_constant(F.normalize(self.layers(inputs_XI), dim=1))


def hessian_of(function: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """The whole Hessian of a function of one row."""
    out: Tensor = torch.autograd.functional.hessian(function, at)  # type: ignore[no-untyped-call]
    return out
