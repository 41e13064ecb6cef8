"""Routes of one stream's live data: the graph as snapshot or WebSocket, and the analysed picture with its graph."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response
from starlette.websockets import WebSocket

from service.api.context import Context
from service.api.feeds import Newest
from service.api.follow import Matcher, Pattern, follow
from service.api.openapi import documented
from service.api.problem import ApiError
from service.api.sockets import send_all
from service.state.reader import Message, Preview
from service.types import GraphSnapshot

StreamId = Annotated[str, Path(min_length=1, max_length=64, examples=["5f1c2a9b04de"])]
Match = Annotated[list[str], Query(max_length=16)]
LENGTH_BYTES = 4

GRAPH_DOC = """The latest snapshot; 404 `no_graph_yet` before the first analysed frame.

As a **WebSocket** at the same address: a snapshot, then each delta in order, one JSON text message each (`type` is `snapshot` or `delta`).
Applying a delta's events to the graph of `seq - 1` gives the graph of `seq`.
`?since=SEQ` goes on after the last message that you hold, without a gap; where that is no longer kept you get a snapshot.
`?match=person-holding-*` (repeatable) sends only the part of the graph whose triplets fit; `seq` then jumps over frames
in which that part did not change, and `since` is not used.
A client that reads too slowly is closed with code 1013; code 4404 means that the stream was deleted."""

PREVIEW_DOC = """A **WebSocket** of the analysed pictures, each with the graph that was seen in it, so that boxes are always in step.

Each binary message is: 4 bytes, big-endian, the length of the JSON; the GraphSnapshot as JSON; the JPEG.
Boxes are fractions of the picture. Pictures are encoded only while somebody watches; a slow client gets fewer of them."""


def graph_routes(context: Context) -> APIRouter:
    """Everything below /v1/streams/{id} that is live."""
    router = APIRouter(prefix="/v1/streams/{stream_id}", tags=["live"])

    @router.get(
        "/graph", summary="The scene graph now, or live as a WebSocket", description=GRAPH_DOC, **documented(200, GraphSnapshot, 404)
    )
    async def get_graph(stream_id: StreamId) -> Response:
        await _require(context, stream_id)
        snapshot = await context.hub.reader.snapshot(stream_id)
        if snapshot is None:
            raise ApiError(404, "no_graph_yet", f"stream {stream_id} has no analysed frame yet", headers={"retry-after": "1"})
        return Response(snapshot.data, headers={"cache-control": "no-store"}, media_type="application/json")

    @router.websocket("/graph")
    async def follow_graph(
        websocket: WebSocket,
        stream_id: StreamId,
        since: Annotated[int | None, Query(ge=0)] = None,
        match: Match = [],  # noqa: B006
    ) -> None:
        patterns = _patterns(match)
        await _require(context, stream_id)
        async with context.hub.graph(stream_id) as inbox:
            start = None if patterns else since
            messages = _texts(follow(context.hub.reader, stream_id, inbox, start), Matcher(patterns) if patterns else None)
            await send_all(websocket, "graph", messages, context.metrics, inbox.overflowed)

    @router.get("/preview", summary="The analysed picture live, as a WebSocket", description=PREVIEW_DOC, **documented(426, None, 404))
    async def explain_preview(stream_id: StreamId) -> Response:
        await _require(context, stream_id)
        raise ApiError(426, "websocket_only", "open this address as a WebSocket", headers={"upgrade": "websocket"})

    @router.websocket("/preview")
    async def follow_preview(websocket: WebSocket, stream_id: StreamId) -> None:
        await _require(context, stream_id)
        async with context.hub.preview(stream_id) as inbox:
            await send_all(websocket, "preview", _pictures(inbox), context.metrics)

    return router


async def _require(context: Context, stream_id: str) -> None:
    if await asyncio.to_thread(context.store.get_stream, stream_id) is None:
        raise ApiError(404, "no_such_stream", f"there is no stream {stream_id}")


def _patterns(texts: list[str]) -> list[Pattern]:
    try:
        return [Pattern.parse(text) for text in texts]
    except ValueError as error:
        raise ApiError(422, "invalid_pattern", str(error)) from error


async def _texts(messages: AsyncIterator[Message], matcher: Matcher | None) -> AsyncIterator[str]:
    async for message in messages:
        data = message.data if matcher is None else matcher.take(message)
        if data is not None:
            yield data.decode()


async def _pictures(inbox: Newest[Preview]) -> AsyncIterator[bytes]:
    while True:
        preview = await inbox.get()
        yield len(preview.graph).to_bytes(LENGTH_BYTES, "big") + preview.graph + preview.jpeg
