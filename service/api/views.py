"""What the API answers with, beyond the nouns of service.types; and how it is encoded. Knows no route and no Redis."""

from collections.abc import Mapping
from typing import Literal

import msgspec
from msgspec import Struct
from starlette.responses import Response

from service.api.redact import redact_text, redact_url
from service.types import Alert, Mode, Severity, StreamCode, StreamSpec, StreamState, StreamStatus


class PublishView(Struct, frozen=True):
    """Where and with which key to publish: OBS asks for `server` and `stream_key`, ffmpeg for `url`."""

    server: str
    stream_key: str
    url: str


class StreamView(Struct, frozen=True):
    """A stream: what was asked for and how it goes. `fps` was asked for, `measured_fps` is reached.

    `url` is without its secrets; of a pushed stream it is where Vigil plays it. `publish` is there once, in the answer that made the key.
    """

    id: str
    source: Literal["pull", "push"]
    url: str
    name: str
    state: StreamState
    code: StreamCode | None
    message: str
    since_s: float
    labels: dict[str, str]
    policies: tuple[str, ...] | None
    fps: float | None
    zones: dict[str, tuple[tuple[float, float], ...]]
    version: int
    created_at_s: float
    measured_fps: float
    width: int
    height: int
    seq: int
    reconnects: int
    last_frame_at_s: float | None
    worker: str
    epoch: int
    publish: PublishView | None = None


class StreamsView(Struct, frozen=True):
    """All streams, oldest first."""

    streams: tuple[StreamView, ...]


class AlertsView(Struct, frozen=True):
    """Newest first; `next` is the `cursor` of the next page, null at the end."""

    alerts: tuple[Alert, ...]
    next: str | None


class PolicyView(Struct, frozen=True):
    """One rule in force."""

    name: str
    severity: Severity
    mode: Mode


class FindingView(Struct, frozen=True):
    """One thing that the linter found. A warning does not stop the policy from loading."""

    line: int
    message: str
    is_warning: bool


class PoliciesView(Struct, frozen=True):
    """The policies in force. `version` grows with each PUT; 0 means that the operator's files are in force. `text` is the YAML."""

    version: int
    policies: tuple[PolicyView, ...]
    warnings: tuple[FindingView, ...]
    text: str


class CheckView(Struct, frozen=True):
    """What PUT would say to this text."""

    ok: bool
    policies: tuple[PolicyView, ...]
    findings: tuple[FindingView, ...]


EventType = Literal["alert.opened", "alert.changed", "alert.reviewed", "webhook.test"]


class WebhookEvent(Struct, frozen=True):
    """What a webhook is sent. `id` is that of the header webhook-id; `alert` is as it is when sent, null in a test."""

    id: str
    type: EventType
    created_at_s: float
    alert: Alert | None


class WebhookView(Struct, frozen=True):
    """A receiver of alerts and how it goes. `url` is without its secrets; `backlog` are events that wait, 1,000 being that or more.

    `secret` signs its events; it is there once, in the answer that made it.
    """

    id: str
    url: str
    name: str
    severities: tuple[Severity, ...] | None
    policies: tuple[str, ...] | None
    streams: tuple[str, ...] | None
    created_at_s: float
    last_delivery_at_s: float | None
    last_error: str
    backlog: int
    disabled: bool
    secret: str | None = None


class WebhooksView(Struct, frozen=True):
    """All receivers, oldest first."""

    webhooks: tuple[WebhookView, ...]


class WebhookTestView(Struct, frozen=True):
    """How the test event went. `status` is null when no answer came; `error` says why it was not taken."""

    delivered: bool
    status: int | None
    error: str
    took_s: float


class HealthView(Struct, frozen=True):
    """The API process answers. `now_s` is the server's clock, for clients that show ages."""

    status: str
    now_s: float


class ReadyView(Struct, frozen=True):
    """All parts work. `engine` names backend and model; `passed_over` says of each better backend why it was not chosen."""

    ready: bool
    engine: str
    workers: int
    passed_over: dict[str, str] = {}


def view_stream(spec: StreamSpec, status: StreamStatus | None, publish: PublishView | None = None) -> StreamView:
    """Join wish and reality; a stream that no worker has taken yet is pending."""
    now = status or StreamStatus(spec.id, "pending", spec.created_at_s)
    return StreamView(
        id=spec.id,
        source="pull" if spec.push is None else "push",
        url=redact_url(spec.url),
        name=spec.name,
        state=now.state,
        code=now.code,
        message=redact_text(now.message),
        since_s=now.since_s,
        labels=spec.labels,
        policies=spec.policies,
        fps=spec.fps,
        zones=spec.zones,
        version=spec.version,
        created_at_s=spec.created_at_s,
        measured_fps=now.fps,
        width=now.width,
        height=now.height,
        seq=now.seq,
        reconnects=now.reconnects,
        last_frame_at_s=now.last_frame_at_s,
        worker=now.worker,
        epoch=now.epoch,
        publish=publish,
    )


def answer(value: Struct, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A Struct as JSON."""
    return Response(msgspec.json.encode(value), status, {"cache-control": "no-store", **(headers or {})}, "application/json")
