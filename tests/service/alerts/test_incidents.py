"""One alert per real event: tables worked out by hand, and random lives."""

from collections.abc import Collection, Sequence
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.alerts import IncidentBook, IncidentChanges
from service.alerts.incidents import GRACE_S, MAX_COOLING, MAX_OPEN
from service.errors import StateError
from service.types import Edge, Node, Severity, Violation

BOX = (0.0, 0.0, 1.0, 1.0)


def held(
    person: int = 3, cup: int = 7, *, policy: str = "cup", severity: Severity = "low", cooldown_s: float = 0.0, thing: str = "cup"
) -> Violation:
    return Violation(
        policy=policy,
        key=f"{policy}/#{person}:holding:#{cup}",
        severity=severity,
        mode="flag",
        cooldown_s=cooldown_s,
        since_media_s=0.0,
        summary=f"person {person} holding {thing} {cup} for 1.0 s",
        nodes=(Node(person, "person", 0.9, BOX, 0.0), Node(cup, thing, 0.9, BOX, 0.0)),
        edges=(Edge(person, "holding", cup, 0.9, 0.0),),
    )


class Life:
    """An incident book with a frame counter; wall time is media time + 1000."""

    def __init__(self) -> None:
        self.book = IncidentBook("st_1")
        self.seq = 0

    def at(self, media_s: float, *violations: Violation, present: Collection[int] = ()) -> IncidentChanges:
        self.seq += 1
        return self.book.update(
            violations, media_s=media_s, wall_s=media_s + 1000, captured_at_s=media_s + 999.9, seq=self.seq, present=present
        )

    def run(self, start_s: float, end_s: float, *violations: Violation, present: Sequence[int] = ()) -> list[IncidentChanges]:
        """25 frames a second."""
        count = round((end_s - start_s) * 25)
        return [self.at(start_s + number / 25, *violations, present=present) for number in range(count)]


def num_alerts(changes: Sequence[IncidentChanges]) -> int:
    return sum(len(change.opened) for change in changes)


def test_the_first_violation_opens_an_incident_with_the_proof() -> None:
    life = Life()
    (alert,) = life.at(5.0, held()).opened
    (incident,) = life.book.open_incidents()
    assert alert.incident_id == incident.id
    assert incident.alert_id == alert.id
    assert alert.summary == "person 3 holding cup 7 for 1.0 s"
    assert (alert.nodes, alert.edges) == (held().nodes, held().edges)
    assert (alert.stream_id, alert.policy, alert.severity, alert.mode, alert.state) == ("st_1", "cup", "low", "flag", "open")
    assert (alert.media_s, alert.created_at_s, alert.captured_at_s, alert.seq) == (5.0, 1005.0, 1004.9, 1)


def test_an_event_that_goes_on_alerts_once_and_closes_after_its_grace() -> None:
    life = Life()
    changes = life.run(0.0, 10.0, held())
    assert num_alerts(changes) == 1
    after = life.run(10.0, 10.0 + GRACE_S + 0.2, present=(3, 7))
    closings = [change for change in after if change]
    assert len(closings) == 1
    (closed,) = closings[0].closed
    assert (closed.state, closed.last_media_s, closed.last_at_s) == ("closed", 9.96, 1009.96)
    (change,) = closings[0].changed
    assert (change.alert_id, change.incident_state, change.closed_at_s) == (closed.alert_id, "closed", 1009.96)
    assert life.book.open_incidents() == ()


@pytest.mark.parametrize(("gap_s", "alerts"), [(0.5, 1), (3.0, 1), (GRACE_S - 0.1, 1), (GRACE_S + 0.1, 2), (10.0, 2)])
def test_a_gap_shorter_than_the_grace_is_the_same_event(gap_s: float, alerts: int) -> None:
    life = Life()
    changes = life.run(0.0, 2.0, held()) + life.run(2.0, 2.0 + gap_s, present=(3, 7)) + life.run(2.0 + gap_s, 8.0 + gap_s, held())
    assert num_alerts(changes) == alerts


def test_a_stream_that_stood_still_for_twenty_seconds_goes_on_with_its_incident() -> None:
    life = Life()
    changes = life.run(0.0, 2.0, held())
    changes += life.run(22.0, 24.0)  # back, but nothing is confirmed yet
    changes += life.run(24.0, 26.0, held(8, 9), present=(8, 9))
    assert num_alerts(changes) == 1
    assert len(life.book.open_incidents()) == 1


@pytest.mark.parametrize(
    ("after", "present", "alerts"),
    [
        (held(8, 9), (8, 9), 1),  # both have new ids
        (held(3, 9), (3, 9), 1),  # the cup has a new id
        (held(8, 7), (7, 8), 1),  # the person has a new id
        (held(8, 9), (3, 8, 9), 2),  # the first person is still there: somebody else
        (held(8, 9), (7, 8, 9), 2),  # the first cup is still there: another cup
        (held(8, 9, policy="other"), (8, 9), 2),
        (held(8, 9, thing="bottle"), (8, 9), 2),
    ],
)
def test_new_ids_continue_the_event_when_the_old_ones_are_gone(after: Violation, present: Sequence[int], alerts: int) -> None:
    life = Life()
    changes = life.run(0.0, 2.0, held(), present=(3, 7)) + life.run(2.0, 3.0) + life.run(3.0, 12.0, after, present=present)
    assert num_alerts(changes) == alerts


def test_two_people_at_once_are_two_events() -> None:
    life = Life()
    assert len(life.at(0.0, held(3, 7), held(4, 8), present=(3, 4, 7, 8)).opened) == 2
    assert num_alerts(life.run(0.04, 3.0, held(4, 8), held(3, 7), present=(3, 4, 7, 8))) == 0


def test_a_second_cup_does_not_take_over_the_first_ones_incident_while_it_lasts() -> None:
    life = Life()
    life.at(0.0, held(3, 7))
    assert len(life.at(0.04, held(3, 7), held(4, 8)).opened) == 1


def test_merged_nodes_are_one_event_and_the_younger_alert_closes() -> None:
    life = Life()
    (older,) = life.at(0.0, held(3, 7), present=(3, 7)).opened
    (younger,) = life.at(1.0, held(3, 7), held(5, 7), present=(3, 5, 7)).opened
    life.book.merged(3, 5)
    changes = life.at(1.04, held(3, 7), present=(3, 7))
    assert [(change.alert_id, change.incident_state) for change in changes.changed] == [(younger.id, "closed")]
    assert [incident.alert_id for incident in life.book.open_incidents()] == [older.id]
    assert num_alerts(life.run(1.08, 9.0, held(3, 7), present=(3, 7))) == 0


def test_a_merge_of_the_only_person_renames_the_event() -> None:
    life = Life()
    life.at(0.0, held(5, 7), present=(5, 7))
    life.book.merged(3, 5)
    assert not life.at(0.04, held(3, 7), present=(3, 7))


@pytest.mark.parametrize(
    ("again_at_s", "alerts"),
    [
        (20.0, 1),  # within ten seconds of its end at 10.0
        (20.1, 2),
        (60.0, 2),
    ],
)
def test_a_repeat_within_the_cooldown_reopens_without_another_alert(again_at_s: float, alerts: int) -> None:
    life = Life()
    changes = life.run(0.0, 10.04, held(cooldown_s=10.0), present=(3, 7)) + life.run(10.04, again_at_s, present=(3, 7))
    changes += [life.at(again_at_s, held(cooldown_s=10.0), present=(3, 7))]
    assert num_alerts(changes) == alerts
    if alerts == 1:
        (change,) = changes[-1].changed
        assert (change.incident_state, change.closed_at_s) == ("open", None)


def test_repeats_do_not_prolong_the_cooldown() -> None:
    life, alerts = Life(), 0
    for number in range(6):  # one second of every six; the first ends at 1.0, so its cooldown is over at 11.0
        start_s = 6.0 * number
        alerts += num_alerts(life.run(start_s, start_s + 1.0, held(cooldown_s=10.0), present=(3, 7)))
        life.run(start_s + 1.0, start_s + 6.0, present=(3, 7))
    assert alerts == 3  # at 0, 12 and 24; 6, 18 and 30 are repeats


def test_it_escalates_once_and_never_back() -> None:
    life = Life()
    life.at(0.0, held(severity="low"))
    worse = life.at(1.0, held(severity="critical"))
    assert [incident.severity for incident in worse.escalated] == ["critical"]
    assert [(change.severity, change.incident_state) for change in worse.changed] == [("critical", "open")]
    assert not life.at(2.0, held(severity="low"))
    assert [incident.severity for incident in life.book.open_incidents()] == ["critical"]


def test_ids_do_not_repeat_when_the_same_thing_happens_again() -> None:
    life = Life()
    (first,) = life.at(0.0, held()).opened
    life.run(0.04, 5.0, present=(3, 7))
    (second,) = life.at(6.0, held()).opened
    assert first.id != second.id
    other = IncidentBook("st_2").update((held(),), media_s=0.0, wall_s=1000.0, captured_at_s=999.9, seq=1)
    assert other.opened[0].id != first.id


def test_the_same_frame_judged_again_after_a_crash_gives_the_same_ids() -> None:
    assert Life().at(0.0, held()).opened == Life().at(0.0, held()).opened


def test_a_crowd_is_bounded_and_the_rest_waits() -> None:
    life = Life()
    crowd = [held(number, 900 + number, cooldown_s=600.0) for number in range(100)]
    assert len(life.at(0.0, *crowd).opened) == MAX_OPEN
    life.run(0.04, 5.0, present=range(1000))
    assert len(life.at(5.0, *crowd[50:], present=range(1000)).opened) == MAX_OPEN
    life.run(5.04, 10.0, present=range(1000))
    assert len(life.book.state()) < (MAX_OPEN + MAX_COOLING) * 300


def test_torn_state_is_refused() -> None:
    life = Life()
    life.at(0.0, held())
    with pytest.raises(StateError, match="stored incidents cannot be read"):
        IncidentBook("st_1").restore(life.book.state()[:-2])


# ---- random lives -----------------------------------------------------------------------------------------------------------

KEYS = ((3, 7), (3, 8), (4, 7), (4, 8))
Step = tuple[float, frozenset[int], tuple[int, int] | None, Literal["low", "critical"]]
steps = st.lists(
    st.tuples(
        st.sampled_from([0.04, 0.5, 2.0, 30.0]),
        st.frozensets(st.integers(0, 3)),
        st.sampled_from([None, None, None, (3, 4), (4, 3), (7, 8)]),
        st.sampled_from(["low", "critical"]),
    ),
    max_size=40,
)


def play(life: Life, media_s: float, step: Step) -> IncidentChanges:
    _, which, merge, severity = step
    if merge is not None:
        life.book.merged(*merge)
    shown = [held(*KEYS[number], cooldown_s=5.0, severity=severity) for number in sorted(which)]
    return life.at(media_s, *shown, present={node.id for violation in shown for node in violation.nodes})


@given(steps=steps)
def test_never_two_open_incidents_with_one_key_and_every_closing_was_opened(steps: list[Step]) -> None:
    life, media_s, opened, is_open = Life(), 0.0, set[str](), dict[str, str]()
    for step in steps:
        media_s += step[0]
        changes = play(life, media_s, step)
        open_now = life.book.open_incidents()
        assert len({incident.key for incident in open_now}) == len(open_now)
        for alert in changes.opened:
            assert alert.id not in opened
            opened.add(alert.id)
            is_open[alert.id] = "open"
        for change in changes.changed:
            assert change.alert_id in opened
            is_open[change.alert_id] = change.incident_state
        assert {alert_id for alert_id, state in is_open.items() if state == "open"} == {incident.alert_id for incident in open_now}


@given(steps=steps, cut=st.integers(0, 40))
def test_kill_and_restore_at_any_step_gives_the_same_alerts(steps: list[Step], cut: int) -> None:
    whole, broken, media_s = Life(), Life(), 0.0
    for number, step in enumerate(steps):
        media_s += step[0]
        if number == cut:
            state = broken.book.state()
            broken.book = IncidentBook("st_1")
            broken.book.restore(state)
        assert play(whole, media_s, step) == play(broken, media_s, step)
