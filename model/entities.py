"""What the image tower hands to the scene head: the things of one frame, a fixed number of slots. Knows no network.

B batch, N entity slots, C object classes, D embedding, 4 = (x0, y0, x1, y1) as fractions of the canvas.
"""

from typing import NamedTuple

from torch import Tensor


class Entities(NamedTuple):
    """Sorted by score; an unused slot has score 0 and an all-zero box. `appearance_BND` has unit norm in used slots."""

    boxes_BN4: Tensor
    scores_BN: Tensor
    class_probs_BNC: Tensor
    appearance_BND: Tensor
