"""What is done with one analysed frame of one stream, in order. The only file that knows the order of the steps.

It owns the stream's identities, beliefs, policy timers, incidents and sequence number. It knows no engine, no Redis and no wall
clock but the one it is handed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from msgspec import Struct

from engines.protocol import EngineSpec, SceneGraph
from service.alerts.incidents import IncidentBook, IncidentChanges
from service.errors import StateError
from service.pipeline.associate import Tracks, TracksState
from service.pipeline.delta import EMPTY, diff, settle
from service.pipeline.merge import Merges, MergesState
from service.pipeline.picture import on_picture
from service.pipeline.relations import Relations, RelationsState
from service.policy.evaluate import PolicyEvaluator, Polygon
from service.policy.rules import PolicySet
from service.types import Frame, GraphDelta, GraphSnapshot, TrackedGraph, Violation


@dataclass(frozen=True, slots=True)
class StepResult:
    """What one frame gave. Replaying the deltas gives the snapshot exactly."""

    delta: GraphDelta
    snapshot: GraphSnapshot
    violations: tuple[Violation, ...]
    incidents: IncidentChanges


class AnalysisState(Struct, frozen=True):
    """What of a stream survives a restart, beside the prototype memory and the last snapshot. The parts are fields of the stored blob."""

    seq: int
    media_s: float
    analysis: bytes
    policies: bytes
    incidents: bytes


class _GraphState(Struct, frozen=True, array_like=True):
    tracks: TracksState
    merges: MergesState
    relations: RelationsState


class StreamAnalysis:
    """One stream's graph over time, and what follows from it."""

    def __init__(
        self,
        spec: EngineSpec,
        stream_id: str,
        policies: PolicySet,
        labels: Mapping[str, str] | None = None,
        zones: Mapping[str, Polygon] | None = None,
    ) -> None:
        self.stream_id = stream_id
        self.labels: Mapping[str, str] = labels or {}
        self.zones: Mapping[str, Polygon] = zones or {}
        self.policies = PolicyEvaluator(policies)
        self.incidents = IncidentBook(stream_id)
        self.seq = 0
        self.media_s = 0.0
        self._tracks = Tracks(len(spec.vocabulary.objects), spec.dim)
        self._merges = Merges(spec.vocabulary.objects)
        self._relations = Relations(spec)
        self._graph = EMPTY
        self._orphans: tuple[int, ...] = ()

    def step(self, frame: Frame, scene: SceneGraph, wall_s: float) -> StepResult:
        """One frame, in order of media time. `wall_s` is now, for the incidents' times."""
        before, media_s = self._graph, frame.media_s
        scene = on_picture(scene, frame)
        tracked = self._tracks.update(scene, media_s)
        merges = self._merges.update(tracked)
        for merge in merges:
            for holder in (self._tracks, self._relations):
                holder.absorb(merge.kept, merge.merged)
            for follower in (self.policies, self.incidents):
                follower.merged(merge.kept, merge.merged)
        if merges:
            tracked = self._tracks.view(tracked.removed)
        self._graph = settle(before, self._relations.update(scene, tracked))
        self.seq, self.media_s = self.seq + 1, media_s
        events = diff(before, self._graph, merges, (*tracked.removed, *self._orphans))
        self._orphans = ()
        violations = self.policies.evaluate(self._graph, media_s, self.labels, self.zones)
        changes = self._judge(violations, frame, wall_s)
        delta = GraphDelta(self.stream_id, self.seq, media_s, frame.captured_at_s, events)
        return StepResult(delta, self.snapshot(frame.captured_at_s), violations, changes)

    def snapshot(self, captured_at_s: float) -> GraphSnapshot:
        """The graph as it stands."""
        return GraphSnapshot(self.stream_id, self.seq, self.media_s, captured_at_s, self._graph.nodes, self._graph.edges)

    def state(self) -> AnalysisState:
        """What to store now; `restore` goes on from it with the same ids, beliefs, timers and open incidents."""
        graph = _GraphState(self._tracks.state(), self._merges.state(), self._relations.state())
        return AnalysisState(self.seq, self.media_s, msgspec.msgpack.encode(graph), self.policies.state(), self.incidents.state())

    def restore(self, state: AnalysisState) -> None:
        """StateError when a part cannot be read; whoever stores it has refused another model's state already."""
        try:
            graph = msgspec.msgpack.decode(state.analysis, type=_GraphState)
        except msgspec.DecodeError as error:
            raise StateError(f"the stream's tracks cannot be read ({error})") from error
        self._tracks.restore(graph.tracks)
        self._merges.restore(graph.merges)
        self._relations.restore(graph.relations)
        self.policies.restore(state.policies)
        self.incidents.restore(state.incidents)
        self.seq, self.media_s = state.seq, state.media_s

    def go_on_after(self, snapshot: GraphSnapshot) -> None:
        """The next delta starts from this graph, which subscribers hold: call it once, after `restore` or instead of it."""
        self._graph, self.seq = TrackedGraph(snapshot.nodes, snapshot.edges), snapshot.seq
        state, free_id = self._tracks.state(), 1 + max((node.id for node in snapshot.nodes), default=0)
        if state.next_id < free_id:
            self._tracks.restore(TracksState(self.media_s, free_id, state.tracklets))

    def follow(self, before: "StreamAnalysis") -> None:
        """Go on, empty, where another model's analysis ended: subscribers hold its graph, its incidents go on, no id is given twice."""
        self._graph, self.seq, self.media_s = before._graph, before.seq, before.media_s
        self.incidents = before.incidents
        self._tracks.restore(TracksState(before.media_s, before._tracks.state().next_id, ()))
        self._orphans = tuple(int(track_id) for track_id in before._tracks.view().ids_T)

    def _judge(self, violations: Sequence[Violation], frame: Frame, wall_s: float) -> IncidentChanges:
        present = {node.id for node in self._graph.nodes}
        return self.incidents.update(
            violations, media_s=frame.media_s, wall_s=wall_s, captured_at_s=frame.captured_at_s, seq=self.seq, present=present
        )
