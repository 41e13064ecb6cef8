"""What media servers ask of Vigil about pushed streams: may this one publish, may this one play, and who stopped. Routes and answers.

Every hook carries the operator's token: as the password of HTTP Basic authentication, whoever the user, or in the query where a server
cannot do that (addresses get into logs). A 2xx answer lets the client go on, any other refuses it. Which session publishes is kept in the
stream's spec, so that its worker, whichever it is, starts and stops to read.
"""

import base64
import re
from collections.abc import Callable, Mapping
from typing import Literal, get_args

import structlog
from fastapi import APIRouter, Query, Request
from msgspec.structs import replace
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from service.api.admission import asks, full_engine
from service.api.context import Context
from service.api.openapi import documented
from service.api.problem import ApiError
from service.api.push import (
    Ask,
    Server,
    application_of,
    begun,
    fits,
    play_key,
    read_mediamtx_auth,
    read_mediamtx_unpublish,
    read_nginx_rtmp,
    read_node_media_server,
    same,
    stopped,
)
from service.ingest.pushed import is_gone, play_base
from service.types import Push, StreamSpec, StreamStatus

log = structlog.get_logger()

Outcome = Literal[
    "accepted", "no_key", "wrong_key", "unknown_stream", "full", "busy", "ended", "play_accepted", "play_refused", "wrong_token"
]  # fmt: skip
Read = Callable[[bytes], Ask]

TRIES = 8
REPLACES: frozenset[Server] = frozenset({"mediamtx"})  # a publisher that comes back takes the place of its dead connection at once
TELLS_ALL: frozenset[Server] = frozenset({"nginx-rtmp"})  # also of the end of a session that it refused because another publishes
REFUSALS: Mapping[Outcome, tuple[int, str]] = {
    "wrong_token": (403, "this hook does not carry VIGIL_HOOK_TOKEN, as the password of HTTP Basic authentication or as ?token="),
    "no_key": (401, "this stream asks for its key"),
    "wrong_key": (403, "this is not the stream's key"),
    "unknown_stream": (404, "there is no pushed stream of this name"),
    "full": (429, "the engine holds no more streams"),
    "busy": (409, "another session publishes this stream"),
    "play_refused": (403, "only Vigil plays pushed streams"),
}
_STREAM_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TOKEN = Query("", description="VIGIL_HOOK_TOKEN, unless it comes as the password of HTTP Basic authentication")


def hook_routes(context: Context) -> APIRouter:
    """One address for each thing that a media server can be configured to ask."""
    router = APIRouter(prefix="/v1/hooks", tags=["media servers"])
    door = Door(context)
    about = documented(200, None, 400, 401, 403, 404, 409, 429)

    @router.post("/nginx-rtmp/{call}", summary="nginx-rtmp: on_publish, on_publish_done, on_play", **about)
    async def nginx_rtmp(request: Request, call: Literal["publish", "publish_done", "play"], token: str = _TOKEN) -> Response:
        return await door.ask(request, "nginx-rtmp", token, lambda body: read_nginx_rtmp(call, body))

    @router.post("/node-media-server/notify", summary="Node-Media-Server 4: notify.url", **about)
    async def node_media_server(request: Request, token: str = _TOKEN) -> Response:
        return await door.ask(request, "node-media-server", token, read_node_media_server)

    @router.post("/mediamtx/auth", summary="MediaMTX: authHTTPAddress", **about)
    async def mediamtx_auth(request: Request, token: str = _TOKEN) -> Response:
        return await door.ask(request, "mediamtx", token, read_mediamtx_auth)

    @router.post("/mediamtx/unpublish", summary="MediaMTX: runOnUnavailable, with path and id", **about)
    async def mediamtx_unpublish(request: Request, token: str = _TOKEN) -> Response:
        return await door.ask(request, "mediamtx", token, lambda body: read_mediamtx_unpublish(body, request.url.query))

    return router


class Door:
    """Answers asks, counts every answer."""

    def __init__(self, context: Context) -> None:
        self._context = context
        bases = (context.settings.push_url, play_base(context.settings))
        self._applications = {application_of(base) for base in bases if base}
        for server in get_args(Server) if self._applications else ():
            for outcome in get_args(Outcome):
                context.metrics.publishes.labels(server, outcome)

    async def ask(self, request: Request, server: Server, token: str, read: Read) -> Response:
        """200, or the problem that says why not."""
        expected = self._context.settings.hook_token
        given = token or _basic_password(request.headers.get("authorization", ""))
        if expected is None or not same(given, expected.get_secret_value()):
            raise self._refusal(server, "wrong_token")
        try:
            ask = read(await request.body())
        except ValueError as error:
            raise ApiError(400, "unreadable_hook", str(error)) from None
        outcome = await run_in_threadpool(self._decide, server, ask)
        if outcome is not None and outcome in REFUSALS:
            raise self._refusal(server, outcome, ask)
        if outcome is not None:
            self._count(server, outcome, ask.stream_id)
        return Response(status_code=200)

    def _refusal(self, server: Server, outcome: Outcome, ask: Ask | None = None) -> ApiError:
        self._count(server, outcome, ask.stream_id if ask else "")
        status, detail = REFUSALS[outcome]
        return ApiError(status, outcome, detail)

    def _count(self, server: Server, outcome: Outcome, stream_id: str) -> None:
        """A name that is no stream's may be anything, a key in the wrong place too: it is not logged."""
        self._context.metrics.publishes.labels(server, outcome).inc()
        named = {"stream_id": stream_id} if outcome not in ("unknown_stream", "play_refused", "wrong_token") else {}
        log.info("push_hook", server=server, outcome=outcome, **named)

    # ---- decisions; these block on Redis ----------------------------------------------------------------------------------

    def _decide(self, server: Server, ask: Ask) -> Outcome | None:
        """None: nothing was asked that is worth a count."""
        match ask.action:
            case "publish":
                return self._publish(server, ask)
            case "unpublish":
                return self._unpublish(server, ask)
            case "play":
                spec = self._pushed(ask)
                return "play_accepted" if spec and same(ask.key, play_key(spec.url)) else "play_refused"
            case "note":
                return None
            case _:
                return "play_refused"

    def _publish(self, server: Server, ask: Ask) -> Outcome | None:
        for _ in range(TRIES):
            spec = self._pushed(ask)
            if spec is None or spec.push is None:
                return "unknown_stream"
            if not ask.key:
                return "no_key"  # some clients send theirs only when asked
            if not fits(ask.key, spec.push.key_hash):
                return "wrong_key"
            if not ask.session:
                return None
            publisher = f"{server}/{ask.session}"
            status = self._context.store.get_status(spec.id)
            if refused := self._in_the_way(server, spec, spec.push, publisher, status):
                return refused
            push = begun(spec.push, publisher, is_alone=server not in TELLS_ALL or is_gone(status))
            if self._context.store.patch_stream(replace(spec, push=push)):
                return "accepted"
        raise _contended()

    def _in_the_way(self, server: Server, spec: StreamSpec, push: Push, publisher: str, status: StreamStatus | None) -> Outcome | None:
        """A living publisher, where the media server would not replace it anyway; or an engine that holds no more."""
        if not asks(spec, status):
            why = full_engine(self._context, spec)
            if why:
                log.warning("push_refused", stream_id=spec.id, why=why)
            return "full" if why else None
        if publisher == push.publisher or server in REPLACES:
            return None
        return "busy" if status is not None and status.state in ("connecting", "live") else None

    def _unpublish(self, server: Server, ask: Ask) -> Outcome | None:
        """Late news of a session that another one has replaced ends nothing."""
        for _ in range(TRIES):
            spec = self._pushed(ask)
            if spec is None or spec.push is None:
                return None
            push = stopped(spec.push, f"{server}/{ask.session}")
            if push == spec.push:
                return None
            if self._context.store.patch_stream(replace(spec, push=push)):
                return "ended"
        raise _contended()

    def _pushed(self, ask: Ask) -> StreamSpec | None:
        if ask.application not in self._applications or not _STREAM_ID.fullmatch(ask.stream_id):
            return None
        spec = self._context.store.get_stream(ask.stream_id)
        return spec if spec is not None and spec.push is not None else None


def _basic_password(authorization: str) -> str:
    """Empty when there is none."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(credentials.strip(), validate=True).decode("utf-8", "replace").partition(":")[2]
    except ValueError:
        return ""


def _contended() -> ApiError:
    return ApiError(503, "conflict", "the stream is being changed by others at the same time; try again", headers={"retry-after": "1"})
