"""One POST to a receiver, over a connection to an address that the guard let pass just now. Follows no redirect, decides nothing."""

import http.client
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from service.errors import StreamError
from service.ingest.address import AddressGuard, origin_of
from service.ingest.pinned import Line, basic_auth, host_of, path_of, told_as_stream_errors

MAX_ANSWER_BYTES = 64 << 10
USER_AGENT = "vigil"


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one try went. `status` None: no answer; `error` is a sentence without secrets, empty when all is well."""

    status: int | None
    error: str
    took_s: float
    retry_after: str | None = None


class Poster:
    """Used by one thread; `cut` may come from any and ends it for good."""

    def __init__(self, guard: AddressGuard, *, connect_s: float = 5.0, total_s: float = 10.0) -> None:
        self._guard = guard
        self._line = Line(connect_s)
        self._total_s = total_s

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Attempt:
        """The status alone counts: of the answer's body at most 64 KiB are read, and thrown away."""
        begun_s = time.monotonic()
        try:
            with told_as_stream_errors(url):
                status, retry_after = self._ask(url, headers, body, begun_s + self._total_s)
        except StreamError as error:
            return Attempt(None, str(error), time.monotonic() - begun_s)
        return Attempt(status, _error(url, status), time.monotonic() - begun_s, retry_after)

    def cut(self) -> None:
        """End at once what is under way, and all that comes."""
        self._line.cut()

    def _ask(self, url: str, headers: Mapping[str, str], body: bytes, deadline_s: float) -> tuple[int, str | None]:
        target = urlsplit(url)
        endpoint = self._guard.resolve(url)
        connection = http.client.HTTPConnection(endpoint.host, endpoint.port)
        own = {"Host": host_of(target, endpoint), "User-Agent": USER_AGENT, "Content-Type": "application/json", "Connection": "close"}
        try:
            connection.sock = self._line.open(endpoint, is_tls=target.scheme == "https", deadline_s=deadline_s)
            connection.request("POST", path_of(target), body, {**own, **basic_auth(target), **headers})
            response = connection.getresponse()
            with suppress(OSError, http.client.HTTPException):
                response.read(MAX_ANSWER_BYTES)
            return response.status, response.headers.get("Retry-After")
        finally:
            self._line.close()


def _error(url: str, status: int) -> str:
    if 200 <= status < 300:
        return ""
    if 300 <= status < 400:
        return f"{origin_of(url)} answers with a redirect (HTTP status {status}), which is not followed"
    return f"{origin_of(url)} answers with HTTP status {status}"
