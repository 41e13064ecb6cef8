"""Turns exact boxes into what a detector would report: jittered, missed, misnamed, doubted, with ghosts; and lines the truth up with it.

N = 2 people, 20 things and 3 ghosts. What lasts over a clip (`Quirks`) is apart from what differs in every frame.
"""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from model.vocabulary import CONTACTING, SPATIAL
from model.world import things
from model.world.camera import Camera
from model.world.cues import CueQuirks, SeenPeople, draw_cue_quirks, look_at_people
from model.world.gaze import Directions
from model.world.hands import Posed
from model.world.scene import NUM_PEOPLE, NUM_THINGS
from model.world.sight import Sight
from model.world.things import CONFUSED, INDEX, NUM_CLASSES, PERSON, SIZE_C3, Bool, Float, Int, pool
from model.world.truth import UNSURE, Truth

NUM_GHOSTS = 3
NUM_SLOTS = NUM_PEOPLE + NUM_THINGS + NUM_GHOSTS
GHOST_SHARE = 0.22
MISNAMED_SHARE = 0.06
FLICKER_SHARE = 0.1
LASTING_JITTER = 0.018
FRAME_JITTER = 0.022
BLURRED_SHARE = 0.2
"""Frames (motion blur, compression) whose boxes, scores and names are much worse than their neighbours'."""
BLURRED_JITTER = 3.0
LARGE = 0.3
"""A person's box of this size (square root of its area) is found even where it shows but an arm."""
SMALLEST = 0.012
"""Boxes narrower or lower than this share of the frame's height are never reported."""

RIVALS_CX: list[Int] = [np.array([index]) for index in range(NUM_CLASSES)]
for _name, _others in CONFUSED.items():
    RIVALS_CX[INDEX[_name]] = pool(_others)


@dataclass(frozen=True, slots=True)
class Quirks:
    """What lasts about a detector's view of a scene: names, ghosts, a bias of every box, ease of detection, the canvas's padding."""

    name_SN: Int
    rival_SN: Int
    bias_SN4: Float
    ease_SN: Float
    ghost_SG: Bool
    ghost_SG4: Float
    filled_S2: Float
    cues: CueQuirks


@dataclass(frozen=True, slots=True)
class Frames:
    """Detections of many frames with their truth. `label_SN` is what the detector says, `real_SN` what it is (-1: a ghost).

    Boxes are fractions of the canvas, `aspect_S` the canvas's width over height; a slot that is not reported has score 0.
    Cues are those of `model.entities.Cues` for the people alone, who have the first slots; zeros where nobody looked.
    `dt_S` is the time since the clip's previous frame in seconds; `blurred_S` marks frames that are much worse than their neighbours.
    """

    boxes_SN4: npt.NDArray[np.float32]
    scores_SN: npt.NDArray[np.float32]
    label_SN: npt.NDArray[np.int64]
    rival_SN: npt.NDArray[np.int64]
    rival_share_SN: npt.NDArray[np.float32]
    real_SN: npt.NDArray[np.int64]
    aspect_S: npt.NDArray[np.float32]
    dt_S: npt.NDArray[np.float32]
    blurred_S: Bool
    attention_SQN: npt.NDArray[np.int8]
    spatial_SQNG: Bool
    contacting_SQNG: Bool
    hands_SQA2: npt.NDArray[np.float32]
    hand_seen_SQA: npt.NDArray[np.float32]
    contact_SQA: npt.NDArray[np.float32]
    gaze_SQ3: npt.NDArray[np.float32]
    face_SQ: npt.NDArray[np.float32]
    posture_SQ4: npt.NDArray[np.float32]
    known_SQ: npt.NDArray[np.float32]


def draw_quirks(rng: np.random.Generator, posed: Posed) -> Quirks:
    """Quirks for every scene."""
    count = len(posed.people.pose_SQ)
    people = np.full((count, NUM_PEOPLE), PERSON)
    ghosts = things.GHOST[rng.integers(0, len(things.GHOST), (count, NUM_GHOSTS))]
    real = np.concatenate([people, posed.things.class_ST, ghosts], 1)
    rival = _rival(rng, real)
    misnamed = rng.random(real.shape) < MISNAMED_SHARE
    filled = np.where(rng.random((count, 1)) < 0.5, [[0.0, 1.0]], [[1.0, 0.0]]) * rng.uniform(0, 0.02, (count, 1))
    return Quirks(
        name_SN=np.where(misnamed, rival, real),
        rival_SN=np.where(misnamed, real, rival),
        bias_SN4=rng.normal(0, LASTING_JITTER, (*real.shape, 4)),
        ease_SN=rng.normal(0, 0.7, real.shape),
        ghost_SG=rng.random((count, NUM_GHOSTS)) < GHOST_SHARE,
        ghost_SG4=_ghost_places(rng, ghosts),
        filled_S2=1 - filled,
        cues=draw_cue_quirks(rng, (count, NUM_PEOPLE)),
    )


def _rival(rng: np.random.Generator, classes: Int) -> Int:
    """A name each thing may be taken for; its own where nothing resembles it."""
    lottery = rng.random(classes.shape)
    out = classes.copy()
    for class_, rivals in enumerate(RIVALS_CX):
        at = classes == class_
        out[at] = rivals[(lottery[at] * len(rivals)).astype(int)]
    return out


def _ghost_places(rng: np.random.Generator, classes: Int) -> Float:
    """Centre (as shares of person 0's box, from its middle) and sides (shares of the box's height) of ghosts."""
    place = rng.normal([0.0, -0.05], [0.5, 0.3], (*classes.shape, 2))
    sides = SIZE_C3[classes][..., [0, 2]] / 1.7 * np.exp(rng.normal(0, 0.5, (*classes.shape, 2)))
    return np.concatenate([place, sides], -1)


def detect(
    rng: np.random.Generator, posed: Posed, camera: Camera, sight: Sight, looks: Directions, quirks: Quirks, truth: Truth, dt_S: Float
) -> Frames:  # fmt: skip
    """What the detector reports of each frame, beside the truth."""
    exact = np.concatenate([sight.person_boxes_SQ4, sight.thing_boxes_ST4, _ghost_boxes(sight, quirks)], 1)
    blurred_S1 = rng.random((len(exact), 1)) < BLURRED_SHARE
    boxes = _jitter(rng, exact, quirks, camera, blurred_S1)
    reported, scores = _report(rng, posed, sight, quirks, boxes)
    scores = np.where(blurred_S1, scores * rng.uniform(0.5, 1.0, scores.shape), scores)
    flicker = rng.random(reported.shape) < np.where(blurred_S1, 3 * FLICKER_SHARE, FLICKER_SHARE)
    real = np.concatenate([np.full_like(posed.people.pose_SQ, PERSON), posed.things.class_ST, np.full_like(quirks.ghost_SG, -1, int)], 1)
    wide, tall = quirks.filled_S2[:, 0], quirks.filled_S2[:, 1]
    scale = np.stack([wide / camera.aspect_S, tall] * 2, -1)[:, None]
    attention, spatial, contacting = _with_ghosts(truth)
    cues = look_at_people(rng, posed, camera, sight, looks, truth.hand_contact_SQA, quirks.cues, blurred_S1[:, 0])
    return Frames(
        boxes_SN4=np.where(reported[..., None], boxes * scale, 0).astype(np.float32),
        scores_SN=np.where(reported, scores, 0).astype(np.float32),
        label_SN=np.where(flicker, quirks.rival_SN, quirks.name_SN),
        rival_SN=np.where(flicker, quirks.name_SN, quirks.rival_SN),
        rival_share_SN=rng.uniform(0, 0.7, reported.shape).astype(np.float32),
        real_SN=real,
        aspect_S=(camera.aspect_S * tall / wide).astype(np.float32),
        dt_S=dt_S.astype(np.float32),
        blurred_S=blurred_S1[:, 0],
        attention_SQN=attention.astype(np.int8),
        spatial_SQNG=spatial,
        contacting_SQNG=contacting,
        **_cue_arrays(cues, reported[:, :NUM_PEOPLE], scale[..., None, :2]),
    )


def _cue_arrays(cues: SeenPeople, reported_SQ: Bool, scale: Float) -> dict[str, npt.NDArray[np.float32]]:
    """The cue arrays of `Frames`: palms as fractions of the canvas, and zeros where the person is not reported."""
    arrays = {field.name: np.asarray(getattr(cues, field.name), np.float32) for field in fields(cues)}
    arrays["hands_SQA2"] = (arrays["hands_SQA2"] * scale).astype(np.float32)
    return {name: values * reported_SQ.reshape(*reported_SQ.shape, *[1] * (values.ndim - 2)) for name, values in arrays.items()}


def _ghost_boxes(sight: Sight, quirks: Quirks) -> Float:
    """Ghosts appear on and about person 0's visible box."""
    person = sight.person_boxes_SQ4[:, :1].clip(-0.2, 2.0)
    middle, sides = (person[..., :2] + person[..., 2:]) / 2, np.maximum(person[..., 2:] - person[..., :2], 0.05)
    centre = middle + quirks.ghost_SG4[..., :2] * sides
    half = quirks.ghost_SG4[..., 2:] * sides[..., 1:] / 2
    return np.concatenate([centre - half, centre + half], -1)


def _jitter(rng: np.random.Generator, exact: Float, quirks: Quirks, camera: Camera, blurred_S1: Bool) -> Float:
    """Boxes cut by the frame, then moved by lasting and momentary errors in proportion to their size, and cut again."""
    edge = np.stack([camera.aspect_S, np.ones_like(camera.aspect_S)] * 2, -1)[:, None]
    cut = exact.clip(0, edge)
    sides = np.maximum(cut[..., 2:] - cut[..., :2], 0.01)
    momentary = FRAME_JITTER * np.where(blurred_S1, BLURRED_JITTER, 1.0)[..., None]
    error = quirks.bias_SN4 + momentary * rng.normal(size=exact.shape)
    boxes = cut + error * np.concatenate([sides, sides], -1) + rng.normal(0, 0.003, exact.shape)
    out: Float = boxes.clip(0, edge)
    return out


def _report(rng: np.random.Generator, posed: Posed, sight: Sight, quirks: Quirks, boxes: Float) -> tuple[Bool, Float]:
    """Which slots are reported, and with what score: seen and large things surely, hidden ones rarely, missed ones sometimes faintly."""
    sides = boxes[..., 2:] - boxes[..., :2]
    size = np.sqrt(np.maximum(sides, 0).prod(-1))
    filling = size[:, :NUM_PEOPLE] > LARGE
    people = 18 * (sight.person_seen_SQ - 0.2) + 3 * sight.head_seen_SQ + 2.5 * filling + 1
    seen = 8 * (np.minimum(2 * sight.thing_seen_ST, 1.3 * sight.thing_inside_ST) - 0.3)
    seen -= np.maximum(0, 0.05 - size[:, NUM_PEOPLE:-NUM_GHOSTS]) * 60
    ghosts = np.full(quirks.ghost_SG.shape, 0.3)
    margin = np.concatenate([people, seen, ghosts], 1) + quirks.ease_SN
    there = np.concatenate([posed.people.present_SQ, posed.things.present_ST, quirks.ghost_SG], 1)
    sure = rng.random(margin.shape) < 0.95 / (1 + np.exp(-margin))
    ghost = np.arange(NUM_SLOTS) >= NUM_SLOTS - NUM_GHOSTS
    strength = 1 / (1 + np.exp(-(0.45 * margin.clip(-3, 6) + np.where(ghost, -0.3, 0.3) + rng.normal(0, 0.5, margin.shape))))
    faint = ~sure & (rng.random(margin.shape) < 0.35)
    scores = np.where(sure, strength.clip(0.15, 0.97), rng.uniform(0.05, 0.3, margin.shape))
    visible = (sides > SMALLEST).all(-1) & (size > np.where(np.arange(NUM_SLOTS) < NUM_PEOPLE, 0.06, 0.02))
    return there & visible & (sure | faint), scores


def _with_ghosts(truth: Truth) -> tuple[Int, Bool, Bool]:
    """Truth over all N slots: between people and with ghosts nothing holds."""
    count = len(truth.attention_SQT)

    def widen(values: Int | Bool, empty: int | bool) -> Int:
        rest = values.shape[3:]
        people = np.full((count, NUM_PEOPLE, NUM_PEOPLE, *rest), empty, values.dtype)
        ghosts = np.full((count, NUM_PEOPLE, NUM_GHOSTS, *rest), empty, values.dtype)
        return np.concatenate([people, values, ghosts], 2)

    attention = widen(truth.attention_SQT, UNSURE)
    spatial, contacting = widen(truth.spatial_SQTG, False).astype(bool), widen(truth.contacting_SQTG, False).astype(bool)
    contacting[..., CONTACTING.index("not_contacting")] |= ~contacting.any(-1)
    assert spatial.shape[-1] == len(SPATIAL)
    return attention, spatial, contacting
