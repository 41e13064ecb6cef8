"""The geometry term: pair embeddings stay near mixtures of predicate prototypes, and class means keep the prototypes' angles. Soft.

alpha (1 - cos(h, T^T softmax(T h / tau))) + beta |Gram(class means) - Gram(T)|^2 / K^2. As a hard projection it was a bottleneck in trials.
X pairs, K predicates, Z of them seen, D width.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

ALPHA, BETA, TAU = 0.02, 0.02, 0.1


def geometry_term(embeddings_XD: Tensor, labels_XK: Tensor, prototypes_KD: Tensor) -> Tensor:
    """One number; predicates that occur in no pair have no mean and are left out."""
    if not len(embeddings_XD):
        return embeddings_XD.sum()
    mixture_XD = torch.softmax(embeddings_XD @ prototypes_KD.T / TAU, 1) @ prototypes_KD
    apart = (1.0 - F.cosine_similarity(embeddings_XD, mixture_XD, dim=1)).mean()
    seen_K = labels_XK.sum(0) > 0
    means_ZD, text_ZD = F.normalize(labels_XK.T[seen_K] @ embeddings_XD, dim=1), prototypes_KD[seen_K]
    gram_ZZ = means_ZD @ means_ZD.T - text_ZD @ text_ZD.T
    return ALPHA * apart + BETA * gram_ZZ.square().sum() / len(prototypes_KD) ** 2
