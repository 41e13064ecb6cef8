"""What the cues of a person's pixels say of a thing: 42 numbers a pair, all 0 where nobody looked. Pure arithmetic; learns nothing.

A part of the cues that is missing (cue_parts.py) gives zeros too: no hand is seen, the gaze has no length, no posture has a chance.

B batch, N entities, Q pairs, H hands (2), V values of one hand, 2 = (x, y) and 4 = (x0, y0, x1, y1) in units of the canvas height.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from model.entities import Cues
from model.geometry import LIMIT, sides

NUM_HAND_VALUES = 12
NUM_CUE_COLUMNS = 2 * NUM_HAND_VALUES + 4 + 9 + 4 + 1
PERSON_RATE, THING_RATE = 8.0, 2.0
"""How fast closeness falls with distance in person sizes and in thing sizes."""
HEAD_RATE = 4.0
HEAD_AT = 0.1
"""Where the head is supposed: this share of the person's box below its top, in the middle."""
RAY_RATE = 3.0
FAR = 10.0
EPS = 1e-6


class Others(NamedTuple):
    """All entities that a hand may be busy with instead: their boxes, how surely each is a thing, and which one the pair is about."""

    boxes_BN4: Tensor
    thing_share_BN: Tensor
    thing_BQ: Tensor


def pair_cues(cues: Cues, aspect_B: Tensor, person_BQ4: Tensor, thing_BQ4: Tensor, others: Others) -> Tensor:
    """(B, Q, columns) from the cues of each pair's person (Cues of shape B, Q): the nearer hand, the other, head, gaze, posture, known."""
    head_BQ2 = _head(person_BQ4)
    hands = _hands(cues, aspect_B, person_BQ4, thing_BQ4, head_BQ2, others)
    columns = [*hands, _head_to_thing(person_BQ4, thing_BQ4, head_BQ2), _gaze(cues, thing_BQ4, head_BQ2), cues.posture_BN4]
    return torch.cat([*columns, torch.ones_like(cues.known_BN).unsqueeze(2)], 2) * cues.known_BN.unsqueeze(2)


def _head(person_BQ4: Tensor) -> Tensor:
    _, height_BQ = sides(person_BQ4)
    return torch.stack([(person_BQ4[..., 0] + person_BQ4[..., 2]) / 2, person_BQ4[..., 1] + HEAD_AT * height_BQ], 2)


def _scale(person_BQ4: Tensor) -> Tensor:
    """A person's size: the longer side, since a person who lies or is cut is not as tall as the box is high."""
    return torch.maximum(*sides(person_BQ4))


def _size(boxes: Tensor) -> Tensor:
    width, height = sides(boxes)
    return (width * height).sqrt()


def _centre(boxes: Tensor) -> Tensor:
    return (boxes[..., :2] + boxes[..., 2:]) / 2


def _distance(points: Tensor, boxes: Tensor) -> Tensor:
    """From points (..., 2) to boxes (..., 4), 0 inside; broadcasts."""
    outside = torch.maximum(boxes[..., :2] - points, points - boxes[..., 2:]).clamp(min=0.0)
    return _length(outside)


def _length(vectors: Tensor) -> Tensor:
    return (vectors * vectors).sum(-1).clamp(min=EPS * EPS).sqrt()


def _hands(
    cues: Cues, aspect_B: Tensor, person_BQ4: Tensor, thing_BQ4: Tensor, head_BQ2: Tensor, others: Others
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """The values of the hand that is nearer to the thing, then of the other; an unseen hand counts as far."""
    scale_BQ1, size_BQ1 = _scale(person_BQ4).unsqueeze(2), _size(thing_BQ4).unsqueeze(2)
    palms_BQH2 = cues.hands_BNH2 * torch.stack([aspect_B, torch.ones_like(aspect_B)], 1)[:, None, None]
    away_BQH = _distance(palms_BQH2, thing_BQ4.unsqueeze(2))
    near_BQH = 1.0 / (1.0 + PERSON_RATE * away_BQH / scale_BQ1)
    half_BQ12 = torch.stack(sides(thing_BQ4), 2).unsqueeze(2) / 2
    offset_BQH2 = ((palms_BQH2 - _centre(thing_BQ4).unsqueeze(2)) / half_BQ12).clamp(-2.0, 2.0)
    _, height_BQ = sides(person_BQ4)
    drop_BQH = ((palms_BQH2[..., 1] - person_BQ4[..., 1:2]) / height_BQ.unsqueeze(2)).clamp(-0.5, 1.5)
    to_head_BQH = 1.0 / (1.0 + HEAD_RATE * _length(palms_BQH2 - head_BQ2.unsqueeze(2)) / scale_BQ1)
    seen_BQH = cues.hand_seen_BNH
    values_BQHV = torch.stack([
        near_BQH, 1.0 / (1.0 + THING_RATE * away_BQH / size_BQ1), (away_BQH < 2 * EPS).to(near_BQH.dtype), cues.contact_BNH,
        cues.contact_BNH * near_BQH, offset_BQH2[..., 0], offset_BQH2[..., 1], drop_BQH, to_head_BQH,
        *_busy_elsewhere(palms_BQH2, scale_BQ1, thing_BQ4, others), torch.ones_like(seen_BQH),
    ], 3) * seen_BQH.unsqueeze(3)  # fmt: skip
    rank_BQH = away_BQH + FAR * (1.0 - seen_BQH)
    swapped_BQ1 = (rank_BQH[..., 1] < rank_BQH[..., 0]).unsqueeze(2)
    first, second = values_BQHV[:, :, 0], values_BQHV[:, :, 1]
    return torch.where(swapped_BQ1, second, first), torch.where(swapped_BQ1, first, second)


def _busy_elsewhere(palms_BQH2: Tensor, scale_BQ1: Tensor, thing_BQ4: Tensor, others: Others) -> tuple[Tensor, Tensor]:
    """How near each palm is to any smaller and to any larger thing than this one (B, Q, H)."""
    away_BQHN = _distance(palms_BQH2.unsqueeze(3), others.boxes_BN4[:, None, None])
    near_BQHN = 1.0 / (1.0 + PERSON_RATE * away_BQHN / scale_BQ1.unsqueeze(3))
    slots_N = torch.arange(others.boxes_BN4.shape[1], device=away_BQHN.device)
    other_BQN = (others.thing_BQ.unsqueeze(2) != slots_N).to(near_BQHN.dtype) * others.thing_share_BN[:, None]
    smaller_BQN = (_size(others.boxes_BN4)[:, None] < _size(thing_BQ4).unsqueeze(2)).to(near_BQHN.dtype)
    near_smaller = (near_BQHN * (other_BQN * smaller_BQN).unsqueeze(2)).amax(3)
    return near_smaller, (near_BQHN * (other_BQN * (1.0 - smaller_BQN)).unsqueeze(2)).amax(3)


def _head_to_thing(person_BQ4: Tensor, thing_BQ4: Tensor, head_BQ2: Tensor) -> Tensor:
    """Closeness of the head to the thing's box and centre, and the way there in person sizes (4)."""
    scale_BQ = _scale(person_BQ4)
    way_BQ2 = _centre(thing_BQ4) - head_BQ2
    near = [1.0 / (1.0 + HEAD_RATE * away_BQ / scale_BQ) for away_BQ in (_distance(head_BQ2, thing_BQ4), _length(way_BQ2))]
    shares_BQ2 = (way_BQ2 / scale_BQ.unsqueeze(2)).clamp(-LIMIT, LIMIT)
    return torch.stack([*near, shares_BQ2[..., 0], shares_BQ2[..., 1]], 2)


def _gaze(cues: Cues, thing_BQ4: Tensor, head_BQ2: Tensor) -> Tensor:
    """The head's direction against the way to the thing: cosine in the picture, how far the ray passes it, the direction, the face (9)."""
    flat_BQ2, depth_BQ = cues.gaze_BN3[..., :2], cues.gaze_BN3[..., 2]
    way_BQ2 = _centre(thing_BQ4) - head_BQ2
    length_BQ, across_BQ = _length(flat_BQ2), _length(way_BQ2)
    shown_BQ = length_BQ * ((cues.gaze_BN3 * cues.gaze_BN3).sum(2) > 0).to(length_BQ.dtype)
    cosine_BQ = (flat_BQ2 * way_BQ2).sum(2) / (length_BQ * across_BQ)
    miss_BQ = (flat_BQ2[..., 0] * way_BQ2[..., 1] - flat_BQ2[..., 1] * way_BQ2[..., 0]).abs() / length_BQ.clamp(min=0.05)
    beyond_BQ = (miss_BQ - _size(thing_BQ4) / 2).clamp(min=0.0) / across_BQ
    ray_BQ = (1.0 - RAY_RATE * beyond_BQ).clamp(min=0.0) * (cosine_BQ > 0).to(cosine_BQ.dtype)
    columns = [cosine_BQ, cosine_BQ * length_BQ, shown_BQ, ray_BQ, ray_BQ * length_BQ]
    return torch.stack([*columns, depth_BQ, flat_BQ2[..., 0], flat_BQ2[..., 1], cues.face_BN], 2)
