"""What the image tower hands to the scene head: the things of one frame, a fixed number of slots. Knows no network.

B batch, N entity slots, C object classes, D embedding, 4 = (x0, y0, x1, y1) as fractions of the canvas.
"""

from typing import NamedTuple

from torch import Tensor


class Cues(NamedTuple):
    """What pixels say of each person beyond the box; zeros in slots of things and where a cue is not known.

    `hands_BNH2` (left, right) in canvas fractions, `hand_seen_BNH` how surely each is seen, `contact_BNH` how surely it touches or grasps
    something, `gaze_BN3` unit direction of the head (x right, y down, z away from the camera), `face_BN` how surely the face shows,
    `posture_BN4` standing, sitting, lying, other; `known_BN` is 1 where the cue head has looked, 0 where only the box is known.
    """

    hands_BNH2: Tensor
    hand_seen_BNH: Tensor
    contact_BNH: Tensor
    gaze_BN3: Tensor
    face_BN: Tensor
    posture_BN4: Tensor
    known_BN: Tensor


def no_cues(boxes_BN4: Tensor) -> Cues:
    """Cues of entities that only have boxes."""
    zero_BN = boxes_BN4[..., 0] * 0.0
    zero_BN2, zero_BN3 = zero_BN.unsqueeze(2).expand(-1, -1, 2), zero_BN.unsqueeze(2).expand(-1, -1, 3)
    zero_BN4 = zero_BN.unsqueeze(2).expand(-1, -1, 4)
    return Cues(zero_BN2.unsqueeze(3).expand(-1, -1, -1, 2), zero_BN2, zero_BN2, zero_BN3, zero_BN, zero_BN4, zero_BN)


class Entities(NamedTuple):
    """Sorted by score; an unused slot has score 0 and an all-zero box. `appearance_BND` has unit norm in used slots."""

    boxes_BN4: Tensor
    scores_BN: Tensor
    class_probs_BNC: Tensor
    appearance_BND: Tensor
    cues: Cues
