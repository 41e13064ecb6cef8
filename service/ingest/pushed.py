"""Where pushed streams are played: at the operator's own media server, in whatever network that is. Opens no stream."""

from msgspec.structs import replace

from service.ingest.address import AddressGuard, parse_networks
from service.settings import Settings
from service.types import StreamSpec, StreamStatus

GONE = "its publisher is gone"


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
