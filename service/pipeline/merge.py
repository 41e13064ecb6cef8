"""Redundant identities: two tracklets on one thing, or one thing reborn under a new id. Knows no tracker and no relations.

T tracklets, ids ascending: of a pair (row, column) above the diagonal, the row is the older one, which survives.
"""

from dataclasses import dataclass

import numpy as np
from msgspec import Struct

from model.vocabulary import ACTION_GENOME_OBJECTS
from service.pipeline.geometry import cosine, overlap
from service.pipeline.types import MAX_STEP_S, Bools, Floats, Ints, Tracked
from service.types import NodeMerge

MIN_IOU, MIN_INSIDE, SAME_LOOK = 0.7, 0.9, 0.85
NEAR_TAU_S = 0.2
MERGE_AT = 0.8
MERGE_FRAMES = 5
APART_INSIDE = 0.3
APART_S = 2.0
REBORN_S = 1.0
REPLACED_S = 0.2
SUCCESSOR_IOU, SUCCESSOR_LOOK = 0.3, 0.7
LONG_AGO_S = -1e9


class PairState(Struct, frozen=True, array_like=True):
    older: int
    newer: int
    near: float
    frames: int
    apart_s: float


class MergesState(Struct, frozen=True, array_like=True):
    """Pairs that are suspected, or were seen apart of late."""

    media_s: float
    pairs: tuple[PairState, ...]


@dataclass(slots=True)
class _Pairs:
    """What is remembered of every pair: `near_TT` averages "looks like a duplicate", `apart_TT` is when both were last seen apart."""

    ids_T: Ints
    near_TT: Floats
    frames_TT: Ints
    apart_TT: Floats

    @classmethod
    def fresh(cls, ids_T: Ints) -> "_Pairs":
        shape = (len(ids_T), len(ids_T))
        return cls(ids_T, np.zeros(shape), np.zeros(shape, np.int64), np.full(shape, LONG_AGO_S))

    def of(self, ids_T: Ints) -> "_Pairs":
        """The same memory for another set of ids."""
        fresh = _Pairs.fresh(ids_T)
        _, new, old = np.intersect1d(ids_T, self.ids_T, assume_unique=True, return_indices=True)
        to, frm = np.ix_(new, new), np.ix_(old, old)
        fresh.near_TT[to], fresh.frames_TT[to], fresh.apart_TT[to] = self.near_TT[frm], self.frames_TT[frm], self.apart_TT[frm]
        return fresh


class Merges:
    """Finds merges for one stream. `objects` are the vocabulary's class names."""

    def __init__(self, objects: tuple[str, ...]) -> None:
        self._groups_C = class_groups(objects)
        self._pairs = _Pairs.fresh(np.zeros(0, np.int64))
        self._media_s: float | None = None

    def update(self, tracked: Tracked) -> tuple[NodeMerge, ...]:
        """One frame; the merges it decides, each id merged at most once and into its oldest equal."""
        dt_s = 0.0 if self._media_s is None else min(max(tracked.media_s - self._media_s, 0.0), MAX_STEP_S)
        self._media_s = tracked.media_s
        if not np.array_equal(self._pairs.ids_T, tracked.ids_T):
            self._pairs = self._pairs.of(tracked.ids_T)
        if len(tracked.ids_T) < 2:
            return ()
        ripe_TT = self._duplicates(tracked, dt_s) & (tracked.media_s - self._pairs.apart_TT > APART_S)
        return _oldest_equal(tracked.ids_T, np.argwhere(ripe_TT))

    def state(self) -> MergesState:
        pairs = self._pairs
        recent_TT = np.triu((pairs.near_TT > 0.1) | ((self._media_s or 0.0) - pairs.apart_TT <= APART_S), 1)
        ids = pairs.ids_T.tolist()
        return MergesState(
            self._media_s or 0.0,
            tuple(
                PairState(ids[a], ids[b], float(pairs.near_TT[a, b]), int(pairs.frames_TT[a, b]), float(pairs.apart_TT[a, b]))
                for a, b in np.argwhere(recent_TT)[:128]
            ),
        )

    def restore(self, state: MergesState) -> None:
        self._media_s = state.media_s
        ids_T = np.unique(np.array([track_id for pair in state.pairs for track_id in (pair.older, pair.newer)], np.int64))
        self._pairs = _Pairs.fresh(ids_T)
        for pair in state.pairs:
            at = tuple(np.searchsorted(ids_T, (pair.older, pair.newer)))
            self._pairs.near_TT[at], self._pairs.frames_TT[at], self._pairs.apart_TT[at] = pair.near, pair.frames, pair.apart_s

    def _duplicates(self, tracked: Tracked, dt_s: float) -> Bools:
        """Pairs that have looked like one thing for long enough, and pairs where the newer one took the older one's place."""
        pairs = self._pairs
        place = overlap(tracked.boxes_T4, tracked.boxes_T4)
        groups_T = self._groups_C[tracked.labels_T]
        same_group_TT = groups_T[:, None] == groups_T[None]
        look_TT = cosine(tracked.embeddings_TD, tracked.embeddings_TD)
        seen_T = tracked.rows_T >= 0
        both_TT = np.triu(seen_T[:, None] & seen_T[None], 1)
        iou_TT, inside_TT = place.iou, place.inside
        on_top_TT = both_TT & same_group_TT & (look_TT > SAME_LOOK) & ((iou_TT > MIN_IOU) | (inside_TT > MIN_INSIDE))
        blend = 1.0 - np.exp(-dt_s / NEAR_TAU_S)
        pairs.near_TT += both_TT * (blend * (on_top_TT - pairs.near_TT))
        pairs.frames_TT += on_top_TT
        pairs.frames_TT[both_TT & ~on_top_TT & (pairs.near_TT < 0.1)] = 0
        pairs.apart_TT[both_TT & (inside_TT < APART_INSIDE)] = tracked.media_s
        lasting_TT = (pairs.near_TT > MERGE_AT) & (pairs.frames_TT >= MERGE_FRAMES)
        if seen_T.all():
            return np.asarray(lasting_TT)
        successor_TT = _reborn(tracked) | (_replaced(tracked) & (pairs.apart_TT == LONG_AGO_S))
        likely_TT = same_group_TT & (look_TT > SUCCESSOR_LOOK) & (iou_TT > SUCCESSOR_IOU)
        return np.asarray(lasting_TT | (successor_TT & likely_TT))


def class_groups(objects: tuple[str, ...]) -> Ints:
    """A group number per class; classes that Action Genome holds for one (cup, wine glass, bottle) share theirs."""
    group_of = {name: number for number, names in enumerate(ACTION_GENOME_OBJECTS.values()) for name in names}
    return np.array([group_of.get(name, len(group_of) + index) for index, name in enumerate(objects)], np.int64)


def _reborn(tracked: Tracked) -> Bools:
    """The older one is out of sight, and the newer one was first seen within `REBORN_S` of that."""
    gap_TT = tracked.first_seen_T[None, :] - tracked.last_seen_T[:, None]
    unseen_T, seen_T = tracked.rows_T < 0, tracked.rows_T >= 0
    return np.triu((gap_TT > 0.0) & (gap_TT <= REBORN_S) & unseen_T[:, None] & seen_T[None, :], 1)


def _replaced(tracked: Tracked) -> Bools:
    """The older one went out of sight while the newer one was and stays seen. Only for a pair that was never seen apart."""
    gone_T, seen_T = tracked.media_s - tracked.last_seen_T >= REPLACED_S, tracked.rows_T >= 0
    older_TT = tracked.first_seen_T[None, :] <= tracked.last_seen_T[:, None]
    return np.triu(older_TT & gone_T[:, None] & seen_T[None, :], 1)


def _oldest_equal(ids_T: Ints, pairs: Ints) -> tuple[NodeMerge, ...]:
    """Union-find over the ripe pairs; every id but the oldest of its set is merged into that one."""
    parent: dict[int, int] = {}

    def root(track_id: int) -> int:
        while (above := parent.get(track_id, track_id)) != track_id:
            track_id = above
        return track_id

    for older, newer in pairs:
        first, second = sorted((root(int(ids_T[older])), root(int(ids_T[newer]))))
        parent[second] = first
    return tuple(NodeMerge(kept=root(track_id), merged=track_id) for track_id in sorted(parent) if root(track_id) != track_id)
