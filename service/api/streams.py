"""Routes of streams: what is to be watched, and how it goes. Writes wishes only; workers make them true."""

import secrets
from collections.abc import Callable
from typing import Annotated

import msgspec
from fastapi import APIRouter, Header, Path, Query
from starlette.responses import Response

from service.api.admission import full_engine
from service.api.context import Context
from service.api.inputs import StreamCreate, StreamPatch, default_name
from service.api.openapi import documented
from service.api.policies import policy_names
from service.api.problem import ApiError
from service.api.push import hash_key, new_key, publish_view
from service.api.views import PublishView, StreamsView, StreamView, answer, view_stream
from service.errors import StreamError
from service.ingest.pushed import play_base, play_url
from service.state.store import CapacityError
from service.types import Push, StreamSpec, StreamState

RETRY_WHEN_FULL_S = 10
PATCH_TRIES = 5
StreamId = Annotated[str, Path(min_length=1, max_length=64, examples=["5f1c2a9b04de"])]
IdempotencyKey = Annotated[
    str | None, Header(min_length=1, max_length=255, description="Send the same key again and you get the same stream, not a second one.")
]


def stream_routes(context: Context) -> APIRouter:
    """POST, GET, PATCH and DELETE of streams. Plain functions: Starlette runs them in threads, where the store may block."""
    router = APIRouter(prefix="/v1/streams", tags=["streams"])

    @router.post("", summary="Watch a stream, or take one that is pushed", **documented(201, StreamView, 400, 403, 409, 429))
    def create(body: StreamCreate, idempotency_key: IdempotencyKey = None) -> Response:
        spec, publish, is_new = _create(context, body, idempotency_key)
        headers = {"location": f"/v1/streams/{spec.id}"} | ({} if is_new else {"idempotent-replayed": "true"})
        return answer(_view(context, spec, publish), 201, headers)

    @router.get("", summary="All streams", **documented(200, StreamsView))
    def list_all(state: Annotated[StreamState | None, Query(description="Only those in this state.")] = None) -> Response:
        return answer(StreamsView(tuple(view for view in _views(context) if state in (None, view.state))))

    @router.get("/{stream_id}", summary="One stream", **documented(200, StreamView, 404))
    def get_one(stream_id: StreamId) -> Response:
        return answer(_view(context, _require(context, stream_id)))

    @router.patch("/{stream_id}", summary="Change a stream without interrupting it", **documented(200, StreamView, 404, 409))
    def patch(stream_id: StreamId, body: StreamPatch) -> Response:
        check_policies(context, body.policies)
        return answer(_view(context, _change(context, stream_id, lambda spec: _patched(spec, body))))

    @router.post("/{stream_id}/key", summary="A new key for a pushed stream: the old one ends", **documented(200, StreamView, 404, 409))
    def renew_key(stream_id: StreamId) -> Response:
        push_url, key = _push_url(context), new_key()
        spec = _change(context, stream_id, lambda spec: _with_key(spec, key))
        return answer(_view(context, spec, publish_view(push_url, spec.id, key)))

    @router.delete("/{stream_id}", summary="Stop watching", status_code=204, responses={204: {"description": "It is gone."}})
    def delete(stream_id: StreamId) -> Response:
        if not context.store.delete_stream(stream_id):
            raise _missing(stream_id)
        return Response(status_code=204)

    return router


def _create(context: Context, body: StreamCreate, idempotency_key: str | None) -> tuple[StreamSpec, PublishView | None, bool]:
    """The stream; how to publish it, where that is to be told; whether it is new."""
    key, push_url = new_key(), ""
    if body.url is None:
        push_url = _push_url(context)
    else:
        check_address(context, body.url)
    check_policies(context, body.policies)
    spec, is_new = _put(context, _wished(context, body, key), idempotency_key)
    return spec, publish_view(push_url, spec.id, key) if push_url and is_new else None, is_new


def _put(context: Context, wished: StreamSpec, idempotency_key: str | None) -> tuple[StreamSpec, bool]:
    """An engine that is full takes no new stream, but a key that is known gets its stream again. A pushed one is weighed when it comes."""
    full = "" if wished.push else full_engine(context, wished)
    limit = context.settings.max_streams
    if full:
        limit = min(limit, len(context.store.list_streams()))
    try:
        return context.store.put_stream(wished, idempotency_key=idempotency_key, max_streams=limit)
    except CapacityError as error:
        raise ApiError(429, "too_many_streams", full or str(error), headers={"retry-after": str(RETRY_WHEN_FULL_S)}) from error
    except ValueError as error:
        raise ApiError(422, "idempotency_key_reused", str(error)) from error


def _wished(context: Context, body: StreamCreate, key: str) -> StreamSpec:
    """`key` is for the publisher; the address at which a pushed stream is played has another, which Vigil keeps to itself."""
    stream_id, base = secrets.token_hex(6), play_base(context.settings)
    return StreamSpec(
        id=stream_id,
        url=body.url or play_url(base or "", stream_id, new_key()),
        name=body.name or default_name(body.url or "", stream_id),
        created_at_s=context.now_s(),
        labels=body.labels,
        policies=body.policies,
        fps=body.fps,
        zones=body.zones,
        push=Push(hash_key(key)) if body.url is None else None,
    )


def _push_url(context: Context) -> str:
    if context.settings.push_url is None:
        detail = "this server takes no pushed streams: its operator sets VIGIL_PUSH_URL and VIGIL_HOOK_TOKEN, and a media server beside it"
        raise ApiError(409, "push_not_set_up", detail)
    return context.settings.push_url


def _with_key(spec: StreamSpec, key: str) -> StreamSpec:
    """Who publishes with the old key now is watched until it stops."""
    if spec.push is None:
        raise ApiError(409, "not_pushed", f"stream {spec.id} is pulled from its address; only pushed streams have keys")
    return msgspec.structs.replace(spec, push=msgspec.structs.replace(spec.push, key_hash=hash_key(key)))


def check_address(context: Context, url: str) -> None:
    """Refuse what could never work. A name that is not known now may be known later: the worker retries and says so."""
    try:
        context.addresses.resolve(url)
    except ValueError as error:
        raise ApiError(400, "unsupported_url", str(error)) from error
    except StreamError as error:
        if error.code == "forbidden_address":
            raise ApiError(403, "forbidden_address", str(error)) from error


def check_policies(context: Context, wanted: tuple[str, ...] | None) -> None:
    """Refuse a name that no policy in force has."""
    known = policy_names(context) if wanted else ()
    unknown = [name for name in wanted or () if name not in known]
    if unknown:
        raise ApiError(422, "unknown_policy", f"there is no policy {unknown[0]!r}; there are: {', '.join(known) or 'none'}")


def _change(context: Context, stream_id: str, change: Callable[[StreamSpec], StreamSpec]) -> StreamSpec:
    for _ in range(PATCH_TRIES):
        spec = context.store.patch_stream(change(_require(context, stream_id)))
        if spec is not None:
            return spec
    raise ApiError(409, "conflict", f"stream {stream_id} is being changed by others at the same time; try again")


def _patched(spec: StreamSpec, body: StreamPatch) -> StreamSpec:
    """Null gives the default: the address's name, no labels, all policies, every frame, no zones."""
    name = default_name("" if spec.push else spec.url, spec.id)
    defaults: dict[str, object] = {"name": name, "labels": {}, "zones": {}, "policies": None, "fps": None}
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


def _view(context: Context, spec: StreamSpec, publish: PublishView | None = None) -> StreamView:
    return view_stream(spec, context.store.get_status(spec.id), publish)
