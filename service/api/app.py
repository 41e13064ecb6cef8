"""The application: routes, guards, errors, the page. The only file of the API that knows all its parts."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import structlog
from fastapi import FastAPI, WebSocket
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from redis import RedisError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import VERSION
from service.api import openapi
from service.api.alerts import alert_routes
from service.api.context import Context
from service.api.courier import Courier
from service.api.feeds import Hub
from service.api.graphs import graph_routes
from service.api.guards import Guard
from service.api.health import health_routes
from service.api.hooks import hook_routes
from service.api.policies import policy_routes
from service.api.problem import ApiError, on_http_error, on_invalid_input, on_no_state, on_problem
from service.api.streams import stream_routes
from service.api.timing import Timing
from service.api.webhooks import webhook_routes
from service.ingest.address import AddressGuard, parse_networks
from service.metrics import Metrics
from service.settings import Settings
from service.state.reader import Reader
from service.state.store import Store
from service.state.webhooks import WebhookShelf

log = structlog.get_logger()

PAGE = Path(__file__).parent / "page"
DNS_WITHIN_S = 1.5
STORE_WITHIN_S = 3.0


def create_app(settings: Settings, redis_url: str, policies: Path | None = None) -> FastAPI:
    """The API on a Redis that is there; `policies` is the operator's file or folder. Nothing is opened before the first request."""
    store = Store.connect(redis_url, timeout_s=STORE_WITHIN_S)
    reader = Reader.connect(redis_url)
    webhooks = WebhookShelf.connect(redis_url, timeout_s=STORE_WITHIN_S)

    async def exists(stream_id: str) -> bool:
        return await asyncio.to_thread(store.get_stream, stream_id) is not None

    context = Context(
        settings=settings,
        store=store,
        hub=Hub(reader, exists),
        metrics=Metrics(),
        addresses=AddressGuard(parse_networks(settings.allow_networks), dns_timeout_s=DNS_WITHIN_S),
        policy_files=policies,
        now_s=time.time,
    )
    context.metrics.begin_api()
    courier = Courier(webhooks, context.addresses, context.metrics)
    app = FastAPI(
        title="Vigil",
        version=VERSION,
        docs_url=None,
        redoc_url=None,
        lifespan=_delivering(courier, store, reader, webhooks),
        middleware=_middleware(settings, context.metrics),
        exception_handlers={
            ApiError: on_problem,
            HTTPException: on_http_error,
            RequestValidationError: on_invalid_input,
            WebSocketRequestValidationError: on_invalid_input,
            RedisError: on_no_state,
        },
    )
    for routes in (stream_routes, hook_routes, graph_routes, alert_routes, policy_routes, health_routes):
        app.include_router(routes(context))
    app.include_router(webhook_routes(context, webhooks, courier))
    _serve_page(app)
    openapi.install(app)
    return app


def _delivering(
    courier: Courier, store: Store, reader: Reader, webhooks: WebhookShelf
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        courier.start()
        yield
        if await asyncio.to_thread(courier.stop):
            webhooks.close()
        await reader.close()
        store.close()

    return lifespan


def _middleware(settings: Settings, metrics: Metrics) -> list[Middleware]:
    """Outermost first."""
    timing = Middleware(Timing, metrics=metrics)
    guard = Middleware(Guard, allow_hosts=(settings.host, *settings.allow_hosts), allow_origins=settings.allow_origins)
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    cors = Middleware(CORSMiddleware, allow_origins=list(settings.allow_origins), allow_methods=methods, allow_headers=["*"])
    return [timing, guard, *([cors] if settings.allow_origins else []), Middleware(Boundary)]


class Boundary:
    """What nobody expected ends here: logged whole, told to the client without details. One of the project's two broad excepts."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_started = False

        async def send_noted(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        except Exception as error:
            log.exception("request_failed", path=scope.get("path"), error=repr(error))
            if not has_started and scope["type"] != "lifespan":
                await ApiError(500, "internal", "the server made a mistake; its log says more").response()(scope, receive, send)


def _serve_page(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        return FileResponse(PAGE / "index.html", headers={"cache-control": "no-cache"})

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return FileResponse(PAGE / "docs.html", headers={"cache-control": "no-cache"})

    @app.websocket("/{path:path}")
    async def no_such_socket(websocket: WebSocket) -> None:
        raise ApiError(404, "no_such_path", f"there is nothing at {websocket.url.path}; /docs lists what there is")

    app.mount("/page", StaticFiles(directory=PAGE), name="page")
