"""Alerts over HTTP and WebSocket."""

import json

import httpx
import pytest
from websockets.sync.client import connect

from service.state.store import Store
from tests.service.api.actor import HOLDS_CUP, Actor, made_stream
from tests.service.api.serving import socket_url
from tests.service.api.test_streams import problem


def ids(api: httpx.Client, **query: object) -> list[str]:
    return [alert["id"] for alert in api.get("/v1/alerts", params=query).json()["alerts"]]  # type: ignore[arg-type]


@pytest.fixture
def raised(actor: Actor, store: Store) -> Actor:
    """Three alerts of two streams."""
    actor.show(HOLDS_CUP)
    actor.raise_alert("a1", "high")
    actor.raise_alert("a2", "critical")
    made_stream(store, "s2")
    other = Actor(store, "s2")
    other.show(HOLDS_CUP)
    other.raise_alert("a3", "high")
    return actor


def test_alerts_are_listed_newest_first_filtered_and_in_pages(api: httpx.Client, raised: Actor) -> None:
    del raised
    assert ids(api) == ["a3", "a2", "a1"]
    assert ids(api, stream="s1") == ["a2", "a1"]
    assert ids(api, severity="high") == ["a3", "a1"]
    assert ids(api, state="acked") == []
    second = api.get("/v1/alerts/a2").json()
    assert ids(api, after=second["created_at_s"]) == ["a3"]
    page = api.get("/v1/alerts", params={"limit": 2}).json()
    assert [alert["id"] for alert in page["alerts"]] == ["a3", "a2"]
    assert ids(api, limit=2, cursor=page["next"]) == ["a1"]


def test_an_alert_carries_the_subgraph_that_proves_it(api: httpx.Client, raised: Actor) -> None:
    del raised
    alert = api.get("/v1/alerts/a1").json()
    assert [(edge["subject"], edge["predicate"], edge["object"]) for edge in alert["edges"]] == [(3, "holding", 7)]
    assert {node["id"]: node["label"] for node in alert["nodes"]} == {3: "person", 7: "cup"}


def test_review_goes_from_open_to_acked_to_resolved_with_notes(api: httpx.Client, raised: Actor) -> None:
    del raised
    acked = api.post("/v1/alerts/a1/ack", json={"reason": ""})
    assert (acked.status_code, acked.json()["state"]) == (200, "acked")
    assert "why" in problem(api.post("/v1/alerts/a1/resolve", json={"reason": "  "}), 422, "reason_needed")
    resolved = api.post("/v1/alerts/a1/resolve", json={"reason": "cup taken away"}).json()
    assert resolved["state"] == "resolved"
    assert [(note["action"], note["reason"]) for note in resolved["notes"]] == [("ack", ""), ("resolve", "cup taken away")]
    assert "resolved" in problem(api.post("/v1/alerts/a1/ack", json={}), 409, "not_possible_now")
    problem(api.post("/v1/alerts/none/ack", json={}), 404, "no_such_alert")
    problem(api.post("/v1/alerts/a2/explode", json={}), 422, "invalid_input")
    assert ids(api, state="resolved") == ["a1"]


def test_the_socket_gives_the_backlog_then_what_happens(api: httpx.Client, raised: Actor) -> None:
    with connect(socket_url(api, "/v1/alerts?stream=s1")) as socket:
        backlog = [json.loads(socket.recv(timeout=5)) for _ in range(2)]
        assert [alert["id"] for alert in backlog] == ["a1", "a2"]
        fresh = raised.raise_alert("a4")
        assert json.loads(socket.recv(timeout=5))["id"] == "a4"
        api.post("/v1/alerts/a3/ack", json={})
        api.post("/v1/alerts/a2/dismiss", json={"reason": "a toy"})
        reviewed = json.loads(socket.recv(timeout=5))
        assert (reviewed["id"], reviewed["state"]) == ("a2", "dismissed")
        raised.close_incident(fresh)
        closed = json.loads(socket.recv(timeout=5))
        assert (closed["id"], closed["incident_state"]) == ("a4", "closed")


@pytest.mark.parametrize("query", ["state=new", "severity=9", "after=yesterday", "limit=0", "limit=1000", "cursor=x"])
def test_bad_filters_are_refused(api: httpx.Client, query: str) -> None:
    assert api.get(f"/v1/alerts?{query}").status_code == 422
