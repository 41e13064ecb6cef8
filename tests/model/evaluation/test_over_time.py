"""Identities and edges over time, against tables by hand. Moments are a second apart."""

import numpy as np
import pytest

from model.evaluation.frames import OBJECT_INDEX, PREDICATE_INDEX, class_groups
from model.evaluation.over_time import Edges, Identities, Moment, edges, identities
from tests.model.evaluation.made import CUP_BOX, FAR_BOX, PERSON_BOX

BOXES = {"person": PERSON_BOX, "cup": CUP_BOX, "far cup": FAR_BOX}
GROUP_C = class_groups()
HOLDING = PREDICATE_INDEX["holding"]


def stream(*moments: tuple[dict[int, str], list[tuple[int, int]]]) -> list[Moment]:
    """Per moment: what has which id, and who holds what."""
    return [
        Moment(
            float(second),
            np.array([BOXES[name] for name in things.values()]).reshape(-1, 4),
            np.array([OBJECT_INDEX[name.split()[-1]] for name in things.values()], np.int64),
            np.array(list(things), np.int64),
            np.array([(subject, HOLDING, thing) for subject, thing in held], np.int64).reshape(-1, 3),
        )
        for second, (things, held) in enumerate(moments)
    ]


def of_ids(truth: list[dict[int, str]], said: list[dict[int, str]]) -> Identities:
    return identities([(stream(*((things, []) for things in truth)), stream(*((things, []) for things in said)))], GROUP_C)


def of_edges(true: list[bool], said: list[bool]) -> Edges:
    things = {0: "person", 1: "cup"}
    renamed = {5: "person", 9: "cup"}
    truth = stream(*((things, [(0, 1)] if holds else []) for holds in true))
    return edges([(truth, stream(*((renamed, [(5, 9)] if holds else []) for holds in said)))], GROUP_C)


def test_the_same_ids_throughout_are_perfect() -> None:
    figures = of_ids([{0: "person", 1: "cup"}] * 3, [{7: "person", 8: "cup"}] * 3)
    assert (figures.true, figures.tracked, figures.switches, figures.idf1, figures.duplicate_rate) == (6, 6, 0, 1.0, 0.0)


def test_a_new_id_half_way_is_a_switch_and_costs_half_of_idf1() -> None:
    """4 true, 4 tracked, the best assignment keeps 2: IDF1 = 2 * 2 / 8."""
    figures = of_ids([{0: "person"}] * 4, [{7: "person"}] * 2 + [{8: "person"}] * 2)
    assert (figures.switches, figures.idf1) == (1, 0.5)


def test_an_id_that_returns_after_a_gap_is_no_switch() -> None:
    """4 true, 3 tracked, 3 kept: IDF1 = 6 / 7."""
    figures = of_ids([{0: "person"}] * 4, [{7: "person"}, {}, {7: "person"}, {7: "person"}])
    assert figures.switches == 0
    assert figures.idf1 == pytest.approx(6 / 7)


def test_a_second_id_on_a_taken_thing_is_a_duplicate_and_the_first_stays() -> None:
    figures = of_ids([{0: "person"}] * 3, [{7: "person"}, {8: "person", 7: "person"}, {8: "person", 7: "person"}])
    assert figures.switches == 0
    assert figures.duplicate_rate == pytest.approx(2 / 5)
    assert figures.idf1 == pytest.approx(2 * 3 / (3 + 5))


def test_a_thing_that_is_not_there_is_no_duplicate_but_lowers_idf1() -> None:
    figures = of_ids([{0: "person"}] * 2, [{7: "person", 8: "far cup"}] * 2)
    assert figures.duplicate_rate == 0.0
    assert figures.idf1 == pytest.approx(2 * 2 / (2 + 4))


def test_edges_that_follow_the_truth_flicker_by_one() -> None:
    figures = of_edges([False, True, True, False], [False, True, True, False])
    assert (figures.true_changes, figures.published_changes, figures.flicker) == (2, 2, 1.0)
    assert (figures.spells, figures.found, figures.delay_median_s, figures.false_edge_minutes_per_hour) == (1, 1, 0.0, 0.0)


def test_flicker_counts_every_change_also_of_the_first_moment() -> None:
    """True from the start: 1 change. Said on, off, on, off, on: 5 changes."""
    figures = of_edges([True] * 5, [True, False, True, False, True])
    assert (figures.true_changes, figures.published_changes, figures.flicker) == (1, 5, 5.0)


def test_delay_runs_from_the_start_of_each_spell() -> None:
    """Spells start at 1 and 5; found at 3 (late by 2), and never."""
    figures = of_edges([False, True, True, True, False, True, True], [False, False, False, True, True, False, False])
    assert (figures.spells, figures.found, figures.delay_median_s, figures.delay_p95_s) == (2, 1, 2.0, 2.0)


def test_false_edges_are_minutes_in_an_hour() -> None:
    """1 of 4 seconds is false: 15 minutes in an hour."""
    assert of_edges([True, True, False, False], [True, True, True, False]).false_edge_minutes_per_hour == pytest.approx(15.0)


def test_an_edge_to_a_thing_that_matches_nothing_is_false() -> None:
    truth = stream(*[({0: "person"}, [])] * 2)
    said = stream(*[({0: "person", 1: "far cup"}, [(0, 1)])] * 2)
    figures = edges([(truth, said)], GROUP_C)
    assert figures.spells == 0
    assert figures.false_edge_minutes_per_hour == pytest.approx(60.0)
    assert np.isnan(figures.delay_median_s)


def test_an_edge_that_is_lost_because_its_end_changed_id_is_still_the_same_edge() -> None:
    truth = stream(*[({0: "person", 1: "cup"}, [(0, 1)])] * 2)
    said = stream(({5: "person", 9: "cup"}, [(5, 9)]), ({6: "person", 9: "cup"}, [(6, 9)]))
    assert edges([(truth, said)], GROUP_C).flicker == 1.0


def test_an_edge_between_entities_that_are_not_listed_is_refused() -> None:
    with pytest.raises(ValueError, match="an edge names an entity that is not there"):
        stream(({0: "person"}, [(0, 3)]))


def test_both_sides_must_be_of_the_same_moments() -> None:
    with pytest.raises(ValueError, match="expected the same ones"):
        edges([(stream(({}, [])), [])], GROUP_C)
