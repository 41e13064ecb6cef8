"""Errors as the client sees them: RFC 9457 problem+json, one shape for every failure. Knows no route.

`code` is for programs, `detail` for people. Raise `ApiError` anywhere under a route; it refuses a WebSocket by an HTTP answer to
its handshake.
"""

from collections.abc import Iterable, Mapping
from http import HTTPStatus

import msgspec
import structlog
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from msgspec import Struct
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"


class FieldError(Struct, frozen=True):
    """One wrong place in the input: `where` is a path such as "body.url", or "line 4" for policy text."""

    where: str
    message: str


class ProblemBody(Struct, frozen=True, omit_defaults=True):
    """RFC 9457. `code` names the kind for programs; `errors` lists the wrong places where there are several."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: tuple[FieldError, ...] = ()


class ApiError(Exception):
    """An answer that is not the one asked for."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Iterable[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """The problem as an HTTP answer."""
        body = ProblemBody(
            type=f"urn:vigil:problem:{self.code}",
            title=HTTPStatus(self.status).phrase,
            status=self.status,
            detail=self.detail,
            code=self.code,
            errors=self.errors,
        )
        return Response(msgspec.json.encode(body), self.status, {"cache-control": "no-store", **self.headers}, MEDIA_TYPE)


async def on_problem(_connection: HTTPConnection, error: Exception) -> Response:
    """Handler for ApiError."""
    assert isinstance(error, ApiError)
    return error.response()


async def on_http_error(connection: HTTPConnection, error: Exception) -> Response:
    """Handler for what the framework itself refuses: unknown path, wrong method, a body that cannot be read."""
    assert isinstance(error, HTTPException)
    cause = error.__cause__
    problem = cause if isinstance(cause, ApiError) else _from_http_error(connection, error)
    return problem.response()


async def on_no_state(_connection: HTTPConnection, error: Exception) -> Response:
    """Handler for Redis being away."""
    log.warning("redis_gone", error=str(error))
    detail = "the state server does not answer; streams go on, try again in a moment"
    return ApiError(503, "state_unavailable", detail, headers={"retry-after": "2"}).response()


async def on_invalid_input(_connection: HTTPConnection, error: Exception) -> Response:
    """Handler for bodies and parameters that do not fit their schema; broken JSON is told apart, with the place."""
    assert isinstance(error, RequestValidationError | WebSocketRequestValidationError)
    found = error.errors()
    if found and found[0]["type"] == "json_invalid":
        reason = found[0].get("ctx", {}).get("error", "it does not parse")
        problem = ApiError(400, "broken_json", f"the body is not JSON: {reason}, at character {found[0]['loc'][-1]}")
    else:
        errors = [FieldError(_path(item["loc"]), _sentence(item)) for item in found]
        problem = ApiError(422, "invalid_input", "; ".join(f"{item.where}: {item.message}" for item in errors[:5]), errors=errors)
    return problem.response()


def _from_http_error(connection: HTTPConnection, error: HTTPException) -> ApiError:
    method, path, headers = connection.scope.get("method", "WebSocket"), connection.url.path, dict(error.headers or {})
    if error.status_code == 404:
        return ApiError(404, "no_such_path", f"there is nothing at {path}; /docs lists what there is", headers=headers)
    if error.status_code == 405:
        allowed = headers.get("Allow", "another method")
        return ApiError(405, "method_not_allowed", f"{path} does not take {method}; it takes {allowed}", headers=headers)
    return ApiError(error.status_code, "http_error", str(error.detail), headers=headers)


def _path(location: Iterable[object]) -> str:
    return ".".join(str(part) for part in location)


def _sentence(item: Mapping[str, object]) -> str:
    message = str(item["msg"]).removeprefix("Value error, ")
    return message[:1].lower() + message[1:]
