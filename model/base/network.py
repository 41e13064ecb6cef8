"""The whole `base` network as one pure function, with the inputs and outputs of `nano`. Knows no file, no stream and no clock.

Towers and decoder compute in the precision of their own weights, the scene head in that of memory and prototypes: either may be halved.

B batch, H W canvas, N entity slots, Q queries, C object classes, K predicates, P memory slots, D embedding,
4 = (x0, y0, x1, y1) as fractions of the canvas.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.appearance import average_boxes
from model.base.decoder import Decoder, Found
from model.base.size import Size
from model.base.vit import ImageTower
from model.entities import Cues, Entities
from model.image_heads.cue_head import CUE_WIDTHS, MIN_PERSON, NUM_HANDS
from model.nano import Outputs, aspect
from model.scene_head import PERSON, SceneHead, take
from model.suppression import MIN_SCORE, NUM_ENTITIES

REACH = 1.5
"""Where a hand may be: within so many times the person's box, about its middle."""


class QueryCues(nn.Module):
    """What a query has seen of a person's hands, gaze, face and posture, as `Cues`."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, sum(CUE_WIDTHS[:-1])))

    def forward(self, queries_BND: Tensor, boxes_BN4: Tensor, people_BN: Tensor) -> Cues:
        """`people_BN` is score times chance of being a person: below `MIN_PERSON` nobody looks."""
        palms, seen, contact, gaze, face, posture = torch.split(self.layers(queries_BND), CUE_WIDTHS[:-1], 2)
        known_BN1 = (people_BN > MIN_PERSON).to(palms.dtype).unsqueeze(2)
        low_BN12, high_BN12 = boxes_BN4[..., None, :2], boxes_BN4[..., None, 2:]
        offset_BNH2 = REACH * (torch.sigmoid(palms).reshape(*palms.shape[:2], NUM_HANDS, 2) - 0.5)
        palms_BNH2 = (low_BN12 + high_BN12) / 2 + offset_BNH2 * (high_BN12 - low_BN12)
        return Cues(
            palms_BNH2 * known_BN1.unsqueeze(3),
            torch.sigmoid(seen) * known_BN1,
            torch.sigmoid(contact) * known_BN1,
            F.normalize(gaze, dim=2) * known_BN1,
            (torch.sigmoid(face) * known_BN1).squeeze(2),
            torch.softmax(posture, 2) * known_BN1,
            known_BN1.squeeze(2),
        )


class BaseDetector(nn.Module):
    """Pixels to the things of a frame: image tower, decoder, cues. The part that a checkpoint keeps as its detector."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        if size.queries < NUM_ENTITIES:
            raise ValueError(f"a decoder has at least {NUM_ENTITIES} queries, one for each entity slot, got {size.queries}")
        self.image, self.decoder, self.cues = ImageTower(size), Decoder(size), QueryCues(size.dim)

    def forward(self, images_BHW3: Tensor, object_prototypes_CD: Tensor) -> Entities:
        """The N surest things of each frame, best first; an unused slot is all zeros."""
        found: Found = self.decoder(self.image(images_BHW3), object_prototypes_CD)
        probs_BQC = torch.sigmoid(found.logits_BQC)
        scores_BN, rows_BN = probs_BQC.amax(2).topk(NUM_ENTITIES, dim=1)
        scores_BN = torch.where(scores_BN >= MIN_SCORE, scores_BN, 0.0)
        used_BN1 = (scores_BN > 0).unsqueeze(2).to(scores_BN.dtype)
        boxes_BN4, probs_BNC = take(found.boxes_BQ4, rows_BN) * used_BN1, take(probs_BQC, rows_BN) * used_BN1
        looks_BND = F.normalize(average_boxes(found.features_BDhw.float(), boxes_BN4.float()), dim=2).to(boxes_BN4.dtype) * used_BN1
        cues = self.cues(take(found.queries_BQD, rows_BN), boxes_BN4, scores_BN * probs_BNC[..., PERSON])
        return Entities(boxes_BN4, scores_BN, probs_BNC, looks_BND, cues)


class Base(nn.Module):
    """Images and memory in, scene graph and memory out."""

    def __init__(self, detector: BaseDetector, head: SceneHead) -> None:
        super().__init__()
        self.detector = detector
        self.head = head
        self.num_slots = head.num_slots

    def entities(self, images_BHW3: Tensor, object_prototypes_CD: Tensor) -> Entities:
        """The things of each frame, best first, in the prototypes' precision."""
        own = self.detector.decoder.queries.dtype
        found: Entities = self.detector(images_BHW3, object_prototypes_CD.to(own))
        dtype = object_prototypes_CD.dtype
        cues = Cues(*(cue.to(dtype) for cue in found.cues))
        return Entities(
            found.boxes_BN4.to(dtype), found.scores_BN.to(dtype), found.class_probs_BNC.to(dtype), found.appearance_BND.to(dtype), cues
        )

    def forward(
        self,
        images_BHW3: Tensor,
        memory_BPD: Tensor,
        counts_BP: Tensor,
        dt_B: Tensor,
        object_prototypes_CD: Tensor,
        predicate_prototypes_KD: Tensor,
    ) -> Outputs:
        """`images_BHW3` uint8, sides in multiples of 32; `dt_B` seconds since the stream's last frame."""
        entities = self.entities(images_BHW3, object_prototypes_CD)
        stream = (aspect(images_BHW3).to(memory_BPD.dtype), memory_BPD, counts_BP, dt_B)
        return Outputs(entities.boxes_BN4, entities.scores_BN, *self.head(entities, *stream, object_prototypes_CD, predicate_prototypes_KD))
