"""Streams over HTTP, on a real server with a real Redis."""

import httpx
import pytest

from service.api.inputs import default_name
from service.state.store import Store
from tests.service.api.actor import Actor, made_stream

URL = "http://127.0.0.1:9/live.m3u8"


def problem(answer: httpx.Response, status: int, code: str) -> str:
    """Check the shape of a refusal, return its sentence."""
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code), body
    assert body["type"] == f"urn:vigil:problem:{code}"
    assert body["title"]
    return str(body["detail"])


def test_a_stream_is_made_listed_changed_and_deleted(api: httpx.Client, store: Store) -> None:
    made = api.post("/v1/streams", json={"url": URL, "name": "Lobby", "labels": {"site": "north"}, "fps": 5})
    assert made.status_code == 201
    stream = made.json()
    assert made.headers["location"] == f"/v1/streams/{stream['id']}"
    assert (stream["state"], stream["name"], stream["labels"], stream["fps"], stream["version"]) == (
        "pending",
        "Lobby",
        {"site": "north"},
        5,
        1,
    )
    assert [one["id"] for one in api.get("/v1/streams").json()["streams"]] == [stream["id"]]
    spec = store.get_stream(stream["id"])
    assert spec is not None
    assert (spec.url, spec.fps) == (URL, 5.0)

    changed = api.patch(f"/v1/streams/{stream['id']}", json={"name": "Hall", "fps": None, "zones": {"door": [[0, 0], [1, 0], [1, 1]]}})
    assert changed.status_code == 200
    assert (changed.json()["name"], changed.json()["fps"], changed.json()["version"]) == ("Hall", None, 2)
    assert changed.json()["labels"] == {"site": "north"}

    assert api.delete(f"/v1/streams/{stream['id']}").status_code == 204
    problem(api.get(f"/v1/streams/{stream['id']}"), 404, "no_such_stream")
    problem(api.delete(f"/v1/streams/{stream['id']}"), 404, "no_such_stream")
    assert store.list_streams() == ()


def test_state_and_code_of_a_stream_are_those_that_its_worker_wrote(api: httpx.Client, actor: Actor) -> None:
    actor.say("reconnecting", "timeout", "http://me:secret@127.0.0.1/live?key=1 does not answer")
    stream = api.get("/v1/streams/s1").json()
    assert (stream["state"], stream["code"]) == ("reconnecting", "timeout")
    assert stream["message"] == "http://***@127.0.0.1/live?key=*** does not answer"
    assert [one["id"] for one in api.get("/v1/streams", params={"state": "reconnecting"}).json()["streams"]] == ["s1"]
    assert api.get("/v1/streams", params={"state": "live"}).json()["streams"] == []


def test_the_same_idempotency_key_gives_the_same_stream(api: httpx.Client) -> None:
    first, again = (api.post("/v1/streams", json={"url": URL}, headers={"Idempotency-Key": "k1"}) for _ in range(2))
    assert first.status_code == again.status_code == 201
    assert first.json()["id"] == again.json()["id"]
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    other = api.post("/v1/streams", json={"url": URL, "name": "other"}, headers={"Idempotency-Key": "k1"})
    assert "send a new key" in problem(other, 422, "idempotency_key_reused")


def test_over_capacity_is_429_with_retry_after_and_the_others_stay(api: httpx.Client) -> None:
    for _ in range(3):
        assert api.post("/v1/streams", json={"url": URL}).status_code == 201
    refused = api.post("/v1/streams", json={"url": URL})
    assert "3 streams" in problem(refused, 429, "too_many_streams")
    assert int(refused.headers["retry-after"]) > 0
    assert len(api.get("/v1/streams").json()["streams"]) == 3


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("", "push 5f1c"),
        ("rtmp://u:p@media.example.com:1935/live/s3cret?token=x", "media.example.com/live 5f1c"),
        ("rtmps://media.example.com/app/one/s3cret/", "media.example.com/app/one 5f1c"),
        ("RTMP://media.example.com/s3cret", "media.example.com 5f1c"),
        ("rtmp://media.example.com", "media.example.com 5f1c"),
        (f"rtmp://media.example.com/{'a' * 90}/s3cret", f"media.example.com/{'a' * 57} 5f1c"),
        ("https://u:p@media.example.com/hall/index.m3u8?token=x", "media.example.com/hall/index.m3u8"),
    ],
)
def test_a_stream_without_a_name_is_called_by_its_address_but_never_by_its_key(url: str, name: str) -> None:
    assert default_name(url, "5f1c2a9b04de") == name
    assert len(name) <= 80


def test_secrets_of_an_address_are_never_shown(api: httpx.Client) -> None:
    made = api.post("/v1/streams", json={"url": "rtmp://user:pa55@127.0.0.1/live/cam?key=s3cret&x"})
    answers = made.text + api.get("/v1/streams").text + api.get(made.headers["location"]).text
    assert made.json()["url"] == "rtmp://***@127.0.0.1/live/cam?key=***&***"
    assert made.json()["name"] == f"127.0.0.1/live {made.json()['id'][:4]}"
    assert "pa55" not in answers
    assert "s3cret" not in answers


@pytest.mark.parametrize(
    ("body", "status", "code", "words"),
    [
        ({"url": "ftp://127.0.0.1/x"}, 400, "unsupported_url", "'ftp'"),
        ({"url": "lobby"}, 400, "unsupported_url", "rtmp://"),
        ({"url": "file:///etc/passwd"}, 400, "unsupported_url", "'file'"),
        ({"url": "http://10.0.0.5/live.m3u8"}, 403, "forbidden_address", "10.0.0.5"),
        ({"url": "rtmp://[::ffff:169.254.169.254]/live"}, 403, "forbidden_address", "VIGIL_ALLOW_NETWORKS"),
        ({"url": "http://0x0a000005/live.m3u8"}, 403, "forbidden_address", "not a public address"),
        ({}, 422, "invalid_input", "body.url"),
        ({"url": URL, "fps": 0}, 422, "invalid_input", "body.fps"),
        ({"url": URL, "fps": "fast"}, 422, "invalid_input", "body.fps"),
        ({"url": URL, "speed": 2}, 422, "invalid_input", "body.speed"),
        ({"url": URL, "zones": {"door": [[0, 0], [1, 1]]}}, 422, "invalid_input", "body.zones.door"),
        ({"url": URL, "zones": {"door": [[0, 0], [1, 1], [2, 0]]}}, 422, "invalid_input", "less than or equal to 1"),
        ({"url": URL, "policies": ["no-such-rule"]}, 422, "unknown_policy", "'no-such-rule'"),
        (["a list"], 422, "invalid_input", "body"),
    ],
)
def test_bad_input_gets_a_sentence_and_a_code(api: httpx.Client, body: object, status: int, code: str, words: str) -> None:
    assert words in problem(api.post("/v1/streams", json=body), status, code)
    assert api.get("/v1/streams").json()["streams"] == []


def test_broken_json_is_told_with_its_place(api: httpx.Client) -> None:
    answer = api.post("/v1/streams", content=b'{"url": "http://', headers={"content-type": "application/json"})
    assert "character 8" in problem(answer, 400, "broken_json")


def test_the_url_of_a_stream_cannot_be_changed(api: httpx.Client, store: Store) -> None:
    made_stream(store)
    assert "body.url" in problem(api.patch("/v1/streams/s1", json={"url": URL}), 422, "invalid_input")


def test_unknown_paths_and_methods_are_problems_too(api: httpx.Client) -> None:
    assert "/v1/strems" in problem(api.get("/v1/strems"), 404, "no_such_path")
    refused = api.put("/v1/streams", json={})
    assert "PUT" in problem(refused, 405, "method_not_allowed")
    assert refused.headers["allow"]
    problem(api.get("/page/nothing.js"), 404, "no_such_path")
    problem(api.get("/page/%2e%2e/app.py"), 404, "no_such_path")
