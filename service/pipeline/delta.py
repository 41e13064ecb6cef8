"""What changed between two graphs, and how a subscriber puts it together again. Pure: no clock, no stream.

`apply(previous, diff(previous, following))` equals `following` exactly, and no event leaves an edge without its nodes.
"""

from collections.abc import Iterable, Sequence

from service.types import (
    Edge,
    EdgeAdd,
    EdgeRemove,
    EdgeUpdate,
    GraphEvent,
    Node,
    NodeAdd,
    NodeLost,
    NodeMerge,
    NodeRemove,
    NodeUpdate,
    TrackedGraph,
)

EMPTY = TrackedGraph((), ())
STILL_BOX = 0.003
STILL_SCORE = 0.03
STILL_PROB = 0.03

EdgeKey = tuple[int, str, int]


class _Draft:
    """A graph under change, and the events that changed it."""

    def __init__(self, graph: TrackedGraph) -> None:
        self.nodes: dict[int, Node] = {node.id: node for node in graph.nodes}
        self.edges: dict[EdgeKey, Edge] = {_key(edge): edge for edge in graph.edges}
        self.events: list[GraphEvent] = []

    def graph(self) -> TrackedGraph:
        return TrackedGraph(tuple(self.nodes[key] for key in sorted(self.nodes)), tuple(self.edges[key] for key in sorted(self.edges)))

    def emit(self, event: GraphEvent) -> None:
        """Apply one event. KeyError when it names what is not there: a delta was missed."""
        self.events.append(event)
        match event:
            case NodeAdd(node):
                self.nodes[node.id] = node
            case NodeUpdate(node_id, label, score, box):
                self.nodes[node_id] = Node(node_id, label, score, box, self.nodes[node_id].first_seen_s)
            case NodeMerge(kept, merged):
                self._merge(kept, merged)
            case NodeLost(node_id) | NodeRemove(node_id):
                self.nodes.pop(node_id, None)
            case EdgeAdd(edge):
                self.edges[_key(edge)] = edge
            case EdgeUpdate(subject, predicate, obj, prob):
                since_s = self.edges[subject, predicate, obj].since_s
                self.edges[subject, predicate, obj] = Edge(subject, predicate, obj, prob, since_s)
            case EdgeRemove(subject, predicate, obj):
                del self.edges[subject, predicate, obj]

    def _merge(self, kept: int, merged: int) -> None:
        """An edge that `kept` has already stays as it is; one between the two would say nothing and goes."""
        self.nodes.pop(merged, None)
        for key in [key for key in self.edges if merged in (key[0], key[2])]:
            edge = self.edges.pop(key)
            subject, obj = (kept if end == merged else end for end in (edge.subject, edge.object))
            if subject != obj:
                self.edges.setdefault((subject, edge.predicate, obj), Edge(subject, edge.predicate, obj, edge.prob, edge.since_s))


def apply(graph: TrackedGraph, events: Iterable[GraphEvent]) -> TrackedGraph:
    """The graph after the events. KeyError when they do not belong to it."""
    draft = _Draft(graph)
    for event in events:
        draft.emit(event)
    return draft.graph()


def diff(
    previous: TrackedGraph, following: TrackedGraph, merges: Sequence[NodeMerge] = (), removed: Iterable[int] = ()
) -> tuple[GraphEvent, ...]:
    """Events from one graph to the next: what comes, what merges, what goes, what changed. A node's first_seen_s never changes.

    `removed` are ids that will not come back; any other node that leaves is lost.
    """
    draft, staying = _Draft(previous), {node.id for node in following.nodes}
    for node in following.nodes:
        if node.id not in draft.nodes:
            draft.emit(NodeAdd(node))
    for merge in merges:
        if merge.merged in draft.nodes.keys() - staying and merge.kept in draft.nodes:
            draft.emit(merge)
    _cut_edges(draft, following)
    _take_leave(draft, following, frozenset(removed))
    for node in following.nodes:
        if draft.nodes[node.id] != node:
            draft.emit(NodeUpdate(node.id, node.label, node.score, node.box))
    _tie_edges(draft, following)
    return tuple(draft.events)


def _cut_edges(draft: _Draft, following: TrackedGraph) -> None:
    since_of = {_key(edge): edge.since_s for edge in following.edges}
    for key in [key for key, edge in draft.edges.items() if since_of.get(key) != edge.since_s]:
        draft.emit(EdgeRemove(*key))


def _take_leave(draft: _Draft, following: TrackedGraph, forgotten: frozenset[int]) -> None:
    gone = draft.nodes.keys() - {node.id for node in following.nodes}
    for node_id in sorted(gone | forgotten):
        draft.emit(NodeRemove(node_id) if node_id in forgotten else NodeLost(node_id))


def _tie_edges(draft: _Draft, following: TrackedGraph) -> None:
    for edge in following.edges:
        if (before := draft.edges.get(_key(edge))) is None:
            draft.emit(EdgeAdd(edge))
        elif before != edge:
            draft.emit(EdgeUpdate(*_key(edge), edge.prob))


def settle(previous: TrackedGraph, following: TrackedGraph) -> TrackedGraph:
    """`following`, with what moved too little to matter held at what was published: fewer updates, and no drift beyond the bounds."""
    nodes = {node.id: node for node in previous.nodes}
    edges = {_key(edge): edge for edge in previous.edges}
    return TrackedGraph(
        tuple(_held_node(nodes.get(node.id), node) for node in following.nodes),
        tuple(_held_edge(edges.get(_key(edge)), edge) for edge in following.edges),
    )


def _held_node(before: Node | None, now: Node) -> Node:
    if before is None or before.label != now.label or abs(before.score - now.score) > STILL_SCORE:
        return now
    still = all(abs(a - b) <= STILL_BOX for a, b in zip(before.box, now.box, strict=True))
    return before if still else now


def _held_edge(before: Edge | None, now: Edge) -> Edge:
    if before is None or before.since_s != now.since_s or abs(before.prob - now.prob) > STILL_PROB:
        return now
    return before


def _key(edge: Edge) -> EdgeKey:
    return edge.subject, edge.predicate, edge.object
