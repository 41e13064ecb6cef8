"""What holds, and for how long: tables worked out by hand."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import StateError
from service.policy import PolicyEvaluator, parse_policies
from service.policy.evaluate import MAX_STORED
from service.types import TrackedGraph
from tests.service.policy.made import EMPTY, KNIFE_IN_HAND, PERSON, PERSON_WITH_KNIFE, Scene, graph

KNIFE = "- name: knife\n  severity: high\n  when: {relation: {subject: person, predicate: holding, object: knife, min_prob: 0.6}}\n"


def test_a_violation_carries_a_sentence_a_key_and_the_proof() -> None:
    scene = Scene(KNIFE + "  mode: enforce\n  cooldown: 60s\n")
    scene.at(10.0, graph({1: "chair", 3: "person", 7: "knife"}, (3, "holding", 7), (3, "sitting_on", 1)))
    (violation,) = scene.at(10.2, graph({1: "chair", 3: "person", 7: "knife"}, (3, "holding", 7), (3, "sitting_on", 1)))
    assert violation.summary == "person 3 holding knife 7 for 0.2 s"
    assert violation.key == "knife/#3:holding:#7"
    assert (violation.policy, violation.severity, violation.mode, violation.cooldown_s) == ("knife", "high", "enforce", 60.0)
    assert violation.since_media_s == 10.0
    assert [node.id for node in violation.nodes] == [3, 7]
    assert [(edge.subject, edge.predicate, edge.object) for edge in violation.edges] == [(3, "holding", 7)]


@pytest.mark.parametrize(
    ("shown", "fires"),
    [
        (KNIFE_IN_HAND, True),
        (PERSON_WITH_KNIFE, False),
        (EMPTY, False),
        (graph({3: "person", 7: "knife"}, (3, "touching", 7)), False),
        (graph({3: "person", 7: "knife"}, (7, "holding", 3)), False),
        (graph({3: "person", 7: "cup"}, (3, "holding", 7)), False),
        (graph({3: "dog", 7: "knife"}, (3, "holding", 7)), False),
        (graph({3: "person", 7: "knife"}, (3, "holding", 7), prob=0.59), False),
        (graph({3: "person", 7: "knife"}, (3, "holding", 7), prob=0.6), True),
    ],
)
def test_a_relation_holds_for_its_subject_predicate_object_and_probability(shown: TrackedGraph, fires: bool) -> None:
    assert Scene(KNIFE).fires(0.0, shown) == fires


HELD, GONE = KNIFE_IN_HAND, PERSON_WITH_KNIFE


@pytest.mark.parametrize(
    ("frames", "fires_at"),
    [
        ([(0.0, HELD), (0.5, HELD), (0.96, HELD), (1.0, HELD), (1.04, HELD)], [1.0, 1.04]),
        ([(0.0, HELD), (0.5, HELD), (0.6, GONE), (0.8, HELD), (1.0, HELD)], [1.0]),  # a gap of .3 s is flicker
        ([(0.0, HELD), (0.5, HELD), (0.6, GONE), (0.81, GONE), (0.9, HELD), (1.0, HELD), (1.8, HELD), (1.9, HELD)], [1.9]),  # .4 s is not
        ([(0.0, HELD), (5.0, HELD)], [5.0]),  # a slow stream: two looks in a row
        ([(0.0, HELD), (10.1, HELD), (11.1, HELD)], [11.1]),  # too far apart to tell
        ([(0.0, HELD), (0.9, HELD), (1.0, GONE)], []),  # never reported while it does not hold
    ],
)
def test_for_one_second(frames: list[tuple[float, TrackedGraph]], fires_at: list[float]) -> None:
    scene = Scene(KNIFE + "  for: 1s\n")
    assert [at for at, shown in frames if scene.fires(at, shown)] == fires_at


def test_for_two_seconds_within_five_adds_the_stretches_up() -> None:
    scene = Scene(KNIFE + "  for: 2s\n  within: 5s\n")
    held = {0, 1, 4, 5}
    told = {at: scene.summaries(float(at), HELD if at in held else GONE) for at in range(6)}
    assert told[5] == ["person 3 holding knife 7 for 2.0 s of the last 5 s"]
    assert not any(told[at] for at in range(5))
    assert scene.summaries(6.0, HELD) == ["person 3 holding knife 7 for 2.0 s of the last 5 s"]
    assert scene.summaries(7.0, GONE) == []
    assert scene.summaries(9.0, HELD) == ["person 3 holding knife 7 for 2.0 s of the last 5 s"]
    assert scene.summaries(10.5, GONE) == []
    assert scene.summaries(11.0, HELD) == []


UNLESS = KNIFE + "  for: 1s\n  unless: {relation: {predicate: touching, object: food}, within: 10s}\n"
CUTTING = graph({3: "person", 7: "knife", 9: "carrot"}, (3, "holding", 7), (7, "touching", 9))


def test_a_knife_that_cuts_food_is_excused_until_ten_seconds_later() -> None:
    scene = Scene(UNLESS)
    assert not any(scene.fires(at / 10, CUTTING) for at in range(20))
    assert not any(scene.fires(at / 10, HELD) for at in range(20, 130))
    assert scene.summaries(13.0, HELD) == ["person 3 holding knife 7 for 1.0 s"]


def test_food_that_somebody_else_touches_excuses_nobody() -> None:
    scene = Scene(UNLESS)
    shown = graph({3: "person", 4: "person", 7: "knife", 9: "carrot"}, (3, "holding", 7), (4, "touching", 9))
    scene.at(0.0, shown)
    assert scene.fires(1.0, shown)


def test_an_exception_without_a_window_counts_only_now() -> None:
    scene = Scene(KNIFE + "  unless: {relation: {predicate: touching, object: food}}\n")
    assert not scene.fires(0.0, CUTTING)
    assert scene.fires(0.1, HELD)


ZONES = {"door": ((0.0, 0.4), (0.5, 0.4), (0.5, 1.0), (0.0, 1.0))}


@pytest.mark.parametrize(
    ("when", "shown", "says"),
    [
        ("{count: {label: person, at_least: 2}}", graph({1: "person", 2: "person", 3: "dog"}), "2 x person"),
        ("{count: {label: person, at_least: 3}}", graph({1: "person", 2: "person", 3: "dog"}), None),
        ("{count: {label: person, at_most: 0}}", graph({3: "dog"}), "0 x person"),
        ("{count: {label: [cat, dog], at_most: 1}}", graph({3: "dog"}), "1 x cat or dog"),
        ("{absent: {label: person}}", graph({3: "dog"}), "no person"),
        ("{absent: {label: person}}", PERSON, None),
        ("{absent: {relation: {subject: person, predicate: holding}}}", PERSON_WITH_KNIFE, "no person holding any"),
        ("{absent: {relation: {subject: person, predicate: holding}}}", KNIFE_IN_HAND, None),
        ("{any: [{count: {label: cat, at_least: 1}}, {count: {label: dog, at_least: 1}}]}", graph({3: "dog"}), "1 x dog"),
        ("{not: {count: {label: person, at_least: 1}}}", EMPTY, ""),
        ("{not: {count: {label: person, at_least: 1}}}", PERSON, None),
        ("{zone: {name: door, label: person}}", graph({3: "person"}, boxes={3: (0.1, 0.1, 0.3, 0.8)}), "person 3 in door"),
        ("{zone: {name: door, label: person}}", graph({3: "person"}, boxes={3: (0.6, 0.1, 0.8, 0.8)}), None),
        ("{zone: {name: door, label: person}}", graph({3: "person"}, boxes={3: (0.1, 0.1, 0.3, 0.3)}), None),
        ("{zone: {name: cellar, label: person}}", PERSON, None),
        ("{count: {label: person, zone: door, at_least: 1}}", graph({3: "person"}, boxes={3: (0.1, 0.1, 0.3, 0.8)}), "1 x person in door"),
        (
            "{relation: {predicate: any, object: knife}}",
            graph({3: "person", 7: "knife"}, (3, "in_front_of", 7)),
            "person 3 in front of knife 7",
        ),
        (
            "{all: [{relation: {predicate: holding, object: knife}}, {relation: {predicate: sitting_on}}]}",
            graph({1: "chair", 3: "person", 7: "knife"}, (3, "holding", 7), (3, "sitting_on", 1)),
            "person 3 holding knife 7 and person 3 sitting on chair 1",
        ),
        (
            "{all: [{relation: {predicate: holding, object: knife}}, {relation: {predicate: sitting_on}}]}",
            graph({1: "chair", 3: "person", 4: "person", 7: "knife"}, (3, "holding", 7), (4, "sitting_on", 1)),
            None,
        ),
        (
            "{all: {of: [{relation: {predicate: holding, object: knife}}, {relation: {predicate: sitting_on}}], linked: false}}",
            graph({1: "chair", 3: "person", 4: "person", 7: "knife"}, (3, "holding", 7), (4, "sitting_on", 1)),
            "person 3 holding knife 7 and person 4 sitting on chair 1",
        ),
        ("{all: [{not: {relation: {predicate: wearing}}}, {relation: {predicate: holding}}]}", KNIFE_IN_HAND, "person 3 holding knife 7"),
        (
            "{all: [{not: {relation: {predicate: wearing}}}, {relation: {predicate: holding}}]}",
            graph({3: "person", 7: "knife", 8: "tie"}, (3, "holding", 7), (3, "wearing", 8)),
            None,
        ),
        (
            "{all: [{not: {relation: {predicate: wearing}}}, {relation: {predicate: holding}}]}",
            graph({3: "person", 4: "person", 7: "knife", 8: "tie"}, (3, "holding", 7), (4, "wearing", 8)),
            "person 3 holding knife 7",
        ),
    ],
)
def test_conditions(when: str, shown: TrackedGraph, says: str | None) -> None:
    assert Scene(f"- name: a\n  when: {when}\n", zones=ZONES).summaries(0.0, shown) == ([] if says is None else [says])


def test_one_pair_is_one_event_whichever_of_the_listed_predicates_shows_it() -> None:
    scene = Scene("- name: a\n  when: {relation: {subject: person, predicate: [holding, carrying], object: knife}}\n  for: 1s\n")
    both = graph({3: "person", 7: "knife"}, (3, "holding", 7), (3, "carrying", 7))
    assert [v.key for v in scene.at(0.0, graph({3: "person", 7: "knife"}, (3, "carrying", 7)))] == []
    scene.at(0.5, both)
    assert [v.key for v in scene.at(1.0, KNIFE_IN_HAND)] == ["a/#3:holding|carrying:#7"]


def test_two_people_with_knives_are_two_events() -> None:
    shown = graph({3: "person", 4: "person", 7: "knife", 8: "knife"}, (3, "holding", 7), (4, "holding", 8))
    assert [v.key for v in Scene(KNIFE).at(0.0, shown)] == ["knife/#3:holding:#7", "knife/#4:holding:#8"]


def test_absent_for_a_time_counts_from_when_it_was_last_seen() -> None:
    scene = Scene("- name: a\n  when: {absent: {label: person, for: 3s}}\n")
    assert not scene.fires(0.0, EMPTY)
    assert not scene.fires(1.0, PERSON)
    assert not scene.fires(3.9, EMPTY)
    (violation,) = scene.at(4.0, EMPTY)
    assert (violation.summary, violation.since_media_s) == ("no person for 3.0 s", 1.0)
    assert not scene.fires(4.1, PERSON)


def test_a_stream_that_stood_still_does_not_prove_absence() -> None:
    scene = Scene("- name: a\n  when: {absent: {label: person, for: 3s}}\n")
    scene.at(0.0, PERSON)
    assert not scene.fires(30.0, EMPTY)
    assert scene.fires(33.0, EMPTY)


SEQUENCE = """
- name: a
  when:
    sequence:
      first: {relation: {subject: person, predicate: holding, object: bottle}}
      then: {relation: {subject: person, predicate: sitting_on, object: motorcycle}}
      within: 5s
"""
THINGS = {3: "person", 4: "person", 7: "bottle", 8: "motorcycle"}
DRINKS, NOTHING, RIDES = graph(THINGS, (3, "holding", 7)), graph(THINGS), graph(THINGS, (3, "sitting_on", 8))


@pytest.mark.parametrize(
    ("frames", "fires_at"),
    [
        ([(0.0, DRINKS), (1.0, NOTHING), (5.0, RIDES), (9.0, RIDES)], [5.0, 9.0]),
        ([(0.0, DRINKS), (1.0, NOTHING), (5.1, RIDES)], []),  # too late
        ([(0.0, RIDES), (1.0, NOTHING), (2.0, DRINKS)], []),  # the other way round
        ([(0.0, RIDES), (1.0, graph(THINGS, (3, "holding", 7), (3, "sitting_on", 8)))], []),  # rode before
        ([(0.0, graph(THINGS, (3, "holding", 7), (3, "sitting_on", 8)))], []),  # at once is no order
        ([(0.0, DRINKS), (1.0, graph(THINGS, (3, "holding", 7), (3, "sitting_on", 8)))], [1.0]),  # drinks and rides on
        ([(0.0, DRINKS), (1.0, graph(THINGS, (4, "sitting_on", 8)))], []),  # somebody else rides
    ],
)
def test_a_then_b_within_five_seconds(frames: list[tuple[float, TrackedGraph]], fires_at: list[float]) -> None:
    scene = Scene(SEQUENCE)
    assert [at for at, shown in frames if scene.fires(at, shown)] == fires_at


def test_a_sequence_tells_both_steps() -> None:
    scene = Scene(SEQUENCE)
    scene.at(0.0, DRINKS)
    assert scene.summaries(1.0, RIDES) == ["person 3 holding bottle 7, then person 3 sitting on motorcycle 8"]


def test_it_escalates_when_it_lasts() -> None:
    scene = Scene(KNIFE + "  escalate: {after: 2s, severity: critical}\n")
    assert [[v.severity for v in scene.at(at, HELD)] for at in (0.0, 1.0, 2.0, 3.0)] == [["high"], ["high"], ["critical"], ["critical"]]


@pytest.mark.parametrize(("labels", "fires"), [({"kind": "kids"}, True), ({"kind": "sport"}, False), ({}, False)])
def test_a_policy_for_some_streams_only(labels: dict[str, str], fires: bool) -> None:
    assert Scene(KNIFE + "  streams: {kind: [kids, teens]}\n", labels=labels).fires(0.0, HELD) == fires


def test_a_merged_node_keeps_its_time() -> None:
    scene = Scene(KNIFE + "  for: 1s\n")
    scene.at(0.0, graph({5: "person", 7: "knife"}, (5, "holding", 7)))
    scene.evaluator.merged(3, 5)
    (violation,) = scene.at(1.0, KNIFE_IN_HAND)
    assert violation.since_media_s == 0.0


def test_other_policies_leave_the_timers_of_those_that_stay() -> None:
    scene = Scene(KNIFE + "  for: 2s\n- name: b\n  when: {relation: {predicate: holding}}\n  for: 2s\n")
    scene.at(0.0, HELD)
    scene.at(1.0, HELD)
    scene.evaluator.replace(parse_policies(KNIFE + "  for: 2s\n- name: b\n  when: {relation: {predicate: holding}}\n  for: 1s\n"))
    assert [v.policy for v in scene.at(2.0, HELD)] == ["knife"]
    assert [v.policy for v in scene.at(3.0, HELD)] == ["knife", "b"]
    scene.evaluator.replace(parse_policies(""))
    assert scene.at(4.0, HELD) == ()


EVERYTHING = (
    UNLESS
    + SEQUENCE
    + "- name: n\n  when: {absent: {label: person, for: 2s}}\n- name: w\n  when: {relation: {predicate: any}}\n  for: 1s\n  within: 3s\n"
)
SHOWN = [EMPTY, PERSON, HELD, GONE, CUTTING, DRINKS, RIDES]


@given(
    steps=st.lists(st.tuples(st.sampled_from([0.04, 0.3, 0.5, 1.0, 11.0]), st.integers(0, len(SHOWN) - 1)), max_size=30),
    cut=st.integers(0, 30),
)
def test_kill_and_restore_at_any_step_changes_nothing(steps: list[tuple[float, int]], cut: int) -> None:
    whole, broken, media_s = Scene(EVERYTHING), Scene(EVERYTHING), 0.0
    for number, (step_s, which) in enumerate(steps):
        media_s += step_s
        if number == cut:
            state = broken.evaluator.state()
            broken = Scene(EVERYTHING)
            broken.evaluator.restore(state)
        assert whole.at(media_s, SHOWN[which]) == broken.at(media_s, SHOWN[which])


def test_state_of_changed_policies_is_left_out_and_torn_state_is_refused() -> None:
    scene = Scene(KNIFE + "  for: 1s\n")
    scene.at(0.0, HELD)
    state = scene.evaluator.state()
    other = Scene(KNIFE + "  for: 2s\n")
    other.evaluator.restore(state)
    assert not other.fires(1.9, HELD)
    with pytest.raises(StateError, match="policy timers cannot be read"):
        other.evaluator.restore(state[:-3])


def test_state_stays_small_in_a_crowd() -> None:
    people = dict.fromkeys(range(1, 60), "person")
    rules = "".join(KNIFE.replace("knife\n", f"rule-{number}\n", 1) for number in range(20))
    evaluator = PolicyEvaluator(parse_policies(rules))
    shown = graph({**people, 99: "knife"}, *((number, "holding", 99) for number in people))
    found = evaluator.evaluate(shown, 0.0, {}, {})
    assert len(found) == 20 * 32
    assert len(evaluator.state()) < MAX_STORED * 100


def test_a_rule_costs_microseconds_on_a_full_graph() -> None:
    nodes = {number: ("person", "cup", "chair", "knife", "bottle")[number % 5] for number in range(30)}
    predicates = ("holding", "sitting_on", "touching", "in_front_of", "beneath", "standing_on")
    shown = graph(nodes, *((number % 30, predicates[number % 6], (number * 7 + 3) % 30) for number in range(60)))
    rules = "".join(KNIFE.replace("knife\n", f"rule-{number}\n", 1) for number in range(50))
    evaluator = PolicyEvaluator(parse_policies(rules + UNLESS))
    began = time.perf_counter()
    for frame in range(100):
        evaluator.evaluate(shown, frame / 25, {}, {})
    each_us = (time.perf_counter() - began) * 1e6 / 100 / 51
    assert each_us < 200.0
