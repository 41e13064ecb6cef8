"""What an operator's media servers ask of Vigil about pushed streams, as a test asks it. Knows no answer."""

import json
from collections.abc import Mapping
from typing import Any

import httpx

from service.state.store import Store

TOKEN = "a-token-of-the-operator"
PUSH_URL = "rtmp://media.example.com:1935/live"
PLAY_URL = "rtmp://mediamtx:1935/live"
NGINX = "/v1/hooks/nginx-rtmp"


def key_of(stream: Mapping[str, Any]) -> str:
    return str(stream["publish"]["stream_key"].partition("?key=")[2])


def nginx(
    client: httpx.Client, call: str, stream_id: str, key: str = "", session: str = "1", timeout: float = 10.0, **fields: str
) -> httpx.Response:
    form = {"app": "live", "clientid": session, "call": call, "name": stream_id, "type": "live", "key": key, **fields}
    return client.post(f"{NGINX}/{call}", params={"token": TOKEN}, data=form, timeout=timeout)


def mediamtx(client: httpx.Client, action: str, stream_id: str, key: str, session: str | None = "a-1", **fields: str) -> httpx.Response:
    body = {
        "user": "", "password": "", "token": "", "ip": "10.0.0.7", "action": action, "path": f"live/{stream_id}", "protocol": "rtmp",
        "id": session, "query": f"key={key}", **fields,
    }  # fmt: skip
    return client.post("/v1/hooks/mediamtx/auth", params={"token": TOKEN}, json=body)


def node(client: httpx.Client, event: str, stream_id: str, key: str, session: str = "n1") -> httpx.Response:
    body = {
        "id": session,
        "ip": "127.0.0.1:5",
        "app": "live",
        "name": stream_id,
        "query": {"key": key},
        "protocol": "rtmp",
        "action": event,
    }
    return client.post("/v1/hooks/node-media-server/notify", params={"token": TOKEN}, content=json.dumps(body))


def publisher(store: Store, stream: Mapping[str, Any]) -> str | None:
    spec = store.get_stream(stream["id"])
    assert spec is not None
    assert spec.push is not None
    return spec.push.publisher


def counted(client: httpx.Client, server: str, outcome: str) -> float:
    sample = f'vigil_publishes_total{{outcome="{outcome}",process="api",server="{server}"}} '
    return next(float(line.removeprefix(sample)) for line in client.get("/metrics").text.splitlines() if line.startswith(sample))
