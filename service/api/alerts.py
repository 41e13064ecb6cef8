"""Routes of alerts: listed, followed live, reviewed. What raises them is the workers' business."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Path, Query
from starlette.responses import Response
from starlette.websockets import WebSocket

from service.api.context import Context
from service.api.feeds import Backlog
from service.api.inputs import Review
from service.api.openapi import documented
from service.api.problem import ApiError
from service.api.sockets import send_all
from service.api.views import AlertsView, answer
from service.state.alerts import Action, AlertFilter
from service.state.records import LogEntry
from service.types import Alert, AlertState, Mode, Severity

BACKLOG = 100
REVIEWER = "local"

StreamParam = Annotated[str | None, Query(max_length=64, description="Only those of this stream.")]
SeverityParam = Annotated[Severity | None, Query(description="Only those of this severity.")]
ModeParam = Annotated[Mode | None, Query(description="Only those of policies in this mode; shadow alerts come only when asked for.")]
AfterParam = Annotated[float | None, Query(allow_inf_nan=False, description="Only those raised after this time, Unix seconds.")]

ALERTS_DOC = """Newest first; `next` is the `cursor` of the next page.

As a **WebSocket** at the same address (with `stream`, `severity`, `mode`, `after`): first the newest 100 that pass, oldest first,
then each alert when it is raised, changes (its incident escalates or closes) or is reviewed.
Each JSON text message is the whole alert as it is now; the `id` tells which one it replaces."""


def alert_routes(context: Context) -> APIRouter:
    """GET, WebSocket and the reviewers' steps."""
    router = APIRouter(prefix="/v1/alerts", tags=["alerts"])

    @router.get("", summary="Alerts, or live as a WebSocket", description=ALERTS_DOC, **documented(200, AlertsView))
    def list_page(
        stream: StreamParam = None,
        state: Annotated[AlertState | None, Query(description="Only those in this state.")] = None,
        severity: SeverityParam = None,
        mode: ModeParam = None,
        after: AfterParam = None,
        cursor: Annotated[str | None, Query(max_length=32, description="`next` of the page before.")] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> Response:
        wanted = AlertFilter(stream, state, severity, mode, after)
        try:
            page = context.store.alerts.page(wanted, cursor=cursor, limit=limit)
        except ValueError as error:
            raise ApiError(422, "invalid_cursor", str(error)) from error
        return answer(AlertsView(page.alerts, page.cursor))

    @router.websocket("")
    async def follow_alerts(
        websocket: WebSocket, stream: StreamParam = None, severity: SeverityParam = None, mode: ModeParam = None, after: AfterParam = None
    ) -> None:
        wanted = AlertFilter(stream, None, severity, mode, after)
        async with context.hub.alerts() as inbox:
            page = await asyncio.to_thread(context.store.alerts.page, wanted, limit=BACKLOG)
            await send_all(websocket, "alerts", _texts(page.alerts[::-1], inbox, wanted), context.metrics, inbox.overflowed)

    @router.get("/{alert_id}", summary="One alert", **documented(200, Alert, 404))
    def get_one(alert_id: Annotated[str, Path(min_length=1, max_length=64)]) -> Response:
        alert = context.store.alerts.get(alert_id)
        if alert is None:
            raise _missing(alert_id)
        return answer(alert)

    @router.post("/{alert_id}/{action}", summary="Acknowledge, resolve or dismiss an alert", **documented(200, Alert, 404, 409))
    def review(
        alert_id: Annotated[str, Path(min_length=1, max_length=64)], action: Literal["ack", "resolve", "dismiss"], body: Review
    ) -> Response:
        return answer(_reviewed(context, alert_id, action, body.reason))

    return router


def _reviewed(context: Context, alert_id: str, action: Action, reason: str) -> Alert:
    if action != "ack" and not reason:
        raise ApiError(422, "reason_needed", f"to {action} an alert, say why in `reason`")
    try:
        alert = context.store.alerts.review(alert_id, action, reason=reason, by=REVIEWER, at_s=context.now_s())
    except ValueError as error:
        raise ApiError(409, "not_possible_now", str(error)) from error
    if alert is None:
        raise _missing(alert_id)
    return alert


async def _texts(backlog: tuple[Alert, ...], inbox: Backlog[LogEntry], wanted: AlertFilter) -> AsyncIterator[str]:
    for alert in backlog:
        yield _encode(alert)
    while True:
        alert = (await inbox.get()).alert
        is_its_stream = wanted.stream_id in (None, alert.stream_id)
        is_late_enough = wanted.after_s is None or alert.created_at_s > wanted.after_s
        if is_its_stream and is_late_enough and wanted.takes(alert):
            yield _encode(alert)


def _encode(alert: Alert) -> str:
    return msgspec.json.encode(alert).decode()


def _missing(alert_id: str) -> ApiError:
    return ApiError(404, "no_such_alert", f"there is no alert {alert_id}")
