"""Webhooks in Redis, on real servers."""

import time

import msgspec
import pytest
from redis import Redis

from service.state.store import Store
from service.state.webhooks import LOG_CHUNK, MAX_WEBHOOKS, Webhook, WebhookShelf, WebhookState, place
from service.types import Alert
from tests.service.state.made import alert, spec
from tests.service.state.test_alerts import Shelf

LOG = "vigil:alerts:default:log"


@pytest.fixture
def put(store: Store) -> Shelf:
    return Shelf(store)


@pytest.fixture
def shelf(redis: Redis) -> WebhookShelf:
    return WebhookShelf(redis)


def webhook(number: int = 1) -> Webhook:
    return Webhook(f"wh_{number}", "https://desk.example.com/hook?key=s3cret", "whsec_c2VjcmV0", "desk", 100.0 + number)


def read(shelf: WebhookShelf, after: str) -> list[tuple[str, str]]:
    return [(entry.kind, entry.alert.id) for entry in shelf.read_log(after).entries]


def test_webhooks_are_kept_oldest_first_and_deleted_whole(shelf: WebhookShelf, redis: Redis) -> None:
    assert shelf.put(webhook(2))
    assert shelf.put(webhook(1))
    assert [one.id for one in shelf.all()] == ["wh_1", "wh_2"]
    assert shelf.get("wh_2") == webhook(2)
    assert shelf.delete("wh_2")
    assert not shelf.delete("wh_2")
    assert shelf.get("wh_2") is None
    assert set(redis.keys("vigil:webhook*")) == {b"vigil:webhooks", b"vigil:webhook:wh_1"}


def test_there_is_a_limit_and_reaching_it_changes_nothing(shelf: WebhookShelf, redis: Redis) -> None:
    assert all(shelf.put(webhook(number)) for number in range(MAX_WEBHOOKS))
    assert not shelf.put(webhook(99))
    assert shelf.put(webhook(7))
    assert len(shelf.all()) == MAX_WEBHOOKS
    assert redis.exists("vigil:webhook:wh_99") == 0


def test_a_secret_is_not_in_what_is_logged_of_a_webhook() -> None:
    assert repr(webhook()) == "Webhook('wh_1')"


@pytest.mark.parametrize(
    ("filters", "raised", "takes"),
    [
        ({}, alert(1), True),
        ({}, alert(1, mode="shadow"), False),
        ({"severities": ("high", "critical")}, alert(1), True),
        ({"severities": ("critical",)}, alert(1), False),
        ({"policies": ("knife-in-hand",)}, alert(1), True),
        ({"policies": ("fire",)}, alert(1), False),
        ({"streams": ("st_1",)}, alert(1), True),
        ({"streams": ("st_2",)}, alert(1), False),
        ({"severities": ("high",), "streams": ("st_2",)}, alert(1), False),
    ],
)
def test_all_filters_must_let_an_alert_pass(filters: dict[str, tuple[str, ...]], raised: Alert, takes: bool) -> None:
    assert msgspec.structs.replace(webhook(), **filters).takes(raised) is takes


def test_a_new_webhook_begins_at_the_end_of_the_log(shelf: WebhookShelf, put: Shelf, store: Store) -> None:
    shelf.put(webhook(1))
    put(alert(1), alert(2))
    shelf.put(webhook(2))
    put(alert(3))
    store.alerts.review("al_1", "ack", reason="", by="local", at_s=1.0)
    early, late = shelf.states(["wh_1", "wh_2"])
    assert early == WebhookState()
    assert read(shelf, early.cursor) == [("opened", "al_1"), ("opened", "al_2"), ("opened", "al_3"), ("reviewed", "al_1")]
    assert read(shelf, late.cursor) == [("opened", "al_3"), ("reviewed", "al_1")]


def test_the_log_is_read_in_pieces_and_past_alerts_that_are_gone(shelf: WebhookShelf, put: Shelf, redis: Redis) -> None:
    put(alert(1))
    for _ in range(LOG_CHUNK):
        redis.xadd(LOG, {"kind": "changed", "id": "al_0"})
    first = shelf.read_log("0-0")
    assert ([entry.alert.id for entry in first.entries], first.is_whole) == (["al_1"], False)
    rest = shelf.read_log(first.end)
    assert (rest.entries, rest.is_whole, place(rest.end) > place(first.end)) == ((), True, True)
    assert shelf.read_log(rest.end).end == rest.end


def test_what_left_the_log_unread_is_told(shelf: WebhookShelf, put: Shelf, redis: Redis) -> None:
    put(alert(1), alert(2), alert(3))
    begin = shelf.read_log("0-0").entries[0].id
    assert not shelf.read_log(begin).is_torn
    redis.xtrim(LOG, maxlen=1, approximate=False)
    torn = shelf.read_log(begin)
    assert (torn.is_torn, [entry.alert.id for entry in torn.entries]) == (True, ["al_3"])
    assert not shelf.read_log(torn.end).is_torn


def test_places_are_ordered_by_number_and_not_by_letter() -> None:
    assert place("9-0") < place("10-0") < place("10-2") < place("10-10")


def test_waiting_for_the_log_ends_with_news_or_the_time(shelf: WebhookShelf, put: Shelf) -> None:
    assert shelf.wait_for_log("0-0", 0.01) == "0-0"
    put(alert(1), alert(2))
    assert shelf.wait_for_log("0-0", 5.0) == shelf.read_log("0-0").end


def test_only_the_holder_of_the_lease_notes_and_only_for_a_webhook_that_is_there(shelf: WebhookShelf, redis: Redis) -> None:
    shelf.put(webhook())
    assert shelf.note("wh_1", "me", {"cursor": "5-0"}, "0-0") == "refused"
    assert shelf.hold_lease("me", 10.0)
    fields: dict[str, str | int | float] = {"cursor": "7-0", "last_delivery_at_s": 12.5, "last_error": "17", "backlog": 3, "disabled": 1}
    assert shelf.note("wh_1", "me", fields, "0-0") == "noted"
    assert shelf.note("wh_1", "you", {"cursor": "9-0"}, "7-0") == "refused"
    assert shelf.states(["wh_1"]) == (WebhookState("7-0", 12.5, "17", 3, True),)
    shelf.delete("wh_1")
    assert shelf.note("wh_1", "me", {"cursor": "8-0"}, "7-0") == "refused"
    assert redis.exists("vigil:webhook:wh_1") == 0


def test_a_note_moves_the_cursor_only_from_where_it_was_seen_and_may_be_repeated(shelf: WebhookShelf) -> None:
    shelf.put(webhook())
    shelf.hold_lease("me", 10.0)
    for _ in range(2):
        assert shelf.note("wh_1", "me", {"cursor": "7-0"}, "0-0") == "noted"
    assert shelf.note("wh_1", "me", {"cursor": "5-0", "last_error": "late"}, "4-0") == "moved"
    assert shelf.note("wh_1", "me", {"last_error": "late"}, "4-0") == "moved"
    assert shelf.states(["wh_1"]) == (WebhookState("7-0"),)
    assert shelf.note("wh_1", "me", {"backlog": 2}, "7-0") == "noted"
    assert shelf.states(["wh_1"]) == (WebhookState("7-0", backlog=2),)


def test_one_holds_the_lease_until_it_leaves_or_falls_silent(shelf: WebhookShelf) -> None:
    assert shelf.hold_lease("me", 10.0)
    assert not shelf.hold_lease("you", 10.0)
    shelf.leave_lease("you")
    assert not shelf.hold_lease("you", 10.0)
    shelf.leave_lease("me")
    assert shelf.hold_lease("you", 10.0)
    assert shelf.hold_lease("you", 0.05)
    time.sleep(0.1)
    assert shelf.hold_lease("me", 10.0)


def test_webhooks_stay_when_a_stream_goes(shelf: WebhookShelf, store: Store) -> None:
    store.put_stream(spec())
    shelf.put(webhook())
    store.delete_stream("st_1")
    assert shelf.get("wh_1") == webhook()
