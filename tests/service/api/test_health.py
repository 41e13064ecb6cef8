"""What operators ask: alive, ready, how much. And a server whose Redis goes away."""

import json
import os
import signal
import time

import httpx
import pytest
from websockets.sync.client import connect

from service.api.health import own_target
from service.metrics import Metrics
from service.settings import Settings
from service.state.embedded import EmbeddedServer
from service.state.store import Store, Target
from tests.service.api.actor import HOLDS_CUP, Actor, made_stream
from tests.service.api.serving import served, socket_url
from tests.service.api.test_streams import URL, problem


def test_ready_names_what_is_missing_until_all_is_there(api: httpx.Client, store: Store) -> None:
    assert abs(api.get("/healthz").json()["now_s"] - time.time()) < 5
    missing = problem(api.get("/readyz"), 503, "not_ready")
    assert "engine" in missing
    assert "worker" in missing
    engine = Metrics()
    engine.engine_ready.labels("onnxruntime", "nano-v1").set(1)
    store.put_metrics("main", "engine", engine.expose(), at_s=time.time())
    assert "engine" not in problem(api.get("/readyz"), 503, "not_ready")
    store.put_metrics("main", "worker-1", Metrics().expose(), at_s=time.time())
    ready = api.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"ready": True, "engine": "onnxruntime, nano-v1", "workers": 1, "passed_over": {}})


def test_ready_says_which_backends_were_passed_over_and_why(api: httpx.Client, store: Store) -> None:
    engine = Metrics()
    engine.engine_ready.labels("onnxruntime", "nano-v1").set(1)
    reasons = {"tensorrt": 'no driver: "libcuda.so.1" (a \\ too)', "openvino": "it is\nnot installed, {so} = 1"}
    for backend, why in reasons.items():
        engine.engine_passed_over.labels(backend, why).set(1)
    store.put_metrics("main", "engine", engine.expose(), at_s=time.time())
    store.put_metrics("main", "worker-1", Metrics().expose(), at_s=time.time())
    assert api.get("/readyz").json()["passed_over"] == {**reasons, "openvino": "it is not installed, {so} = 1"}


def test_metrics_joins_all_processes(api: httpx.Client, store: Store) -> None:
    worker = Metrics()
    worker.frames.labels("s1").inc(7)
    store.put_metrics("main", "worker-1", worker.expose(), at_s=time.time())
    page = api.get("/metrics")
    assert page.headers["content-type"].startswith("text/plain")
    assert 'vigil_frames_analysed_total{process="worker-1",stream="s1"} 7.0' in page.text
    with connect(socket_url(api, "/v1/alerts")):
        assert 'vigil_ws_clients{kind="alerts",process="api"} 1.0' in api.get("/metrics").text


def test_another_shard_on_the_same_redis_is_not_taken_for_this_one(api: httpx.Client, store: Store) -> None:
    engine, worker = Metrics(of_engine=True), Metrics()
    engine.engine_ready.labels("onnxruntime", "nano-v1").set(1)
    worker.begin_stream("s1")
    store.put_metrics("south", "engine", engine.expose(), at_s=time.time())
    store.put_metrics("south", "worker-1", worker.expose(), at_s=time.time())
    assert api.get("/readyz").status_code == 503
    assert 'stream="s1"' not in api.get("/metrics").text


def test_prometheus_is_told_every_api_that_served_within_the_last_minute(api: httpx.Client, store: Store) -> None:
    address = f"127.0.0.1:{api.base_url.port}"
    own = {"targets": [address], "labels": {"shard": "main"}}
    assert api.get("/v1/metrics/targets").json() == [own]
    store.put_target(Target("main", address), at_s=time.time())
    store.put_target(Target("south", "vigil-south:8000"), at_s=time.time() - 3500)
    store.put_target(Target("north", "vigil-north:8000"), at_s=time.time() - 3700)
    answer = api.get("/v1/metrics/targets")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == [own, {"targets": ["vigil-south:8000"], "labels": {"shard": "south"}}]


@pytest.mark.parametrize(
    ("options", "address"),
    [
        ({"host": "0.0.0.0"}, "0.0.0.0:8000"),
        ({"host": "::1"}, "[::1]:8000"),
        ({"host": "0.0.0.0", "advertise": "vigil:80"}, "vigil:80"),
    ],
)
def test_an_api_is_asked_where_it_listens_unless_the_operator_says_otherwise(options: dict[str, str], address: str) -> None:
    assert own_target(Settings(**options, shard="north"), 8000) == Target("north", address)  # type: ignore[arg-type]


def test_requests_are_timed_by_route_and_what_clients_make_up_is_one(api: httpx.Client, actor: Actor) -> None:
    actor.show(HOLDS_CUP)
    for path in ("/v1/streams/s1", "/v1/streams/none", "/v1/streams/s1/graph", "/wp-admin.php", "/page/main.js", "/"):
        api.get(path)
    api.request("BREW", "/v1/streams/s1")
    api.get("/healthz", headers={"host": "evil.example"})
    counted = [line for line in api.get("/metrics").text.splitlines() if line.startswith("vigil_http_seconds_count")]
    for method, route, status in (
        ("GET", "/v1/streams/{stream_id}", 200),
        ("GET", "/v1/streams/{stream_id}", 404),
        ("GET", "/v1/streams/{stream_id}/graph", 200),
        ("GET", "other", 404),
        ("GET", "/page", 200),
        ("GET", "/", 200),
        ("GET", "other", 421),
    ):
        labels = f'method="{method}",process="api",route="{route}",status="{status}"'
        assert any(labels in line for line in counted), (labels, counted)
    assert any('method="other"' in line and 'status="405"' in line for line in counted)
    assert not [line for line in counted if "BREW" in line or "none" in line or "wp-admin" in line]


def test_messages_to_sockets_are_counted(api: httpx.Client, actor: Actor) -> None:
    def sent() -> float:
        lines = api.get("/metrics").text.splitlines()
        return float(next(line for line in lines if line.startswith('vigil_ws_messages_total{kind="graph"')).rpartition(" ")[2])

    before = sent()
    actor.show(HOLDS_CUP)
    with connect(socket_url(api, "/v1/streams/s1/graph")) as socket:
        socket.recv(timeout=5)
        actor.show(HOLDS_CUP)
        socket.recv(timeout=5)
    assert sent() == before + 2


def test_without_redis_the_api_says_so() -> None:
    with EmbeddedServer.start() as redis, served(redis.url) as client:
        store = Store.connect(redis.url)
        made_stream(store)
        Actor(store).show(HOLDS_CUP)
        assert client.get("/v1/streams/s1/graph").status_code == 200
        redis.stop()
        store.close()
        for answer in (client.get("/v1/streams"), client.post("/v1/streams", json={"url": URL}), client.get("/v1/streams/s1/graph")):
            problem(answer, 503, "state_unavailable")
            assert answer.headers["retry-after"]
        assert "Redis" in problem(client.get("/readyz"), 503, "not_ready")
        assert client.get("/healthz").status_code == 200
        assert 'vigil_http_seconds_count{method="GET",process="api",route="/readyz",status="503"} 1.0' in client.get("/metrics").text
        assert client.get("/v1/metrics/targets").json() == [{"targets": [f"127.0.0.1:{client.base_url.port}"], "labels": {"shard": "main"}}]


def test_when_redis_answers_again_so_does_the_api_and_open_sockets_go_on() -> None:
    with EmbeddedServer.start() as redis, served(redis.url) as client:
        store = Store.connect(redis.url)
        made_stream(store)
        actor = Actor(store)
        actor.show(HOLDS_CUP)
        with connect(socket_url(client, "/v1/streams/s1/graph")) as socket:
            assert json.loads(socket.recv(timeout=5))["seq"] == 1
            os.kill(redis.pid, signal.SIGSTOP)
            problem(client.get("/v1/streams"), 503, "state_unavailable")
            os.kill(redis.pid, signal.SIGCONT)
            assert client.get("/v1/streams").status_code == 200
            actor.show(HOLDS_CUP)
            assert json.loads(socket.recv(timeout=10))["seq"] == 2
        store.close()


def test_openapi_has_an_example_for_every_body_and_resolves_every_reference(api: httpx.Client) -> None:
    document = api.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    routes = [(path, method, route) for path, methods in document["paths"].items() for method, route in methods.items()]
    assert {"/v1/streams", "/v1/streams/{stream_id}/graph", "/v1/alerts/{alert_id}/{action}", "/v1/policies/check", "/readyz"} <= document[
        "paths"
    ].keys()
    bodies = [
        (path, content) for path, _, route in routes if "requestBody" in route for content in route["requestBody"]["content"].values()
    ]
    answers = [
        (path, content)
        for path, _, route in routes
        for status, answer in route["responses"].items()
        if status.startswith("2")
        for content in answer.get("content", {}).values()
        if path != "/metrics"
    ]
    for path, content in bodies + answers:
        named = schemas.get(content["schema"].get("$ref", "").rpartition("/")[2], {})
        assert "example" in content or named.get("examples"), path
    text = api.get("/openapi.json").text
    for reference in {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert reference in schemas
    assert api.get("/docs").status_code == 200
