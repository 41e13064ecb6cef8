"""What of a moment shows in a rendered frame: boxes of what is visible, hands and heads as image points, relations of what is left.

Pure numpy: knows no OpenGL. H W picture, A actors, P points; camera poses look along -z with y up, image axes are x right, y down.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from model.annotations import Body, Entity, Frame, Hand, Point, Relation
from model.render.sight import Sight
from model.synth.moment import Actor, Matrix, Moment, PosedBody, Vector
from model.vocabulary import ATTENTION

MIN_PIXELS = 40
MIN_SIDE = 4
MIN_VISIBLE = 0.15
PALM_DEPTH_M, EYES_DEPTH_M, HEAD_DEPTH_M = 0.07, 0.07, 0.17
"""How far below the surface that shows a palm, the eyes' middle and the head's middle may lie to count as seen."""
EYES_TO_HEAD_M = 0.09
FACING_FACE, FACING_AWAY = 0.15, -0.35
"""Cosine between gaze and the way to the camera: above the first the face shows, below the second one sees the back of the head."""
UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Lens:
    """A camera: its pose in the world, and its vertical field of view in radians."""

    pose: Matrix
    yfov: float

    def into_camera(self, points_P3: Vector) -> Vector:
        """World points in image axes: x right, y down, z away, metres."""
        return np.asarray((points_P3 - self.pose[:3, 3]) @ self.pose[:3, :3] * [1.0, -1.0, -1.0])

    def project(self, points_P3: Vector, aspect: float) -> Vector:
        """Image points (P, 2) as fractions of the picture and depth; points behind the camera land far outside."""
        seen_P3 = self.into_camera(points_P3)
        depth_P = seen_P3[:, 2]
        scale = 0.5 / math.tan(self.yfov / 2)
        safe_P1 = np.where(depth_P > 0.01, depth_P, np.inf)[:, None]
        fractions_P2 = 0.5 + seen_P3[:, :2] / safe_P1 * [scale / aspect, scale]
        return np.column_stack([np.where(depth_P[:, None] > 0.01, fractions_P2, -1.0), depth_P])


def frame_of(sight: Sight, moment: Moment, lens: Lens, index: int, time_s: float) -> Frame:
    """The annotation of one rendered frame; what hardly shows is left out with its relations."""
    num_actors = len(moment.actors)
    visible_A = np.bincount(sight.actor_HW.ravel(), minlength=num_actors + 1)[1:]
    share_A = np.minimum(visible_A / np.maximum(sight.amodal_A, 1), 1.0)
    slices = ndimage.find_objects(sight.actor_HW, num_actors)
    entities, unsure = [], set()
    for actor, where, pixels, share in zip(moment.actors, slices, visible_A, share_A, strict=True):
        if where is None or pixels < MIN_PIXELS or share < MIN_VISIBLE or min(part.stop - part.start for part in where) < MIN_SIDE:
            continue
        body = None if actor.body is None else _body(actor.body, lens, sight)
        if actor.body is not None and body is not None and _attention_unknown(actor.body, body, lens):
            unsure.add(actor.id)
        entities.append(_entity(actor, where, sight.actor_HW.shape, float(share), body))
    kept = {entity.id for entity in entities}
    return Frame(index, time_s, tuple(entities), _relations(moment, kept, unsure))


def _entity(actor: Actor, where: tuple[slice, ...], shape: tuple[int, ...], share: float, body: Body | None) -> Entity:
    height, width = shape
    rows, columns = where
    box = (columns.start / width, rows.start / height, columns.stop / width, rows.stop / height)
    return Entity(actor.id, actor.label, box, round(share, 3), body)


def _relations(moment: Moment, kept: set[int], unsure: set[int]) -> tuple[Relation, ...]:
    """Relations between what is left; where the head does not show, nobody can tell what it looks at."""
    found = [
        Relation(subject, UNSURE if subject in unsure and predicate in ATTENTION else predicate, thing)
        for subject, predicate, thing in moment.relations
        if subject in kept and thing in kept
    ]
    return tuple(dict.fromkeys(found))


def _body(posed: PosedBody, lens: Lens, sight: Sight) -> Body:
    head_3 = posed.eyes_3 - EYES_TO_HEAD_M * posed.gaze_3
    points_P3 = np.stack([posed.palms_H3[0], posed.palms_H3[1], posed.eyes_3, head_3])
    height, width = sight.depth_HW.shape
    image_P3 = lens.project(points_P3, width / height)
    seen_P = _seen(image_P3, (PALM_DEPTH_M, PALM_DEPTH_M, EYES_DEPTH_M, HEAD_DEPTH_M), sight.depth_HW)
    hands = [
        Hand(_point(point), bool(seen), None if touches < 0 else touches)
        for point, seen, touches in zip(image_P3[:2], seen_P[:2], posed.touches_H, strict=True)
    ]
    gaze = tuple(round(float(value), 4) for value in lens.pose[:3, :3].T @ posed.gaze_3 * [1.0, -1.0, -1.0])
    face_seen = bool(seen_P[2]) and _towards_camera(posed, lens) > FACING_FACE
    return Body(
        posed.posture, _point(image_P3[2]), bool(seen_P[3]) or face_seen, face_seen, (gaze[0], gaze[1], gaze[2]), hands[0], hands[1]
    )


def _seen(image_P3: Vector, below_m: Sequence[float], depth_HW: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Is each point in the picture, and is nothing further before it than `below_m`, at one of the 3 x 3 pixels around it?"""
    height, width = depth_HW.shape
    inside_P = (image_P3[:, :2] >= 0.0).all(1) & (image_P3[:, :2] < 1.0).all(1) & (image_P3[:, 2] > 0.0)
    corner_P2 = np.where(inside_P[:, None], np.floor(image_P3[:, :2] * [width, height]), 0).astype(np.int64)
    steps_9 = np.array([-1, 0, 1])
    columns_P9 = np.repeat((corner_P2[:, :1] + steps_9).clip(0, width - 1), 3, axis=1)
    rows_P9 = np.tile((corner_P2[:, 1:] + steps_9).clip(0, height - 1), (1, 3))
    surface_P9 = np.where(depth_HW > 0, depth_HW, np.inf)[rows_P9, columns_P9]
    nearest_P1 = image_P3[:, 2:] - np.asarray(below_m)[:, None]
    return np.asarray(inside_P & ((surface_P9 >= nearest_P1).mean(1) > 0.5))


def _attention_unknown(posed: PosedBody, body: Body, lens: Lens) -> bool:
    return not body.head_seen or _towards_camera(posed, lens) < FACING_AWAY


def _towards_camera(posed: PosedBody, lens: Lens) -> float:
    way_3 = lens.pose[:3, 3] - posed.eyes_3
    return float(posed.gaze_3 @ way_3 / max(float(np.linalg.norm(way_3)), 1e-6))


def _point(image_3: Vector) -> Point:
    x, y = image_3[:2].clip(-1.0, 2.0)
    return round(float(x), 4), round(float(y), 4)
