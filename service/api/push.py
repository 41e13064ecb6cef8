"""Pushed streams without Redis and HTTP: keys, what a publisher is told, and what media servers' hooks say, read into one shape.

A media server asks before it lets somebody publish or play, and says when a publisher stopped. Formats:
nginx-rtmp (forms), Node-Media-Server 4 (its `notify` JSON), MediaMTX (`authMethod: http` JSON, `runOnUnavailable` as a form).
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Literal, TypeVar
from urllib.parse import parse_qsl, urlsplit

import msgspec
from msgspec import Struct

from service.api.views import PublishView
from service.types import Push

KEY_BYTES = 32
MAX_FIELDS = 64
MAX_SESSION_CHARS = 128
MAX_BEFORE = 8

Server = Literal["nginx-rtmp", "node-media-server", "mediamtx"]
T = TypeVar("T")
Action = Literal["publish", "unpublish", "play", "note", "other"]


class Ask(Struct, frozen=True):
    """One hook's question or news. `session` is the media server's own name for the connection; empty: it only asks about the key."""

    action: Action
    application: str
    stream_id: str
    key: str
    session: str


def new_key() -> str:
    """256 random bits, fit for a URL."""
    return secrets.token_urlsafe(KEY_BYTES)


def hash_key(key: str) -> str:
    """What is kept of a publisher's key. It is random, so a plain hash tells nothing of it."""
    return hashlib.sha256(_plain(key)).hexdigest()


def fits(key: str, key_hash: str) -> bool:
    """In the same time whatever the key."""
    return same(hash_key(key), key_hash)


def same(given: str, expected: str) -> bool:
    """Compare secrets in the same time whatever they are."""
    return hmac.compare_digest(_plain(given), _plain(expected))


def play_key(url: str) -> str:
    """Vigil's own key in the address at which it plays a pushed stream."""
    return _fields(urlsplit(url).query).get("key", "")


def publish_view(push_url: str, stream_id: str, key: str) -> PublishView:
    """What the publisher must be told: OBS asks for server and stream key, ffmpeg for one URL."""
    stream_key = f"{stream_id}?key={key}"
    return PublishView(server=push_url, stream_key=stream_key, url=f"{push_url}/{stream_key}")


def application_of(url: str) -> str:
    """The application in rtmp://host/APPLICATION."""
    return urlsplit(url).path.strip("/")


def begun(push: Push, session: str, *, is_alone: bool) -> Push:
    """`session` publishes now. Unless it is alone for sure, those before it are kept: a media server that keeps its first publisher may
    refuse the new one after all, and a second encoder must not hide the first one from Vigil."""
    return Push(push.key_hash, session, () if is_alone else _others(push, session)[:MAX_BEFORE])


def stopped(push: Push, session: str) -> Push:
    """`session` publishes no more."""
    others = _others(push, session)
    return Push(push.key_hash, others[0] if others else None, others[1:])


def _others(push: Push, session: str) -> tuple[str, ...]:
    return tuple(one for one in (push.publisher, *push.before) if one is not None and one != session)


def read_nginx_rtmp(call: Literal["publish", "publish_done", "play"], body: bytes) -> Ask:
    """on_publish, on_publish_done, on_play: the fields of the connection, then the arguments of the stream's name."""
    fields = _form(body)
    action: Action = "unpublish" if call == "publish_done" else call
    return Ask(action, fields.get("app", ""), fields.get("name", ""), fields.get("key", ""), _session(fields.get("clientid", "")))


class _NodeMediaServer(Struct):
    action: str
    app: str = ""
    name: str = ""
    id: str = ""
    query: dict[str, str | list[str]] = {}


_NODE_ACTIONS: Mapping[str, Action] = {"prePublish": "publish", "donePublish": "unpublish", "prePlay": "play"}


def read_node_media_server(body: bytes) -> Ask:
    """`notify`: every event comes to one address; those that neither ask nor end anything are notes."""
    event = _json(body, _NodeMediaServer)
    keys = event.query.get("key", "")
    key = keys if isinstance(keys, str) else next(iter(keys), "")
    return Ask(_NODE_ACTIONS.get(event.action, "note"), event.app, event.name, key, _session(event.id))


class _MediaMtx(Struct):
    action: str
    path: str = ""
    query: str = ""
    password: str = ""
    token: str = ""
    id: str | None = None


def read_mediamtx_auth(body: bytes) -> Ask:
    """The key comes in the query (RTMP), as password (SRT, RTSP) or as bearer token (WHIP). No id: a browser asks beforehand."""
    request = _json(body, _MediaMtx)
    application, _, stream_id = request.path.rpartition("/")
    key = _fields(request.query).get("key", "") or request.password or request.token
    actions: Mapping[str, Action] = {"publish": "publish", "read": "play"}
    return Ask(actions.get(request.action, "other"), application, stream_id, key, _session(request.id or ""))


def read_mediamtx_unpublish(body: bytes, query: str) -> Ask:
    """`runOnUnavailable` with $MTX_PATH as path and $MTX_SOURCE_ID as id, in the form or in the query."""
    fields = {**_fields(query), **_form(body)}
    application, _, stream_id = fields.get("path", "").rpartition("/")
    return Ask("unpublish", application, stream_id, "", _session(fields.get("id", "")))


def _form(body: bytes) -> dict[str, str]:
    return _fields(body.decode("utf-8", "replace"))


def _fields(text: str) -> dict[str, str]:
    """The first of each name: what the media server itself says stands before what its client adds. ValueError for too many."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS):
        found.setdefault(name, value)
    return found


def _json(body: bytes, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.DecodeError as error:
        raise ValueError(f"the hook's JSON is not what this media server sends: {error}") from None


def _session(name: str) -> str:
    return name.encode("ascii", "replace").decode()[:MAX_SESSION_CHARS]


def _plain(text: str) -> bytes:
    return text.encode("utf-8", "replace")
