"""What pixels would say of the people in a frame, as wrong as a small network is: cues for the scene head to learn from.

Errors come in two halves, one that lasts over a clip and one of each frame; in a share of clips and frames nobody looked at all.
Hands are (left, right) here, as in `model.entities.Cues`; the world's own order is (right, left).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.annotations import POSTURES
from model.world.camera import Camera, axes_of
from model.world.gaze import Directions
from model.world.hands import Posed
from model.world.scene import CROUCH, FLOOR, JUMP, LEAN, LIE, SIT, STAND
from model.world.sight import Sight
from model.world.space import spread, unit
from model.world.things import Bool, Float, Int

UNKNOWN_CLIPS, UNKNOWN_FRAMES = 0.25, 0.05
PALM_ERROR = 0.055
"""Of a palm, per half and axis, in the longer side of the person's box: as far off as the cue head is on rendered people it never saw."""
LOST_PALM_ERROR = 0.2
BLURRED_ERROR = 2.0
LARGE_PERSON, SMALL_ERROR = 0.4, 2.5
"""Below this longer side of the box, in frame heights, momentary errors grow in proportion, at most so much."""
MISSED, IMAGINED, SWAPPED = 0.15, 0.12, 0.03
CONTACT_MARGIN, CONTACT_ERROR = 0.6, 1.05
"""Mean and, per half, spread of the logit of contact: right in about 65 of 100."""
GAZE_ERROR, GAZE_OUTLIERS = 0.32, 0.06
"""Per half and axis, of a unit vector: about 33 degrees in all."""
LOST_GAZE_ERROR = 1.2
POSTURE_MARGIN, POSTURE_ERROR = 3.1, 0.95
"""Mean lead of the right posture's logit and, per half, spread of each: right in about 88 of 100."""
FACE_SHOWN = 0.15
"""Cosine between the face and the way to the camera from which the face shows."""

STANDING, SITTING, LYING, OTHER = range(len(POSTURES))
POSTURE_OF = {STAND: STANDING, LEAN: STANDING, JUMP: OTHER, SIT: SITTING, FLOOR: SITTING, LIE: LYING, CROUCH: OTHER}

F32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class CueQuirks:
    """What lasts over a clip about how a network reads its people; standard normal draws but for the flags."""

    known_SQ: Bool
    palm_SQA2: Float
    seen_SQA: Float
    contact_SQA: Float
    gaze_SQ3: Float
    posture_SQ4: Float


@dataclass(frozen=True, slots=True)
class SeenPeople:
    """Cues of the people of many frames, palms in units of frame height; zeros where nobody looked."""

    hands_SQA2: Float
    hand_seen_SQA: F32
    contact_SQA: F32
    gaze_SQ3: F32
    face_SQ: F32
    posture_SQ4: F32
    known_SQ: Bool


def draw_cue_quirks(rng: np.random.Generator, shape: tuple[int, int]) -> CueQuirks:
    """Quirks for every person of every scene."""
    known = rng.random(shape) >= UNKNOWN_CLIPS
    palm, gaze, posture = (rng.normal(size=(*shape, *rest)) for rest in ((2, 2), (3,), (len(POSTURES),)))
    return CueQuirks(known, palm, rng.normal(size=(*shape, 2)), rng.normal(size=(*shape, 2)), gaze, posture)


def look_at_people(
    rng: np.random.Generator,
    posed: Posed,
    camera: Camera,
    sight: Sight,
    looks: Directions,
    contact_SQA: Bool,
    quirks: CueQuirks,
    blurred_S: Bool,
) -> SeenPeople:
    """The cues of each frame."""
    worse_SQ = np.where(blurred_S, BLURRED_ERROR, 1.0)[:, None] * (LARGE_PERSON / _scale(sight)).clip(1.0, SMALL_ERROR)
    known_SQ = quirks.known_SQ & (rng.random(quirks.known_SQ.shape) >= UNKNOWN_FRAMES)
    seen = _seen(rng, sight, quirks, worse_SQ)
    palms = _palms(rng, sight, quirks, worse_SQ)
    contact = _contact(rng, sight, contact_SQA, quirks, worse_SQ)
    swapped = rng.random(known_SQ.shape) < SWAPPED
    order = np.where(swapped[..., None], [0, 1], [1, 0])
    known = known_SQ[..., None]
    gaze, face = _gaze(rng, posed, camera, sight, looks, quirks, worse_SQ)
    return SeenPeople(
        hands_SQA2=np.take_along_axis(palms, order[..., None], 2) * known[..., None],
        hand_seen_SQA=(np.take_along_axis(seen, order, 2) * known).astype(np.float32),
        contact_SQA=(np.take_along_axis(contact, order, 2) * known).astype(np.float32),
        gaze_SQ3=(gaze * known).astype(np.float32),
        face_SQ=(face * known_SQ).astype(np.float32),
        posture_SQ4=(_posture(rng, posed.people.pose_SQ, quirks, worse_SQ) * known).astype(np.float32),
        known_SQ=known_SQ,
    )


def _scale(sight: Sight) -> Float:
    """The longer side of each person's box, in frame heights."""
    box_SQ4 = sight.person_boxes_SQ4
    out: Float = (box_SQ4[..., 2:] - box_SQ4[..., :2]).max(-1).clip(0.05, 2.0)
    return out


def _chance(logit: Float) -> Float:
    out: Float = 1 / (1 + np.exp(-logit))
    return out


def _seen(rng: np.random.Generator, sight: Sight, quirks: CueQuirks, worse_SQ: Float) -> Float:
    """How surely each hand is seen: most that are, some that are not; partly the same ones in all frames of a clip."""
    mixed = 0.7 * quirks.seen_SQA + 0.71 * rng.normal(size=quirks.seen_SQA.shape)
    missed, imagined = mixed < -1.04, mixed > 1.18
    found = np.where(sight.hand_free_SQA, ~missed, imagined)
    return _chance(np.where(found, 2.0, -2.0) + rng.normal(0, 0.8, mixed.shape) * worse_SQ[..., None])


def _palms(rng: np.random.Generator, sight: Sight, quirks: CueQuirks, worse_SQ: Float) -> Float:
    scale = _scale(sight)[..., None, None]
    error = quirks.palm_SQA2 + worse_SQ[..., None, None] * rng.normal(size=quirks.palm_SQA2.shape)
    size = np.where(sight.hand_free_SQA, PALM_ERROR, LOST_PALM_ERROR)[..., None]
    out: Float = sight.hands_SQA2 + scale * size * error
    return out.clip(-1.0, 3.0)


def _contact(rng: np.random.Generator, sight: Sight, contact_SQA: Bool, quirks: CueQuirks, worse_SQ: Float) -> Float:
    """The chance that a hand touches something; of a hand that nobody sees it says little."""
    error = CONTACT_ERROR * (quirks.contact_SQA + worse_SQ[..., None] * rng.normal(size=contact_SQA.shape))
    margin = np.where(sight.hand_free_SQA, CONTACT_MARGIN, 0.3)
    return _chance(np.where(contact_SQA, margin, -margin) + error)


def _gaze(
    rng: np.random.Generator, posed: Posed, camera: Camera, sight: Sight, looks: Directions, quirks: CueQuirks, worse_SQ: Float
) -> tuple[Float, Float]:  # fmt: skip
    """Direction of the head in camera axes, and how surely the face shows."""
    right, down, forward = (axis[:, None] for axis in axes_of(camera))
    exact = np.stack([(looks.face_SQ3 * axis).sum(-1) for axis in (right, down, forward)], -1)
    lost = ~sight.head_seen_SQ | (rng.random(sight.head_seen_SQ.shape) < GAZE_OUTLIERS)
    size = np.where(lost, LOST_GAZE_ERROR, GAZE_ERROR)[..., None]
    gaze = unit(exact + size * (quirks.gaze_SQ3 + worse_SQ[..., None] * rng.normal(size=exact.shape)))
    to_camera = unit(camera.position_S3[:, None] - posed.body.head_SQ3)
    shows = sight.head_seen_SQ & ((looks.face_SQ3 * to_camera).sum(-1) > FACE_SHOWN)
    return gaze, _chance(np.where(shows, 2.0, -2.0) + 1.6 * rng.normal(size=shows.shape))


def _posture(rng: np.random.Generator, pose_SQ: Int, quirks: CueQuirks, worse_SQ: Float) -> Float:
    true = np.eye(len(POSTURES))[np.vectorize(POSTURE_OF.__getitem__)(pose_SQ)]
    error = quirks.posture_SQ4 + worse_SQ[..., None] * rng.normal(size=true.shape)
    scaled = np.exp(POSTURE_MARGIN * true + POSTURE_ERROR * error)
    out: Float = scaled / spread(scaled.sum(-1))
    return out
