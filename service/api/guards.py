"""What stands before every route: which hosts and origins may talk to us, how large a body may be. Knows no route and no Redis.

A page of another site must not drive the API through its visitor's browser (Origin), nor through a name that it points at us
(DNS rebinding: Host). Scripts send no Origin and pass.
"""

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.problem import ApiError

MAX_BODY_BYTES = 1 << 20
LOCAL_NAMES = frozenset({"localhost"})

PAGE_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' blob: data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'",
    ),
)


class Guard:
    """ASGI middleware: refuses foreign hosts (421), foreign origins (403) and large bodies (413); adds the safety headers."""

    def __init__(self, app: ASGIApp, *, allow_hosts: Iterable[str], allow_origins: Iterable[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in allow_hosts) | LOCAL_NAMES
        self._origins = frozenset(origin.lower().rstrip("/") for origin in allow_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._foreign_host(headers) or self._foreign_origin(headers) or _large_body(headers)
        if refusal is not None:
            await refusal.response()(scope, receive, _with_headers(send))
            return
        await self._app(scope, _bounded(receive), _with_headers(send))

    def _foreign_host(self, headers: Headers) -> ApiError | None:
        host = _host_name(headers.get("host", ""))
        if host in self._hosts or _is_address(host):
            return None
        hint = "the operator adds names with VIGIL_ALLOW_HOSTS"
        return ApiError(421, "foreign_host", f"this server does not answer to the name {host!r}; {hint}")

    def _foreign_origin(self, headers: Headers) -> ApiError | None:
        origin = headers.get("origin", "").lower()
        if not origin or origin in self._origins or urlsplit(origin).netloc == headers.get("host", "").lower():
            return None
        hint = "the operator adds origins with VIGIL_ALLOW_ORIGINS"
        return ApiError(403, "foreign_origin", f"pages of {origin} may not use this server; {hint}")


def _host_name(host: str) -> str:
    """The name in a Host header, without the port and without an IPv6 address's brackets."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_address(host: str) -> bool:
    """A literal address cannot be rebound."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _too_large() -> ApiError:
    return ApiError(413, "body_too_large", f"a body holds at most {MAX_BODY_BYTES} bytes")


def _large_body(headers: Headers) -> ApiError | None:
    length = headers.get("content-length", "0")
    return _too_large() if length.isdigit() and int(length) > MAX_BODY_BYTES else None


def _bounded(receive: Receive) -> Receive:
    """Counts a chunked body, which names no length, while it comes."""
    size_bytes = 0

    async def receive_counted() -> Message:
        nonlocal size_bytes
        message = await receive()
        if message["type"] == "http.request":
            size_bytes += len(message.get("body", b""))
            if size_bytes > MAX_BODY_BYTES:
                raise _too_large()
        return message

    return receive_counted


def _with_headers(send: Send) -> Send:
    async def send_guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *PAGE_HEADERS]
        await send(message)

    return send_guarded
