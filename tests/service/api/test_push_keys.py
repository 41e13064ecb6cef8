"""Pushed streams over HTTP: made with a key that is shown once, changed and deleted as any other."""

import json
from typing import Any

import httpx
import pytest

from service.api.push import fits
from service.state.store import Store
from tests.service.api.media_servers import NGINX, PLAY_URL, PUSH_URL, TOKEN, key_of, nginx, publisher
from tests.service.api.test_streams import URL, problem


def test_a_pushed_stream_is_told_where_and_with_which_key_once(pushing: httpx.Client, store: Store, stream: dict[str, Any]) -> None:
    told, key = stream["publish"], key_of(stream)
    assert told == {"server": PUSH_URL, "stream_key": f"{stream['id']}?key={key}", "url": f"{PUSH_URL}/{stream['id']}?key={key}"}
    assert (stream["source"], stream["state"]) == ("push", "pending")
    assert stream["url"] == f"{PLAY_URL}/{stream['id']}?key=***"
    shown = pushing.get(f"/v1/streams/{stream['id']}")
    assert shown.json()["publish"] is None
    spec = store.get_stream(stream["id"])
    assert spec is not None
    assert spec.push is not None
    assert fits(key, spec.push.key_hash)
    play_key = spec.url.partition("?key=")[2]
    assert len(play_key) == 43
    for secret in (key, play_key, spec.push.key_hash):
        assert secret not in shown.text + pushing.get("/v1/streams").text + pushing.get("/metrics").text
    assert play_key not in json.dumps(stream)
    assert key not in str(spec)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"source": "push", "url": URL}, "body.url: a pushed stream has no address of its own"),
        ({"source": "pull"}, "body.url: the address of a live stream is needed, or source push"),
        ({"source": "pulled", "url": URL}, "body.source"),
    ],
)
def test_source_and_url_must_go_together(pushing: httpx.Client, body: dict[str, str], words: str) -> None:
    assert words in problem(pushing.post("/v1/streams", json=body), 422, "invalid_input")


def test_without_a_media_server_a_pushed_stream_is_refused_with_what_to_set(api: httpx.Client, store: Store) -> None:
    detail = problem(api.post("/v1/streams", json={"source": "push"}), 409, "push_not_set_up")
    assert "VIGIL_PUSH_URL" in detail
    assert "VIGIL_HOOK_TOKEN" in detail
    assert store.list_streams() == ()
    problem(api.post(f"{NGINX}/publish", params={"token": TOKEN}), 403, "wrong_token")


def test_the_same_idempotency_key_gives_the_same_stream_without_its_key(pushing: httpx.Client) -> None:
    body = {"source": "push", "name": "Anna"}
    first, again = (pushing.post("/v1/streams", json=body, headers={"Idempotency-Key": "k1"}) for _ in range(2))
    assert first.json()["id"] == again.json()["id"]
    assert first.json()["publish"] is not None
    assert again.json()["publish"] is None
    assert again.headers["idempotent-replayed"] == "true"
    other = pushing.post("/v1/streams", json={"url": "http://127.0.0.1:9/x.m3u8", "name": "Anna"}, headers={"Idempotency-Key": "k1"})
    assert "send a new key" in problem(other, 422, "idempotency_key_reused")


def test_a_new_key_ends_the_old_one_and_is_shown_once(pushing: httpx.Client, stream: dict[str, Any]) -> None:
    renewed = pushing.post(f"/v1/streams/{stream['id']}/key")
    assert renewed.status_code == 200
    assert key_of(renewed.json()) != key_of(stream)
    problem(nginx(pushing, "publish", stream["id"], key_of(stream)), 403, "wrong_key")
    assert nginx(pushing, "publish", stream["id"], key_of(renewed.json())).status_code == 200
    assert pushing.get(f"/v1/streams/{stream['id']}").json()["publish"] is None


def test_a_new_key_leaves_watched_what_is_published(pushing: httpx.Client, store: Store, stream: dict[str, Any]) -> None:
    nginx(pushing, "publish", stream["id"], key_of(stream))
    pushing.post(f"/v1/streams/{stream['id']}/key")
    assert publisher(store, stream) == "nginx-rtmp/1"


def test_only_pushed_streams_have_keys(pushing: httpx.Client) -> None:
    pulled = pushing.post("/v1/streams", json={"url": URL}).json()
    assert (pulled["source"], pulled["publish"]) == ("pull", None)
    assert "pulled" in problem(pushing.post(f"/v1/streams/{pulled['id']}/key"), 409, "not_pushed")
    problem(pushing.post("/v1/streams/nothing/key"), 404, "no_such_stream")


def test_a_pushed_stream_is_changed_and_deleted_as_any_other(pushing: httpx.Client, store: Store, stream: dict[str, Any]) -> None:
    path = f"/v1/streams/{stream['id']}"
    assert pushing.patch(path, json={"name": "Anna", "fps": 5}).json()["name"] == "Anna"
    assert pushing.patch(path, json={"name": None}).json()["name"] == stream["name"] == f"push {stream['id'][:4]}"
    spec = store.get_stream(stream["id"])
    assert spec is not None
    play_key = spec.url.partition("?key=")[2]
    assert nginx(pushing, "play", stream["id"], play_key).status_code == 200
    assert pushing.delete(path).status_code == 204
    problem(nginx(pushing, "play", stream["id"], play_key), 403, "play_refused")
    problem(nginx(pushing, "publish", stream["id"], key_of(stream)), 404, "unknown_stream")
