import time

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.fake import FakeEngine, Thing
from engines.protocol import EngineSpec, Memory, SceneGraph
from service.errors import StateError
from service.pipeline.delta import EMPTY, apply
from service.policy.load import parse_policies
from service.policy.rules import PolicySet
from service.shard.analysis import AnalysisState, StepResult, StreamAnalysis
from service.shard.keepsake import make_blob
from service.state.blob import MAX_BLOB_BYTES, encode_blob
from service.types import Frame, NodeRemove, TrackedGraph
from tests.service.pipeline.worlds import FPS, box, scene

CANVAS = np.zeros((256, 448, 3), np.uint8)
NO_POLICIES = PolicySet(text="")
HOLDING_CUP = parse_policies(
    "- name: cup\n  severity: info\n  mode: flag\n  when: {relation: {subject: person, predicate: holding, object: cup}}\n"
    "  for: 1s\n  cooldown: 10s\n"
)


def spec() -> EngineSpec:
    return FakeEngine(num_streams=1, max_pixels=64 * 64).spec


def new_analysis(policies: PolicySet = NO_POLICIES) -> StreamAnalysis:
    return StreamAnalysis(spec(), "stream-1", policies)


def frame(media_s: float, content_hw: tuple[int, int] = (256, 448)) -> Frame:
    return Frame("stream-1", 0, media_s, media_s, 1000.0 + media_s, CANVAS, content_hw, (720, 1280))


def run(analysis: StreamAnalysis, scenes: list[SceneGraph], start_s: float = 0.0) -> list[StepResult]:
    return [analysis.step(frame(start_s + index / FPS), one, 2000.0 + index / FPS) for index, one in enumerate(scenes)]


def holding(x: float = 0.5, looks: tuple[int, int] = (1, 2)) -> SceneGraph:
    things: list[Thing] = [("person", 0.9, box(x, 0.5, 0.3, 0.8)), ("cup", 0.8, box(x + 0.05, 0.5, 0.1, 0.1))]
    return scene(things, [(0, "holding", 1, 0.95)], looks)


def graph_of(result: StepResult) -> TrackedGraph:
    return TrackedGraph(result.snapshot.nodes, result.snapshot.edges)


things_of = st.lists(
    st.tuples(
        st.sampled_from(("person", "cup", "bottle", "bed")),
        st.floats(0.05, 0.99),
        st.tuples(st.floats(0.1, 0.9), st.floats(0.1, 0.9)).map(lambda at: box(*at)),
    ),
    max_size=5,
)
relations_of = st.tuples(st.integers(0, 4), st.sampled_from(("holding", "touching", "beneath")), st.integers(0, 4), st.floats(0, 1))


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[float, SceneGraph]]:
    """Scenes that last for some frames each, so that tracks are born, merge and die; gaps of any length."""
    history, media_s = [], 0.0
    for _ in range(draw(st.integers(1, 6))):
        things = draw(things_of)
        count = len(things)
        relations = [one for one in draw(st.lists(relations_of, max_size=6)) if max(one[0], one[2]) < count and one[0] != one[2]]
        one = scene(things, relations)
        for _ in range(draw(st.integers(1, 20))):
            media_s += draw(st.sampled_from((0.02, 0.04, 0.2, 1.5)))
            history.append((media_s, one))
    return history


@settings(deadline=None, max_examples=40)
@given(histories())
def test_replaying_the_deltas_of_any_stream_gives_every_snapshot_exactly(history: list[tuple[float, SceneGraph]]) -> None:
    analysis, held = new_analysis(), EMPTY
    for number, (media_s, one) in enumerate(history, start=1):
        result = analysis.step(frame(media_s), one, 0.0)
        held = apply(held, result.delta.events)
        assert held == graph_of(result)
        assert result.delta.seq == result.snapshot.seq == number
        ids = {node.id for node in held.nodes}
        assert all(edge.subject in ids and edge.object in ids for edge in held.edges)


def test_the_way_of_a_frame_gives_a_person_holding_a_cup() -> None:
    result = run(new_analysis(), [holding()] * 40)[-1]
    assert [(node.id, node.label) for node in result.snapshot.nodes] == [(1, "person"), (2, "cup")]
    assert [(edge.subject, edge.predicate, edge.object) for edge in result.snapshot.edges] == [(1, "holding", 2)]


def test_a_still_scene_costs_no_events() -> None:
    assert run(new_analysis(), [holding()] * 80)[-1].delta.events == ()


def test_boxes_are_fractions_of_the_picture_not_of_the_canvas() -> None:
    analysis = new_analysis()
    for index in range(20):
        one = scene([("person", 0.9, (0.1, 0.2, 0.4, 0.6))])
        result = analysis.step(frame(index / FPS, content_hw=(128, 224)), one, 0.0)
    assert result.snapshot.nodes[0].box == pytest.approx((0.2, 0.4, 0.8, 1.0), abs=1e-3)


def test_a_policy_alerts_once_over_a_merge_of_identities() -> None:
    analysis = new_analysis(HOLDING_CUP)
    results = run(analysis, [holding()] * 60)
    double = holding()
    for array, row in ((double.boxes_N4, 2), (double.embeddings_ND, 2), (double.class_probs_NC, 2)):
        array[row] = array[1]
    double.scores_N[2], double.labels_N[2] = 0.7, double.labels_N[1]
    results += run(analysis, [double] * 60, start_s=60 / FPS)
    results += run(analysis, [holding()] * 60, start_s=120 / FPS)
    assert sum(len(result.incidents.opened) for result in results) == 1
    assert results[-1].violations
    (alert,) = (alert for result in results for alert in result.incidents.opened)
    assert alert.policy == "cup"
    assert {node.label for node in alert.nodes} == {"person", "cup"}


def test_a_stream_goes_on_after_a_crash_with_its_ids_edges_seq_and_open_incident() -> None:
    whole, first = new_analysis(HOLDING_CUP), new_analysis(HOLDING_CUP)
    scenes = [holding(0.4 + index / 1000) for index in range(160)]
    expected = run(whole, scenes)
    before = run(first, scenes[:80])
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(first.state()), type=AnalysisState)
    second = new_analysis(HOLDING_CUP)
    second.restore(stored)
    second.go_on_after(before[-1].snapshot)
    after = run(second, scenes[80:], start_s=80 / FPS)
    held = graph_of(before[-1])
    for one, other in zip(expected[80:], after, strict=True):
        held = apply(held, other.delta.events)
        assert held == graph_of(other)
        assert other.delta.seq == one.delta.seq
        assert [node.id for node in other.snapshot.nodes] == [node.id for node in one.snapshot.nodes]
        assert [(edge.predicate, edge.since_s) for edge in other.snapshot.edges] == [
            (edge.predicate, edge.since_s) for edge in one.snapshot.edges
        ]
    assert sum(len(result.incidents.opened) for result in before) == 1
    assert sum(len(result.incidents.opened) for result in after) == 0
    assert after[-1].snapshot.edges


def test_torn_state_is_refused_with_a_sentence() -> None:
    analysis = new_analysis()
    run(analysis, [holding()] * 10)
    state = analysis.state()
    torn = msgspec.structs.replace(state, analysis=state.analysis[: len(state.analysis) // 2])
    with pytest.raises(StateError, match="cannot be read"):
        new_analysis().restore(torn)


def test_a_crowd_fits_one_blob_beside_the_prototype_memory() -> None:
    analysis = new_analysis(HOLDING_CUP)
    grid = [(x, y) for y in np.linspace(0.1, 0.9, 4) for x in np.linspace(0.06, 0.94, 8)]
    things: list[Thing] = [
        ("person" if index % 2 else "cup", 0.9 - index / 1000, box(x, y, 0.09, 0.18)) for index, (x, y) in enumerate(grid)
    ]
    relations = [(index, "holding", (index + step) % 32, 0.95) for index in range(32) for step in (1, 2)]
    crowd = scene(things, relations, looks=range(32))
    assert len(run(analysis, [crowd] * 40)[-1].snapshot.edges) >= 64
    memory = Memory(np.ones((193, spec().dim), np.float32), np.ones(193, np.float32))
    blob = encode_blob(make_blob("hash", 1, analysis.state(), memory))
    assert len(blob) <= MAX_BLOB_BYTES


def test_a_frame_with_ten_things_takes_little_time() -> None:
    analysis = new_analysis(HOLDING_CUP)
    rng = np.random.default_rng(0)
    at = rng.uniform(0.1, 0.9, (10, 2))
    scenes = []
    for _ in range(150):
        moved = at + rng.normal(0, 0.003, at.shape)
        things: list[Thing] = [("person" if row < 2 else "cup", 0.9 - row / 100, box(x, y)) for row, (x, y) in enumerate(moved)]
        scenes.append(scene(things, [(0, "holding", row, 0.8) for row in range(1, 10)], looks=range(10)))
    run(analysis, scenes[:50])
    began_s = time.process_time()
    run(analysis, scenes[50:], start_s=50 / FPS)
    assert (time.process_time() - began_s) / 100 < 0.004


def test_another_models_analysis_goes_on_where_the_last_one_ended() -> None:
    first = new_analysis(HOLDING_CUP)
    before = run(first, [holding()] * 50)
    assert sum(len(result.incidents.opened) for result in before) == 1
    second = new_analysis(HOLDING_CUP)
    second.follow(first)
    after = run(second, [holding()] * 50, 50 / FPS)
    assert [result.delta.seq for result in after] == list(range(51, 101))
    graph, former = graph_of(before[-1]), {node.id for node in before[-1].snapshot.nodes}
    for result in after:
        graph = apply(graph, result.delta.events)
        assert graph == graph_of(result)
    assert {event.id for event in after[0].delta.events if isinstance(event, NodeRemove)} == former
    assert [node.label for node in graph.nodes] == ["person", "cup"]
    assert min(node.id for node in graph.nodes) > max(former), "no id is given twice"
    assert sum(len(result.incidents.opened) for result in after) == 0, "the event goes on"


def test_ids_that_subscribers_hold_are_not_given_again_where_the_state_was_refused() -> None:
    first = new_analysis()
    held = run(first, [holding()] * 30)[-1].snapshot
    second = new_analysis()
    second.go_on_after(held)
    after = run(second, [holding()] * 30)
    graph = TrackedGraph(held.nodes, held.edges)
    for result in after:
        graph = apply(graph, result.delta.events)
        assert graph == graph_of(result)
    assert min(node.id for node in graph.nodes) > max(node.id for node in held.nodes)
