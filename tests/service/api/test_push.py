"""Keys, addresses, and the hooks of three media servers, byte by byte as they send them."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.api import push
from service.api.push import Ask
from service.types import Push

ID = "5f1c2a9b04de"


def test_a_key_fits_its_hash_and_no_other_and_has_256_bits() -> None:
    key, other = push.new_key(), push.new_key()
    kept = push.hash_key(key)
    assert push.fits(key, kept)
    assert not push.fits(other, kept)
    assert not push.fits("", kept)
    assert key not in kept
    assert len(key) == 43


def test_what_a_publisher_is_told_serves_obs_and_ffmpeg() -> None:
    told = push.publish_view("rtmp://media.example.com:1935/live", ID, "k-_9")
    assert told.server == "rtmp://media.example.com:1935/live"
    assert told.stream_key == f"{ID}?key=k-_9"
    assert told.url == f"rtmp://media.example.com:1935/live/{ID}?key=k-_9"


def test_the_play_key_comes_out_of_the_play_address() -> None:
    assert push.play_key(f"rtmp://mediamtx:1935/live/{ID}?key=a_b-c") == "a_b-c"
    assert push.play_key(f"rtmp://mediamtx:1935/live/{ID}") == ""
    assert push.application_of("rtmp://mediamtx:1935/live") == "live"


@pytest.mark.parametrize(
    ("push_before", "session", "is_alone", "publisher", "others"),
    [
        (Push("h"), "a", False, "a", ()),
        (Push("h", "a"), "b", False, "b", ("a",)),
        (Push("h", "b", ("a",)), "a", False, "a", ("b",)),
        (Push("h", "b", ("a",)), "b", False, "b", ("a",)),
        (Push("h", "b", ("a",)), "c", True, "c", ()),
        (Push("h", "9", tuple("12345678")), "c", False, "c", tuple("91234567")),
    ],
)
def test_who_publishes_now_and_who_might_still(
    push_before: Push, session: str, is_alone: bool, publisher: str, others: tuple[str, ...]
) -> None:
    assert push.begun(push_before, session, is_alone=is_alone) == Push("h", publisher, others)


@pytest.mark.parametrize(
    ("push_before", "session", "publisher", "others"),
    [
        (Push("h", "a"), "a", None, ()),
        (Push("h", "b", ("a",)), "b", "a", ()),
        (Push("h", "b", ("a",)), "a", "b", ()),
        (Push("h", "b", ("a",)), "x", "b", ("a",)),
        (Push("h"), "a", None, ()),
    ],
)
def test_who_publishes_when_one_has_stopped(push_before: Push, session: str, publisher: str | None, others: tuple[str, ...]) -> None:
    assert push.stopped(push_before, session) == Push("h", publisher, others)


@pytest.mark.parametrize(("call", "action"), [("publish", "publish"), ("publish_done", "unpublish"), ("play", "play")])
def test_nginx_rtmp_is_read_as_it_sends(call: str, action: str) -> None:
    body = (
        f"app=live&flashver=FMLE/3.0%20%28compatible%3B%20Lavf59&swfurl=&tcurl=rtmp://127.0.0.1:1935/live&pageurl=&addr=127.0.0.1"
        f"&clientid=17&call={call}&name={ID}&type=live&key=k-_9"
    )
    assert push.read_nginx_rtmp(call, body.encode()) == Ask(action, "live", ID, "k-_9", "17")  # type: ignore[arg-type]


def test_what_a_publisher_adds_never_stands_for_what_nginx_says() -> None:
    ask = push.read_nginx_rtmp("publish", f"app=live&clientid=17&name={ID}&key=k&name=other&app=secret&clientid=1&key=z".encode())
    assert ask == Ask("publish", "live", ID, "k", "17")


@pytest.mark.parametrize(
    ("event", "action"),
    [
        ("prePublish", "publish"), ("donePublish", "unpublish"), ("prePlay", "play"), ("postPublish", "note"), ("postPlay", "note"),
        ("donePlay", "note"), ("postRecord", "note"), ("doneRecord", "note"),
    ],
)  # fmt: skip
def test_node_media_server_is_read_as_it_sends(event: str, action: str) -> None:
    body = {
        "id": "mb1x2z3abc", "ip": "127.0.0.1:50812", "app": "live", "name": ID, "query": {"key": "k-_9"}, "protocol": "rtmp",
        "createtime": 1750000000000, "endtime": 0, "inbytes": 3413, "outbytes": 0, "filePath": "", "action": event,
    }  # fmt: skip
    assert push.read_node_media_server(json.dumps(body).encode()) == Ask(action, "live", ID, "k-_9", "mb1x2z3abc")  # type: ignore[arg-type]


def test_a_key_given_twice_is_the_first_one() -> None:
    body = json.dumps({"action": "prePublish", "app": "live", "name": ID, "id": "x", "query": {"key": ["k", "z"]}})
    assert push.read_node_media_server(body.encode()).key == "k"
    assert push.read_node_media_server(body.replace('["k", "z"]', "[]").encode()).key == ""


def mediamtx(**fields: object) -> bytes:
    """The body that MediaMTX documents for authMethod http."""
    asked = {
        "user": "", "password": "", "token": "", "ip": "10.0.0.7", "action": "publish", "path": f"live/{ID}", "protocol": "rtmp",
        "id": "6f7a4c2e-2b0e-4b57-9a3c-6a4a3d0e3b11", "query": "",
    }  # fmt: skip
    return json.dumps(asked | fields).encode()


@pytest.mark.parametrize(
    "where",
    [
        {"query": "key=k-_9"},
        {"user": "vigil", "password": "k-_9", "protocol": "srt"},
        {"user": "vigil", "password": "k-_9", "protocol": "rtsp"},
        {"token": "k-_9", "protocol": "webrtc"},
    ],
)
def test_mediamtx_is_read_as_it_documents_wherever_the_key_is(where: dict[str, object]) -> None:
    expected = Ask("publish", "live", ID, "k-_9", "6f7a4c2e-2b0e-4b57-9a3c-6a4a3d0e3b11")
    assert push.read_mediamtx_auth(mediamtx(**where)) == expected


@pytest.mark.parametrize(
    ("action", "meant"), [("read", "play"), ("playback", "other"), ("api", "other"), ("metrics", "other"), ("pprof", "other")]
)
def test_of_mediamtxs_actions_only_publish_and_read_can_be_allowed(action: str, meant: str) -> None:
    assert push.read_mediamtx_auth(mediamtx(action=action, query="key=k")).action == meant


def test_mediamtx_asks_without_an_id_before_there_is_a_session() -> None:
    assert push.read_mediamtx_auth(mediamtx(id=None, token="k")).session == ""


@pytest.mark.parametrize(
    ("body", "query"),
    [(f"path=live/{ID}&id=a-b".encode(), "token=t"), (b"", f"token=t&path=live/{ID}&id=a-b"), (b"", f"token=t&path=live%2F{ID}&id=a-b")],
)
def test_mediamtx_says_who_stopped_in_a_form_or_in_the_query(body: bytes, query: str) -> None:
    assert push.read_mediamtx_unpublish(body, query) == Ask("unpublish", "live", ID, "", "a-b")


READERS: list[Callable[[bytes], Ask]] = [
    lambda body: push.read_nginx_rtmp("publish", body),
    push.read_node_media_server,
    push.read_mediamtx_auth,
    lambda body: push.read_mediamtx_unpublish(body, ""),
]
TEXTS = st.sampled_from(["", "live/x", "prePublish", "publish", "\ud800", "\x00", "a" * 500])
VALUES = (
    TEXTS | st.none() | st.integers() | st.lists(TEXTS, max_size=2) | st.dictionaries(st.just("key"), TEXTS | st.lists(TEXTS, max_size=1))
)
FIELDS = st.sampled_from(["action", "app", "name", "id", "query", "path", "password", "token"])
BODIES = st.binary(max_size=100) | st.dictionaries(FIELDS, VALUES).map(lambda fields: json.dumps(fields).encode())


def readings(body: bytes) -> list[Ask | str]:
    """What each format makes of it: an ask, or the sentence that refuses it."""
    found: list[Ask | str] = []
    for read in READERS:
        try:
            found.append(read(body))
        except ValueError as error:
            found.append(str(error))
    return found


@settings(max_examples=60, deadline=None)
@given(body=BODIES)
def test_garbage_is_read_as_something_or_refused_in_words(body: bytes) -> None:
    real = push.hash_key("the real one")
    for read in readings(body):
        assert read
        if isinstance(read, Ask):
            assert len(read.session) <= push.MAX_SESSION_CHARS
            assert not push.fits(read.key, real)


def test_too_many_fields_are_refused() -> None:
    assert "fields" in str(readings(b"a=1&" * 100)[0])
