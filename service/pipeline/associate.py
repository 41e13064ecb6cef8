"""Identity over time: which entity of this frame is which of before. Knows no relations, no meaning of labels, no wall clock.

Three rounds of linear assignment per frame, as in ByteTrack (Zhang et al. 2022): confident detections to active tracklets by place,
look and class; what is left, weak ones too, to active tracklets by place; confident ones left to lost tracklets, by look.

Shape suffixes: T tracklets, P their places (where each should be, then where it was seen last), D detections, N entity rows of the
scene, C object classes, E embedding, 4 = (x0, y0, x1, y1).
"""

from dataclasses import dataclass

import numpy as np
from msgspec import Struct
from scipy.optimize import linear_sum_assignment

from engines.protocol import SceneGraph
from service.pipeline.geometry import cosine, jensen_shannon, overlap
from service.pipeline.tracklets import MIN_DT_S, Sightings, Tracklets, TrackletState
from service.pipeline.types import MAX_BLIND_S, MAX_STEP_S, Bools, Floats, Ints, Tracked

WEAK_SCORE = 0.15
CONFIDENT_SCORE = 0.35
PLACE_WEIGHT, LOOK_WEIGHT, CLASS_WEIGHT = 0.4, 0.35, 0.25
MAX_COST = 0.45
MIN_IOU = 0.3
MAX_LOST_COST = 0.15
MAX_CLASS_DISTANCE = 0.7
NEWCOMER_PENALTY, NEWCOMER_HITS = 0.12, 12
CONFIRM_HITS, CONFIRM_FRAMES = 3, 5
COAST_S, COAST_SHARE = 0.5, 0.5
FORGET_S = 3.0
SHOW_SCORE, HIDE_SCORE = 0.35, 0.22
SHOW_AGE_S = 0.15
SUSPECT_AGE_S, SUSPECT_SCORE, SUSPECT_INSIDE = 1.0, 0.5, 0.7
REACH_SIZES, REACH_FLOOR, REACH_MAX_S = 0.7, 0.02, 0.5
REACH_PER_S, REACH_PER_SPEED, REACH_PER_S_MAX = 0.4, 4.0, 1.2
MAX_TRACKLETS = 96
MAX_STORED = 32


class TracksState(Struct, frozen=True, array_like=True):
    """What survives a restart: the confirmed tracklets, seen last first."""

    media_s: float
    next_id: int
    tracklets: tuple[TrackletState, ...]


@dataclass(frozen=True, slots=True)
class _Likeness:
    """Every tracklet against every detection; `cost_TD` is the weighted sum of place, look and class distance, in [0, 1]."""

    cost_TD: Floats
    lost_cost_TD: Floats
    iou_TD: Floats
    near_TD: Bools
    same_class_TD: Bools


@dataclass(slots=True)
class _Found:
    """Who has which detection so far (-1: none), and which are free."""

    taken_T: Ints
    free_D: Bools

    def match(self, cost_TD: Floats, allowed_TD: Bools) -> None:
        """One round among those who are left."""
        at_T, of_D = _assign(cost_TD, allowed_TD & (self.taken_T < 0)[:, None] & self.free_D[None])
        self.taken_T[at_T], self.free_D[of_D] = of_D, False


class Tracks:
    """The identities of one stream. Ids start at 1, grow, and are never given twice."""

    def __init__(self, num_classes: int, dim: int, look_weight: float = LOOK_WEIGHT) -> None:
        self._look_weight = look_weight
        self._table = Tracklets.empty(num_classes, dim)
        self._next_id = 1
        self._media_s: float | None = None

    def update(self, scene: SceneGraph, media_s: float) -> Tracked:
        """Take in one frame. `scene` has its boxes on the picture; `media_s` grows from call to call."""
        dt_s = self._step(media_s)
        removed = self._forget(media_s)
        self._table.predict(dt_s)
        seen = _sightings(scene)
        unmatched_D = self._match(seen, media_s, dt_s)
        self._table.miss(dt_s)
        self._confirm()
        newcomers = np.flatnonzero(unmatched_D & (seen.scores_D >= CONFIDENT_SCORE))
        if len(newcomers):
            self._bear(seen.take(newcomers), media_s)
        self._show(media_s)
        return self.view(removed)

    def absorb(self, kept: int, merged: int) -> None:
        """`merged` was `kept` all along: the older id goes on with the newer sighting."""
        table = self._table
        into, out = (int(np.flatnonzero(table.ids_T == track_id)[0]) for track_id in (kept, merged))
        if table.last_seen_T[out] > table.last_seen_T[into] or table.rows_T[into] < 0 <= table.rows_T[out]:
            order = np.arange(len(table))
            order[into] = out
            first_seen_s = table.first_seen_T[into]
            table = self._table = table.take(order)
            table.ids_T[into] = kept
            table.first_seen_T[into] = first_seen_s
        table.shown_T[into] |= table.shown_T[out]
        self._table = table.take(np.arange(len(table)) != out)

    def view(self, removed: tuple[int, ...] = ()) -> Tracked:
        """The confirmed tracklets as they stand."""
        table = self._table
        rows = np.flatnonzero(table.ids_T)
        rows = rows[np.argsort(table.ids_T[rows])]
        return Tracked(
            media_s=self._media_s or 0.0,
            ids_T=table.ids_T[rows],
            labels_T=table.classes_TC[rows].argmax(1) if len(rows) else rows,
            scores_T=table.scores_T[rows],
            boxes_T4=np.minimum(np.maximum(table.boxes_T4[rows], 0.0), 1.0),
            embeddings_TD=table.embeddings_TE[rows],
            first_seen_T=table.first_seen_T[rows],
            last_seen_T=table.last_seen_T[rows],
            rows_T=table.rows_T[rows],
            visible_T=table.shown_T[rows],
            removed=removed,
        )

    def state(self) -> TracksState:
        table = self._table.take(np.flatnonzero(self._table.ids_T))
        latest = np.argsort(-table.last_seen_T, kind="stable")[:MAX_STORED]
        return TracksState(self._media_s or 0.0, self._next_id, table.take(latest).state())

    def restore(self, state: TracksState) -> None:
        num_classes, dim = self._table.classes_TC.shape[1], self._table.embeddings_TE.shape[1]
        self._table = Tracklets.restored(state.tracklets, num_classes, dim)
        self._next_id = state.next_id
        self._media_s = state.media_s

    def _step(self, media_s: float) -> float:
        """Move the clock on; the seconds that count."""
        gap_s = MIN_DT_S if self._media_s is None else max(media_s - self._media_s, MIN_DT_S)
        self._media_s = media_s
        if MAX_STEP_S < gap_s <= MAX_BLIND_S:
            self._table.last_seen_T += gap_s - MAX_STEP_S
        return min(gap_s, MAX_STEP_S)

    def _match(self, seen: Sightings, media_s: float, dt_s: float) -> Bools:
        """Run the three rounds; True for the detections that nobody took."""
        table, like = self._table, self._likeness(seen, media_s)
        active_T1 = ((media_s - dt_s - table.last_seen_T <= COAST_S) | (table.ids_T == 0))[:, None]
        sure_TD = like.near_TD & like.same_class_TD & (seen.scores_D >= CONFIDENT_SCORE)[None]
        found = _Found(np.full(len(table), -1), np.ones(len(seen), np.bool_))
        found.match(like.cost_TD, sure_TD & active_T1 & (like.cost_TD <= MAX_COST))
        if found.free_D.any():
            found.match(1.0 - like.iou_TD, like.same_class_TD & active_T1 & (like.iou_TD >= MIN_IOU))
        if found.free_D.any() and not active_T1.all():
            found.match(like.lost_cost_TD, sure_TD & ~active_T1 & (like.lost_cost_TD <= MAX_LOST_COST))
        at_T = np.flatnonzero(found.taken_T >= 0)
        table.observe(at_T, seen.take(found.taken_T[at_T]), media_s)
        return found.free_D

    def _likeness(self, seen: Sightings, media_s: float) -> _Likeness:
        table = self._table
        reach_T = _reach(table, media_s)
        places_P4 = np.concatenate([table.boxes_T4, table.seen_boxes_T4])
        places, near_PD = overlap(places_P4, seen.boxes_D4), _near(places_P4, seen, np.concatenate([reach_T, reach_T]))
        count, iou_PD, giou_PD = len(table), places.iou, places.giou
        iou_TD, giou_TD = np.maximum(iou_PD[:count], iou_PD[count:]), np.maximum(giou_PD[:count], giou_PD[count:])
        look_TD = 0.5 * (1.0 - cosine(table.embeddings_TE, seen.embeddings_DE))
        class_TD = jensen_shannon(table.classes_TC, seen.classes_DC)
        look_cost_TD, class_cost_TD = self._look_weight * look_TD, CLASS_WEIGHT * class_TD
        cost_TD = PLACE_WEIGHT * 0.5 * (1.0 - giou_TD) + look_cost_TD + class_cost_TD
        return _Likeness(
            cost_TD=cost_TD + NEWCOMER_PENALTY * np.maximum(1.0 - table.hits_T / NEWCOMER_HITS, 0.0)[:, None],
            lost_cost_TD=(look_cost_TD + class_cost_TD) / (self._look_weight + CLASS_WEIGHT),
            iou_TD=iou_TD,
            near_TD=near_PD[:count] | near_PD[count:],
            same_class_TD=class_TD <= MAX_CLASS_DISTANCE,
        )

    def _confirm(self) -> None:
        """Three hits of five make an identity; a tentative tracklet that can no longer get there goes."""
        table = self._table
        ripe = np.flatnonzero((table.ids_T == 0) & (table.hits_T >= CONFIRM_HITS))
        table.ids_T[ripe] = np.arange(self._next_id, self._next_id + len(ripe))
        self._next_id += len(ripe)
        hopeless_T = (table.ids_T == 0) & (table.frames_T - table.hits_T > CONFIRM_FRAMES - CONFIRM_HITS)
        if hopeless_T.any():
            self._table = table.take(~hopeless_T)

    def _forget(self, media_s: float) -> tuple[int, ...]:
        stale_T = media_s - self._table.last_seen_T > FORGET_S
        removed = tuple(int(track_id) for track_id in self._table.ids_T[stale_T] if track_id)
        if stale_T.any():
            self._table = self._table.take(~stale_T)
        return removed

    def _bear(self, seen: Sightings, media_s: float) -> None:
        room = max(MAX_TRACKLETS - len(self._table), 0)
        if len(seen) and room:
            self._table = self._table.join(Tracklets.born(seen.take(np.arange(min(room, len(seen)))), media_s))

    def _show(self, media_s: float) -> None:
        """Who belongs in the graph: seen of late, old enough, and sure enough (surer to enter than to stay)."""
        table = self._table
        bar_T = np.where(table.shown_T, HIDE_SCORE, SHOW_SCORE)
        lived_T = table.last_seen_T - table.first_seen_T
        here_T = media_s - table.last_seen_T <= np.minimum(COAST_S, COAST_SHARE * lived_T)
        age_T, is_suspect_T = media_s - table.first_seen_T, self._suspect()
        old_T = table.shown_T | (age_T >= np.where(is_suspect_T, SUSPECT_AGE_S, SHOW_AGE_S))
        bar_T = np.where(is_suspect_T, SUSPECT_SCORE, bar_T)
        table.shown_T = (table.ids_T > 0) & here_T & old_T & (table.scores_T >= bar_T)

    def _suspect(self) -> Bools:
        """Newcomers that lie within something of their class: perhaps a part of it, so they must be older and surer to be shown."""
        table = self._table
        waiting_T = (table.ids_T > 0) & ~table.shown_T
        if not waiting_T.any() or not table.shown_T.any():
            return np.zeros(len(table), np.bool_)
        labels_T = table.classes_TC.argmax(1)
        within_TT = overlap(table.boxes_T4, table.boxes_T4).inside > SUSPECT_INSIDE
        return np.asarray(waiting_T & (within_TT & (labels_T[:, None] == labels_T[None]) & table.shown_T[None]).any(1))


def _sightings(scene: SceneGraph) -> Sightings:
    """The entities worth matching. Class scores are squared, then normalised: what the detector prefers stands out of its noise floor."""
    boxes_N4 = scene.boxes_N4
    solid_N = (boxes_N4[:, 2:] > boxes_N4[:, :2]).all(1)
    rows = np.flatnonzero((scene.scores_N >= WEAK_SCORE) & solid_N)
    classes_DC = scene.class_probs_NC[rows].astype(np.float64) ** 2
    return Sightings(
        rows_D=rows,
        boxes_D4=boxes_N4[rows].astype(np.float64),
        scores_D=scene.scores_N[rows].astype(np.float64),
        embeddings_DE=scene.embeddings_ND[rows].astype(np.float64),
        classes_DC=classes_DC / (classes_DC.sum(1, keepdims=True) + 1e-12),
    )


def _reach(table: Tracklets, media_s: float) -> Floats:
    """How far a tracklet may have gone since it was seen: what moves may go further, and of what is lost nobody knows."""
    gap_T = media_s - table.last_seen_T
    pace_T = np.minimum(REACH_PER_S + REACH_PER_SPEED * np.abs(table.speeds_T2).max(1, initial=0.0), REACH_PER_S_MAX)
    return np.asarray(REACH_FLOOR + np.where(gap_T > COAST_S, REACH_PER_S_MAX, pace_T) * np.minimum(gap_T, REACH_MAX_S))


def _near(places_P4: Floats, seen: Sightings, reach_P: Floats) -> Bools:
    """The motion gate (P, D): whether a centre lies within reach of a place where it is expected, give or take its size, per axis."""
    low_P2, high_P2 = places_P4[:, :2], places_P4[:, 2:]
    reach_P2 = REACH_SIZES * (high_P2 - low_P2) + reach_P[:, None]
    centre_D2 = 0.5 * (seen.boxes_D4[:, :2] + seen.boxes_D4[:, 2:])
    away_PD2 = np.abs(0.5 * (low_P2 + high_P2)[:, None] - centre_D2[None])
    within_PD2 = away_PD2 <= reach_P2[:, None]
    return np.asarray(within_PD2[..., 0] & within_PD2[..., 1])


def _assign(cost_TD: Floats, allowed_TD: Bools) -> tuple[Ints, Ints]:
    """The cheapest one-to-one matching that uses allowed pairs only: (tracklet rows, detection rows)."""
    if not allowed_TD.any():
        nothing = np.zeros(0, np.int64)
        return nothing, nothing
    at_T, of_D = linear_sum_assignment(np.where(allowed_TD, cost_TD, 1e3))
    allowed = allowed_TD[at_T, of_D]
    return at_T[allowed], of_D[allowed]
