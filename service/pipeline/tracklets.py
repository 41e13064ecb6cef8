"""The table of one stream's tracklets: one array per column, one row per identity. Motion and averages; knows no matching.

Shape suffixes: T tracklets, D matched rows, E embedding, C object classes, 4 = (x0, y0, x1, y1), 2 = (x, y).
All rates are per second of media time, so a stream at 5 and at 30 frames per second is treated alike.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np
from msgspec import Struct

from service.pipeline.types import Bools, Floats, Ints

BOX_TAU_S = 0.03
SPEED_TAU_S = 0.25
COAST_TAU_S = 0.2
SCORE_TAU_S = 0.6
MISSED_TAU_S = 1.5
LOOK_TAU_S = 1.0
JUMP = 0.15
MIN_DT_S = 1e-3
STORED_CLASSES = 8


class TrackletState(Struct, frozen=True, array_like=True):
    """One tracklet as stored: box and speed float32, look float16, the `STORED_CLASSES` likeliest classes as (uint16, float16)."""

    id: int
    frames: int
    hits: int
    row: int
    shown: bool
    score: float
    first_seen_s: float
    last_seen_s: float
    box: bytes
    speed: bytes
    embedding: bytes
    class_ids: bytes
    class_probs: bytes


@dataclass(slots=True)
class Sightings:
    """Detections of this frame. `rows_D` are the scene's rows, `classes_DC` distributions."""

    rows_D: Ints
    boxes_D4: Floats
    scores_D: Floats
    embeddings_DE: Floats
    classes_DC: Floats

    def __len__(self) -> int:
        return len(self.rows_D)

    def take(self, at: Ints) -> "Sightings":
        return Sightings(self.rows_D[at], self.boxes_D4[at], self.scores_D[at], self.embeddings_DE[at], self.classes_DC[at])


@dataclass(slots=True)
class Tracklets:
    """`ids_T` is 0 for a tentative tracklet: an identity is given when it is confirmed.

    `boxes_T4` is where it should be now, `seen_boxes_T4` where it was when last seen: a thing that bounces is nearer to that.
    """

    ids_T: Ints
    frames_T: Ints
    hits_T: Ints
    rows_T: Ints
    shown_T: Bools
    scores_T: Floats
    first_seen_T: Floats
    last_seen_T: Floats
    boxes_T4: Floats
    seen_boxes_T4: Floats
    speeds_T2: Floats
    embeddings_TE: Floats
    classes_TC: Floats

    @classmethod
    def empty(cls, num_classes: int, dim: int) -> "Tracklets":
        none = np.zeros(0)
        return cls(
            ids_T=none.astype(np.int64),
            frames_T=none.astype(np.int64),
            hits_T=none.astype(np.int64),
            rows_T=none.astype(np.int64),
            shown_T=none.astype(np.bool_),
            scores_T=none,
            first_seen_T=none,
            last_seen_T=none,
            boxes_T4=np.zeros((0, 4)),
            seen_boxes_T4=np.zeros((0, 4)),
            speeds_T2=np.zeros((0, 2)),
            embeddings_TE=np.zeros((0, dim)),
            classes_TC=np.zeros((0, num_classes)),
        )

    @classmethod
    def born(cls, seen: Sightings, media_s: float) -> "Tracklets":
        """New tentative tracklets, one per sighting."""
        count = len(seen.rows_D)
        return cls(
            ids_T=np.zeros(count, np.int64),
            frames_T=np.ones(count, np.int64),
            hits_T=np.ones(count, np.int64),
            rows_T=seen.rows_D,
            shown_T=np.zeros(count, np.bool_),
            scores_T=seen.scores_D,
            first_seen_T=np.full(count, media_s),
            last_seen_T=np.full(count, media_s),
            boxes_T4=seen.boxes_D4,
            seen_boxes_T4=seen.boxes_D4,
            speeds_T2=np.zeros((count, 2)),
            embeddings_TE=seen.embeddings_DE,
            classes_TC=seen.classes_DC,
        )

    def __len__(self) -> int:
        return len(self.ids_T)

    def take(self, rows: Ints | Bools) -> "Tracklets":
        """The chosen rows, in that order."""
        return Tracklets(*(column[rows] for column in self.columns()))

    def join(self, other: "Tracklets") -> "Tracklets":
        return Tracklets(*(np.concatenate(pair) for pair in zip(self.columns(), other.columns(), strict=True)))

    def columns(self) -> tuple[np.ndarray, ...]:
        return tuple(getattr(self, name) for name in _COLUMNS)

    def predict(self, dt_s: float) -> None:
        """Move every box on at its speed; an unseen one slows down. Nothing is seen yet in the new frame."""
        move_T2 = self.speeds_T2 * COAST_TAU_S * (1.0 - np.exp(-dt_s / COAST_TAU_S))
        self.boxes_T4 = self.boxes_T4 + np.concatenate([move_T2, move_T2], axis=1)
        unseen_T = self.rows_T < 0
        self.speeds_T2[unseen_T] *= np.exp(-dt_s / COAST_TAU_S)
        self.frames_T = self.frames_T + 1
        self.rows_T = np.full(len(self), -1)

    def observe(self, at_D: Ints, seen: Sightings, media_s: float) -> None:
        """Fold the sightings into the tracklets at rows `at_D`."""
        gap_D1 = np.maximum(media_s - self.last_seen_T[at_D], MIN_DT_S)[:, None]
        self._follow(at_D, seen.boxes_D4, gap_D1)
        fresh_D1 = 1.0 / (self.hits_T[at_D, None] + 1)
        blend_D1 = np.maximum(1.0 - np.exp(-gap_D1 / SCORE_TAU_S), fresh_D1)
        self.scores_T[at_D] += blend_D1[:, 0] * (seen.scores_D - self.scores_T[at_D])
        weight_D1 = np.minimum(2.0 * seen.scores_D[:, None], 1.0) * np.maximum(1.0 - np.exp(-gap_D1 / LOOK_TAU_S), fresh_D1)
        self.embeddings_TE[at_D] += weight_D1 * (seen.embeddings_DE - self.embeddings_TE[at_D])
        self.classes_TC[at_D] += weight_D1 * (seen.classes_DC - self.classes_TC[at_D])
        self.hits_T[at_D] += 1
        self.rows_T[at_D] = seen.rows_D
        self.seen_boxes_T4[at_D] = seen.boxes_D4
        self.last_seen_T[at_D] = media_s

    def miss(self, dt_s: float) -> None:
        """The score of what was not seen now fades."""
        self.scores_T[self.rows_T < 0] *= np.exp(-dt_s / MISSED_TAU_S)

    def state(self) -> tuple[TrackletState, ...]:
        top_TK = np.argsort(-self.classes_TC, axis=1, kind="stable")[:, :STORED_CLASSES]
        probs_TK = np.take_along_axis(self.classes_TC, top_TK, axis=1)
        return tuple(
            TrackletState(
                id=int(self.ids_T[row]),
                frames=int(self.frames_T[row]),
                hits=int(self.hits_T[row]),
                row=int(self.rows_T[row]),
                shown=bool(self.shown_T[row]),
                score=float(self.scores_T[row]),
                first_seen_s=float(self.first_seen_T[row]),
                last_seen_s=float(self.last_seen_T[row]),
                box=self.boxes_T4[row].astype(np.float32).tobytes(),
                speed=self.speeds_T2[row].astype(np.float32).tobytes(),
                embedding=self.embeddings_TE[row].astype(np.float16).tobytes(),
                class_ids=top_TK[row].astype(np.uint16).tobytes(),
                class_probs=probs_TK[row].astype(np.float16).tobytes(),
            )
            for row in range(len(self))
        )

    @classmethod
    def restored(cls, states: tuple[TrackletState, ...], num_classes: int, dim: int) -> "Tracklets":
        table = cls.empty(num_classes, dim)
        for state in states:
            table = table.join(_restored_row(state, num_classes))
        return table

    def _follow(self, at_D: Ints, boxes_D4: Floats, gap_D1: Floats) -> None:
        """Alpha-beta filter: smooths jitter, follows a jump (an error beyond `JUMP` of the box's size) at once."""
        error_D4 = boxes_D4 - self.boxes_T4[at_D]
        size_D2 = np.maximum(boxes_D4[:, 2:] - boxes_D4[:, :2], 1e-3)
        jump_D1 = (np.abs(error_D4) / np.concatenate([size_D2, size_D2], axis=1)).max(1, keepdims=True) / JUMP
        self.boxes_T4[at_D] += np.minimum(np.maximum(1.0 - np.exp(-gap_D1 / BOX_TAU_S), jump_D1), 1.0) * error_D4
        pull_D2 = 0.5 * (error_D4[:, :2] + error_D4[:, 2:]) / gap_D1
        self.speeds_T2[at_D] += (1.0 - np.exp(-gap_D1 / SPEED_TAU_S)) * pull_D2


_COLUMNS = tuple(field.name for field in dataclasses.fields(Tracklets))


def _restored_row(state: TrackletState, num_classes: int) -> Tracklets:
    classes_1C = np.zeros((1, num_classes))
    classes_1C[0, np.frombuffer(state.class_ids, np.uint16)] = np.frombuffer(state.class_probs, np.float16)
    box_14 = np.frombuffer(state.box, np.float32).astype(np.float64)[None]
    return Tracklets(
        ids_T=np.array([state.id]),
        frames_T=np.array([state.frames]),
        hits_T=np.array([state.hits]),
        rows_T=np.array([state.row]),
        shown_T=np.array([state.shown]),
        scores_T=np.array([state.score]),
        first_seen_T=np.array([state.first_seen_s]),
        last_seen_T=np.array([state.last_seen_s]),
        boxes_T4=box_14,
        seen_boxes_T4=box_14,
        speeds_T2=np.frombuffer(state.speed, np.float32).astype(np.float64)[None],
        embeddings_TE=np.frombuffer(state.embedding, np.float16).astype(np.float64)[None],
        classes_TC=classes_1C,
    )
