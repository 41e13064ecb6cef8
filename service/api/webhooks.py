"""Routes of webhooks: who is told of alerts, and how that goes. Writes wishes only; the courier delivers."""

import secrets
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Path
from starlette.responses import Response

from service.api.context import Context
from service.api.courier import MAX_TESTS, Courier
from service.api.inputs import WebhookCreate
from service.api.openapi import documented
from service.api.problem import ApiError
from service.api.redact import redact_text, redact_webhook
from service.api.streams import check_address, check_policies
from service.api.views import WebhooksView, WebhookTestView, WebhookView, answer
from service.api.webhook_signing import new_secret, verdict
from service.state.webhooks import MAX_WEBHOOKS, Webhook, WebhookShelf, WebhookState

SCHEMES = ("https", "http")
WebhookId = Annotated[str, Path(min_length=1, max_length=64, examples=["9d02c7e1a4b8"])]

CREATE_DOC = """Alerts are sent as `POST` with a `WebhookEvent` as JSON body, signed by the scheme of Standard Webhooks with the `secret`
of this answer, which is not shown again. It hears of what happens from now on; shadow alerts are not sent."""


def webhook_routes(context: Context, shelf: WebhookShelf, courier: Courier) -> APIRouter:
    """POST, GET, DELETE and a test. Plain functions: Starlette runs them in threads, where the store may block."""
    router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])

    @router.post("", summary="Send alerts to an address", description=CREATE_DOC, **documented(201, WebhookView, 400, 403, 429))
    def create(body: WebhookCreate) -> Response:
        _check(context, body)
        webhook = _made(context, shelf, body)
        return answer(_view(webhook, WebhookState(), webhook.secret), 201, {"location": f"/v1/webhooks/{webhook.id}"})

    @router.get("", summary="All webhooks", **documented(200, WebhooksView))
    def list_all() -> Response:
        webhooks = shelf.all()
        states = shelf.states([webhook.id for webhook in webhooks])
        return answer(WebhooksView(tuple(map(_view, webhooks, states))))

    @router.get("/{webhook_id}", summary="One webhook", **documented(200, WebhookView, 404))
    def get_one(webhook_id: WebhookId) -> Response:
        return answer(_view(_require(shelf, webhook_id), shelf.states([webhook_id])[0]))

    @router.delete("/{webhook_id}", summary="Send nothing more", status_code=204, responses={204: {"description": "It is gone."}})
    def delete(webhook_id: WebhookId) -> Response:
        if not shelf.delete(webhook_id):
            raise _missing(webhook_id)
        return Response(status_code=204)

    @router.post("/{webhook_id}/test", summary="Send a test event now, once", **documented(200, WebhookTestView, 404, 429))
    def test(webhook_id: WebhookId) -> Response:
        return answer(_tested(courier, _require(shelf, webhook_id)))

    return router


def _made(context: Context, shelf: WebhookShelf, body: WebhookCreate) -> Webhook:
    webhook = Webhook(
        id=secrets.token_hex(6),
        url=body.url,
        secret=new_secret(),
        name=body.name or urlsplit(body.url).hostname or "",
        created_at_s=context.now_s(),
        severities=body.severities,
        policies=body.policies,
        streams=body.streams,
    )
    if not shelf.put(webhook):
        raise ApiError(429, "too_many_webhooks", f"there are {MAX_WEBHOOKS} webhooks, which is the limit; delete one first")
    return webhook


def _tested(courier: Courier, webhook: Webhook) -> WebhookTestView:
    attempt = courier.test(webhook)
    if attempt is None:
        detail = f"{MAX_TESTS} tests of webhooks are under way, which is the limit; try again"
        raise ApiError(429, "too_many_tests", detail, headers={"retry-after": "1"})
    return WebhookTestView(verdict(attempt.status) == "delivered", attempt.status, attempt.error, attempt.took_s)


def _check(context: Context, body: WebhookCreate) -> None:
    """Refuse what would never be delivered: a wrong address, a policy or stream that there is not."""
    scheme, separator, _ = body.url.partition("://")
    if not separator or scheme.lower() not in SCHEMES:
        got = repr(scheme) if separator else "no scheme"
        raise ApiError(400, "unsupported_url", f"the URL of a webhook begins with https:// or http://, got {got}")
    check_address(context, body.url)
    check_policies(context, body.policies)
    unknown = [stream_id for stream_id in body.streams or () if context.store.get_stream(stream_id) is None]
    if unknown:
        raise ApiError(422, "unknown_stream", f"there is no stream {unknown[0]!r}")


def _view(webhook: Webhook, state: WebhookState, secret: str | None = None) -> WebhookView:
    return WebhookView(
        id=webhook.id,
        url=redact_webhook(webhook.url),
        name=webhook.name,
        severities=webhook.severities,
        policies=webhook.policies,
        streams=webhook.streams,
        created_at_s=webhook.created_at_s,
        last_delivery_at_s=state.last_delivery_at_s,
        last_error=redact_text(state.last_error, redact_webhook),
        backlog=state.backlog,
        disabled=state.disabled,
        secret=secret,
    )


def _require(shelf: WebhookShelf, webhook_id: str) -> Webhook:
    webhook = shelf.get(webhook_id)
    if webhook is None:
        raise _missing(webhook_id)
    return webhook


def _missing(webhook_id: str) -> ApiError:
    return ApiError(404, "no_such_webhook", f"there is no webhook {webhook_id}")
