"""The OpenAPI document: answers are msgspec Structs, which FastAPI does not know, so their schemas are put in here. Knows no route."""

from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.responses import Response

from service.api.examples import EXAMPLES
from service.api.problem import MEDIA_TYPE
from service.types import GraphDelta

REF = "#/components/schemas/{name}"
PROBLEM = {
    "description": "What went wrong, as RFC 9457 problem+json",
    "content": {MEDIA_TYPE: {"schema": {"$ref": REF.format(name="ProblemBody")}}},
}

ABOUT = """Live video in; scene graphs and alerts out.

Every error is `application/problem+json` (RFC 9457) with a `code` for programs and a `detail` for people:
`broken_json` 400, `unsupported_url` 400, `forbidden_address` 403, `foreign_origin` 403, `no_such_stream` 404, `push_not_set_up` 409,
`not_pushed` 409, `conflict` 409, `body_too_large` 413, `foreign_host` 421, `invalid_input` 422, `too_many_streams` 429 with Retry-After,
`no_such_webhook` 404, `too_many_webhooks` and `too_many_tests` 429, `unknown_policy` and `unknown_stream` 422,
`internal` 500, `state_unavailable` 503 with Retry-After.
Times ending in `_at_s`, and `since_s` of a stream, are Unix seconds; `media_s` and other `_s` are seconds of the stream's own clock.
Secrets in stream addresses (user info, query values) and keys of pushed streams are never shown again.
Media servers ask `/v1/hooks/...` with the operator's token: 200 lets their client go on. `wrong_token` 403, `wrong_key` 403, `no_key` 401,
`play_refused` 403, `unknown_stream` 404, `busy` 409 and `full` 429 refuse it; so does `unreadable_hook` 400."""


def documented(status: int, body: type[msgspec.Struct] | None, *problems: int) -> dict[str, Any]:
    """Keyword arguments for a route that answers `body`."""
    responses: dict[int | str, dict[str, Any]] = dict.fromkeys(problems, PROBLEM)
    responses[422] = PROBLEM
    responses["default"] = PROBLEM
    if body is not None:
        schema = {"$ref": REF.format(name=body.__name__)}
        responses[status] = {"description": _first_line(body), "content": {"application/json": {"schema": schema, **_example_of(body)}}}
    return {"status_code": status, "responses": responses, "response_class": Response, "response_model": None}


def install(app: FastAPI) -> None:
    """Make `app.openapi()` the whole document, built once."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, description=ABOUT, routes=app.routes, tags=app.openapi_tags)
            document.setdefault("components", {}).setdefault("schemas", {}).update(_schemas())
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _schemas() -> dict[str, Any]:
    types = [*(type(example) for example in EXAMPLES), GraphDelta]
    return msgspec.json.schema_components(types, ref_template=REF)[1]


def _example_of(body: type[msgspec.Struct]) -> dict[str, Any]:
    return {"example": next(msgspec.to_builtins(example) for example in EXAMPLES if type(example) is body)}


def _first_line(body: type[msgspec.Struct]) -> str:
    return (body.__doc__ or body.__name__).splitlines()[0]
