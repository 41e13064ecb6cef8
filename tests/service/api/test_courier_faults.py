"""Couriers that end, die or lose Redis: nothing is lost, and what comes twice has the same id."""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.ingest.address import AddressGuard, Endpoint
from service.metrics import Metrics
from service.state.embedded import EmbeddedServer
from service.state.store import Store
from service.state.webhooks import WebhookShelf
from tests.servers.webhook_receiver import Answer, WebhookReceiver
from tests.service.api.actor import Actor, made_stream
from tests.service.api.courier_process import __name__ as courier_module
from tests.service.api.couriers import alerts_of, delivering, eventually, ids_of, outcomes, put_webhook, state, webhook_lines

ROOT = Path(__file__).parents[3]
REFUSED = Answer(500)


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    """Of its own: the courier of the API that runs for the other tests would deliver too."""
    with EmbeddedServer.start() as server:
        yield server.url


class FaultyGuard(AddressGuard):
    """Has an error of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.asked_at_s: list[float] = []

    def resolve(self, url: str) -> Endpoint:
        self.asked_at_s.append(time.monotonic())
        raise RuntimeError(url)


def test_while_redis_is_away_nothing_is_lost_or_sent_twice(receiver: WebhookReceiver) -> None:
    with EmbeddedServer.start() as redis:
        shelf, store = WebhookShelf.connect(redis.url, timeout_s=1.0), Store.connect(redis.url)
        made_stream(store)
        actor = Actor(store)
        put_webhook(shelf, receiver.url)
        receiver.script.append(Answer(delay_s=0.5))
        with delivering(shelf):
            actor.raise_alert("a1")
            receiver.wait_for(1)
            os.kill(redis.pid, signal.SIGSTOP)
            time.sleep(1.5)
            os.kill(redis.pid, signal.SIGCONT)
            eventually(lambda: state(shelf).cursor == shelf.read_log("0-0").end)
            actor.raise_alert("a2")
            assert alerts_of(receiver.wait_for(2)) == ["a1", "a2"]
            eventually(lambda: state(shelf).cursor == shelf.read_log("0-0").end)
        shelf.close()
        store.close()


def test_a_receiver_whose_date_is_beyond_all_calendars_is_tried_as_any_other(
    shelf: WebhookShelf, receiver: WebhookReceiver, actor: Actor
) -> None:
    put_webhook(shelf, receiver.url)
    receiver.script.append(Answer(503, {"Retry-After": "Mon, 01 Jan 99999999999999 00:00:00 GMT"}))
    metrics = Metrics()
    with delivering(shelf, metrics=metrics):
        actor.raise_alert("a1")
        receiver.wait_for(2)
        eventually(lambda: outcomes(metrics) == {"delivered": 1, "failed": 1, "gave_up": 0})
        assert alerts_of(receiver.wait_for(2)) == ["a1", "a1"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_channel_that_dies_of_an_error_is_started_again_after_a_while(shelf: WebhookShelf, actor: Actor) -> None:
    guard = FaultyGuard()
    put_webhook(shelf, "http://desk.example.com/hook")
    with delivering(shelf, guard=guard, max_wait_s=0.6):
        actor.raise_alert("a1")
        eventually(lambda: len(guard.asked_at_s) == 3)
    assert min(later - earlier for earlier, later in itertools.pairwise(guard.asked_at_s)) >= 0.6


def test_a_courier_that_slept_while_another_delivered_sets_nothing_back(
    redis_url: str, shelf: WebhookShelf, receiver: WebhookReceiver, actor: Actor
) -> None:
    put_webhook(shelf, receiver.url)
    receiver.script.append(REFUSED)
    with subprocess.Popen([sys.executable, "-m", courier_module, redis_url], cwd=ROOT) as sleeper:
        try:
            eventually(lambda: shelf.all() and not shelf.hold_lease("nobody", 0.001))
            receiver.usual = Answer(delay_s=0.5)
            actor.raise_alert("a1")
            receiver.wait_for(2)
            os.kill(sleeper.pid, signal.SIGSTOP)
            receiver.usual = Answer()
            with delivering(shelf):
                actor.raise_alert("a2")
                actor.raise_alert("a3")
                eventually(lambda: state(shelf).cursor == shelf.read_log("0-0").end)
            end = state(shelf).cursor
            os.kill(sleeper.pid, signal.SIGCONT)
            cursors = [state(shelf).cursor for _ in range(40) if not time.sleep(0.025)]  # type: ignore[func-returns-value]
            assert set(cursors) == {end}
            actor.raise_alert("a4")
            eventually(lambda: state(shelf).cursor == shelf.read_log("0-0").end != end)
        finally:
            sleeper.kill()
    assert alerts_of(receiver.received)[-1] == "a4"
    assert alerts_of(receiver.received).count("a2") == 1


def test_the_next_courier_goes_on_where_the_last_one_stopped(shelf: WebhookShelf, receiver: WebhookReceiver, actor: Actor) -> None:
    put_webhook(shelf, receiver.url)
    with delivering(shelf):
        actor.raise_alert("a1")
        eventually(lambda: state(shelf).last_delivery_at_s is not None)
    actor.raise_alert("a2")
    with delivering(shelf):
        receiver.wait_for(2)
        eventually(lambda: state(shelf).backlog == 0)
    assert alerts_of(receiver.received) == ["a1", "a2"]


def test_of_two_couriers_one_delivers_and_the_other_takes_over(shelf: WebhookShelf, receiver: WebhookReceiver, actor: Actor) -> None:
    put_webhook(shelf, receiver.url)
    first, second = Metrics(), Metrics()
    with delivering(shelf, metrics=second, lease_s=5.0):
        eventually(lambda: webhook_lines(second))
        with delivering(shelf, metrics=first, lease_s=5.0):
            actor.raise_alert("a1")
            eventually(lambda: state(shelf).last_delivery_at_s is not None)
            time.sleep(0.2)
            assert webhook_lines(first) == []
    with delivering(shelf, metrics=first, lease_s=5.0):
        actor.raise_alert("a2")
        receiver.wait_for(2)
        eventually(lambda: outcomes(first)["delivered"] == 1)
    assert alerts_of(receiver.received) == ["a1", "a2"]
    assert outcomes(second)["delivered"] == 1


@pytest.mark.parametrize("killed_after", [200, 500])
def test_a_courier_killed_in_the_middle_loses_nothing(
    redis_url: str, shelf: WebhookShelf, receiver: WebhookReceiver, actor: Actor, killed_after: int
) -> None:
    """Every second try is refused. What counts is what was answered with 200."""
    num_alerts = 20
    put_webhook(shelf, receiver.url)
    receiver.script.extend([Answer(delay_s=0.02), REFUSED] * num_alerts)
    for number in range(num_alerts):
        actor.raise_alert(f"a{number:02}")
    with subprocess.Popen([sys.executable, "-m", courier_module, redis_url], cwd=ROOT) as courier:
        try:
            receiver.wait_until(lambda received: len(received) > 9 and received[-1].status == killed_after)
        finally:
            courier.kill()
    with delivering(shelf):
        eventually(lambda: state(shelf).cursor == shelf.read_log("0-0").end)
    taken = [one for one in receiver.received if one.status == 200]
    pairs = list(zip(ids_of(taken), alerts_of(taken), strict=True))
    assert [alert_id for _, alert_id in dict.fromkeys(pairs)] == [f"a{number:02}" for number in range(num_alerts)]
    assert len(pairs) <= num_alerts + 1
    assert all(earlier <= later for (_, earlier), (_, later) in itertools.pairwise(pairs))
