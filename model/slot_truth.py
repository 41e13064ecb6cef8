"""Truth beside detections: which annotated entity each detected slot is, and the labels of all pairs of slots. No torch, no pixels.

S frames, N entity slots, M annotated entities of a frame, K predicates, H hands, 4 = (x0, y0, x1, y1) as fractions of the picture.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from model.annotations import POSTURES, Entity, Frame
from model.vocabulary import ACTION_GENOME_OBJECTS, ATTENTION, CONTACTING, MODERATION_V1

Float = npt.NDArray[np.float32]
Int = npt.NDArray[np.int64]

MIN_IOU = 0.5
OTHER_NAME_IOU = 0.7
"""From these overlaps on a detection is that entity: with a name of its group, and with another one."""
PERSON = MODERATION_V1.objects.index("person")
NUM_PREDICATES = len(MODERATION_V1.predicates)
NOT_LOOKING = MODERATION_V1.predicates.index("not_looking_at")
NOT_CONTACTING = MODERATION_V1.predicates.index("not_contacting")
IS_ATTENTION_K = np.array([name in ATTENTION for name in MODERATION_V1.predicates])
IS_CONTACT_K = np.array([name in CONTACTING for name in MODERATION_V1.predicates])
BITS_K = np.uint32(1) << np.arange(NUM_PREDICATES, dtype=np.uint32)
NUM_BODY_COLUMNS = 4 + 2 + 2 + 3 + 1 + len(POSTURES) + 1


def _groups() -> Int:
    """(C,): a number for each class; classes that Action Genome counts as one share it."""
    numbers = np.arange(len(MODERATION_V1.objects))
    for members in ACTION_GENOME_OBJECTS.values():
        rows = [MODERATION_V1.objects.index(name) for name in members]
        numbers[rows] = rows[0]
    return numbers


GROUP_C = _groups()


@dataclass(frozen=True, slots=True)
class SlotTruth:
    """One frame's truth by slot: the real class or -1, predicates of (person slot, other slot) as bits, and what is true of each body:
    hands (4), seen (2), contact (2), gaze (3), face, posture (4), and 1 where known; zeros where the slot is nobody."""

    real_N: Int
    labels_NN: npt.NDArray[np.uint32]
    bodies_NV: Float


def slot_truth(frame: Frame, boxes_N4: Float, scores_N: Float, classes_N: Int) -> SlotTruth:
    """The truth of one frame for what a detector has found in it."""
    entities = frame.entities
    match_N = match(entities, boxes_N4, scores_N, classes_N)
    class_M = np.array([*(MODERATION_V1.objects.index(entity.label) for entity in entities), -1])
    body_MV = np.stack([*(_body(entity) for entity in entities), np.zeros(NUM_BODY_COLUMNS, np.float32)])
    labels_MM = _labels(frame)
    return SlotTruth(class_M[match_N], labels_MM[match_N[:, None], match_N[None, :]], body_MV[match_N])


def match(entities: tuple[Entity, ...], boxes_N4: Float, scores_N: Float, classes_N: Int) -> Int:
    """(N,): the number of the entity that each slot is, -1 for a ghost; one to one, names of the right group first."""
    out_N = np.full(len(boxes_N4), -1)
    if not entities:
        return out_N
    class_M = np.array([MODERATION_V1.objects.index(entity.label) for entity in entities])
    iou_NM = overlaps(boxes_N4, np.array([entity.box for entity in entities], np.float32))
    same_NM = GROUP_C[classes_N][:, None] == GROUP_C[class_M][None, :]
    things_NM = (classes_N[:, None] != PERSON) & (class_M[None, :] != PERSON)
    fits_NM = np.where(same_NM, iou_NM >= MIN_IOU, things_NM & (iou_NM >= OTHER_NAME_IOU)) & (scores_N > 0)[:, None]
    slots, found = linear_sum_assignment(np.where(fits_NM, iou_NM + 2.0 * same_NM, 0.0), maximize=True)
    kept = fits_NM[slots, found]
    out_N[slots[kept]] = found[kept]
    return out_N


def overlaps(a_N4: Float, b_M4: Float) -> Float:
    """Intersection over union (N, M)."""
    low_NM2 = np.maximum(a_N4[:, None, :2], b_M4[None, :, :2])
    high_NM2 = np.minimum(a_N4[:, None, 2:], b_M4[None, :, 2:])
    shared_NM = (high_NM2 - low_NM2).clip(0.0).prod(-1)
    area_N, area_M = ((box[:, 2:] - box[:, :2]).clip(0.0).prod(-1) for box in (a_N4, b_M4))
    return np.asarray(shared_NM / np.maximum(area_N[:, None] + area_M[None, :] - shared_NM, 1e-9), np.float32)


def unpacked(labels: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
    """Bits to a last axis of K."""
    return np.asarray((labels[..., None] & BITS_K) > 0)


def _labels(frame: Frame) -> npt.NDArray[np.uint32]:
    """(M + 1, M + 1): predicates of (person, thing) as bits, spatial ones turned around; the last row and column are a ghost's.
    Where nothing is said, the person neither looks at the thing nor touches it."""
    number = {entity.id: index for index, entity in enumerate(frame.entities)}
    people = {entity.id for entity in frame.entities if entity.label == "person"}
    holds_MMK = np.zeros((len(number) + 1, len(number) + 1, NUM_PREDICATES), bool)
    for relation in frame.relations:
        predicate = MODERATION_V1.predicates.index(relation.predicate)
        of_person = IS_ATTENTION_K[predicate] or IS_CONTACT_K[predicate]
        if (relation.subject if of_person else relation.object) in people:
            ends = (number[relation.subject], number[relation.object])
            holds_MMK[(*(ends if of_person else ends[::-1]), predicate)] = True
    holds_MMK[..., NOT_LOOKING] |= ~holds_MMK[..., IS_ATTENTION_K].any(-1)
    holds_MMK[..., NOT_CONTACTING] |= ~holds_MMK[..., IS_CONTACT_K].any(-1)
    return np.asarray((holds_MMK * BITS_K).sum(-1), np.uint32)


def _body(entity: Entity) -> Float:
    body = entity.body
    if body is None:
        return np.zeros(NUM_BODY_COLUMNS, np.float32)
    hands = (body.left, body.right)
    seen = [float(hand.seen) for hand in hands]
    contact = [float(hand.touches is not None) for hand in hands]
    posture = [float(body.posture == name) for name in POSTURES]
    return np.array([*hands[0].point, *hands[1].point, *seen, *contact, *body.gaze, float(body.face_seen), *posture, 1.0], np.float32)
