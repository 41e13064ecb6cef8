import dataclasses
import math
from typing import Any

import msgspec
import numpy as np
import pytest

from engines.fake import PREDICATES, FakeEngine
from engines.protocol import EngineSpec, Predicate, SceneGraph
from service.pipeline.relations import Relations, RelationsState
from service.pipeline.types import Tracked
from service.types import Edge, TrackedGraph
from tests.service.pipeline.worlds import FPS, box, scene, tracked

PERSON, CUP = box(0.4, 0.5, 0.3, 0.8), box(0.5, 0.5, 0.1, 0.1)
THRESHOLD = 0.7


def spec(published: tuple[str, ...] = ("holding", "touching", "beneath")) -> EngineSpec:
    plain = FakeEngine(num_streams=1, max_pixels=64 * 64).spec
    return dataclasses.replace(plain, predicates=tuple(Predicate(name, name in published, THRESHOLD) for name in PREDICATES))


def world(media_s: float, prob: float | None, predicate: str = "holding", **changes: Any) -> tuple[SceneGraph, Tracked]:
    """A person (1) and a cup (2); `prob` None: the network did not look at the pair."""
    relations = [] if prob is None else [(0, predicate, 1, prob)]
    seen = tracked(media_s, [(1, "person", PERSON, 1), (2, "cup", CUP, 2)], first_seen_T=np.full(2, -10.0), **changes)
    return scene([("person", 0.9, PERSON), ("cup", 0.8, CUP)], relations), seen


def run(relations: Relations, probs: list[float | None], start_s: float = 0.0, fps: float = FPS) -> list[TrackedGraph]:
    return [relations.update(*world(start_s + index / fps, prob)) for index, prob in enumerate(probs)]


def first_edge(history: list[TrackedGraph]) -> int:
    return next(index for index, graph in enumerate(history) if graph.edges)


def test_one_step_of_the_filter_is_as_computed_by_hand() -> None:
    relations = Relations(spec())
    run(relations, [0.9, 0.9], fps=10.0)
    start = math.log(3 / 12)
    gamma, p_on, p_off = (1 - math.exp(-0.1 / tau_s) for tau_s in (0.14, 12.0, 3.0))
    held = 1 / (1 + math.exp(-start))
    q = held * (1 - p_off) + (1 - held) * p_on
    evidence = math.log(0.9 / 0.1) - math.log(0.7 / 0.3)
    expected = math.log(q / (1 - q)) + gamma * evidence
    (belief,) = relations.state().beliefs
    assert np.frombuffer(belief.log_odds, np.float16).max() == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("fps", [10.0, 25.0, 60.0])
def test_a_clear_relation_is_found_within_a_third_of_a_second_at_any_rate(fps: float) -> None:
    history = run(Relations(spec()), [0.95] * 60, fps=fps)
    assert 0.08 <= first_edge(history) / fps <= 0.34
    (edge,) = history[-1].edges
    assert (edge.subject, edge.predicate, edge.object) == (1, "holding", 2)
    assert edge.since_s == pytest.approx(first_edge(history) / fps, abs=1e-3)
    assert edge.prob > 0.9


def test_a_probability_at_the_threshold_says_nothing_and_below_it_speaks_against() -> None:
    assert not any(graph.edges for graph in run(Relations(spec()), [THRESHOLD] * 200))
    relations = Relations(spec())
    assert run(relations, [0.95] * 25)[-1].edges
    assert not run(relations, [0.3] * 25, start_s=1.0)[-1].edges


def test_noise_around_the_threshold_flickers_less_than_a_raw_threshold() -> None:
    rng = np.random.default_rng(3)
    true_on = np.repeat([False, True, False, True, False], 60)
    probs = 1 / (1 + np.exp(-(np.where(true_on, 2.5, -0.5) + rng.normal(0, 1.2, 300))))
    history = run(Relations(spec()), probs.tolist())
    published = np.array([bool(graph.edges) for graph in history])
    raw = probs > THRESHOLD
    assert np.diff(published.astype(int)).astype(bool).sum() == 4
    assert np.diff(raw.astype(int)).astype(bool).sum() > 40
    assert (published == true_on).mean() > 0.85


def test_held_back_predicates_and_null_states_are_never_published() -> None:
    relations = Relations(spec(published=("holding", "not_contacting", "unsure")))
    for name in ("wiping", "not_contacting", "unsure"):
        for index in range(30):
            graph = relations.update(*world(index / FPS, 0.99, name))
        assert not graph.edges


def test_an_edge_runs_from_the_subject_row_to_the_object_row() -> None:
    things = [("person", 0.9, PERSON), ("cup", 0.8, CUP)]
    relations = Relations(spec())
    for index in range(30):
        _, seen = world(index / FPS, None)
        graph = relations.update(scene(things, [(1, "beneath", 0, 0.95), (0, "holding", 1, 0.95)]), seen)
    assert [(edge.subject, edge.predicate, edge.object) for edge in graph.edges] == [(1, "holding", 2), (2, "beneath", 1)]


def test_a_pair_that_is_not_looked_at_holds_for_a_while_then_goes() -> None:
    relations = Relations(spec())
    run(relations, [0.99] * 50)
    unseen = run(relations, [None] * 50, start_s=2.0)
    assert unseen[20].edges
    assert not unseen[40].edges


def test_a_relation_holds_over_time_in_which_nobody_looked() -> None:
    relations = Relations(spec())
    before = run(relations, [0.95] * 25)[-1].edges
    (after,) = run(relations, [0.95], start_s=21.0)[-1].edges
    assert after.since_s == before[0].since_s


@pytest.mark.parametrize(
    ("changes", "has_edge"),
    [
        ({}, True),
        ({"scores_T": np.array([0.8, 0.35])}, False),
        ({"visible_T": np.array([True, False])}, False),
        ({"first_seen_T": np.array([-10.0, 0.9])}, False),
    ],
    ids=["both lasting and sure", "one unsure", "one out of sight", "one new"],
)
def test_relations_need_two_things_that_lasted_and_are_sure(changes: dict[str, Any], has_edge: bool) -> None:
    relations = Relations(spec())
    for index in range(30):
        one_scene, seen = world(index / FPS, 0.95)
        graph = relations.update(one_scene, dataclasses.replace(seen, **changes))
    assert bool(graph.edges) == has_edge


def test_an_edge_stays_when_the_score_dips_a_little() -> None:
    relations = Relations(spec())
    run(relations, [0.95] * 20)
    one_scene, seen = world(0.84, 0.95, scores_T=np.array([0.8, 0.45]))
    assert relations.update(one_scene, seen).edges


def test_a_merge_carries_the_belief_and_its_beginning_over() -> None:
    relations = Relations(spec())
    before = run(relations, [0.95] * 25)[-1].edges[0]
    relations.absorb(kept=2, merged=9)
    relations.absorb(kept=1, merged=2)
    assert not relations.state().beliefs

    relations = Relations(spec())
    run(relations, [0.95] * 25)
    relations.absorb(kept=5, merged=2)
    one_scene, seen = world(1.0, 0.95)
    (edge,) = relations.update(one_scene, dataclasses.replace(seen, ids_T=np.array([1, 5]))).edges
    assert edge == Edge(1, "holding", 5, edge.prob, before.since_s)
    assert edge.prob >= before.prob - 0.01


def test_a_restored_filter_goes_on_with_the_same_edges() -> None:
    whole, first, second = (Relations(spec()) for _ in range(3))
    probs: list[float | None] = [0.9, 0.95, 0.6, 0.8] * 20
    run(first, probs[:40])
    second.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(first.state()), type=RelationsState))
    expected = run(whole, probs)[40:]
    for one, other in zip(expected, run(second, probs[40:], start_s=40 / FPS), strict=True):
        assert [(edge.predicate, edge.since_s) for edge in one.edges] == [(edge.predicate, edge.since_s) for edge in other.edges]
        assert all(abs(a.prob - b.prob) <= 0.003 for a, b in zip(one.edges, other.edges, strict=True))
    assert expected[-1].edges
