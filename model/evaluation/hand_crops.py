"""A second look at people's hands: squares cut from the full picture, the same detector on them, its finds merged with the first pass's.

An experiment that `vigil hand-crops` measures; the network does not do it. Knows no truth and no clip.
N finds, M finds of all crops, P palms, H W picture, S side of a crop as the detector sees it, 2 = (x, y), 4 = (x0, y0, x1, y1).
Squares are in pixels of the picture, boxes and palms fractions of it.
"""

from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from model.evaluation.canvas import Painted, Picture
from model.evaluation.frames import Bool, Float, Int, pairwise_iou
from model.evaluation.look import NUM_CLASSES
from model.nano import Nano
from model.scene_head import PERSON
from model.suppression import suppress

MIN_SIDE_PX = 96
REACH = 0.5
"""A square's side, in longer sides of the person's box."""
CROP_SIDE = 192
SURE_PERSON = 0.2
SEEN_PALM = 0.5
SAME_IOU = 0.5
BORDER = 2 / 192
"""A box that ends so near a crop's edge, in crop sides, may go on beyond it."""


class Finds(NamedTuple):
    """Things and people found in one picture."""

    boxes_N4: Float
    classes_N: Int
    scores_N: Float


class Glance(NamedTuple):
    """The first pass over a picture: its finds, best first, and of each the palms (left, right) and how surely they are seen."""

    finds: Finds
    palms_N22: Float
    seen_N2: Float


NOTHING = Finds(np.zeros((0, 4)), np.zeros(0, np.int64), np.zeros(0))


@torch.no_grad()
def glance(network: Nano, painted: Painted) -> Glance:
    """The image tower on the whole picture, as in the product."""
    entities = network.entities(torch.from_numpy(painted.image_HW3)[None], NUM_CLASSES)
    used_N = entities.scores_BN[0] > 0
    filled_2 = np.array(painted.filled_2)
    finds = Finds(
        (entities.boxes_BN4[0, used_N].double().numpy() / np.tile(filled_2, 2)).clip(0.0, 1.0),
        entities.class_probs_BNC[0, used_N].argmax(1).numpy(),
        entities.scores_BN[0, used_N].double().numpy(),
    )
    cues = entities.cues
    return Glance(finds, cues.hands_BNH2[0, used_N].double().numpy() / filled_2, cues.hand_seen_BNH[0, used_N].double().numpy())


def hand_squares(seen: Glance, people: int, reach: float, size_2: tuple[int, int]) -> Int:
    """(P, 4) a square around each seen palm of the `people` surest people; `size_2` is the picture's width and height."""
    finds = seen.finds
    person_N = np.flatnonzero((finds.classes_N == PERSON) & (finds.scores_N >= SURE_PERSON))[:people]
    row_P, hand_P = np.nonzero(seen.seen_N2[person_N] >= SEEN_PALM)
    return squares(seen.palms_N22[person_N[row_P], hand_P], finds.boxes_N4[person_N[row_P]], reach, size_2)


def squares(palms_P2: Float, people_P4: Float, reach: float, size_2: tuple[int, int]) -> Int:
    """(P, 4) whole pixels: as large as the person's box says and `MIN_SIDE_PX` at least, moved inside the picture, never larger than it."""
    longer_P = ((people_P4[:, 2:] - people_P4[:, :2]) * size_2).max(1, initial=0.0)
    side_P1 = np.rint(reach * longer_P).clip(MIN_SIDE_PX, None).clip(None, min(size_2))[:, None]
    low_P2 = np.rint(palms_P2 * size_2 - side_P1 / 2).clip(0, np.array(size_2) - side_P1)
    return np.concatenate([low_P2, low_P2 + side_P1], 1).astype(np.int64)


@torch.no_grad()
def look_at_hands(network: Nano, picture_HW3: Picture, squares_P4: Int, crop_side: int) -> Finds:
    """What the detector finds in all squares, one batch: things that end inside their crop, as fractions of the picture."""
    if not len(squares_P4):
        return NOTHING
    crops_PSS3 = np.stack([cut(picture_HW3, square_4, crop_side) for square_4 in squares_P4])
    raw = network.detector(torch.from_numpy(crops_PSS3))
    heads = network.image_heads
    boxes_PN4, scores_PN, probs_PNC = suppress(raw, NUM_CLASSES, None if heads is None else heads.extra.detect(raw))
    crop_M, row_M = np.nonzero(scores_PN.numpy())
    found = Finds(
        boxes_PN4[crop_M, row_M].double().numpy(), probs_PNC[crop_M, row_M].argmax(1).numpy(), scores_PN[crop_M, row_M].double().numpy()
    )
    return on_picture(found, squares_P4[crop_M], (picture_HW3.shape[1], picture_HW3.shape[0]))


def cut(picture_HW3: Picture, square_4: Int, crop_side: int) -> Picture:
    """(S, S, 3) one square, scaled; shrinking averages over all pixels."""
    x0, y0, x1, y1 = (int(edge) for edge in square_4)
    crop = Image.fromarray(picture_HW3[y0:y1, x0:x1])
    return np.asarray(crop.resize((crop_side, crop_side), Image.Resampling.BILINEAR), np.uint8)


def on_picture(found: Finds, squares_M4: Int, size_2: tuple[int, int]) -> Finds:
    """Finds whose boxes are fractions of their crop, as fractions of the picture; without people and without what the crop's edge cuts."""
    kept_M = (found.classes_N != PERSON) & ~cut_off(found.boxes_N4, squares_M4, size_2)
    low_M4 = np.tile(squares_M4[:, :2], 2)
    side_M1 = squares_M4[:, 2:3] - squares_M4[:, :1]
    boxes_M4 = (low_M4 + found.boxes_N4 * side_M1) / np.tile(size_2, 2)
    return Finds(boxes_M4[kept_M], found.classes_N[kept_M], found.scores_N[kept_M])


def cut_off(boxes_M4: Float, squares_M4: Int, size_2: tuple[int, int]) -> Bool:
    """(M) which boxes touch an edge of their crop; an edge that is the picture's own cuts nothing."""
    touches_M4 = np.concatenate([boxes_M4[:, :2] <= BORDER, boxes_M4[:, 2:] >= 1.0 - BORDER], 1)
    inner_M4 = np.concatenate([squares_M4[:, :2] > 0, squares_M4[:, 2:] < np.array(size_2)], 1)
    off_M: Bool = (touches_M4 & inner_M4).any(1)
    return off_M


def merge(first: Finds, more: Finds, group_C: Int) -> Finds:
    """Both passes' finds, the first's ahead. Of two that overlap, of a group and one of a crop, the surer stays, or the earlier."""
    both = Finds(*(np.concatenate(columns) for columns in zip(first, more, strict=True)))
    place_N = np.arange(len(both.scores_N))
    late_N = place_N >= len(first.scores_N)
    same_NN = group_C[both.classes_N][:, None] == group_C[both.classes_N][None]
    near_NN = same_NN & (late_N[:, None] | late_N[None]) & (pairwise_iou(both.boxes_N4, both.boxes_N4) >= SAME_IOU)
    tied_NN = both.scores_N[None] == both.scores_N[:, None]
    surer_NN = (both.scores_N[None] > both.scores_N[:, None]) | (tied_NN & (place_N[None] < place_N[:, None]))
    kept_N = ~(near_NN & surer_NN).any(1)
    return Finds(*(column[kept_N] for column in both))
