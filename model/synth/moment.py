"""The nouns between composing a scene, posing bodies and rendering them: what stands in the room at one moment, in 3-D, and what holds.

World axes: x right, y up, z towards the viewer, metres; a model's own frame is y-up, looks along +z, base centre at the origin.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]
Vector = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a mesh of one material. `uv_V2` goes with `texture_HW3` (uint8); without them `colour` (0..1) holds."""

    faces_F3: npt.NDArray[np.int32]
    vertices_V: npt.NDArray[np.int32]
    colour: tuple[float, float, float]
    uv_V2: Float | None = None
    texture_HW3: npt.NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True)
class BodyModel:
    """A dressed person doing one thing, as K key frames to go between: vertices, palms, eyes' middle, head's unit direction.

    `posture` is one of annotations.POSTURES, `action` a word such as idle, reach, hold, drink, eat, phone, read, write, wipe, carry;
    `grip_K` tells per key frame which hands (left, right) may hold a thing. `seat_m` is the height of what it sits on (0 on the ground),
    `pelvis_z_m` where the pelvis is; parts index into the vertices of every key frame.
    """

    identity: str
    split: str
    posture: str
    action: str
    key_vertices_KV3: Float
    normals_KV3: Float
    parts: tuple[Part, ...]
    palms_KH3: Float
    eyes_K3: Float
    gaze_K3: Float
    grip_KH: npt.NDArray[np.bool_]
    seat_m: float
    pelvis_z_m: float


@dataclass(frozen=True, slots=True)
class PosedBody:
    """A person at one moment, in world axes. `touches` are actor ids that each hand (left, right) touches or holds, -1 for none."""

    posture: str
    eyes_3: Vector
    gaze_3: Vector
    palms_H3: Vector
    touches_H: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Actor:
    """A thing or person that is annotated; its pyrender nodes are what its visible mask is made of."""

    id: int
    label: str
    nodes: tuple[Any, ...]
    body: PosedBody | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """Everything annotated at one time, and the relations between it: (subject id, predicate, object id), spatial ones of the thing."""

    actors: tuple[Actor, ...]
    relations: tuple[tuple[int, str, int], ...]
