"""The whole `nano` network as one pure function: detector, image heads, entities, scene head. Knows no file, no stream and no clock.

Shape suffixes: B batch, H W canvas, N entity slots, R pairs, K predicates, C object classes, P memory slots, D embedding,
4 = (x0, y0, x1, y1) as fractions of the canvas.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from model.appearance import TAP, Appearance
from model.detector import Detector
from model.entities import Entities, no_cues
from model.image_heads.weights import ImageHeads
from model.scene_head import PERSON, SceneHead, SceneOutputs
from model.suppression import suppress


class Outputs(NamedTuple):
    """One frame per row of the batch, and the advanced memory."""

    boxes_BN4: Tensor
    scores_BN: Tensor
    class_probs_BNC: Tensor
    embeddings_BND: Tensor
    pairs_BR2: Tensor
    predicate_probs_BRK: Tensor
    memory_BPD: Tensor
    counts_BP: Tensor


class Nano(nn.Module):
    """Images and memory in, scene graph and memory out. Without image heads it knows COCO's classes and nothing of bodies but boxes."""

    def __init__(self, detector: Detector, head: SceneHead, image_heads: ImageHeads | None = None) -> None:
        super().__init__()
        self.detector = detector
        self.image_heads = image_heads
        self.appearance = Appearance()
        self.head = head
        self.num_slots = head.num_slots

    def entities(self, images_BHW3: Tensor, num_classes: int) -> Entities:
        """The things of each frame, best first."""
        raw = self.detector(images_BHW3).float()
        heads = self.image_heads
        boxes_BN4, scores_BN, class_probs_BNC = suppress(raw, num_classes, None if heads is None else heads.extra.detect(raw))
        used_BN1 = (scores_BN > 0).unsqueeze(2).to(scores_BN.dtype)
        appearance_BND = self.appearance(raw.taps[TAP], boxes_BN4) * used_BN1
        if heads is None:
            return Entities(boxes_BN4, scores_BN, class_probs_BNC, appearance_BND, no_cues(boxes_BN4))
        cues = heads.cues((raw.pyramid[0], raw.taps[TAP]), boxes_BN4, scores_BN * class_probs_BNC[..., PERSON], aspect(images_BHW3))
        return Entities(boxes_BN4, scores_BN, class_probs_BNC, appearance_BND, cues)

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
        entities = self.entities(images_BHW3, object_prototypes_CD.shape[0])
        stream = (aspect(images_BHW3), memory_BPD, counts_BP, dt_B)
        scene: SceneOutputs = self.head(entities, *stream, object_prototypes_CD, predicate_prototypes_KD)
        return Outputs(
            entities.boxes_BN4,
            entities.scores_BN,
            scene.class_probs_BNC,
            scene.embeddings_BND,
            scene.pairs_BR2,
            scene.predicate_probs_BRK,
            scene.memory_BPD,
            scene.counts_BP,
        )


def aspect(images_BHW3: Tensor) -> Tensor:
    """The canvas's width over its height, for every row of the batch."""
    return torch.full((images_BHW3.shape[0],), images_BHW3.shape[2] / images_BHW3.shape[1], device=images_BHW3.device)
