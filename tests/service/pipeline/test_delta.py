from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.pipeline.delta import EMPTY, STILL_BOX, apply, diff, settle
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

PREDICATES = ("holding", "touching")
fractions = st.integers(0, 10_000).map(lambda value: value / 10_000)
seconds = st.integers(0, 3).map(float)


@st.composite
def graphs(draw: st.DrawFn) -> TrackedGraph:
    ids = sorted(draw(st.sets(st.integers(1, 6))))
    nodes = [
        Node(track_id, draw(st.sampled_from(("person", "cup"))), draw(fractions), draw(st.tuples(*[fractions] * 4)), float(track_id))
        for track_id in ids
    ]
    keys = [(a, predicate, b) for a in ids for predicate in PREDICATES for b in ids if a != b]
    chosen = draw(st.sets(st.sampled_from(keys), max_size=8)) if keys else set()
    edges = [Edge(*key, draw(fractions), draw(seconds)) for key in sorted(chosen)]
    return TrackedGraph(tuple(nodes), tuple(edges))


merges_of = st.lists(st.tuples(st.integers(1, 5), st.integers(2, 6)).filter(lambda pair: pair[0] < pair[1]), max_size=3).map(
    lambda pairs: [NodeMerge(*pair) for pair in pairs]
)


@settings(deadline=None, max_examples=60)
@given(graphs(), graphs(), merges_of, st.sets(st.integers(1, 8)))
def test_replaying_the_difference_gives_exactly_the_next_graph(
    before: TrackedGraph, after: TrackedGraph, merges: list[NodeMerge], removed: set[int]
) -> None:
    gone = removed - {node.id for node in after.nodes}
    assert apply(before, diff(before, after, merges, gone)) == after


@settings(deadline=None, max_examples=60)
@given(graphs(), graphs(), merges_of)
def test_no_event_leaves_an_edge_without_its_nodes(before: TrackedGraph, after: TrackedGraph, merges: list[NodeMerge]) -> None:
    graph = before
    for event in diff(before, after, merges):
        graph = apply(graph, [event])
        ids = {node.id for node in graph.nodes}
        assert all(edge.subject in ids and edge.object in ids for edge in graph.edges)


@settings(deadline=None, max_examples=60)
@given(graphs())
def test_the_same_graph_again_is_no_event(graph: TrackedGraph) -> None:
    assert diff(graph, graph) == ()


@settings(deadline=None, max_examples=60)
@given(st.lists(graphs(), max_size=6))
def test_settled_graphs_never_drift_beyond_the_bounds(sequence: list[TrackedGraph]) -> None:
    held = EMPTY
    for graph in sequence:
        held = settle(held, graph)
        for published, true in zip(held.nodes, graph.nodes, strict=True):
            assert published.label == true.label
            assert all(abs(a - b) <= STILL_BOX for a, b in zip(published.box, true.box, strict=True))
        assert [(edge.subject, edge.predicate, edge.object, edge.since_s) for edge in held.edges] == [
            (edge.subject, edge.predicate, edge.object, edge.since_s) for edge in graph.edges
        ]


BOX = (0.1, 0.1, 0.2, 0.2)
PERSON, CUP, CUP_AGAIN = Node(1, "person", 0.9, BOX, 0.0), Node(2, "cup", 0.8, BOX, 0.0), Node(3, "cup", 0.8, BOX, 1.0)
HOLDS, HOLDS_AGAIN = Edge(1, "holding", 2, 0.9, 0.5), Edge(1, "holding", 3, 0.9, 1.5)
TABLE: list[tuple[str, TrackedGraph, TrackedGraph, dict[str, Any], tuple[GraphEvent, ...]]] = [
    ("a first node", EMPTY, TrackedGraph((PERSON,), ()), {}, (NodeAdd(PERSON),)),
    (
        "nodes come before their edge",
        EMPTY,
        TrackedGraph((PERSON, CUP), (HOLDS,)),
        {},
        (NodeAdd(PERSON), NodeAdd(CUP), EdgeAdd(HOLDS)),
    ),
    (
        "an edge goes before its node is lost",
        TrackedGraph((PERSON, CUP), (HOLDS,)),
        TrackedGraph((PERSON,), ()),
        {},
        (EdgeRemove(1, "holding", 2), NodeLost(2)),
    ),
    ("a forgotten node is removed", TrackedGraph((CUP,), ()), EMPTY, {"removed": (2,)}, (NodeRemove(2),)),
    ("one that was lost before is removed later", EMPTY, EMPTY, {"removed": (2,)}, (NodeRemove(2),)),
    (
        "a probability changes",
        TrackedGraph((PERSON, CUP), (HOLDS,)),
        TrackedGraph((PERSON, CUP), (Edge(1, "holding", 2, 0.7, 0.5),)),
        {},
        (EdgeUpdate(1, "holding", 2, 0.7),),
    ),
    (
        "a merged node's edge becomes that of the one that stays",
        TrackedGraph((PERSON, CUP, CUP_AGAIN), (HOLDS_AGAIN,)),
        TrackedGraph((PERSON, CUP), (Edge(1, "holding", 2, 0.9, 1.5),)),
        {"merges": (NodeMerge(2, 3),)},
        (NodeMerge(2, 3),),
    ),
    (
        "one that was out of sight comes back for its double",
        TrackedGraph((PERSON, CUP_AGAIN), (HOLDS_AGAIN,)),
        TrackedGraph((PERSON, CUP), (Edge(1, "holding", 2, 0.9, 1.5),)),
        {"merges": (NodeMerge(2, 3),)},
        (NodeAdd(CUP), NodeMerge(2, 3)),
    ),
    (
        "a label changes",
        TrackedGraph((CUP,), ()),
        TrackedGraph((Node(2, "bottle", 0.8, BOX, 0.0),), ()),
        {},
        (NodeUpdate(2, "bottle", 0.8, BOX),),
    ),
]


@pytest.mark.parametrize(("before", "after", "told", "events"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_the_events_are_these(before: TrackedGraph, after: TrackedGraph, told: dict[str, Any], events: tuple[GraphEvent, ...]) -> None:
    assert diff(before, after, **told) == events


def test_a_missed_delta_is_noticed() -> None:
    with pytest.raises(KeyError):
        apply(EMPTY, [EdgeUpdate(1, "holding", 2, 0.5)])
