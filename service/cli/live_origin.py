"""A live HLS origin on loopback: loops a video file for ever, at its own pace, as a sliding window. Knows nothing of the service.

The media sequence only grows; the seam of the loop is an #EXT-X-DISCONTINUITY, where timestamps jump back as in real broadcasts.
At most `WINDOW + KEPT` segments are in memory; older ones are dropped, as a player that comes so late would be told 404.
"""

import http.server
import threading
import time
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Protocol

import av.error

from service.cli.segments import Plan, Segment, cut, plan

WINDOW = 5
KEPT = 5
HEAD_START = 3
PLAYLIST = "live.m3u8"
PLAYLIST_TYPE = "application/vnd.apple.mpegurl"
SEGMENT_TYPE = "video/mp2t"


@dataclass(frozen=True, slots=True)
class Published:
    """A segment in a playlist; `discontinuity` when its timestamps do not go on from the one before."""

    sequence: int
    segment: Segment
    discontinuity: bool


class Content(NamedTuple):
    """What one address answers."""

    kind: str
    body: bytes


class Shelf(Protocol):
    """What an OriginServer serves: the content of a path (without its leading slash), or None for 404. Called from many threads."""

    def find(self, path: str) -> Content | None: ...


class LiveOrigin:
    """`with LiveOrigin(path) as origin: origin.url`. Raises ValueError in words for a file that cannot be played."""

    def __init__(self, path: Path, host: str = "127.0.0.1", port: int = 0) -> None:
        self._plan = plan(path)
        self._window: deque[Published] = deque(maxlen=WINDOW + KEPT)
        self._passed_discontinuities = 0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._server = OriginServer((host, port), self)
        self._segments = _endless(self._plan)
        for _ in range(HEAD_START):
            self._publish(*next(self._segments))
        self._threads = (
            threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="origin-http", daemon=True),
            threading.Thread(target=self._pace, name="origin-pace", daemon=True),
        )
        for thread in self._threads:
            thread.start()

    @property
    def url(self) -> str:
        """Address of the playlist."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}/{PLAYLIST}"

    def playlist(self) -> str:
        """The window as of now."""
        with self._lock:
            shown = list(self._window)[-WINDOW:]
            passed = self._passed_discontinuities + sum(item.discontinuity for item in list(self._window)[:-WINDOW])
        return playlist_text(self._plan.target_s, shown, passed)

    def segment(self, sequence: int) -> bytes | None:
        """Bytes of a segment that is still kept."""
        with self._lock:
            return next((item.segment.data for item in self._window if item.sequence == sequence), None)

    def find(self, path: str) -> Content | None:
        """The playlist, or a segment of the window."""
        if path == PLAYLIST:
            return Content(PLAYLIST_TYPE, self.playlist().encode())
        sequence = segment_number(path)
        body = None if sequence is None else self.segment(sequence)
        return None if body is None else Content(SEGMENT_TYPE, body)

    def close(self) -> None:
        """Stop answering; leaves no thread and no socket."""
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        for thread in self._threads:
            thread.join(timeout=5)
        self._segments.close()

    def __enter__(self) -> "LiveOrigin":
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _publish(self, segment: Segment, discontinuity: bool) -> None:
        with self._lock:
            sequence = self._window[-1].sequence + 1 if self._window else 0
            if len(self._window) == self._window.maxlen:
                self._passed_discontinuities += self._window[0].discontinuity
            self._window.append(Published(sequence, segment, discontinuity))

    def _pace(self) -> None:
        due_s = time.monotonic()
        for segment, discontinuity in self._segments:
            due_s += segment.duration_s
            if self._stopping.wait(max(0.0, due_s - time.monotonic())):
                return
            self._publish(segment, discontinuity)


def _endless(wanted: Plan) -> Generator[tuple[Segment, bool], None, None]:
    """Pass after pass; True marks the first segment of every pass but the first. A file torn in the middle loops up to the tear."""
    first_pass, found = True, True
    while found:
        found = False
        segments = cut(wanted)
        try:
            for segment in segments:
                yield segment, not found and not first_pass
                found = True
        except av.error.FFmpegError as error:
            if first_pass and not found:
                raise ValueError(f"{wanted.path}: cannot be read ({error.strerror or error})") from error
        first_pass = False


def playlist_text(target_s: int, shown: Sequence[Published], passed_discontinuities: int) -> str:
    """A live playlist of these segments, each named by its sequence number."""
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:3",
        f"#EXT-X-TARGETDURATION:{target_s}",
        f"#EXT-X-MEDIA-SEQUENCE:{shown[0].sequence}",
        f"#EXT-X-DISCONTINUITY-SEQUENCE:{passed_discontinuities}",
    ]
    for item in shown:
        if item.discontinuity:
            lines.append("#EXT-X-DISCONTINUITY")
        lines += [f"#EXTINF:{item.segment.duration_s:.3f},", f"{item.sequence}.ts"]
    return "\n".join(lines) + "\n"


def segment_number(name: str) -> int | None:
    """17 for "17.ts"; None for any other name."""
    stem, _, suffix = name.partition(".")
    return int(stem) if suffix == "ts" and stem.isdecimal() else None


class OriginServer(http.server.ThreadingHTTPServer):
    """Serves a shelf; run `serve_forever` in a thread."""

    daemon_threads = False  # server_close() waits for answers under way, so that none outlives the origin

    def __init__(self, address: tuple[str, int], shelf: Shelf) -> None:
        self.shelf = shelf
        super().__init__(address, _Handler)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 5
    server: OriginServer

    def do_GET(self) -> None:
        content = self.server.shelf.find(self.path.partition("?")[0].removeprefix("/"))
        if content is None:
            return self._answer(404, "text/plain", b"no such segment\n")
        return self._answer(200, content.kind, content.body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: the service logs what it reads."""

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.close_connection = True
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-cache")
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            return
