"""What operators ask: alive, ready, how much. And a server whose Redis goes away."""

import json
import os
import signal
import time

import httpx
from websockets.sync.client import connect

from service.metrics import Metrics
from service.state.embedded import EmbeddedServer
from service.state.store import Store
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
    store.put_metrics("engine", engine.expose(), at_s=time.time())
    assert "engine" not in problem(api.get("/readyz"), 503, "not_ready")
    store.put_metrics("worker-1", Metrics().expose(), at_s=time.time())
    ready = api.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"ready": True, "engine": "onnxruntime, nano-v1", "workers": 1, "passed_over": {}})


def test_ready_says_which_backends_were_passed_over_and_why(api: httpx.Client, store: Store) -> None:
    engine = Metrics()
    engine.engine_ready.labels("onnxruntime", "nano-v1").set(1)
    reasons = {"tensorrt": 'no driver: "libcuda.so.1" (a \\ too)', "openvino": "it is\nnot installed, {so} = 1"}
    for backend, why in reasons.items():
        engine.engine_passed_over.labels(backend, why).set(1)
    store.put_metrics("engine", engine.expose(), at_s=time.time())
    store.put_metrics("worker-1", Metrics().expose(), at_s=time.time())
    assert api.get("/readyz").json()["passed_over"] == {**reasons, "openvino": "it is not installed, {so} = 1"}


def test_metrics_joins_all_processes(api: httpx.Client, store: Store) -> None:
    worker = Metrics()
    worker.frames.labels("s1").inc(7)
    store.put_metrics("worker-1", worker.expose(), at_s=time.time())
    page = api.get("/metrics")
    assert page.headers["content-type"].startswith("text/plain")
    assert 'vigil_frames_analysed_total{process="worker-1",stream="s1"} 7.0' in page.text
    with connect(socket_url(api, "/v1/alerts")):
        assert 'vigil_ws_clients{kind="alerts",process="api"} 1.0' in api.get("/metrics").text


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
        assert client.get("/metrics").status_code == 200


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
