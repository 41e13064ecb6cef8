"""The source of a load test: one process that serves many live HLS playlists from one cut of a file. Knows nothing of the service.

Each stream has a phase of its own, so that segments of different streams do not begin at the same moment. Which segments a playlist
names follows from the clock alone. What this process costs is not Vigil's and is reported apart.
"""

import bisect
import itertools
import multiprocessing
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import av
import numpy as np

from service.cli.live_origin import (
    KEPT,
    PLAYLIST,
    PLAYLIST_TYPE,
    SEGMENT_TYPE,
    WINDOW,
    Content,
    OriginServer,
    Published,
    playlist_text,
    segment_number,
)
from service.cli.segments import Segment, cut, plan
from service.shard.process import begin

LONGEST_CUT_S = 120.0
READY_WITHIN_S = 60.0
GOLDEN = 0.618034
END = "#EXT-X-ENDLIST\n"
PAINTED_WIDTH, PAINTED_HEIGHT = 320, 192
PAINTED_S = 12


class SharedShelf:
    """`N/live.m3u8` for any N is a live stream of the same segments, `whole.m3u8` all of them as a recording."""

    def __init__(self, segments: list[Segment], target_s: int) -> None:
        self._segments = segments
        self._target_s = target_s
        self._ends_s = list(itertools.accumulate(segment.duration_s for segment in segments))
        self._begun_s = time.monotonic()

    def find(self, path: str) -> Content | None:
        """A playlist or a segment that it names, or named a little while ago."""
        folder, _, name = path.rpartition("/")
        if name == "whole.m3u8":
            whole = [Published(number, segment, False) for number, segment in enumerate(self._segments)]
            return Content(PLAYLIST_TYPE, (playlist_text(self._target_s, whole, 0) + END).encode())
        if name == PLAYLIST and folder.isdecimal():
            return Content(PLAYLIST_TYPE, self.playlist(int(folder), time.monotonic()).encode())
        number = segment_number(name)
        if number is None or (folder and not self._is_out(number, int(folder) if folder.isdecimal() else 0)):
            return None
        return Content(SEGMENT_TYPE, self._segments[number % len(self._segments)].data)

    def playlist(self, stream: int, now_s: float) -> str:
        """What stream `stream` shows at a moment of the monotonic clock."""
        last, total = self._last(stream, now_s), len(self._segments)
        numbers = range(last - WINDOW + 1, last + 1)
        shown = [Published(number, self._segments[number % total], number > 0 and number % total == 0) for number in numbers]
        return playlist_text(self._target_s, shown, max(0, (numbers[0] - 1) // total))

    def _is_out(self, number: int, stream: int) -> bool:
        last = self._last(stream, time.monotonic())
        return last - WINDOW - KEPT < number <= last

    def _last(self, stream: int, now_s: float) -> int:
        """The newest complete segment; a stream begins somewhere in its first pass, with a full window behind it."""
        pass_s = self._ends_s[-1]
        played_s = now_s - self._begun_s + (WINDOW * self._target_s) + (stream * GOLDEN % 1.0) * pass_s
        passes, within_s = divmod(played_s, pass_s)
        return int(passes) * len(self._segments) + bisect.bisect_right(self._ends_s, within_s) - 1


@dataclass(frozen=True, slots=True)
class Origin:
    """A running origin process."""

    root: str
    pid: int

    def url(self, stream: int) -> str:
        """The live playlist of one stream."""
        return f"{self.root}/{stream}/{PLAYLIST}"

    @property
    def recording(self) -> str:
        """All segments once, with an end."""
        return f"{self.root}/whole.m3u8"


@contextmanager
def origin_process(file: Path) -> Iterator[Origin]:
    """Serve `file`, cut once. ValueError in words for a file that cannot be played."""
    plan(file)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_main, args=(file, theirs), name="origin", daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(READY_WITHIN_S):
            raise ValueError(f"{file}: could not be cut into segments within {READY_WITHIN_S:g} s")
        yield Origin(str(ours.recv()), process.pid or 0)
    except EOFError as error:
        raise ValueError(f"{file}: cannot be served, see above") from error
    finally:
        ours.close()
        process.join(5.0)
        process.kill()
        process.join()
        process.close()


def first_segments(file: Path) -> list[Segment]:
    """One pass over the file, or its first two minutes."""
    segments: list[Segment] = []
    for segment in cut(plan(file)):
        segments.append(segment)
        if sum(one.duration_s for one in segments) >= LONGEST_CUT_S:
            break
    return segments


def paint_clip(path: Path, fps: float) -> Path:
    """A small moving picture, light for two seconds and dark for one: the fake engine sees a cup come and go."""
    rate = max(1, round(fps))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = PAINTED_WIDTH, PAINTED_HEIGHT, "yuv420p", rate
        stream.options = {"preset": "ultrafast", "tune": "zerolatency"}
        for number in range(PAINTED_S * rate):
            picture_HW3 = np.full((PAINTED_HEIGHT, PAINTED_WIDTH, 3), 40 if number // rate % 3 == 2 else 180, np.uint8)
            left = 8 * number % (PAINTED_WIDTH - 40)
            picture_HW3[60:100, left : left + 40] = (200, 60, 20)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture_HW3, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def _main(file: Path, parent: Connection) -> None:
    """Process main: serves until the parent hangs up."""
    begin("origin", dies_with_parent=True)
    server = OriginServer(("127.0.0.1", 0), SharedShelf(first_segments(file), plan(file).target_s))
    threading.Thread(target=server.serve_forever, name="origin-http", daemon=True).start()
    host, port = server.server_address[:2]
    parent.send(f"http://{host!s}:{port}")
    parent.poll(None)
    server.shutdown()
    server.server_close()
