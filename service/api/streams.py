"""Routes of streams: what is to be watched, and how it goes. Writes wishes only; workers make them true."""

import secrets
from collections.abc import Sequence
from typing import Annotated

import msgspec
from fastapi import APIRouter, Header, Path, Query
from starlette.responses import Response

from service.api.admission import refusal
from service.api.context import Context
from service.api.inputs import StreamCreate, StreamPatch, default_name
from service.api.openapi import documented
from service.api.policies import policy_names
from service.api.problem import ApiError
from service.api.views import StreamsView, StreamView, answer, view_stream
from service.errors import StreamError
from service.metrics import read_gauge
from service.state.store import CapacityError
from service.types import StreamSpec, StreamState

RETRY_WHEN_FULL_S = 10
ENGINE = "engine"
PATCH_TRIES = 5
StreamId = Annotated[str, Path(min_length=1, max_length=64, examples=["5f1c2a9b04de"])]
IdempotencyKey = Annotated[
    str | None, Header(min_length=1, max_length=255, description="Send the same key again and you get the same stream, not a second one.")
]


def stream_routes(context: Context) -> APIRouter:
    """POST, GET, PATCH and DELETE of streams. Plain functions: Starlette runs them in threads, where the store may block."""
    router = APIRouter(prefix="/v1/streams", tags=["streams"])

    @router.post("", summary="Watch a stream", **documented(201, StreamView, 400, 403, 429))
    def create(body: StreamCreate, idempotency_key: IdempotencyKey = None) -> Response:
        _check_address(context, body.url)
        _check_policies(context, body.policies)
        wished = StreamSpec(
            id=secrets.token_hex(6),
            url=body.url,
            name=body.name or default_name(body.url),
            created_at_s=context.now_s(),
            labels=body.labels,
            policies=body.policies,
            fps=body.fps,
            zones=body.zones,
        )
        spec, is_new = _put(context, wished, idempotency_key)
        headers = {"location": f"/v1/streams/{spec.id}"} | ({} if is_new else {"idempotent-replayed": "true"})
        return answer(_view(context, spec), 201, headers)

    @router.get("", summary="All streams", **documented(200, StreamsView))
    def list_all(state: Annotated[StreamState | None, Query(description="Only those in this state.")] = None) -> Response:
        return answer(StreamsView(tuple(view for view in _views(context) if state in (None, view.state))))

    @router.get("/{stream_id}", summary="One stream", **documented(200, StreamView, 404))
    def get_one(stream_id: StreamId) -> Response:
        return answer(_view(context, _require(context, stream_id)))

    @router.patch("/{stream_id}", summary="Change a stream without interrupting it", **documented(200, StreamView, 404, 409))
    def patch(stream_id: StreamId, body: StreamPatch) -> Response:
        _check_policies(context, body.policies)
        return answer(_view(context, _patch(context, stream_id, body)))

    @router.delete("/{stream_id}", summary="Stop watching", status_code=204, responses={204: {"description": "It is gone."}})
    def delete(stream_id: StreamId) -> Response:
        if not context.store.delete_stream(stream_id):
            raise _missing(stream_id)
        return Response(status_code=204)

    return router


def _put(context: Context, wished: StreamSpec, idempotency_key: str | None) -> tuple[StreamSpec, bool]:
    """An engine that is full takes no new stream, but a key that is known gets its stream again."""
    specs = context.store.list_streams()
    full = refusal(_running(context, specs), wished, _capacity_fps(context), context.settings.admit_fps)
    limit = min(len(specs), context.settings.max_streams) if full else context.settings.max_streams
    try:
        return context.store.put_stream(wished, idempotency_key=idempotency_key, max_streams=limit)
    except CapacityError as error:
        raise ApiError(429, "too_many_streams", full or str(error), headers={"retry-after": str(RETRY_WHEN_FULL_S)}) from error
    except ValueError as error:
        raise ApiError(422, "idempotency_key_reused", str(error)) from error


def _running(context: Context, specs: Sequence[StreamSpec]) -> list[StreamSpec]:
    """Those that ask something of the engine."""
    statuses = context.store.get_statuses([spec.id for spec in specs])
    return [spec for spec, status in zip(specs, statuses, strict=True) if status is None or status.state not in ("ended", "failed")]


def _capacity_fps(context: Context) -> float:
    """What the engine was last measured to hold; 0 while that is not known."""
    page = context.store.all_metrics().get(ENGINE, b"")
    return read_gauge(page, "vigil_engine_capacity_fps") or 0.0


def _check_address(context: Context, url: str) -> None:
    """Refuse what could never work. A name that is not known now may be known later: the worker retries and says so."""
    try:
        context.addresses.resolve(url)
    except ValueError as error:
        raise ApiError(400, "unsupported_url", str(error)) from error
    except StreamError as error:
        if error.code == "forbidden_address":
            raise ApiError(403, "forbidden_address", str(error)) from error


def _check_policies(context: Context, wanted: tuple[str, ...] | None) -> None:
    known = policy_names(context) if wanted else ()
    unknown = [name for name in wanted or () if name not in known]
    if unknown:
        raise ApiError(422, "unknown_policy", f"there is no policy {unknown[0]!r}; there are: {', '.join(known) or 'none'}")


def _patch(context: Context, stream_id: str, body: StreamPatch) -> StreamSpec:
    for _ in range(PATCH_TRIES):
        spec = context.store.patch_stream(_patched(_require(context, stream_id), body))
        if spec is not None:
            return spec
    raise ApiError(409, "conflict", f"stream {stream_id} is being changed by others at the same time; try again")


def _patched(spec: StreamSpec, body: StreamPatch) -> StreamSpec:
    """Null gives the default: the address's name, no labels, all policies, every frame, no zones."""
    defaults: dict[str, object] = {"name": default_name(spec.url), "labels": {}, "zones": {}, "policies": None, "fps": None}
    changes = {field: getattr(body, field) for field in body.model_fields_set}
    return msgspec.structs.replace(spec, **{field: defaults[field] if value is None else value for field, value in changes.items()})


def _require(context: Context, stream_id: str) -> StreamSpec:
    spec = context.store.get_stream(stream_id)
    if spec is None:
        raise _missing(stream_id)
    return spec


def _missing(stream_id: str) -> ApiError:
    return ApiError(404, "no_such_stream", f"there is no stream {stream_id}")


def _views(context: Context) -> list[StreamView]:
    specs = context.store.list_streams()
    statuses = context.store.get_statuses([spec.id for spec in specs])
    return [view_stream(spec, status) for spec, status in zip(specs, statuses, strict=True)]


def _view(context: Context, spec: StreamSpec) -> StreamView:
    return view_stream(spec, context.store.get_status(spec.id))
