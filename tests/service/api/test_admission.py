"""When the engine is full: a new stream is refused with what it holds, running ones are left alone."""

import time

import httpx
import pytest

from service.api.admission import refusal
from service.metrics import Metrics
from service.state.store import Store
from service.types import StreamSpec
from tests.service.api.actor import Actor
from tests.service.api.test_streams import URL, problem


def stream(fps: float | None = None) -> StreamSpec:
    return StreamSpec("s", URL, "s", 0.0, fps=fps)


@pytest.mark.parametrize(
    ("running", "wished", "capacity", "admit_fps", "is_refused"),
    [
        ([None] * 10, None, 22.0, 2.0, False),
        ([None] * 11, None, 22.0, 2.0, True),
        ([1.0] * 21, 1.0, 22.0, 2.0, False),
        ([1.0] * 21, None, 22.0, 2.0, True),
        ([], 60.0, 22.0, 2.0, False),
        ([None] * 99, None, 0.0, 2.0, False),
        ([None] * 99, None, 22.0, 0.0, False),
    ],
)
def test_streams_are_weighed_by_the_frames_that_they_ask_for(
    running: list[float | None], wished: float | None, capacity: float, admit_fps: float, is_refused: bool
) -> None:
    assert bool(refusal([stream(fps) for fps in running], stream(wished), capacity, admit_fps)) is is_refused


def test_the_sentence_says_what_the_engine_holds() -> None:
    said = refusal([stream()] * 11, stream(), 22.5, 2.0)
    assert said.startswith("11 streams at 2.0 FPS are what this engine holds")
    assert "22.5 frames a second" in said


def tell_capacity(store: Store, fps: float) -> None:
    engine = Metrics()
    engine.engine_capacity.labels("fake").set(fps)
    store.put_metrics("main", "engine", engine.expose(), at_s=time.time())


def test_a_full_engine_is_429_with_retry_after_and_running_streams_are_untouched(api: httpx.Client, store: Store) -> None:
    tell_capacity(store, 5.0)
    first = api.post("/v1/streams", json={"url": URL}, headers={"Idempotency-Key": "first"})
    assert first.status_code == api.post("/v1/streams", json={"url": URL, "fps": 3}).status_code == 201
    before = api.get("/v1/streams").json()
    refused = api.post("/v1/streams", json={"url": URL, "fps": 1})
    assert "2 streams at 2.5 FPS are what this engine holds" in problem(refused, 429, "too_many_streams")
    assert int(refused.headers["retry-after"]) > 0
    assert api.get("/v1/streams").json() == before
    again = api.post("/v1/streams", json={"url": URL}, headers={"Idempotency-Key": "first"})
    assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])
    tell_capacity(store, 6.0)
    assert api.post("/v1/streams", json={"url": URL, "fps": 1}).status_code == 201


def test_a_stream_that_is_over_asks_for_nothing(api: httpx.Client, store: Store, actor: Actor) -> None:
    tell_capacity(store, 2.0)
    problem(api.post("/v1/streams", json={"url": URL}), 429, "too_many_streams")
    actor.say("ended")
    assert api.post("/v1/streams", json={"url": URL}).status_code == 201
