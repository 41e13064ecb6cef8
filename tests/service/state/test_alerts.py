"""The shelf of alerts, on real servers."""

import itertools

import pytest

from service.state.alerts import Action, AlertFilter
from service.state.store import Store
from service.types import Alert, AlertState
from tests.service.state.made import alert, blob, delta, snapshot, spec


@pytest.fixture
def put(store: Store) -> "Shelf":
    return Shelf(store)


class Shelf:
    """Raises alerts by the only way there is."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.seq = itertools.count(1)
        self.epochs: dict[str, int] = {}

    def __call__(self, *alerts: Alert) -> None:
        for made in alerts:
            if made.stream_id not in self.epochs:
                self.store.put_stream(spec(made.stream_id))
                self.epochs[made.stream_id] = self.store.claim(made.stream_id)
            seq, epoch = next(self.seq), self.epochs[made.stream_id]
            message, whole = delta(seq, made.stream_id), snapshot(seq, made.stream_id)
            self.store.publish(made.stream_id, epoch, message, whole, blob=blob(seq, epoch), opened=(made,))


def test_alerts_are_listed_newest_first_page_by_page(store: Store, put: Shelf) -> None:
    put(*(alert(n) for n in range(1, 6)))
    first = store.alerts.page(AlertFilter(), limit=2)
    second = store.alerts.page(AlertFilter(), limit=2, cursor=first.cursor)
    third = store.alerts.page(AlertFilter(), limit=2, cursor=second.cursor)
    assert [[a.id for a in page.alerts] for page in (first, second, third)] == [["al_5", "al_4"], ["al_3", "al_2"], ["al_1"]]
    assert third.cursor is None


def test_an_alert_raised_while_paging_shifts_nothing(store: Store, put: Shelf) -> None:
    put(*(alert(n) for n in range(1, 5)))
    first = store.alerts.page(AlertFilter(), limit=2)
    put(alert(9))
    assert [a.id for a in store.alerts.page(AlertFilter(), limit=2, cursor=first.cursor).alerts] == ["al_2", "al_1"]


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (AlertFilter(), ["al_5", "al_3", "al_2", "al_1"]),
        (AlertFilter(mode="shadow"), ["al_4"]),
        (AlertFilter(mode="enforce"), ["al_3"]),
        (AlertFilter(stream_id="st_2"), ["al_5"]),
        (AlertFilter(stream_id="st_9"), []),
        (AlertFilter(severity="critical"), ["al_2"]),
        (AlertFilter(state="open"), ["al_5", "al_3", "al_2"]),
        (AlertFilter(state="dismissed"), ["al_1"]),
        (AlertFilter(after_s=1002.0), ["al_5", "al_3"]),
    ],
)
def test_filters(store: Store, put: Shelf, wanted: AlertFilter, ids: list[str]) -> None:
    put(alert(1), alert(2, severity="critical"), alert(3, mode="enforce"), alert(4, mode="shadow"), alert(5, stream_id="st_2"))
    store.alerts.review("al_1", "dismiss", reason="a toy", by="mo", at_s=1.0)
    assert [a.id for a in store.alerts.page(wanted).alerts] == ids


def test_alerts_of_a_deleted_stream_stay_listed(store: Store, put: Shelf) -> None:
    put(alert(1))
    store.delete_stream("st_1")
    assert [a.id for a in store.alerts.page(AlertFilter(stream_id="st_1")).alerts] == ["al_1"]
    assert store.alerts.get("al_1") == alert(1)


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        (["ack"], "acked"),
        (["ack", "resolve"], "resolved"),
        (["ack", "dismiss"], "dismissed"),
        (["resolve"], "resolved"),
        (["dismiss"], "dismissed"),
    ],
)
def test_reviews_that_are_allowed(store: Store, put: Shelf, steps: list[Action], state: AlertState) -> None:
    put(alert(1))
    for at_s, step in enumerate(steps):
        store.alerts.review("al_1", step, reason=f"because {step}", by="mo", at_s=float(at_s))
    now = store.alerts.get("al_1")
    assert now is not None
    assert now.state == state
    assert [(note.at_s, note.action, note.reason, note.by) for note in now.notes] == [
        (float(at_s), step, f"because {step}", "mo") for at_s, step in enumerate(steps)
    ]


@pytest.mark.parametrize(
    ("before", "step"), [("ack", "ack"), ("resolve", "ack"), ("resolve", "dismiss"), ("dismiss", "resolve"), ("dismiss", "dismiss")]
)
def test_reviews_that_are_not_allowed_change_nothing(store: Store, put: Shelf, before: Action, step: Action) -> None:
    put(alert(1))
    reviewed = store.alerts.review("al_1", before, reason="", by="mo", at_s=1.0)
    with pytest.raises(ValueError, match=f"{step} is possible for open"):
        store.alerts.review("al_1", step, reason="", by="mo", at_s=2.0)
    assert store.alerts.get("al_1") == reviewed


def test_an_unknown_alert_is_none(store: Store) -> None:
    assert store.alerts.get("al_1") is None
    assert store.alerts.review("al_1", "ack", reason="", by="mo", at_s=1.0) is None


def test_a_reason_that_is_too_long_and_a_made_up_cursor_are_refused(store: Store, put: Shelf) -> None:
    put(alert(1))
    with pytest.raises(ValueError, match="2001 characters"):
        store.alerts.review("al_1", "ack", reason="x" * 2001, by="mo", at_s=1.0)
    with pytest.raises(ValueError, match="'abc' did not come from an earlier page"):
        store.alerts.page(AlertFilter(), cursor="abc")


def test_the_log_tells_what_happened_since_an_entry(store: Store, put: Shelf) -> None:
    put(alert(1))
    seen = store.alerts.log_end()
    put(alert(2))
    store.alerts.review("al_1", "ack", reason="", by="mo", at_s=1.0)
    entries = store.alerts.log(seen)
    told = [(entry.kind, entry.alert.id, entry.alert.state) for entry in entries]
    assert told == [
        ("opened", "al_2", "open"),
        ("reviewed", "al_1", "acked"),
    ]
    assert entries[-1].id == store.alerts.log_end()


def test_the_oldest_alerts_go_when_there_are_too_many(store: Store, put: Shelf) -> None:
    put(alert(1), alert(2, stream_id="st_2"), alert(3))
    assert store.alerts.trim(keep=1) == 2
    assert [a.id for a in store.alerts.page(AlertFilter()).alerts] == ["al_3"]
    assert store.alerts.page(AlertFilter(stream_id="st_2")).alerts == ()
    assert store.alerts.get("al_1") is None
