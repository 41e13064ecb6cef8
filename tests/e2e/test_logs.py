"""The log of a running service, for a collector: every line is one JSON object, and what is about a stream names it."""

import json
import socket
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from service.state.embedded import EmbeddedServer
from service.state.store import Store, Target
from tests.e2e.product import Product, running, wait_until

pytestmark = pytest.mark.timeout(90)


def break_a_stream(product: Product, store: Store) -> str:
    """One that runs into an unforeseen error, again and again."""
    stream_id = product.watch("http://127.0.0.1:9/live.m3u8")
    spec = store.get_stream(stream_id)
    assert spec is not None
    store.patch_stream(replace(spec, fps=-1.0))
    return stream_id


def send_nonsense(address: str) -> None:
    """What uvicorn complains of."""
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(b"\x16\x03\x01 nonsense\r\n\r\n")
        connection.recv(1000)


def test_every_line_is_json_also_about_a_stream_that_breaks(tmp_path: Path) -> None:
    log, environment = tmp_path / "log", {"VIGIL_SHARD": "north"}
    with log.open("w") as errors, EmbeddedServer.start() as redis:
        environment["VIGIL_REDIS_URL"] = redis.url
        store = Store.connect(redis.url)
        with running("--engine", "fake", "--log-json", environment=environment, stderr=errors) as product:
            address = product.base_url.removeprefix("http://")
            stream_id = break_a_stream(product, store)
            send_nonsense(address)
            wait_until(lambda: '"stream_failed"' in log.read_text(), 15, "a trace of the broken stream", log.read_text)
            targets = (Target("north", address),)
            wait_until(lambda: store.targets(now_s=time.time()) == targets, 10, "the supervisor's word of where the API is")
        assert store.targets(now_s=time.time()) == ()  # a stop that was asked for is no outage
        store.close()
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert [event for event in events if not {"level", "timestamp", "event", "process"} <= event.keys() or event["shard"] != "north"] == []
    assert {"supervisor", "worker-1", "api"} <= {event["process"] for event in events}
    failed = next(event for event in events if event["event"] == "stream_failed")
    assert (failed["stream_id"], failed["process"]) == (stream_id, "worker-1")
    assert failed["exception"]
    assert any(event.get("logger") == "uvicorn.error" for event in events)
