"""How long HTTP requests take, by route. Knows no route: it reads which one answered from the request's scope."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.metrics import Metrics

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"


class Timing:
    """ASGI middleware, outermost: from the request's head to the answer's end. Whatever a client makes up counts as `other`."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._seconds = metrics.http_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_s, status = time.perf_counter(), 0

        async def send_noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        finally:
            if status:
                method = scope["method"] if scope["method"] in METHODS else OTHER
                self._seconds.labels(method, _route(scope), str(status)).observe(time.perf_counter() - started_s)


def _route(scope: Scope) -> str:
    """The template, such as /v1/streams/{stream_id}; where files are mounted that path; OTHER where nothing was met."""
    route = scope.get("route")
    return str(scope.get("root_path") or OTHER) if route is None else str(route.path)
