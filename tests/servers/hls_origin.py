"""A scriptable live HLS origin: one segment comes out per `segment_s`, and every fault can be switched on while it serves."""

import http.server
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal

from tests.servers.publisher import run_ffmpeg

PlaylistMode = Literal["ok", "404", "500", "403", "hang", "drip", "drip_headers", "endless_redirect"]
SegmentMode = Literal["ok", "404", "hang", "half", "garbage", "endless"]
HANG_S = 20.0


@dataclass(frozen=True, slots=True)
class Segment:
    """One entry of the live playlist."""

    path: Path
    discontinuity: bool = False


@dataclass(frozen=True, slots=True)
class Redirect:
    """An answer that sends the client elsewhere."""

    location: str


Answer = bytes | Redirect | Callable[["http.server.BaseHTTPRequestHandler"], None]


def cut_segments(video: Path, folder: Path, *, segment_s: float = 1.0) -> list[Path]:
    """Cut an H.264 or HEVC file into MPEG-TS segments at its key frames."""
    folder.mkdir(parents=True, exist_ok=True)
    run_ffmpeg(
        *("-i", str(video), "-c", "copy", "-f", "segment", "-segment_time", str(segment_s), "-segment_format", "mpegts"),
        str(folder / "part-%03d.ts"),
    )
    return sorted(folder.glob("part-*.ts"))


class HlsOrigin:
    """`with HlsOrigin(plan) as origin:` serves `origin.url`. The plan repeats for ever unless `ends`.

    Switches: `playlist_mode`, `segment_mode`, `frozen`. `pages` answers further paths. `hits` lists every path asked for.
    """

    def __init__(
        self, plan: Sequence[Segment], *, segment_s: float = 1.0, window: int = 5, ends: bool = False, address: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
    ) -> None:  # fmt: skip
        self.plan = list(plan)
        self.segment_s = segment_s
        self.playlist_mode: PlaylistMode = "ok"
        self.segment_mode: SegmentMode = "ok"
        self.frozen = False
        self.pages: dict[str, Answer] = {}
        self.hits: list[str] = []
        self.authorizations: list[str | None] = []
        self._window = window
        self._ends = ends
        self._frozen_at = 0
        self.stopping = threading.Event()
        self._begun_s = time.monotonic() - 3 * segment_s
        self._server = _Server((address, 0), _handler_of(self))
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._scheme = "https" if tls else "http"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="hls-origin")

    @property
    def port(self) -> int:
        """The free port that was taken."""
        return int(self._server.server_address[1])

    @property
    def base(self) -> str:
        """Scheme, address and port."""
        return f"{self._scheme}://{self._server.server_address[0]!s}:{self.port}"

    @property
    def url(self) -> str:
        """The live playlist."""
        return f"{self.base}/live.m3u8"

    def playlist(self) -> bytes:
        """What the live playlist says now."""
        last = self._last()
        first = max(0, last - self._window)
        lines = [
            "#EXTM3U",
            "#EXT-X-VERSION:3",
            f"#EXT-X-TARGETDURATION:{max(1, round(self.segment_s))}",
            f"#EXT-X-MEDIA-SEQUENCE:{first}",
        ]
        for number in range(first, last):
            segment = self.plan[number % len(self.plan)]
            if segment.discontinuity or (number and number % len(self.plan) == 0):
                lines.append("#EXT-X-DISCONTINUITY")
            lines += [f"#EXTINF:{self.segment_s:.3f},", f"/segments/{number % len(self.plan)}.ts?n={number}"]
        if self._ends and last >= len(self.plan):
            lines.append("#EXT-X-ENDLIST")
        return ("\n".join(lines) + "\n").encode()

    def _last(self) -> int:
        if not self.frozen:
            self._frozen_at = int((time.monotonic() - self._begun_s) / self.segment_s)
        return min(self._frozen_at, len(self.plan)) if self._ends else self._frozen_at

    def __enter__(self) -> "HlsOrigin":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients hang up in these tests; that is no news."""


def _handler_of(origin: HlsOrigin) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(_Handler):
        served = origin

    return Handler


class _Handler(http.server.BaseHTTPRequestHandler):
    served: HlsOrigin
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        origin, path = self.served, self.path.partition("?")[0]
        origin.hits.append(self.path)
        origin.authorizations.append(self.headers.get("Authorization"))
        if path in origin.pages:
            self._answer_page(origin.pages[path])
        elif path == "/live.m3u8":
            self._answer_playlist()
        elif path.startswith("/segments/"):
            self._answer_segment(origin.plan[int(path.split("/")[2].removesuffix(".ts"))].path.read_bytes())
        else:
            self._send(404, b"")

    def _answer_page(self, page: Answer) -> None:
        if isinstance(page, Redirect):
            self._send(302, b"", location=page.location)
        elif isinstance(page, bytes):
            self._send(200, page)
        else:
            page(self)

    def _answer_playlist(self) -> None:
        mode = self.served.playlist_mode
        if mode in ("403", "404", "500"):
            self._send(int(mode), b"")
        elif mode == "hang":
            self.served.stopping.wait(HANG_S)
        elif mode == "drip_headers":
            self._drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 1000)
        elif mode == "drip":
            self._begin(len(self.served.playlist()))
            self._drip(self.served.playlist())
        elif mode == "endless_redirect":
            self._send(302, b"", location="/live.m3u8")
        else:
            self._send(200, self.served.playlist())

    def _answer_segment(self, data: bytes) -> None:
        mode = self.served.segment_mode
        if mode == "404":
            self._send(404, b"")
        elif mode == "hang":
            self.served.stopping.wait(HANG_S)
        elif mode == "half":
            self._begin(len(data))
            self.wfile.write(data[: len(data) // 2])
            self.served.stopping.wait(HANG_S)
        elif mode == "garbage":
            self._send(200, os.urandom(len(data)))
        elif mode == "endless":
            self._begin(None)
            while not self.served.stopping.is_set():
                self.wfile.write(data)
        else:
            self._send(200, data)

    def _begin(self, length: int | None) -> None:
        self.send_response(200)
        if length is None:
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _drip(self, data: bytes) -> None:
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in data:
            if self.served.stopping.wait(0.1):
                return
            self.wfile.write(bytes([byte]))
            self.wfile.flush()

    def _send(self, status: int, body: bytes, location: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if location is not None:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body)
