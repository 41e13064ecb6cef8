"""Relations over time: model/belief.py's filter per (subject, predicate, object), between things that last. Knows no tracker, no policy.

Shape suffixes: S remembered pairs, R the scene's pairs, K published predicates, T tracks, 2 = (subject, object).
"""

import numpy as np
from msgspec import Struct

from engines.protocol import EngineSpec, SceneGraph
from model.belief import MAX_LOG_ODDS, BeliefFilter, bounded, holds, sigmoid
from model.vocabulary import NULL_PREDICATES
from service.pipeline.types import MAX_BLIND_S, MAX_STEP_S, Bools, Floats, Ints, Tracked
from service.types import Edge, Node, TrackedGraph

UNSEEN_S = 1.5
PROB_TAU_S = 0.3
TRUST_SCORE, DISTRUST_SCORE = 0.4, 0.3
TRUST_AGE_S = 0.5
MAX_STORED = 64
ID_BITS = 32


class HoldingState(Struct, frozen=True, array_like=True):
    """A published predicate (by its place among those published) that holds now."""

    column: int
    prob: float
    since_s: float


class BeliefState(Struct, frozen=True, array_like=True):
    """One pair as stored; log-odds of every published predicate as float16."""

    subject: int
    object: int
    seen_s: float
    log_odds: bytes
    holding: tuple[HoldingState, ...]


class RelationsState(Struct, frozen=True, array_like=True):
    media_s: float
    trusted: tuple[int, ...]
    beliefs: tuple[BeliefState, ...]


class Relations:
    """The relation beliefs of one stream; only predicates that the checkpoint publishes, and no null state."""

    def __init__(self, spec: EngineSpec) -> None:
        columns = [k for k, use in enumerate(spec.predicates) if use.published and use.name not in NULL_PREDICATES]
        self._objects = spec.vocabulary.objects
        self._columns_K = np.array(columns, np.int64)
        self._names = tuple(spec.predicates[k].name for k in columns)
        published = [spec.predicates[k] for k in columns]
        self._filter = BeliefFilter([use.threshold for use in published], [use.pace for use in published])
        self._media_s: float | None = None
        self._trusted: frozenset[int] = frozenset()
        self._keys_S: Ints = np.zeros(0, np.int64)
        self._seen_S: Floats = np.zeros(0)
        self._log_odds_SK: Floats = np.zeros((0, len(columns)))
        self._probs_SK: Floats = np.zeros((0, len(columns)))
        self._since_SK: Floats = np.zeros((0, len(columns)))

    def update(self, scene: SceneGraph, tracked: Tracked) -> TrackedGraph:
        """Take in one frame's pairs; the graph as it stands, with relations only between visible, lasting, sure things."""
        dt_s = self._step(tracked.media_s)
        keys_R, probs_RK = self._looks(scene, tracked)
        self._advance(self._slots(keys_R), probs_RK, tracked.media_s, dt_s)
        self._switch(tracked.media_s, dt_s)
        self._drop(tracked.media_s - self._seen_S > UNSEEN_S)
        return TrackedGraph(_nodes(tracked, self._objects), self._edges(tracked))

    def absorb(self, kept: int, merged: int) -> None:
        """What was believed of `merged` is believed of `kept`; where both have a belief, the stronger one stands."""
        ids_S2 = np.where(self._pair_ids() == merged, kept, self._pair_ids())
        keys_S = _keys(ids_S2)
        self._drop(ids_S2[:, 0] == ids_S2[:, 1], keys_S)
        first: dict[int, int] = {}
        double_S = np.zeros(len(self._keys_S), np.bool_)
        for slot, key in enumerate(self._keys_S.tolist()):
            if first.setdefault(key, slot) == slot:
                continue
            into, double_S[slot] = first[key], True
            self._seen_S[into] = max(self._seen_S[into], self._seen_S[slot])
            for column, strongest in ((self._log_odds_SK, np.maximum), (self._probs_SK, np.maximum), (self._since_SK, np.fmin)):
                column[into] = strongest(column[into], column[slot])
        self._drop(double_S)

    def state(self) -> RelationsState:
        strongest = np.argsort(-self._log_odds_SK.max(1, initial=-MAX_LOG_ODDS), kind="stable")[:MAX_STORED]
        beliefs = tuple(self._belief(slot) for slot in strongest.tolist())
        return RelationsState(self._media_s or 0.0, tuple(sorted(self._trusted)), beliefs)

    def restore(self, state: RelationsState) -> None:
        shape = (len(state.beliefs), len(self._names))
        self._media_s = state.media_s
        self._trusted = frozenset(state.trusted)
        self._keys_S = _keys(np.array([(belief.subject, belief.object) for belief in state.beliefs], np.int64).reshape(-1, 2))
        self._seen_S = np.array([belief.seen_s for belief in state.beliefs])
        packed = b"".join(belief.log_odds for belief in state.beliefs)
        self._log_odds_SK = np.frombuffer(packed, np.float16).astype(np.float64).reshape(shape)
        self._probs_SK = sigmoid(self._log_odds_SK)
        self._since_SK = np.full(shape, np.nan)
        for slot, belief in enumerate(state.beliefs):
            for held in belief.holding:
                self._probs_SK[slot, held.column], self._since_SK[slot, held.column] = held.prob, held.since_s

    def _belief(self, slot: int) -> BeliefState:
        subject, obj = self._pair_ids()[slot].tolist()
        on = np.flatnonzero(~np.isnan(self._since_SK[slot])).tolist()
        holding = tuple(HoldingState(k, float(self._probs_SK[slot, k]), float(self._since_SK[slot, k])) for k in on)
        return BeliefState(subject, obj, float(self._seen_S[slot]), self._log_odds_SK[slot].astype(np.float16).tobytes(), holding)

    def _step(self, media_s: float) -> float:
        """Move the clock on; the seconds that count."""
        gap_s = 0.0 if self._media_s is None else max(media_s - self._media_s, 0.0)
        self._media_s = media_s
        if MAX_STEP_S < gap_s <= MAX_BLIND_S:
            self._seen_S = self._seen_S + gap_s - MAX_STEP_S
        return min(gap_s, MAX_STEP_S)

    def _pair_ids(self) -> Ints:
        return np.stack([self._keys_S >> ID_BITS, self._keys_S & ((1 << ID_BITS) - 1)], axis=1)

    def _looks(self, scene: SceneGraph, tracked: Tracked) -> tuple[Ints, Floats]:
        """Keys and probabilities of the scene's pairs whose two things have an identity."""
        id_of_N = np.zeros(len(scene.scores_N), np.int64)
        seen_T = tracked.rows_T >= 0
        id_of_N[tracked.rows_T[seen_T]] = tracked.ids_T[seen_T]
        ids_R2 = id_of_N[scene.pairs_R2]
        known_R = (ids_R2 > 0).all(1) & (ids_R2[:, 0] != ids_R2[:, 1])
        return _keys(ids_R2[known_R]), scene.predicate_probs_RK[known_R][:, self._columns_K].astype(np.float64)

    def _slots(self, keys_R: Ints) -> Ints:
        """Where each pair is remembered; a new one begins at what is true of any pair before looking."""
        slot_of = {key: slot for slot, key in enumerate(self._keys_S.tolist())}
        slots = [slot_of.setdefault(key, len(slot_of)) for key in keys_R.tolist()]
        if new_keys := list(slot_of)[len(self._keys_S) :]:
            shape = (len(new_keys), len(self._names))
            self._keys_S = np.concatenate([self._keys_S, new_keys])
            self._seen_S = np.concatenate([self._seen_S, np.zeros(len(new_keys))])
            self._log_odds_SK = np.concatenate([self._log_odds_SK, np.broadcast_to(self._filter.start_K, shape)])
            self._probs_SK = np.concatenate([self._probs_SK, np.broadcast_to(sigmoid(self._filter.start_K), shape)])
            self._since_SK = np.concatenate([self._since_SK, np.full(shape, np.nan)])
        return np.array(slots, np.int64)

    def _advance(self, seen: Ints, probs_RK: Floats, media_s: float, dt_s: float) -> None:
        """One step of the filter: time passes for all, evidence speaks for those seen."""
        log_odds_SK = self._filter.passed(self._log_odds_SK, dt_s)
        log_odds_SK[seen] += self._filter.evidence(probs_RK, dt_s)
        self._log_odds_SK = bounded(log_odds_SK)
        self._seen_S[seen] = media_s

    def _switch(self, media_s: float, dt_s: float) -> None:
        """Hysteresis, and the probability that is shown."""
        was_on_SK = ~np.isnan(self._since_SK)
        on_SK = holds(self._log_odds_SK, was_on_SK)
        self._since_SK = np.where(on_SK, np.where(was_on_SK, self._since_SK, media_s), np.nan)
        now_SK = sigmoid(self._log_odds_SK)
        blend = 1.0 - np.exp(-dt_s / PROB_TAU_S)
        self._probs_SK = np.where(was_on_SK, self._probs_SK + blend * (now_SK - self._probs_SK), now_SK)

    def _drop(self, out_S: Bools, keys_S: Ints | None = None) -> None:
        if keys_S is None and not out_S.any():
            return
        keys_S = self._keys_S if keys_S is None else keys_S
        keep_S = ~out_S
        self._keys_S, self._seen_S = keys_S[keep_S], self._seen_S[keep_S]
        self._log_odds_SK, self._probs_SK, self._since_SK = (
            column[keep_S] for column in (self._log_odds_SK, self._probs_SK, self._since_SK)
        )

    def _trust(self, tracked: Tracked) -> frozenset[int]:
        """Ids that may carry relations: visible, lasting, and sure (surer to begin than to go on)."""
        bar_T = np.array([DISTRUST_SCORE if track_id in self._trusted else TRUST_SCORE for track_id in tracked.ids_T.tolist()])
        lasted_T = tracked.media_s - tracked.first_seen_T >= TRUST_AGE_S
        self._trusted = frozenset(tracked.ids_T[tracked.visible_T & lasted_T & (tracked.scores_T >= bar_T)].tolist())
        return self._trusted

    def _edges(self, tracked: Tracked) -> tuple[Edge, ...]:
        trusted = self._trust(tracked)
        ids_S2 = self._pair_ids().tolist()
        edges = [
            Edge(
                subject=ids_S2[slot][0],
                predicate=self._names[k],
                object=ids_S2[slot][1],
                prob=round(float(self._probs_SK[slot, k]), 3),
                since_s=round(float(self._since_SK[slot, k]), 3),
            )
            for slot, k in np.argwhere(~np.isnan(self._since_SK)).tolist()
            if ids_S2[slot][0] in trusted and ids_S2[slot][1] in trusted
        ]
        return tuple(sorted(edges, key=lambda edge: (edge.subject, edge.predicate, edge.object)))


def _nodes(tracked: Tracked, objects: tuple[str, ...]) -> tuple[Node, ...]:
    """Rounded: what is published is exactly what deltas carry."""
    boxes_T4, scores_T = tracked.boxes_T4.round(4).tolist(), tracked.scores_T.round(3).tolist()
    ids, labels, first_seen = tracked.ids_T.tolist(), tracked.labels_T.tolist(), tracked.first_seen_T.round(3).tolist()
    return tuple(
        Node(id=ids[row], label=objects[labels[row]], score=scores_T[row], box=tuple(boxes_T4[row]), first_seen_s=first_seen[row])
        for row in np.flatnonzero(tracked.visible_T)
    )


def _keys(ids_S2: Ints) -> Ints:
    return (ids_S2[:, 0] << ID_BITS) | ids_S2[:, 1]
