"""How the application is served by uvicorn. Knows no route."""

import asyncio
from typing import TYPE_CHECKING, Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent

LINGER_S = 3.0
GRACE_S = 2
MAX_INCOMING_BYTES = 4096


class FirmWebSocket(WebSocketsSansIOProtocol):
    """A client that never reads cannot hold its connection: the close code is put behind what is buffered, and then it has LINGER_S."""

    async def send(self, message: "ASGISendEvent") -> None:
        if message["type"] == "websocket.close":
            self.writable.set()
        await super().send(message)

    async def run_asgi(self) -> None:
        await super().run_asgi()
        asyncio.get_running_loop().call_later(LINGER_S, self.transport.abort)


def server_config(app: FastAPI, **options: Any) -> uvicorn.Config:
    """For uvicorn.Server; `options` as in uvicorn.Config."""
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        ws=FirmWebSocket,
        ws_max_size=MAX_INCOMING_BYTES,
        ws_per_message_deflate=False,
        **options,
    )
