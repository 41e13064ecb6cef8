"""Where people look: at what they hold, at the camera, at a thing, at each other. Eyes turn further than heads."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from model.world.camera import Camera
from model.world.hands import HOLD, REACH, Posed
from model.world.scene import SUPPORT, TABLE_TOP
from model.world.space import unit
from model.world.things import Bool, Float, Int

OWN_HAND, AHEAD, ANY_THING, OTHER_PERSON, TABLE_THING = range(5)
SHARES = (0.38, 0.20, 0.20, 0.12, 0.10)


@dataclass(frozen=True, slots=True)
class Gaze:
    """What each person looks at; `turn_SQ` is the share of the way that the head turns with the eyes."""

    kind_SQ: Int
    thing_SQ: Int
    to_camera_SQ: Bool
    turn_SQ: Float


class Directions(NamedTuple):
    """Unit directions of the eyes and of the face."""

    eyes_SQ3: Float
    face_SQ3: Float


def draw_gaze(rng: np.random.Generator, posed: Posed) -> Gaze:
    """A gaze for everybody; things are chosen among those present."""
    present = posed.things.present_ST
    shape = posed.people.pose_SQ.shape
    lottery = np.where(present, rng.random(present.shape), -1)
    lottery[:, SUPPORT] = -1
    anything, on_table = lottery.argmax(1), TABLE_TOP.start + lottery[:, TABLE_TOP].argmax(1)
    on_table = np.where(present[:, TABLE_TOP].any(1), on_table, anything)
    kind = rng.choice(5, shape, p=SHARES)
    thing = np.where(kind == TABLE_THING, on_table[:, None], anything[:, None])
    return Gaze(kind, thing, rng.random(shape) < 0.6, rng.uniform(0.65, 1.0, shape))


def directions(posed: Posed, gaze: Gaze, camera: Camera) -> Directions:
    """Eyes and face of everybody, within what a neck can turn."""
    goal = unit(_goals(posed, gaze, camera))
    body = posed.body
    side = np.arctan2((goal * body.left_SQ3).sum(-1), (goal * body.chest_SQ3).sum(-1)).clip(-1.3, 1.3)
    lift = np.arcsin((goal * body.up_SQ3).sum(-1).clip(-1, 1)).clip(-1.0, 0.8)

    def towards(side: Float, lift: Float) -> Float:
        along = np.stack([np.cos(lift) * np.cos(side), np.cos(lift) * np.sin(side), np.sin(lift)], -1)[..., None]
        return unit(along[..., 0, :] * body.chest_SQ3 + along[..., 1, :] * body.left_SQ3 + along[..., 2, :] * body.up_SQ3)

    return Directions(towards(side, lift), towards(side * gaze.turn_SQ, lift * gaze.turn_SQ))


def _goals(posed: Posed, gaze: Gaze, camera: Camera) -> Float:
    """Vectors from heads to what they look at."""
    head, action = posed.body.head_SQ3, posed.doing.action_SQA
    left_is_busy = (action[..., 0] != HOLD) & ((action[..., 1] == HOLD) | (action[..., 1] == REACH))
    hand = np.where(left_is_busy[..., None], posed.hands_SQA3[:, :, 1], posed.hands_SQA3[:, :, 0]) - head
    ahead = np.where(gaze.to_camera_SQ[..., None], camera.position_S3[:, None] - head, posed.body.chest_SQ3)
    thing = posed.things.centre_ST3[np.arange(len(head))[:, None], gaze.thing_SQ] - head
    kind = gaze.kind_SQ[..., None]
    return np.select([kind == OWN_HAND, kind == AHEAD, kind == OTHER_PERSON], [hand, ahead, head[:, ::-1] - head], thing)
