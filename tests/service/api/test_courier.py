"""Delivery to real receivers, from the real alert log. 127.0.0.2 plays the inner network that must never be reached."""

import base64
import dataclasses
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog

from service.api.courier import MAX_TESTS, Courier
from service.api.webhook_channel import Pace
from service.api.webhook_signing import new_secret
from service.ingest.address import AddressGuard, parse_networks
from service.metrics import Metrics
from service.state.embedded import EmbeddedServer
from service.state.store import Store
from service.state.webhooks import WebhookShelf
from tests.servers.silent import SilentServer
from tests.servers.tls import TlsProxy, make_certificate
from tests.servers.webhook_receiver import Answer, WebhookReceiver
from tests.service.api.actor import HOLDS_CUP, Actor
from tests.service.api.courier_process import GUARD, QUICK
from tests.service.api.couriers import (
    alerts_of,
    delivering,
    eventually,
    ids_of,
    is_signed,
    outcomes,
    put_webhook,
    state,
    value,
    webhook_lines,
)

ROOT = Path(__file__).parents[3]
FAILS = Answer(500)


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    """Of its own: the courier of the API that runs for the other tests would deliver too."""
    with EmbeddedServer.start() as server:
        yield server.url


def test_what_happens_to_alerts_is_sent_in_order_and_signed(
    shelf: WebhookShelf, receiver: WebhookReceiver, actor: Actor, store: Store
) -> None:
    actor.raise_alert("before")
    webhook = put_webhook(shelf, receiver.url + "?key=1")
    metrics = Metrics()
    with delivering(shelf, metrics=metrics):
        eventually(lambda: webhook_lines(metrics))
        assert outcomes(metrics) == {"delivered": 0, "failed": 0, "gave_up": 0}
        raised = actor.raise_alert("a1")
        actor.close_incident(raised)
        store.alerts.review("a1", "ack", reason="seen", by="local", at_s=1.0)
        got = receiver.wait_for(3)
        eventually(lambda: state(shelf).last_delivery_at_s is not None and state(shelf).backlog == 0)
        eventually(lambda: outcomes(metrics) == {"delivered": 3, "failed": 0, "gave_up": 0})
    assert all(is_signed(webhook, one) for one in got)
    assert not is_signed(webhook, dataclasses.replace(got[0], body=got[0].body + b" "))
    events = [json.loads(one.body) for one in got]
    assert [event["type"] for event in events] == ["alert.opened", "alert.changed", "alert.reviewed"]
    assert [event["id"] for event in events] == ids_of(got)
    assert len({event["id"] for event in events}) == 3
    assert all(abs(event["created_at_s"] - time.time()) < 60 for event in events)
    assert events[2]["alert"] == json.loads(msgspec.json.encode(store.alerts.get("a1")))
    assert (got[0].path, got[0].headers["content-type"]) == ("/hook?key=1", "application/json")
    assert state(shelf).last_error == ""


def test_the_verification_in_the_docs_takes_what_is_sent_and_nothing_else(
    shelf: WebhookShelf, receiver: WebhookReceiver, actor: Actor
) -> None:
    told: dict[str, Any] = {}
    exec((ROOT / "docs" / "webhooks.md").read_text().split("```python\n")[1].split("```")[0], told)
    webhook = put_webhook(shelf, receiver.url)
    with delivering(shelf):
        actor.raise_alert("a1")
        got = receiver.wait_for(1)[0]
    verify = told["is_from_vigil"]
    assert verify(webhook.secret, got.headers, got.body)
    assert not verify(new_secret(), got.headers, got.body)
    assert not verify(webhook.secret, got.headers, got.body + b" ")
    assert not verify(webhook.secret, {**got.headers, "webhook-timestamp": "1750000019"}, got.body)


def test_only_what_passes_the_filters_is_sent_and_the_cursor_moves_past_the_rest(
    shelf: WebhookShelf, receiver: WebhookReceiver, actor: Actor
) -> None:
    put_webhook(shelf, receiver.url, severities=("critical",))
    with delivering(shelf):
        for alert_id, severity in (("a1", "high"), ("a2", "critical"), ("a3", "low")):
            last = actor.raise_alert(alert_id, severity)  # type: ignore[arg-type]
        actor.show(HOLDS_CUP, alert=msgspec.structs.replace(last, id="a4", severity="critical", mode="shadow"))
        end = shelf.read_log("0-0").end
        eventually(lambda: state(shelf).cursor == end)
    assert alerts_of(receiver.received) == ["a2"]


def test_a_failed_try_is_repeated_with_the_same_id_and_those_behind_it_wait(
    shelf: WebhookShelf, receiver: WebhookReceiver, actor: Actor
) -> None:
    webhook, metrics = put_webhook(shelf, receiver.url), Metrics()
    receiver.script.extend([FAILS, Answer(503)])
    with delivering(shelf, metrics=metrics):
        for number in range(3):
            actor.raise_alert(f"a{number}")
        got = receiver.wait_for(5)
        eventually(lambda: outcomes(metrics) == {"delivered": 3, "failed": 2, "gave_up": 0})
        assert 'vigil_webhook_seconds_count{webhook="w1"} 5.0' in webhook_lines(metrics)
    assert alerts_of(got) == ["a0", "a0", "a0", "a1", "a2"]
    assert len(set(ids_of(got[:3]))) == 1
    assert len(set(ids_of(got))) == 3
    assert all(is_signed(webhook, one) for one in got)


def test_a_receiver_that_does_not_answer_in_time_is_tried_again(shelf: WebhookShelf, receiver: WebhookReceiver, actor: Actor) -> None:
    put_webhook(shelf, receiver.url)
    receiver.usual = Answer(delay_s=30.0)
    with delivering(shelf, total_s=1.0):
        actor.raise_alert("a1")
        eventually(lambda: "does not answer in time" in state(shelf).last_error)
        assert state(shelf).backlog == 1
        receiver.usual = Answer()
        eventually(lambda: state(shelf).backlog == 0)
    assert len(receiver.received) > 1
    assert len(set(ids_of(receiver.received))) == 1


def test_a_redirect_is_not_followed(shelf: WebhookShelf, receiver: WebhookReceiver, actor: Actor) -> None:
    put_webhook(shelf, receiver.url)
    with WebhookReceiver() as other, delivering(shelf):
        receiver.usual = Answer(307, {"Location": other.url})
        actor.raise_alert("a1")
        eventually(lambda: "redirect" in state(shelf).last_error)
        receiver.usual = Answer()
        eventually(lambda: state(shelf).last_delivery_at_s is not None)
        assert other.received == []


def test_an_endless_answer_is_hung_up_on_and_its_status_counts(shelf: WebhookShelf, receiver: WebhookReceiver, actor: Actor) -> None:
    put_webhook(shelf, receiver.url)
    receiver.usual = Answer(is_endless=True)
    with delivering(shelf):
        actor.raise_alert("a1")
        eventually(lambda: state(shelf).last_delivery_at_s is not None)
        eventually(lambda: receiver.cut_off == 1)
    assert len(receiver.received) == 1


def test_a_refusal_gives_this_event_up_and_the_next_is_sent(shelf: WebhookShelf, receiver: WebhookReceiver, actor: Actor) -> None:
    put_webhook(shelf, receiver.url.replace("http://", "http://me:pa55@") + "?key=s3cret")
    metrics = Metrics()
    receiver.script.append(Answer(400))
    with structlog.testing.capture_logs() as logs, delivering(shelf, metrics=metrics):
        actor.raise_alert("a1")
        receiver.wait_for(1)
        eventually(lambda: "HTTP status 400" in state(shelf).last_error)
        actor.raise_alert("a2")
        got = receiver.wait_for(2)
        eventually(lambda: outcomes(metrics) == {"delivered": 1, "failed": 0, "gave_up": 1})
    assert alerts_of(got) == ["a1", "a2"]
    assert got[0].headers["authorization"] == "Basic " + base64.b64encode(b"me:pa55").decode()
    assert [(line["event"], line["webhook"], line["alert"]) for line in logs] == [("webhook_gave_up", "w1", "a1")]
    assert not any(secret in str(logs) for secret in ("pa55", "s3cret", "whsec_"))


def test_retry_after_is_kept_to(shelf: WebhookShelf, receiver: WebhookReceiver, actor: Actor) -> None:
    put_webhook(shelf, receiver.url)
    receiver.script.append(Answer(429, {"Retry-After": "1"}))
    with delivering(shelf):
        actor.raise_alert("a1")
        receiver.wait_for(1)
        begun_s = time.monotonic()
        receiver.wait_for(2)
        assert time.monotonic() - begun_s > 0.9


def test_after_its_time_an_event_is_given_up(shelf: WebhookShelf, receiver: WebhookReceiver, actor: Actor) -> None:
    put_webhook(shelf, receiver.url)
    metrics = Metrics()
    receiver.usual = FAILS
    with delivering(shelf, metrics=metrics, give_up_s=0.6):
        actor.raise_alert("a1")
        actor.raise_alert("a2")
        got = receiver.wait_until(lambda received: len(set(ids_of(received))) == 2)
        assert alerts_of(got) == sorted(alerts_of(got))
        eventually(lambda: outcomes(metrics)["gave_up"] == 2)
        eventually(lambda: state(shelf).backlog == 0)
    assert outcomes(metrics)["delivered"] == 0
    assert outcomes(metrics)["failed"] > 0


def test_gone_disables_for_good(shelf: WebhookShelf, receiver: WebhookReceiver, actor: Actor) -> None:
    put_webhook(shelf, receiver.url)
    receiver.usual = Answer(410)
    for number in (1, 2):
        metrics = Metrics()
        with delivering(shelf, metrics=metrics):
            eventually(lambda: webhook_lines(metrics))  # noqa: B023
            actor.raise_alert(f"a{number}")
            eventually(lambda: state(shelf).disabled)
            time.sleep(0.2)
            assert outcomes(metrics)["gave_up"] == (number == 1)
    assert alerts_of(receiver.received) == ["a1"]
    assert "gone" in state(shelf).last_error
    assert state(shelf).backlog == 0


def test_a_refused_connection_is_told_and_what_waits_is_counted(shelf: WebhookShelf, actor: Actor) -> None:
    metrics = Metrics()
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        put_webhook(shelf, f"http://127.0.0.1:{held.getsockname()[1]}/hook")
        with delivering(shelf, metrics=metrics):
            for number in range(3):
                actor.raise_alert(f"a{number}")
            eventually(lambda: state(shelf).backlog == 3)
            eventually(lambda: "refused" in state(shelf).last_error)
            assert value(metrics.webhook_backlog, "w1") == 3
    assert state(shelf).cursor == "0-0"


def test_a_webhook_deleted_while_it_is_retried_is_left_alone(shelf: WebhookShelf, receiver: WebhookReceiver, actor: Actor) -> None:
    put_webhook(shelf, receiver.url)
    receiver.usual = FAILS
    metrics = Metrics()
    with delivering(shelf, metrics=metrics):
        actor.raise_alert("a1")
        receiver.wait_for(2)
        shelf.delete("w1")
        eventually(lambda: not webhook_lines(metrics))
        num_received = len(receiver.received)
        time.sleep(0.2)
        assert len(receiver.received) == num_received
        assert webhook_lines(metrics) == []
        assert shelf.all() == ()


def test_one_that_hangs_delays_no_other(shelf: WebhookShelf, receiver: WebhookReceiver, actor: Actor) -> None:
    with SilentServer() as silent, delivering(shelf, total_s=3.0):
        put_webhook(shelf, f"http://127.0.0.1:{silent.port}/", "slow")
        put_webhook(shelf, receiver.url, "quick")
        actor.raise_alert("a0")
        eventually(lambda: silent.contacts > 0)
        for number in range(1, 5):
            actor.raise_alert(f"a{number}")
        assert alerts_of(receiver.wait_for(5)) == ["a0", "a1", "a2", "a3", "a4"]
        eventually(lambda: (state(shelf, "slow").backlog, state(shelf, "quick").backlog) == (5, 0))


def test_a_courier_stops_at_once_though_a_receiver_hangs(shelf: WebhookShelf, actor: Actor) -> None:
    with SilentServer() as silent:
        put_webhook(shelf, f"http://127.0.0.1:{silent.port}/")
        with delivering(shelf, total_s=60.0):
            actor.raise_alert("a0")
            eventually(lambda: silent.contacts == 1)
            begun_s = time.monotonic()
        assert time.monotonic() - begun_s < 5.0
    assert state(shelf).last_delivery_at_s is None


def test_a_name_that_turns_to_an_inner_address_is_not_connected_to(shelf: WebhookShelf, receiver: WebhookReceiver, actor: Actor) -> None:
    with SilentServer("127.0.0.2") as inner:
        answers = ["127.0.0.1"]
        guard = AddressGuard(parse_networks(["127.0.0.1/32"]), lookup=lambda _host: answers)
        put_webhook(shelf, f"http://desk.example.com:{receiver.port}/hook")
        put_webhook(shelf, f"http://desk.example.com:{inner.port}/hook", "w2")
        with delivering(shelf, guard=guard):
            actor.raise_alert("a1")
            receiver.wait_for(1)
            answers[:] = ["127.0.0.2"]
            actor.raise_alert("a2")
            for webhook_id in ("w1", "w2"):
                eventually(lambda: "not a public address" in state(shelf, webhook_id).last_error)  # noqa: B023
        assert inner.contacts == 0
    assert alerts_of(receiver.received) == ["a1"]
    assert receiver.received[0].headers["host"] == f"desk.example.com:{receiver.port}"


def test_over_tls_the_certificate_must_be_that_of_the_host(
    shelf: WebhookShelf, receiver: WebhookReceiver, actor: Actor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.certificate))
    with TlsProxy(receiver.port, certificate.server_context()) as proxy:
        right = put_webhook(shelf, f"https://localhost:{proxy.port}/hook", "right")
        put_webhook(shelf, f"https://127.0.0.1:{proxy.port}/hook", "wrong")
        with delivering(shelf, first_wait_s=60.0, max_wait_s=60.0):
            actor.raise_alert("a1")
            assert is_signed(right, receiver.wait_for(1)[0])
            eventually(lambda: "fails TLS" in state(shelf, "wrong").last_error)
            eventually(lambda: state(shelf, "right").backlog == 0)
    assert len(receiver.received) == 1


def test_only_so_many_tests_run_at_a_time(shelf: WebhookShelf) -> None:
    with ThreadPoolExecutor() as threads, WebhookReceiver() as receiver:
        webhook, courier = put_webhook(shelf, receiver.url), Courier(shelf, GUARD, Metrics(), QUICK)
        receiver.usual = Answer(delay_s=30.0)
        under_way = [threads.submit(courier.test, webhook) for _ in range(MAX_TESTS)]
        receiver.wait_for(MAX_TESTS)
        assert courier.test(webhook) is None
    ended = [one.result(20.0) for one in under_way]
    assert [attempt.status for attempt in ended if attempt] == [200] * MAX_TESTS


def test_the_usual_pace_is_that_of_the_docs() -> None:
    assert dataclasses.astuple(Pace())[:5] == (1.0, 60.0, 900.0, 5.0, 10.0)
