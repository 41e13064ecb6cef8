"""One open connection to a live source: pictures until it breaks. RTMP by pinned address, HLS through the guarded opener.

Every wait is bounded, except that nothing can interrupt FFmpeg before its read timeout: that is the longest time `cancel` takes.
Errors: StreamError with the public code and a sentence; no message carries user, password, path or query of the URL.
"""

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import av
import av.error
from av.codec.hwaccel import HWAccel
from av.container import InputContainer

from service.errors import StreamError
from service.ingest.address import AddressGuard, origin_of, split_endpoint
from service.ingest.decode import check_size
from service.ingest.effort import Demand
from service.ingest.hardware import DecoderChoice, DecoderKind
from service.ingest.http_io import HttpLimits, HttpOpener
from service.ingest.lazy_decoder import OPTIONS, LazyDecoder, Picture
from service.ingest.playlist import Playlist, choose_variant
from service.ingest.rtmp import check_certificate, pin_rtmp
from service.settings import Settings
from service.types import StreamCode

DECODER_MARGIN = 4  # the decoder only drops what exceeds its own limit; a little above ours, a picture comes out and can be named
ENOUGH_PIXELS = 1280 * 720
PATIENCE_TARGETS = 2.0
BEHIND_EDGE_S = 1.0
_PROBE = {"analyzeduration": "500000", "probesize": "200000"}
_HLS_OPTIONS = {
    **_PROBE,
    "analyzeduration": "200000",
    "probesize": "500000",
    "http_persistent": "0",  # PyAV 18.1 aborts the process with a custom io_open otherwise
    "http_multiple": "0",
    "allowed_extensions": "ALL",
    "allowed_segment_extensions": "ALL",
    "extension_picky": "0",
    "protocol_whitelist": "http,https,tcp,tls",
    "format_whitelist": "hls,mpegts,mov,mp4,m4a,3gp,3g2,mj2,aac",
}
_RTMP_OPTIONS = {**_PROBE, "protocol_whitelist": "rtmp,rtmps,tcp,tls", "format_whitelist": "flv,live_flv", "rtmp_live": "live"}
_ERROR_CODES: Mapping[type[Exception], tuple[StreamCode, str]] = {
    av.error.ExitError: ("timeout", "sent nothing in time"),
    av.error.TimeoutError: ("timeout", "sent nothing in time"),
    av.error.HTTPUnauthorizedError: ("auth_failed", "asks for credentials that the URL does not carry"),
    av.error.HTTPForbiddenError: ("auth_failed", "refuses this URL's credentials"),
    av.error.PermissionError: ("not_found", "refuses to play this stream"),  # -1, FFmpeg's RTMP for any NetStream error
    av.error.HTTPNotFoundError: ("not_found", "has no such stream"),
    av.error.InvalidDataError: ("codec_unsupported", "sends something that is not a video FFmpeg can read"),
    av.error.DecoderNotFoundError: ("codec_unsupported", "sends a video codec that FFmpeg cannot decode"),
    av.error.PatchWelcomeError: ("codec_unsupported", "sends a kind of video that FFmpeg cannot decode"),
    av.error.ConnectionRefusedError: ("connection_failed", "refuses the connection"),
    av.error.EOFError: ("connection_failed", "hung up"),
}


@dataclass(frozen=True, slots=True)
class SourceLimits:
    """Bounds of one connection; seconds and pixels."""

    open_timeout_s: float
    read_timeout_s: float
    stall_after_s: float
    max_source_pixels: int

    @classmethod
    def of(cls, settings: Settings) -> "SourceLimits":
        """The operator's bounds."""
        return cls(settings.open_timeout_s, settings.read_timeout_s, settings.stall_after_s, settings.max_source_pixels)


class LiveSource:
    """`open`, then iterate `pictures`, then `close`; one thread does all, `cancel` may come from any other.

    Without `close` the process is lost: PyAV 18.1 aborts when an open container with an io_open is garbage-collected.
    """

    def __init__(
        self,
        url: str,
        guard: AddressGuard,
        limits: SourceLimits,
        stale_edge: str | None = None,
        demand: Demand | None = None,
        choice: DecoderChoice | None = None,
    ) -> None:
        """`stale_edge` is the `edge` at which an earlier connection stood still: a playlist that still ends there is refused."""
        self._url = url
        self._demand = demand or Demand()
        self._choice = choice or DecoderChoice("software")
        self._hwaccel: HWAccel | None = None
        self.decoder_kind: DecoderKind | None = None
        self._stale_edge = stale_edge
        self._guard = guard
        self._limits = limits
        self._container: InputContainer | None = None
        self._http: HttpOpener | None = None
        self._cancelled = False
        self._begun_s = 0.0
        self.is_bursty = urlsplit(url).scheme in ("http", "https")
        if self.is_bursty:
            self._http = HttpOpener(url, guard, HttpLimits(total_s=limits.open_timeout_s))

    @property
    def edge(self) -> str | None:
        """The last segment that the playlist named; None for RTMP."""
        return self._http.playlist.edge if self._http and self._http.playlist else None

    def open(self) -> None:
        """Connect and find the video within about twice the open timeout."""
        try:
            split_endpoint(self._url)
        except ValueError as error:
            raise StreamError("forbidden_address", str(error)) from None
        self._hwaccel = self._choice.hwaccel()
        try:
            self._begun_s = time.monotonic()
            self._container = self._open_rtmp() if self._http is None else self._open_hls(self._http)
        except (av.error.FFmpegError, OSError) as error:
            raise self._explain(error) from None
        _check_video(self._container, self._limits.max_source_pixels, self._url)

    def pictures(self) -> Iterator[Picture]:
        """The wanted pictures in order. Ends when cancelled or when the stream itself said that it is over, else raises StreamError."""
        assert self._container is not None, "open() comes first"
        stream = self._container.streams.video[0]
        decoder = LazyDecoder(stream, self._demand, self._limits.max_source_pixels, self._patience_s())
        try:
            for packet in self._container.demux(stream):
                if self._cancelled:
                    return
                for picture in decoder.pictures(packet):
                    self.decoder_kind = self._choice.verify(picture.frame)
                    yield picture
        except (av.error.FFmpegError, OSError) as error:
            raise self._explain(error) from None
        if not self._cancelled:
            self._judge_end()

    def cancel(self) -> None:
        """End `pictures` soon: at once between packets, else at the read timeout."""
        self._cancelled = True
        if self._http is not None:
            self._http.cancel()

    def close(self) -> None:
        """Hang up."""
        if self._container is not None:
            self._container.close()

    def _judge_end(self) -> None:
        playlist = self._http.playlist if self._http else None
        if self._http is not None and self._http.failure is not None:
            raise self._http.failure
        if playlist is None or not playlist.ended:
            raise StreamError("connection_failed", f"{origin_of(self._url)} stopped sending without saying that the stream is over")

    def _open_rtmp(self) -> InputContainer:
        endpoint = self._guard.resolve(self._url)
        if self._url.lower().startswith("rtmps:"):
            check_certificate(endpoint, self._limits.open_timeout_s)
        target = pin_rtmp(self._url, endpoint)
        timeouts = (self._limits.open_timeout_s, min(self._limits.read_timeout_s, self._limits.stall_after_s))
        options = {**_RTMP_OPTIONS, **target.options}
        return av.open(target.url, format="flv", options=options, timeout=timeouts, metadata_errors="replace", hwaccel=self._hwaccel)

    def _open_hls(self, http: HttpOpener) -> InputContainer:
        url, playlist = self._url, http.prefetch(self._url)
        if playlist.variants:
            url = choose_variant(playlist.variants, ENOUGH_PIXELS).url
            playlist = http.prefetch(url)
        self._require_segments(playlist)
        read_timeout_s = max(self._limits.read_timeout_s, PATIENCE_TARGETS * playlist.target_duration_s)
        open_timeout_s = max(self._limits.open_timeout_s, read_timeout_s)
        options = {**_HLS_OPTIONS, "live_start_index": str(live_start_index(playlist.target_duration_s))}
        timeouts = (open_timeout_s, read_timeout_s)
        container = av.open(
            url, format="hls", io_open=http, options=options, timeout=timeouts, metadata_errors="replace", hwaccel=self._hwaccel
        )
        http.total_s = read_timeout_s
        return container

    def _require_segments(self, playlist: Playlist) -> None:
        origin = origin_of(self._url)
        if playlist.variants:
            raise StreamError("codec_unsupported", f"{origin} answers with a master playlist inside a master playlist")
        if playlist.encrypted:
            raise StreamError("codec_unsupported", f"{origin} sends encrypted HLS, which cannot be read")
        if not playlist.edge:
            raise StreamError("connection_failed", f"{origin} has a playlist without segments")
        if not playlist.ended and playlist.edge == self._stale_edge:
            raise StreamError("timeout", f"{origin} still has the playlist at which the stream stood still")

    def _patience_s(self) -> float:
        playlist = self._http.playlist if self._http else None
        return max(self._limits.stall_after_s, PATIENCE_TARGETS * playlist.target_duration_s if playlist else 0.0)

    def _explain(self, error: av.error.FFmpegError | OSError) -> StreamError:
        if self._http is not None and self._http.failure is not None:
            return self._http.failure
        if self._container is None and time.monotonic() - self._begun_s > 0.9 * self._limits.open_timeout_s:
            return self._explain_slow_open()
        for kind, (code, text) in _ERROR_CODES.items():
            if isinstance(error, kind):
                return StreamError(code, f"{origin_of(self._url)} {text}")
        return StreamError("connection_failed", f"{origin_of(self._url)} broke off: {error.strerror or type(error).__name__}")

    def _explain_slow_open(self) -> StreamError:
        if self._http is not None and self._http.num_segments:
            return StreamError("codec_unsupported", f"{origin_of(self._url)} sends segments in which FFmpeg finds no video")
        return StreamError("timeout", f"{origin_of(self._url)} did not open in time")


def live_start_index(target_duration_s: float) -> int:
    """Which segment from the end to begin with: BEHIND_EDGE_S back and one more, since FFmpeg reloads no faster than segments come."""
    return -1 - max(1, math.ceil(BEHIND_EDGE_S / max(0.5, target_duration_s)))


def _check_video(container: InputContainer, max_source_pixels: int, url: str) -> None:
    """Refuse what must not be decoded before the first packet is."""
    if not container.streams.video:
        raise StreamError("codec_unsupported", f"{origin_of(url)} sends no video")
    codec = container.streams.video[0].codec_context
    if codec is None:
        raise StreamError("codec_unsupported", f"{origin_of(url)} sends a video codec that FFmpeg cannot decode")
    check_size(codec.width, codec.height, max_source_pixels)
    codec.options = {"max_pixels": str(DECODER_MARGIN * max_source_pixels), **OPTIONS}
    codec.thread_count = 1
