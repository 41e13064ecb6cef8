"""Pushed streams are played at the operator's own media server, in whatever network that is. Who publishes there, Vigil is told by hooks;
whether somebody still does when that word was lost, a reader's failures tell. Knows no Redis and no status board."""

import socket
import time
from collections.abc import Callable

from msgspec.structs import replace

from service.errors import StreamError
from service.ingest.address import AddressGuard, parse_networks
from service.ingest.rtmp import check_certificate
from service.settings import Settings
from service.types import StreamCode, StreamSpec, StreamState, StreamStatus

Show = Callable[[StreamState, StreamCode | None, str], None]

GONE = "its publisher is gone"
UNPUBLISHED_AFTER_S = 30.0
UNPUBLISHED: frozenset[StreamCode] = frozenset({"not_found", "connection_failed", "timeout"})
"""How media servers play a stream that nobody publishes: they refuse, hang up, or let the player wait."""
ANSWERS_WITHIN_S = 2.0
RTMP_VERSION = b"\x03"
RTMP_HELLO = RTMP_VERSION + bytes(1536)


def play_base(settings: Settings) -> str | None:
    """The media server's application as workers reach it; None: streams cannot be pushed."""
    return settings.push_play_url or settings.push_url


def play_url(base: str, stream_id: str, key: str) -> str:
    """The one address at which a stream is played; `key` is known to Vigil only."""
    return f"{base}/{stream_id}?key={key}"


def is_gone(status: StreamStatus | None) -> bool:
    """Whether its worker found that nobody publishes any more, though the media server never said so."""
    return status is not None and (status.state, status.message) == ("ended", GONE)


def as_played(spec: StreamSpec, settings: Settings) -> StreamSpec:
    """A pushed stream at the media server of today, which may have moved since the stream was made."""
    base = play_base(settings)
    return replace(spec, url=f"{base}/{spec.url.rpartition('/')[2]}") if base else spec


def media_server_guard(settings: Settings) -> AddressGuard:
    """Lets the media server pass too. Only for pushed streams, whose addresses no user chooses."""
    return AddressGuard(parse_networks(settings.allow_networks), trust=play_base(settings))


def answers(url: str, guard: AddressGuard) -> bool:
    """Whether there is a media server at all: it shakes hands. No stream is asked for."""
    try:
        endpoint = guard.resolve(url)
        if url.startswith("rtmps:"):
            check_certificate(endpoint, ANSWERS_WITHIN_S)
            return True
        with socket.create_connection((endpoint.address, endpoint.port), ANSWERS_WITHIN_S) as server:
            server.sendall(RTMP_HELLO)
            return server.recv(1) == RTMP_VERSION
    except (StreamError, OSError):
        return False


class Presence:
    """What is shown of a reader's reports while one publisher is said to be there. `report` is the reader's `on_state`.

    A media server that answers but has no picture for UNPUBLISHED_AFTER_S has no publisher: the stream shows as ended, whatever the
    reader, which goes on trying, meets; until a picture comes, or a failure that says more. While the server cannot be asked nobody knows.
    """

    def __init__(self, show: Show, answers: Callable[[], bool], *, is_gone: bool = False) -> None:
        self._show = show
        self._answers = answers
        self._since_s: float | None = time.monotonic()
        self.is_gone = is_gone

    def report(self, state: StreamState, code: StreamCode | None, message: str) -> None:
        """From the reader's thread; asks the media server at most once in UNPUBLISHED_AFTER_S."""
        if state != "connecting":
            self._judge(code)
        if self.is_gone:
            self._show("ended", None, GONE)
        else:
            self._show(state, code, message)

    def _judge(self, code: StreamCode | None) -> None:
        now_s = time.monotonic()
        if code not in UNPUBLISHED:
            self._since_s, self.is_gone = None, False
        elif self._since_s is None:
            self._since_s = now_s
        elif not self.is_gone and now_s - self._since_s > UNPUBLISHED_AFTER_S:
            self.is_gone = self._answers()
            self._since_s = time.monotonic()
