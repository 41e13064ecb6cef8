"""Graph and preview over WebSockets: snapshot first, deltas in order, resume, patterns, slow clients."""

import json
import socket
import time
from typing import Any

import httpx
import msgspec
import psutil
import pytest
from msgspec.structs import replace
from redis import Redis
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from service.pipeline.delta import EMPTY, apply
from service.state import keys
from service.state.store import Store
from service.types import Edge, GraphDelta, GraphMessage, GraphSnapshot, TrackedGraph
from tests.servers.process import wait_until
from tests.service.api.actor import HOLDING, HOLDS_CUP, Actor, cup, person, picture, table
from tests.service.api.serving import socket_url
from tests.service.api.test_streams import problem


def receive(socket: ClientConnection, within_s: float = 5.0) -> GraphMessage:
    message: GraphMessage = msgspec.json.decode(socket.recv(timeout=within_s), type=GraphMessage)
    return message


def replay(graph: TrackedGraph, message: GraphMessage) -> TrackedGraph:
    if isinstance(message, GraphSnapshot):
        return TrackedGraph(message.nodes, message.edges)
    return apply(graph, message.events)


def closed_with(socket: ClientConnection) -> int | None:
    """Read to the end; the code the server closed with."""
    try:
        while True:
            socket.recv(timeout=6)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


def moved(step: int) -> TrackedGraph:
    """HOLDS_CUP, a little further; every third step without the cup."""
    nodes = (person(left=0.3 + step / 100), table()) if step % 3 == 0 else (person(left=0.3 + step / 100), cup(), table())
    ids = {node.id for node in nodes}
    return TrackedGraph(nodes, tuple(edge for edge in HOLDS_CUP.edges if {edge.subject, edge.object} <= ids))


def test_a_snapshot_comes_first_and_replayed_deltas_give_each_next_graph(api: httpx.Client, actor: Actor) -> None:
    actor.show(HOLDS_CUP)
    actor.show(moved(1))
    with connect(socket_url(api, "/v1/streams/s1/graph")) as socket:
        first = receive(socket)
        assert isinstance(first, GraphSnapshot)
        assert first.seq == 2
        held = replay(EMPTY, first)
        assert held == moved(1)
        for step in range(2, 12):
            actor.show(moved(step))
            message = receive(socket)
            assert isinstance(message, GraphDelta)
            assert message.seq == step + 1
            held = replay(held, message)
            assert held == moved(step)
    assert api.get("/v1/streams/s1/graph").json()["seq"] == actor.seq


def test_a_client_that_comes_before_the_first_frame_gets_a_snapshot_then_too(api: httpx.Client, actor: Actor) -> None:
    problem(api.get("/v1/streams/s1/graph"), 404, "no_graph_yet")
    with connect(socket_url(api, "/v1/streams/s1/graph")) as socket:
        actor.show(HOLDS_CUP)
        assert isinstance(receive(socket), GraphSnapshot)
        actor.show(moved(1))
        assert receive(socket).seq == 2


def test_since_goes_on_without_a_gap(api: httpx.Client, actor: Actor) -> None:
    for step in range(1, 8):
        actor.show(moved(step))
    with connect(socket_url(api, "/v1/streams/s1/graph?since=4")) as socket:
        assert [receive(socket).seq for _ in range(3)] == [5, 6, 7]
        actor.show(moved(8))
        assert receive(socket).seq == 8
    with connect(socket_url(api, "/v1/streams/s1/graph?since=8")) as socket:
        actor.show(moved(9))
        message = receive(socket)
        assert isinstance(message, GraphDelta)
        assert message.seq == 9


@pytest.mark.parametrize("since", [2, 9999])
def test_since_that_is_no_longer_kept_gives_a_snapshot(api: httpx.Client, actor: Actor, redis_url: str, since: int) -> None:
    for step in range(1, 8):
        actor.show(moved(step))
    with Redis.from_url(redis_url) as redis:
        redis.xtrim(keys.graph("s1"), maxlen=2, approximate=False)
    with connect(socket_url(api, f"/v1/streams/s1/graph?since={since}")) as socket:
        message = receive(socket)
        assert isinstance(message, GraphSnapshot)
        assert message.seq == 7


def test_a_hole_in_the_stream_is_closed_by_a_snapshot(api: httpx.Client, actor: Actor) -> None:
    """A worker that lost its Redis for a while goes on some frames later."""
    actor.show(HOLDS_CUP)
    with connect(socket_url(api, "/v1/streams/s1/graph")) as socket:
        assert receive(socket).seq == 1
        actor.seq += 5
        actor.show(moved(1))
        message = receive(socket)
        assert isinstance(message, GraphSnapshot)
        assert (message.seq, replay(EMPTY, message)) == (7, moved(1))


def test_match_sends_only_the_part_that_fits_and_only_when_it_changes(api: httpx.Client, actor: Actor) -> None:
    with connect(socket_url(api, "/v1/streams/s1/graph?match=person-holding-*")) as socket:
        actor.show(HOLDS_CUP)
        held = replay(EMPTY, receive(socket))
        assert held == TrackedGraph((person(), cup()), (HOLDING,))
        actor.show(replace(HOLDS_CUP, nodes=(person(), cup(), replace(table(), score=0.5))))
        actor.show(TrackedGraph((person(), table()), ()))
        message = receive(socket)
        assert message.seq == 3
        assert replay(held, message) == EMPTY


@pytest.mark.parametrize(
    ("pattern", "edges"),
    [
        ("person-*-*", {(3, "holding", 7)}),
        ("*-in_front_of-person", {(9, "in_front_of", 3)}),
        ("dining_table-*-*", {(9, "in_front_of", 3)}),
        ("dining%20table-*-person", {(9, "in_front_of", 3)}),
        ("*-*-*", {(3, "holding", 7), (9, "in_front_of", 3)}),
        ("person-holding-*&match=*-*-person", {(3, "holding", 7), (9, "in_front_of", 3)}),
        ("cat-*-*", set()),
    ],
)
def test_patterns_pick_triplets_by_their_words(api: httpx.Client, actor: Actor, pattern: str, edges: set[tuple[int, str, int]]) -> None:
    actor.show(HOLDS_CUP)
    with connect(socket_url(api, f"/v1/streams/s1/graph?match={pattern}")) as socket:
        message = receive(socket)
    assert isinstance(message, GraphSnapshot)
    assert {(edge.subject, edge.predicate, edge.object) for edge in message.edges} == edges


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/streams/none/graph", 404, "no_such_stream"),
        ("/v1/streams/none/preview", 404, "no_such_stream"),
        ("/v1/streams/s1/graph?match=person", 422, "invalid_pattern"),
        ("/v1/streams/s1/graph?since=-1", 422, "invalid_input"),
        ("/v1/nothing", 404, "no_such_path"),
    ],
)
def test_a_socket_that_cannot_be_is_refused_with_a_problem(api: httpx.Client, actor: Actor, path: str, status: int, code: str) -> None:
    del actor
    start_s = time.monotonic()
    with pytest.raises(InvalidStatus) as refused, connect(socket_url(api, path)):
        pass
    assert time.monotonic() - start_s < 2, "the refused connection was held open"
    response = refused.value.response
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert json.loads(response.body or b"")["code"] == code


def test_a_deleted_stream_ends_its_sockets_with_4404(api: httpx.Client, actor: Actor) -> None:
    actor.show(HOLDS_CUP)
    with connect(socket_url(api, "/v1/streams/s1/graph")) as socket:
        receive(socket)
        assert api.delete("/v1/streams/s1").status_code == 204
        assert closed_with(socket) == 4404


def test_the_preview_carries_picture_and_graph_of_the_same_frame_and_asks_for_it_only_while_watched(
    api: httpx.Client, actor: Actor, store: Store
) -> None:
    assert not store.is_watched("s1")
    with connect(socket_url(api, "/v1/streams/s1/preview"), max_size=None) as socket:
        wait_until(lambda: store.is_watched("s1"), "the worker to be asked for pictures")
        jpeg = picture()
        shown = actor.show(HOLDS_CUP, jpeg=jpeg)
        data = socket.recv(timeout=5)
        assert isinstance(data, bytes)
        length = int.from_bytes(data[:4], "big")
        assert msgspec.json.decode(data[4 : 4 + length], type=GraphSnapshot) == shown
        assert data[4 + length :] == jpeg
    wait_until(lambda: not store.is_watched("s1"), "nobody to watch any more", timeout_s=8)
    problem(api.get("/v1/streams/s1/preview"), 426, "websocket_only")


def ws_figures(api: httpx.Client) -> dict[str, Any]:
    lines = [line for line in api.get("/metrics").text.splitlines() if line.startswith("vigil_ws_clients")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def test_a_client_that_never_reads_is_cut_off_with_1013_and_the_others_lose_nothing(api: httpx.Client, actor: Actor) -> None:
    many = TrackedGraph(tuple(replace(person(number), label="x" * 900) for number in range(1, 300)), ())
    actor.show(EMPTY)
    dropped = 'vigil_ws_clients_dropped_total{kind="graph",process="api"}'
    before = ws_figures(api).get(dropped, 0.0)
    with (
        connect(socket_url(api, "/v1/streams/s1/graph"), max_queue=1, max_size=None) as slow,
        connect(socket_url(api, "/v1/streams/s1/graph"), max_size=None) as quick,
    ):
        assert receive(quick).seq == 1
        for _ in range(300):
            actor.show(EMPTY if actor.seq % 2 == 0 else many)
            assert receive(quick).seq == actor.seq
            if ws_figures(api).get(dropped, 0.0) > before:
                break
        wait_until(lambda: ws_figures(api).get(dropped, 0.0) == before + 1, "the slow client to be counted")
        actor.show(moved(1))
        assert receive(quick).seq == actor.seq
        assert closed_with(slow) == 1013


def test_a_client_that_never_reads_at_all_gives_its_connection_back(api: httpx.Client, actor: Actor) -> None:
    many = TrackedGraph(tuple(replace(person(number), label="x" * 900) for number in range(1, 300)), ())
    actor.show(EMPTY)
    port = api.base_url.port
    assert port is not None
    with socket.create_connection(("127.0.0.1", port)) as deaf:
        key = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
        deaf.sendall(f"GET /v1/streams/s1/graph HTTP/1.1\r\nHost: localhost\r\n{key}\r\n\r\n".encode())
        own_port = deaf.getsockname()[1]
        wait_until(lambda: is_held(port, own_port), "the connection")
        for frame in range(360):
            actor.show(many if frame % 2 else EMPTY)
        wait_until(lambda: not is_held(port, own_port), "the connection to go")


def is_held(port: int, client_port: int) -> bool:
    """Does the server (this process) hold the connection?"""
    held = psutil.Process().net_connections("tcp")
    return any(one.laddr.port == port and bool(one.raddr) and one.raddr.port == client_port for one in held)


def test_edges_are_sent_with_their_since(api: httpx.Client, actor: Actor) -> None:
    actor.show(TrackedGraph((person(), cup()), (Edge(3, "holding", 7, 0.9, 1.25),)))
    assert api.get("/v1/streams/s1/graph").json()["edges"][0] == {
        "subject": 3,
        "predicate": "holding",
        "object": 7,
        "prob": 0.9,
        "since_s": 1.25,
    }
