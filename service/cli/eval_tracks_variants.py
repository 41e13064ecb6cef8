"""The pipeline with one part taken out or replaced by something plain, over recorded scenes. What a product publishes, moment by moment.

R the scene's pairs, S remembered pairs, K published predicates, E edges (subject id, predicate, object id).
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from engines.protocol import EngineSpec, Predicate, SceneGraph
from model.belief import Pace, logit, sigmoid
from model.evaluation.frames import OBJECT_INDEX, PREDICATE_INDEX
from model.evaluation.over_time import Moment
from service.cli.eval_tracks_clips import Look
from service.pipeline.associate import LOOK_WEIGHT, Tracks
from service.pipeline.delta import EMPTY, diff, settle
from service.pipeline.merge import Merges
from service.pipeline.relations import Relations
from service.pipeline.types import Floats, Ints, Tracked
from service.types import EdgeAdd, EdgeRemove, GraphDelta, NodeMerge, TrackedGraph

EMA_S = 0.3
SHIPPED = "as shipped"


class Association(NamedTuple):
    """How identities are held: the weight of looks beside place and class, and whether redundant ones are merged."""

    name: str
    look_weight: float = LOOK_WEIGHT
    merges: bool = True


class Filter(NamedTuple):
    """How relations are held."""

    name: str
    make: Callable[[EngineSpec], Relations]


class Followed(NamedTuple):
    """One frame with its identities."""

    scene: SceneGraph
    tracked: Tracked
    merges: tuple[NodeMerge, ...]


class Published(NamedTuple):
    """One frame's graph as subscribers hold it, how many edges came or went with it, and how long its delta is."""

    graph: TrackedGraph
    edge_changes: int
    delta_bytes: int


class Averaged(Relations):
    """A plain rival of the relation filter: thresholds on exponential averages of the probabilities over `tau_s` seconds.

    0 s: every frame by itself, and a pair that is not looked at has no relation. No belief, no hysteresis.
    """

    def __init__(self, spec: EngineSpec, tau_s: float) -> None:
        super().__init__(spec)
        self._tau_s = tau_s
        self._threshold_K = np.array([spec.predicates[k].threshold for k in self._columns_K])

    def _slots(self, keys_R: Ints) -> Ints:
        known = len(self._keys_S)
        slots = super()._slots(keys_R)
        self._probs_SK[known:] = np.nan
        return slots

    def _advance(self, seen: Ints, probs_RK: Floats, media_s: float, dt_s: float) -> None:
        before_RK = self._probs_SK[seen]
        share = 1.0 - np.exp(-dt_s / self._tau_s) if self._tau_s else 1.0
        self._probs_SK = self._probs_SK if self._tau_s else np.zeros_like(self._probs_SK)
        self._probs_SK[seen] = np.where(np.isnan(before_RK), probs_RK, before_RK + share * (probs_RK - before_RK))
        self._seen_S[seen] = media_s

    def _switch(self, media_s: float, dt_s: float) -> None:
        del dt_s
        started_SK = np.where(np.isnan(self._since_SK), media_s, self._since_SK)
        self._since_SK = np.where(self._probs_SK >= self._threshold_K, started_SK, np.nan)


def one_pace(spec: EngineSpec) -> EngineSpec:
    """Every predicate with the default pace around its threshold."""
    return _with_predicates(spec, lambda use: dataclasses.replace(use, pace=Pace()))


def stricter(spec: EngineSpec, log_odds: float) -> EngineSpec:
    """Every threshold moved up by so much (down where it is negative)."""

    def moved(prob: float) -> float:
        return float(sigmoid(float(logit(np.array(prob))) + log_odds))

    return _with_predicates(spec, lambda use: dataclasses.replace(use, threshold=moved(use.threshold)))


ASSOCIATIONS = (Association(SHIPPED), Association("no merging", merges=False), Association("no looks", look_weight=0.0))
FILTERS = (
    Filter(SHIPPED, Relations),
    Filter("one pace for all", lambda spec: Relations(one_pace(spec))),
    Filter("exponential average", lambda spec: Averaged(spec, EMA_S)),
    Filter("raw threshold", lambda spec: Averaged(spec, 0.0)),
)


def follow(looks: Sequence[Look], spec: EngineSpec, association: Association) -> list[Followed]:
    """Identities and merges, as service/shard/analysis.py makes them."""
    tracks = Tracks(len(spec.vocabulary.objects), spec.dim, association.look_weight)
    finder = Merges(spec.vocabulary.objects) if association.merges else None
    followed = []
    for look in looks:
        tracked = tracks.update(look.scene, look.media_s)
        merges = finder.update(tracked) if finder else ()
        for merge in merges:
            tracks.absorb(merge.kept, merge.merged)
        followed.append(Followed(look.scene, tracks.view(tracked.removed) if merges else tracked, merges))
    return followed


def publish(followed: Sequence[Followed], relations: Relations) -> Iterator[Published]:
    """Graphs as service/shard/analysis.py publishes them."""
    held = EMPTY
    for seq, (scene, tracked, merges) in enumerate(followed, 1):
        for merge in merges:
            relations.absorb(merge.kept, merge.merged)
        graph = settle(held, relations.update(scene, tracked))
        events = diff(held, graph, merges, tracked.removed)
        held = graph
        changes = sum(isinstance(event, EdgeAdd | EdgeRemove) for event in events)
        yield Published(graph, changes, len(msgspec.json.encode(GraphDelta("clip", seq, tracked.media_s, 0.0, events))))


def moment_of(graph: TrackedGraph, time_s: float) -> Moment:
    """A published graph as the metrics read it."""
    edges = [(edge.subject, PREDICATE_INDEX[edge.predicate], edge.object) for edge in graph.edges]
    return Moment(
        time_s,
        np.array([node.box for node in graph.nodes], np.float64).reshape(-1, 4),
        np.array([OBJECT_INDEX[node.label] for node in graph.nodes], np.int64),
        np.array([node.id for node in graph.nodes], np.int64),
        np.array(edges, np.int64).reshape(-1, 3),
    )


def _with_predicates(spec: EngineSpec, change: Callable[[Predicate], Predicate]) -> EngineSpec:
    return dataclasses.replace(spec, predicates=tuple(change(use) for use in spec.predicates))
