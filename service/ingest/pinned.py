"""Connections to vetted addresses: what the guard answered is connected to and nothing else; TLS still checks the URL's name.

One deadline holds over connect, handshake and every byte. Knows no HTTP method and no media.
"""

import base64
import http.client
import io
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from urllib.parse import SplitResult, quote, unquote

from service.errors import StreamError
from service.ingest.address import Endpoint, origin_of
from service.ingest.rtmp import tls_reason

PATH_SAFE = "/%:@!$&'()*+,;=~-._"
QUERY_SAFE = "/%:@!$&'()*+,;=~-._?[]"


class Line:
    """One connection at a time. Used by one thread; `cut` may come from any."""

    def __init__(self, connect_s: float) -> None:
        self._connect_s = connect_s
        self._socket: socket.socket | None = None
        self._cut = threading.Event()

    @property
    def is_cut(self) -> bool:
        """Nothing goes over it any more."""
        return self._cut.is_set()

    def open(self, endpoint: Endpoint, *, is_tls: bool, deadline_s: float) -> "DeadlineSocket":
        """Connect. TimeoutError, ssl.SSLError or another OSError when that fails."""
        left_s = min(self._connect_s, deadline_s - time.monotonic())
        if left_s <= 0:
            raise TimeoutError
        self._socket = connected = socket.create_connection((endpoint.address, endpoint.port), left_s)
        self._end_if_cut()
        if is_tls:
            tls = self._tls_context.wrap_socket(connected, server_hostname=endpoint.host, do_handshake_on_connect=False)
            self._socket = connected = tls
            self._end_if_cut()
            tls.do_handshake()
        return DeadlineSocket(connected, deadline_s)

    def close(self) -> None:
        """Hang up; another may be opened."""
        connected, self._socket = self._socket, None
        if connected is not None:
            connected.close()

    def cut(self) -> None:
        """End at once what is under way, and every later connection."""
        self._cut.set()
        self._end_if_cut()

    def _end_if_cut(self) -> None:
        under_way = self._socket
        if under_way is None or not self._cut.is_set():
            return
        try:
            under_way.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    @cached_property
    def _tls_context(self) -> ssl.SSLContext:
        return ssl.create_default_context()


class DeadlineSocket:
    """The part of a socket that http.client uses, with one deadline over all reads and writes: dripping headers gain nothing."""

    def __init__(self, plain: socket.socket, deadline_s: float) -> None:
        self._plain = plain
        self._deadline_s = deadline_s

    def sendall(self, data: bytes) -> None:
        """Send within what is left of the time."""
        self._arm()
        self._plain.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What a response is read from."""
        return io.BufferedReader(_DeadlineReader(self))

    def recv_into(self, buffer: memoryview) -> int:
        """Receive within what is left of the time."""
        self._arm()
        return self._plain.recv_into(buffer)

    def close(self) -> None:
        """http.client lets go before it has read the answer; whoever connected hangs up."""

    def _arm(self) -> None:
        left_s = self._deadline_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._plain.settimeout(left_s)


class _DeadlineReader(io.RawIOBase):
    def __init__(self, source: DeadlineSocket) -> None:
        super().__init__()
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        return self._source.recv_into(buffer)


@contextmanager
def told_as_stream_errors(url: str) -> Iterator[None]:
    """What the network does wrong becomes a StreamError that shows no more of the URL than its origin."""
    try:
        yield
    except ssl.SSLError as error:
        raise StreamError("tls", f"{origin_of(url)} fails TLS: {tls_reason(error)}") from None
    except TimeoutError:
        raise StreamError("timeout", f"{origin_of(url)} does not answer in time") from None
    except OSError as error:
        raise StreamError("connection_failed", f"{origin_of(url)} cannot be read: {error.strerror or type(error).__name__}") from None
    except http.client.HTTPException:
        raise StreamError("connection_failed", f"{origin_of(url)} cannot be read: what it sends is not HTTP") from None


def path_of(target: SplitResult) -> str:
    """Path and query as a request line carries them."""
    path = quote(target.path or "/", safe=PATH_SAFE)
    return f"{path}?{quote(target.query, safe=QUERY_SAFE)}" if target.query else path


def host_of(target: SplitResult, endpoint: Endpoint) -> str:
    """The Host header."""
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    return f"{host}:{target.port}" if target.port else host


def basic_auth(target: SplitResult) -> dict[str, str]:
    """The header for the user that a URL names; none when it names none."""
    if not target.username:
        return {}
    secret = f"{unquote(target.username)}:{unquote(target.password or '')}"
    return {"Authorization": f"Basic {base64.b64encode(secret.encode()).decode()}"}
