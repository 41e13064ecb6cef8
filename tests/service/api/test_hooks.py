"""What media servers are answered about pushed streams, on a real server with a real Redis."""

import base64
import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from service.ingest.pushed import GONE
from service.state.store import Store
from service.types import Push, StreamSpec
from tests.service.api.actor import Actor
from tests.service.api.media_servers import PLAY_URL, TOKEN, counted, key_of, mediamtx, nginx, node, publisher
from tests.service.api.test_admission import tell_capacity
from tests.service.api.test_streams import URL, problem

# ---- what media servers ask -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["", "a-token-of-the-operatoR", "ä" * 23])
@pytest.mark.parametrize("path", ["nginx-rtmp/publish", "node-media-server/notify", "mediamtx/auth", "mediamtx/unpublish"])
def test_a_hook_without_the_operators_token_is_refused_and_counted(pushing: httpx.Client, path: str, token: str) -> None:
    server = path.partition("/")[0]
    before = counted(pushing, server, "wrong_token")
    problem(pushing.post(f"/v1/hooks/{path}", params={"token": token} if token else {}), 403, "wrong_token")
    assert counted(pushing, server, "wrong_token") == before + 1


@pytest.mark.parametrize(
    ("authorization", "is_let_in"),
    [
        (f"Basic {base64.b64encode(f'vigil:{TOKEN}'.encode()).decode()}", True),
        (f"basic {base64.b64encode(f':{TOKEN}'.encode()).decode()}", True),
        (f"Basic {base64.b64encode(f'{TOKEN}:vigil'.encode()).decode()}", False),
        (f"Basic {base64.b64encode(TOKEN.encode()).decode()}", False),
        (f"Bearer {TOKEN}", False),
        (f"Basic vigil:{TOKEN}", False),
        ("Basic \xe4", False),
        ("Basic", False),
    ],
)
@pytest.mark.parametrize("path", ["nginx-rtmp/publish", "node-media-server/notify", "mediamtx/auth", "mediamtx/unpublish"])
def test_the_token_may_be_the_password_of_basic_authentication(
    pushing: httpx.Client, path: str, authorization: str, is_let_in: bool
) -> None:
    headers = {"authorization": authorization.encode("latin-1")}
    answer = pushing.post(f"/v1/hooks/{path}", headers=headers, content=b'{"action": "note"}')  # type: ignore[arg-type]
    assert (answer.status_code != 403 or answer.json()["code"] != "wrong_token") == is_let_in


def test_many_hooks_at_once_wait_for_a_frozen_redis_no_longer_than_one(redis_url: str, pushing: httpx.Client) -> None:
    frozen = int(dict(Redis.from_url(redis_url).info("server"))["process_id"])
    begun_s = time.monotonic()
    os.kill(frozen, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(30) as threads:
            answers = list(threads.map(lambda number: nginx(pushing, "publish", "pushed", "x", str(number), timeout=30.0), range(30)))
    finally:
        os.kill(frozen, signal.SIGCONT)
    assert {answer.status_code for answer in answers} == {503}
    assert time.monotonic() - begun_s < 10.0


def test_the_right_key_publishes_and_another_does_not(pushing: httpx.Client, store: Store, stream: dict[str, Any]) -> None:
    before = counted(pushing, "nginx-rtmp", "wrong_key")
    for wrong in ("x", key_of(stream)[:-1], key_of(stream) + "x", "\ud7ff"):
        problem(nginx(pushing, "publish", stream["id"], wrong), 403, "wrong_key")
    assert counted(pushing, "nginx-rtmp", "wrong_key") == before + 4
    assert publisher(store, stream) is None
    assert nginx(pushing, "publish", stream["id"], key_of(stream)).status_code == 200
    assert publisher(store, stream) == "nginx-rtmp/1"


def test_the_end_of_a_session_ends_it_and_late_news_of_an_old_one_does_not(
    pushing: httpx.Client, store: Store, stream: dict[str, Any]
) -> None:
    key = key_of(stream)
    assert nginx(pushing, "publish", stream["id"], key, "1").status_code == 200
    assert nginx(pushing, "publish", stream["id"], key, "2").status_code == 200, "no picture came of session 1 yet: 2 takes over"
    assert nginx(pushing, "publish_done", stream["id"], key, "1").status_code == 200
    assert publisher(store, stream) == "nginx-rtmp/2"
    assert nginx(pushing, "publish_done", stream["id"], key, "2").status_code == 200
    assert publisher(store, stream) is None


def test_a_second_encoder_that_the_media_server_refuses_does_not_hide_the_first(
    pushing: httpx.Client, store: Store, stream: dict[str, Any]
) -> None:
    key, worker = key_of(stream), Actor(store, stream["id"])
    nginx(pushing, "publish", stream["id"], key, "1")
    worker.say("reconnecting", "timeout")
    assert nginx(pushing, "publish", stream["id"], key, "2").status_code == 200
    nginx(pushing, "publish_done", stream["id"], key, "2")
    assert publisher(store, stream) == "nginx-rtmp/1", "it may only have been out of breath"
    nginx(pushing, "publish_done", stream["id"], key, "1")
    assert publisher(store, stream) is None


def test_a_publisher_that_its_worker_found_gone_is_forgotten(pushing: httpx.Client, store: Store, stream: dict[str, Any]) -> None:
    key, worker = key_of(stream), Actor(store, stream["id"])
    nginx(pushing, "publish", stream["id"], key, "1")
    worker.say("ended", message=GONE)
    nginx(pushing, "publish", stream["id"], key, "2")
    nginx(pushing, "publish_done", stream["id"], key, "2")
    assert publisher(store, stream) is None


def test_while_one_publishes_another_is_busy_where_the_server_replaces_nobody(
    pushing: httpx.Client, store: Store, stream: dict[str, Any]
) -> None:
    key, worker = key_of(stream), Actor(store, stream["id"])
    for publish, event in ((nginx, "publish"), (node, "prePublish")):
        worker.say("ended")
        assert publish(pushing, event, stream["id"], key, "first").status_code == 200
        worker.say("live")
        problem(publish(pushing, event, stream["id"], key, "second"), 409, "busy")
        worker.say("stalled", "timeout")
        assert publish(pushing, event, stream["id"], key, "second").status_code == 200, "the first one's connection is dead"


def test_mediamtx_lets_the_newest_publisher_replace_the_one_before(pushing: httpx.Client, store: Store, stream: dict[str, Any]) -> None:
    key, worker = key_of(stream), Actor(store, stream["id"])
    assert mediamtx(pushing, "publish", stream["id"], key, "a-1").status_code == 200
    worker.say("live")
    assert mediamtx(pushing, "publish", stream["id"], key, "b-2").status_code == 200
    late = pushing.post("/v1/hooks/mediamtx/unpublish", params={"token": TOKEN, "path": f"live/{stream['id']}", "id": "a-1"})
    assert (late.status_code, publisher(store, stream)) == (200, "mediamtx/b-2")
    form = {"path": f"live/{stream['id']}", "id": "b-2"}
    assert pushing.post("/v1/hooks/mediamtx/unpublish", params={"token": TOKEN}, data=form).status_code == 200
    assert publisher(store, stream) is None


def test_mediamtx_may_ask_about_a_key_before_there_is_a_session(pushing: httpx.Client, store: Store, stream: dict[str, Any]) -> None:
    assert mediamtx(pushing, "publish", stream["id"], key_of(stream), None).status_code == 200
    problem(mediamtx(pushing, "publish", stream["id"], "wrong", None), 403, "wrong_key")
    assert publisher(store, stream) is None


def test_mediamtx_asks_for_credentials_when_none_came(pushing: httpx.Client, stream: dict[str, Any]) -> None:
    before = {outcome: counted(pushing, "mediamtx", outcome) for outcome in ("no_key", "wrong_key")}
    problem(mediamtx(pushing, "publish", stream["id"], ""), 401, "no_key")
    assert {outcome: counted(pushing, "mediamtx", outcome) - before[outcome] for outcome in before} == {"no_key": 1, "wrong_key": 0}
    problem(mediamtx(pushing, "publish", stream["id"], "", password="x", user="y"), 403, "wrong_key")


@pytest.mark.parametrize("action", ["playback", "api", "metrics", "pprof"])
def test_everything_else_of_mediamtx_is_refused(pushing: httpx.Client, stream: dict[str, Any], action: str) -> None:
    said = problem(mediamtx(pushing, action, stream["id"], key_of(stream)), 403, "play_refused")
    assert said == "only Vigil plays pushed streams"


def test_only_vigil_plays_what_is_pushed(pushing: httpx.Client, store: Store, stream: dict[str, Any]) -> None:
    spec = store.get_stream(stream["id"])
    assert spec is not None
    play_key = spec.url.partition("?key=")[2]
    for ask, event in ((nginx, "play"), (node, "prePlay"), (mediamtx, "read")):
        assert ask(pushing, event, stream["id"], play_key).status_code == 200
        for wrong in ("", key_of(stream), play_key[:-1]):
            problem(ask(pushing, event, stream["id"], wrong), 403, "play_refused")
    problem(nginx(pushing, "publish", stream["id"], play_key), 403, "wrong_key")


def test_a_pulled_stream_and_another_application_are_unknown(pushing: httpx.Client, stream: dict[str, Any]) -> None:
    pulled = pushing.post("/v1/streams", json={"url": URL}).json()["id"]
    assert "no pushed stream" in problem(nginx(pushing, "publish", pulled, "x"), 404, "unknown_stream")
    problem(nginx(pushing, "publish", stream["id"], key_of(stream), app="vod"), 404, "unknown_stream")
    problem(nginx(pushing, "play", pulled, ""), 403, "play_refused")


def test_events_that_ask_nothing_are_taken(pushing: httpx.Client, store: Store, stream: dict[str, Any]) -> None:
    for event in ("postPublish", "postPlay", "donePlay", "postRecord", "doneRecord"):
        assert node(pushing, event, stream["id"], key_of(stream)).status_code == 200
    assert publisher(store, stream) is None


def test_no_key_is_logged_wherever_it_was_put(pushing: httpx.Client, stream: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    key = key_of(stream)
    nginx(pushing, "publish", key, "")
    nginx(pushing, "publish", stream["id"], key[:-1])
    nginx(pushing, "publish", stream["id"], key)
    nginx(pushing, "play", key, key)
    pushing.post(f"/v1/streams/{stream['id']}/key")
    said = capsys.readouterr()
    assert "push_hook" in said.out + said.err
    assert key[:-1] not in said.out + said.err


# ---- what the engine holds --------------------------------------------------------------------------------------------------


def test_a_pushed_stream_is_weighed_when_it_is_published_not_when_it_is_made(pushing: httpx.Client, store: Store) -> None:
    tell_capacity(store, 4.0)
    first, second = (pushing.post("/v1/streams", json={"source": "push", "fps": 3}).json() for _ in range(2))
    assert pushing.post("/v1/streams", json={"source": "push", "fps": 3}).status_code == 201, "nobody publishes: nothing is asked"
    assert nginx(pushing, "publish", first["id"], key_of(first), "1").status_code == 200
    before = counted(pushing, "nginx-rtmp", "full")
    problem(nginx(pushing, "publish", second["id"], key_of(second), "2"), 429, "full")
    assert counted(pushing, "nginx-rtmp", "full") == before + 1
    nginx(pushing, "publish_done", first["id"], key_of(first), "1")
    assert nginx(pushing, "publish", second["id"], key_of(second), "2").status_code == 200


def test_pulled_streams_are_weighed_against_pushed_ones_that_are_published(pushing: httpx.Client, store: Store) -> None:
    tell_capacity(store, 4.0)
    pushed = pushing.post("/v1/streams", json={"source": "push", "fps": 3}).json()
    assert nginx(pushing, "publish", pushed["id"], key_of(pushed)).status_code == 200
    problem(pushing.post("/v1/streams", json={"url": URL, "fps": 3}), 429, "too_many_streams")
    nginx(pushing, "publish_done", pushed["id"], key_of(pushed))
    assert pushing.post("/v1/streams", json={"url": URL, "fps": 3}).status_code == 201


def test_all_streams_count_against_the_limit(pushing: httpx.Client) -> None:
    for _ in range(3):
        assert pushing.post("/v1/streams", json={"source": "push"}).status_code == 201
    assert "3 streams" in problem(pushing.post("/v1/streams", json={"source": "push"}), 429, "too_many_streams")


def test_a_patch_in_between_does_not_lose_the_publisher(pushing: httpx.Client, store: Store, stream: dict[str, Any]) -> None:
    nginx(pushing, "publish", stream["id"], key_of(stream))
    assert pushing.patch(f"/v1/streams/{stream['id']}", json={"fps": 2}).json()["fps"] == 2
    assert publisher(store, stream) == "nginx-rtmp/1"


def test_publish_and_end_come_through_while_others_change_the_stream(pushing: httpx.Client, store: Store, stream: dict[str, Any]) -> None:
    def rename(number: int) -> int:
        with httpx.Client(base_url=pushing.base_url) as client:
            return client.patch(f"/v1/streams/{stream['id']}", json={"name": f"name {number}"}).status_code

    with ThreadPoolExecutor(4) as threads:
        renamed = threads.map(rename, range(12))
        for session in ("1", "2", "3"):
            assert nginx(pushing, "publish", stream["id"], key_of(stream), session).status_code == 200
            assert publisher(store, stream) == f"nginx-rtmp/{session}"
        assert set(renamed) <= {200, 409}
    assert publisher(store, stream) == "nginx-rtmp/3"
    assert pushing.get(f"/v1/streams/{stream['id']}").json()["version"] > 4


# ---- garbage ----------------------------------------------------------------------------------------------------------------

PATHS = ("nginx-rtmp/publish", "nginx-rtmp/publish_done", "nginx-rtmp/play", "node-media-server/notify", "mediamtx/auth")
SPECS = st.fixed_dictionaries(
    {
        "action": st.sampled_from(["publish", "read", "prePublish", "donePublish", "prePlay", "api", "\ud800"]),
        "app": st.sampled_from(["live", "", "\x00"]),
        "path": st.sampled_from(["live/pushed", "live/", "pushed", "live/a b", "//", "live/\ud800"]),
        "name": st.sampled_from(["pushed", "", "a b", "\ud800", "é", "x" * 300]),
        "id": st.text(max_size=10) | st.none() | st.just("\udfff"),
        "query": st.text(max_size=10) | st.dictionaries(st.just("key"), st.text(max_size=5) | st.lists(st.text(max_size=3))),
    }
)
BODIES = st.binary(max_size=100) | SPECS.map(lambda body: json.dumps(body).encode()) | st.just(b"&" * 1000) | st.just(b"a=1&" * 100)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=BODIES, path=st.sampled_from([*PATHS, "mediamtx/unpublish"]))
def test_garbage_gets_a_problem_and_never_a_500(pushing: httpx.Client, store: Store, body: bytes, path: str) -> None:
    if store.get_stream("pushed") is None:
        store.put_stream(StreamSpec("pushed", f"{PLAY_URL}/pushed?key=k", "pushed", 0.0, push=Push("hash")))
    answer = pushing.post(f"/v1/hooks/{path}", params={"token": TOKEN}, content=body)
    assert answer.status_code in (200, 400, 401, 403, 404)
    if answer.status_code != 200:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"]
