"""One WebSocket that only sends: until its messages end, its client leaves, or its client proves too slow (closed with 1013)."""

import asyncio
from collections.abc import AsyncIterator

import structlog
from prometheus_client import Counter
from starlette.websockets import WebSocket, WebSocketDisconnect

from service.api.feeds import StreamGoneError
from service.metrics import Metrics

log = structlog.get_logger()

SEND_WITHIN_S = 10.0
TRY_AGAIN_LATER = 1013
STREAM_GONE = 4404


async def send_all(
    websocket: WebSocket, kind: str, messages: AsyncIterator[str | bytes], metrics: Metrics, overflowed: asyncio.Event | None = None
) -> None:
    """Accept and send. `overflowed` is set by the inbox behind `messages` when it is full."""
    try:
        await websocket.accept()
    except (WebSocketDisconnect, OSError):
        return
    metrics.ws_clients.labels(kind).inc()
    sent = metrics.ws_messages.labels(kind)
    tasks = [asyncio.create_task(_send(websocket, messages, sent)), asyncio.create_task(_listen(websocket))]
    if overflowed is not None:
        tasks.append(asyncio.create_task(_trip(overflowed)))
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        close_code = next((task.result() for task in done), None)
    finally:
        metrics.ws_clients.labels(kind).dec()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await _say_goodbye(websocket, kind, close_code, metrics)


async def _say_goodbye(websocket: WebSocket, kind: str, close_code: int | None, metrics: Metrics) -> None:
    if close_code is None:
        return
    if close_code == TRY_AGAIN_LATER:
        metrics.ws_dropped.labels(kind).inc()
        log.info("client_too_slow", kind=kind, client=websocket.client.host if websocket.client else "")
    await websocket.close(close_code, "too slow" if close_code == TRY_AGAIN_LATER else "the stream was deleted")


async def _send(websocket: WebSocket, messages: AsyncIterator[str | bytes], sent: Counter) -> int | None:
    """The code to close with; None when the client is gone."""
    try:
        async for message in messages:
            async with asyncio.timeout(SEND_WITHIN_S):
                await (websocket.send_text(message) if isinstance(message, str) else websocket.send_bytes(message))
            sent.inc()
    except StreamGoneError:
        return STREAM_GONE
    except TimeoutError:
        return TRY_AGAIN_LATER
    except (WebSocketDisconnect, OSError):
        return None
    return STREAM_GONE


async def _listen(websocket: WebSocket) -> None:
    """Clients have nothing to say; this hears them leave."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


async def _trip(overflowed: asyncio.Event) -> int:
    await overflowed.wait()
    return TRY_AGAIN_LATER
