"""The idea of PENet (Zheng et al., "Prototype-based Embedding Network for Scene Graph Generation", CVPR 2023), reimplemented.

Predicates are prototypes made from their words; a pair's relation vector is compared to them by cosine. It is made of subject and object
vectors s, o (each a class prototype plus what was seen, gated by the class): r = ReLU(s + o) - (s - o)^2, and what was seen of the pair.
Beside the common loss, vectors are pulled to their prototypes further than to the nearest wrong ones, and prototypes are kept apart.
Ours: trunk, boxes, multi-label losses by group, one bias a predicate (a cosine alone has no "none"). Theirs: one label a pair, pixels.

B batch, N entity slots, Q pairs, D width, K predicates, C object classes.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.entities import Entities
from model.losses import PairTargets
from model.proxvp.methods import AdamWCosine
from model.scene_head import FIRST_SPATIAL, PERSON, Relations, SceneHead

START_SCALE = 2.0
"""Logarithm of the first scale of a cosine."""
APART = 0.3
"""Cosine above which two prototypes push each other away."""
NEAREST_WRONG = 8
MARGIN = 0.5
SIMILARITY_WEIGHT, DISTANCE_WEIGHT = 0.2, 0.2


class PrototypeHead(SceneHead):
    """The trunk of SceneHead with matching to prototypes in place of the linear predicates."""

    def __init__(self, dim: int, num_classes: int, num_predicates: int, num_pairs: int) -> None:
        super().__init__(dim, num_classes, num_predicates, num_pairs)
        self.weight_delta.requires_grad_(False)
        self.word_subject, self.word_object, self.word_predicate = (nn.Linear(dim, dim, bias=False) for _ in range(3))
        self.seen_subject, self.seen_object, self.seen_pair = (nn.Linear(dim, dim) for _ in range(3))
        self.gates = nn.ModuleList(nn.Linear(2 * dim, dim) for _ in range(3))
        self.relation_norm = nn.LayerNorm(dim)
        self.to_space = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, dim))
        self.scale = nn.Parameter(torch.tensor(START_SCALE))

    def prototypes(self, predicates_KD: Tensor) -> Tensor:
        """Unit prototypes of the predicates (K, D)."""
        return F.normalize(self.to_space(self.word_predicate(predicates_KD)), dim=1)

    def vectors(self, found: Relations, objects_CD: Tensor) -> Tensor:
        """Unit relation vectors of the proposed pairs (B, Q, D)."""
        pair_BQD = found.embeddings_BQD
        person_BQD = self.word_subject(objects_CD[PERSON]).expand_as(pair_BQD)
        thing_BQD = self.word_object(found.thing_class_BQC @ objects_CD)
        subject_BQD = self._gated(0, person_BQD, self.seen_subject(pair_BQD))
        object_BQD = self._gated(1, thing_BQD, self.seen_object(pair_BQD))
        joint_BQD = F.relu(subject_BQD + object_BQD) - (subject_BQD - object_BQD).square()
        relation_BQD = self._gated(2, joint_BQD, self.seen_pair(pair_BQD))
        return F.normalize(self.to_space(self.relation_norm(relation_BQD)), dim=2)

    def relate(
        self,
        entities: Entities,
        aspect_B: Tensor,
        memory_BPD: Tensor,
        counts_BP: Tensor,
        dt_B: Tensor,
        object_prototypes_CD: Tensor,
        predicate_prototypes_KD: Tensor,
    ) -> Relations:
        """The trunk's pairs, read by matching; `embeddings_BQD` are then the relation vectors."""
        found = super().relate(entities, aspect_B, memory_BPD, counts_BP, dt_B, object_prototypes_CD, predicate_prototypes_KD)
        vectors_BQD = self.vectors(found, object_prototypes_CD)
        cosine_BQK = vectors_BQD @ self.prototypes(predicate_prototypes_KD).T
        return found._replace(logits_BQK=self.scale.exp() * cosine_BQK + self.bias, embeddings_BQD=vectors_BQD)

    def _gated(self, index: int, word_BQD: Tensor, seen_BQD: Tensor) -> Tensor:
        """What the word says, plus what was seen as far as the word asks for it."""
        gate_BQD = torch.sigmoid(self.gates[index](torch.cat([word_BQD, seen_BQD], 2)))
        mixed: Tensor = word_BQD + gate_BQD * seen_BQD
        return mixed


class PrototypeMatching(AdamWCosine):
    """Trains a PrototypeHead with the two further losses."""

    def extra_loss(self, found: Relations, targets: PairTargets) -> Tensor:
        """Prototypes apart, and vectors nearer to their own than to wrong ones."""
        assert isinstance(self.head, PrototypeHead)
        prototypes_KD = self.head.prototypes(self.prototypes.predicates_KD)
        known_BQ = targets.known_BQ > 0
        near = nearness_loss(found.embeddings_BQD[known_BQ], targets.labels_BQK[known_BQ], prototypes_KD)
        return SIMILARITY_WEIGHT * apart_loss(prototypes_KD) + DISTANCE_WEIGHT * near


def apart_loss(prototypes_KD: Tensor) -> Tensor:
    """How far cosines between different prototypes exceed APART, mean over pairs of prototypes."""
    cosine_KK = prototypes_KD @ prototypes_KD.T
    off_KK = 1.0 - torch.eye(len(cosine_KK))
    return (F.relu(cosine_KK - APART) * off_KK).sum() / off_KK.sum()


def nearness_loss(vectors_XD: Tensor, labels_XK: Tensor, prototypes_KD: Tensor) -> Tensor:
    """Hinge between the squared distance to each true place or contact and the mean of those to the nearest wrong ones."""
    distance_XK = 2.0 - 2.0 * vectors_XD @ prototypes_KD.T
    true_XK = labels_XK[:, FIRST_SPATIAL:] > 0
    distance_XK = distance_XK[:, FIRST_SPATIAL:]
    wrong_XK = distance_XK.masked_fill(true_XK, 4.0)
    nearest_X = wrong_XK.topk(NEAREST_WRONG, dim=1, largest=False).values.mean(1)
    each_XK = F.relu(distance_XK - nearest_X[:, None] + MARGIN) * true_XK
    return each_XK.sum() / true_XK.sum().clamp(min=1)
