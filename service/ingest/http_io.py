"""HTTP as HLS needs it, under guard: FFmpeg opens nothing itself, every playlist, segment, key, map and redirect comes through here.

Each object is fetched whole, from a vetted address, within a size and a time, so that FFmpeg never waits on a socket.
Raises StreamError with the public codes. Knows no video.
"""

import http.client
import io
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import SplitResult, urljoin, urlsplit

from service.errors import StreamError
from service.ingest.address import AddressGuard, Endpoint, origin_of
from service.ingest.pinned import Line, basic_auth, host_of, path_of, told_as_stream_errors
from service.ingest.playlist import Playlist, is_playlist, parse_playlist
from service.types import StreamCode

CHUNK_BYTES = 1 << 16
USER_AGENT = "vigil"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_STATUS_CODES: Mapping[int, StreamCode] = {401: "auth_failed", 403: "auth_failed", 404: "not_found", 410: "not_found"}
_AVIO_FLAG_WRITE = 2


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """What one object may cost. `total_s` spans name look-up to last byte, redirects included; the opener's own may be changed later."""

    object_bytes: int = 32 << 20
    playlist_bytes: int = 1 << 20
    connect_s: float = 4.0
    total_s: float = 10.0
    redirects: int = 3


class Body:
    """What FFmpeg reads: forward only, so that it never seeks."""

    name = "guarded"

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        """The next bytes; empty at the end."""
        return self._data.read(size)

    def close(self) -> None:
        """Let the bytes go."""
        self._data.close()


class _Reader(Protocol):
    def read1(self, size: int, /) -> bytes: ...


class HttpOpener:
    """The io_open of one connection to an HLS source. Used by one thread; `cancel` may come from any.

    After the first failure every open answers with an empty body, so that FFmpeg comes to an end; `failure` tells what happened.
    """

    def __init__(self, source_url: str, guard: AddressGuard, limits: HttpLimits) -> None:
        self._source = urlsplit(source_url)
        self._guard = guard
        self._limits = limits
        self._line = Line(limits.connect_s)
        self._prefetched: dict[str, bytes] = {}
        self.total_s = limits.total_s
        self.failure: StreamError | None = None
        self.playlist: Playlist | None = None
        self.num_segments = 0

    def __call__(self, url: str, flags: int, options: Mapping[str, str]) -> Body:
        """FFmpeg's callback. A StreamError raised here comes out of PyAV as it is."""
        if self.failure is not None or self._line.is_cut:
            return Body(b"")
        try:
            return Body(self._open(url, flags, options))
        except StreamError as error:
            self.failure = error
            raise

    def prefetch(self, url: str) -> Playlist:
        """Fetch the playlist at `url` ahead of FFmpeg, which gets these same bytes when it asks for it first."""
        data = self._fetch(url, {})
        if not is_playlist(data):
            raise StreamError("codec_unsupported", f"{origin_of(url)} answers, but not with an HLS playlist (no #EXTM3U in front)")
        self._prefetched = {url: data}
        self.playlist = parse_playlist(data, url)
        return self.playlist

    def cancel(self) -> None:
        """Make a fetch under way end at once, and every later one."""
        self._line.cut()

    def _open(self, url: str, flags: int, options: Mapping[str, str]) -> bytes:
        if flags & _AVIO_FLAG_WRITE:
            raise StreamError("forbidden_address", "a playlist made FFmpeg write, which is refused")
        if url.startswith("crypto"):
            raise StreamError("codec_unsupported", "encrypted HLS segments cannot be read")
        data = self._prefetched.pop(url, None) or self._fetch(url, options)
        if is_playlist(data):
            self.playlist = parse_playlist(data, url)
        else:
            self.num_segments += 1
        return data

    def _fetch(self, url: str, options: Mapping[str, str]) -> bytes:
        deadline_s = time.monotonic() + self.total_s
        for _ in range(self._limits.redirects + 1):
            target = _require_http(url)
            with told_as_stream_errors(url):
                answer = self._ask(target, url, options, deadline_s)
            if isinstance(answer, bytes):
                return answer
            url = urljoin(url, answer.location)
        raise StreamError("connection_failed", f"{origin_of(url)} redirects more than {self._limits.redirects} times")

    def _ask(self, target: SplitResult, url: str, options: Mapping[str, str], deadline_s: float) -> "bytes | _Redirect":
        try:
            endpoint = self._guard.resolve(url)
        except ValueError as error:
            raise StreamError("forbidden_address", f"a playlist or redirect names a bad address: {error}") from None
        connection = http.client.HTTPConnection(endpoint.host, endpoint.port)
        try:
            connection.sock = self._line.open(endpoint, is_tls=target.scheme == "https", deadline_s=deadline_s)
            connection.request("GET", path_of(target), headers=self._headers(target, endpoint, options))
            response = connection.getresponse()
            if response.status in _REDIRECTS:
                return _Redirect(response.headers.get("Location", ""))
            if response.status not in (200, 206):
                code = _STATUS_CODES.get(response.status, "connection_failed")
                raise StreamError(code, f"{origin_of(url)} answers with HTTP status {response.status}")
            return self._read(response, url, deadline_s)
        finally:
            self._line.close()

    def _headers(self, target: SplitResult, endpoint: Endpoint, options: Mapping[str, str]) -> dict[str, str]:
        headers = {"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity", "Connection": "close"}
        source = self._source
        if source.username and (target.scheme, target.hostname, target.port) == (source.scheme, source.hostname, source.port):
            headers |= basic_auth(source)
        first, end = int(options.get("offset", 0)), int(options.get("end_offset", 0))
        if first or end:
            headers["Range"] = f"bytes={first}-{end - 1 if end else ''}"
        headers["Host"] = host_of(target, endpoint)
        return headers

    def _read(self, response: _Reader, url: str, deadline_s: float) -> bytes:
        data = bytearray()
        while chunk := response.read1(CHUNK_BYTES):
            data += chunk
            limit = self._limits.playlist_bytes if is_playlist(data) else self._limits.object_bytes
            if len(data) > limit:
                raise StreamError("too_large", f"{origin_of(url)} sends more than {limit} bytes for one object")
            if time.monotonic() > deadline_s:
                raise TimeoutError
        return bytes(data)


@dataclass(frozen=True, slots=True)
class _Redirect:
    location: str


def _require_http(url: str) -> SplitResult:
    try:
        target = urlsplit(url)
    except ValueError:
        raise StreamError("forbidden_address", "a playlist or redirect names something that is no URL") from None
    if target.scheme not in ("http", "https"):
        raise StreamError(
            "forbidden_address", f"a playlist or redirect points to {target.scheme or 'no scheme'!r}; only http and https are followed"
        )
    return target
