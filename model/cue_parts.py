"""The parts that a person's cues fall into, and cues without some of them. Learns nothing, measures nothing.

A head that has only met all cues or none cannot tell a part that is missing from one that says something: in training, parts are taken
away at random (`draw_kept`), each for a whole clip and person, who is followed from frame to frame by the box.

B batch, N entity slots, P parts, 4 = (x0, y0, x1, y1) as fractions of the canvas.
"""

from collections.abc import Collection

import torch
from torch import Tensor

from model.entities import Cues, Entities
from model.suppression import pairwise_iou

PARTS = ("hands", "gaze", "posture")
FIELDS = {"hands": ("hands_BNH2", "hand_seen_BNH", "contact_BNH"), "gaze": ("gaze_BN3", "face_BN"), "posture": ("posture_BN4",)}
SAME_PERSON_IOU = 0.3
"""How much the boxes of one person in two frames overlap at least."""


def without(cues: Cues, parts: Collection[str]) -> Cues:
    """The cues as if nobody had looked at these parts; without all of them nobody has looked at all. Raises ValueError at another part."""
    if unknown := sorted(set(parts) - set(PARTS)):
        raise ValueError(f"cues have no part {', '.join(unknown)}, known: {', '.join(PARTS)}")
    kept_P = torch.tensor([float(part not in parts) for part in PARTS])
    return keep(cues, kept_P.to(cues.known_BN).expand(*cues.known_BN.shape, -1))


def keep(cues: Cues, kept_BNP: Tensor) -> Cues:
    """The cues where `kept_BNP` is 1, zeros where it is 0; who keeps no part is not known."""
    known_BN = cues.known_BN * kept_BNP.amax(2)
    rest = {
        name: values * kept_BNP[..., row].reshape(*values.shape[:2], *[1] * (values.ndim - 2))
        for row, part in enumerate(PARTS)
        for name in FIELDS[part]
        for values in [getattr(cues, name)]
    }
    return Cues(**rest, known_BN=known_BN)


def draw_kept(entities: Entities, share: float, generator: torch.Generator) -> Tensor:
    """(B, N, P): 0 where a part is to be missing, each with this chance."""
    return (torch.rand(*entities.scores_BN.shape, len(PARTS), generator=generator) >= share).float()


def followed(kept_BNP: Tensor, before: Entities, now: Entities) -> Tensor:
    """The same for the next frame: a slot takes over from the person who stood where its box is, else it stays as it was."""
    iou_BNN = pairwise_iou(now.boxes_BN4, before.boxes_BN4) * before.cues.known_BN[:, None]
    best_BN, from_BN = iou_BNN.max(2)
    moved_BNP = kept_BNP.gather(1, from_BN.unsqueeze(2).expand_as(kept_BNP))
    return torch.where((best_BN >= SAME_PERSON_IOU).unsqueeze(2), moved_BNP, kept_BNP)
