"""What a stream's status says, kept up by its reader and its loop, written when it changes and once a second. Knows no Redis."""

import threading
import time
from collections import deque

from msgspec.structs import replace

from service.shard.blind import BlindTime
from service.types import Frame, StreamCode, StreamState, StreamStatus

WRITE_EVERY_S = 1.0
FPS_WINDOW_S = 2.0


class StatusBoard:
    """Thread-safe: the reader reports, the loop counts frames and asks what is due."""

    def __init__(self, stream_id: str, worker: str) -> None:
        self._lock = threading.Lock()
        self._status = StreamStatus(stream_id, "pending", time.time(), worker=worker)
        self._blind = BlindTime(time.monotonic())
        self._begun_at_s: float | None = time.time()
        self._frames: deque[float] = deque()
        self._held = ""
        self._eased = ""
        self._changed = True
        self._next_write_s = 0.0

    @property
    def state(self) -> StreamState:
        return self._status.state

    def own(self, epoch: int) -> None:
        """A new epoch began."""
        with self._lock:
            self._status = replace(self._status, epoch=epoch)
            self._changed = True

    def take_over(self, last: StreamStatus | None) -> None:
        """The status that the owner before wrote last: the time since then was blind, unless the stream had ended. Counted once."""
        with self._lock:
            begun_at_s, self._begun_at_s = self._begun_at_s, None
            if begun_at_s is not None and last is not None and last.written_at_s and last.state != "ended":
                self._blind.lost(begun_at_s - last.written_at_s)

    def blind_s(self, *, is_wanted: bool, fps: float | None) -> float:
        """Seconds since the last call in which the stream was wanted and not analysed; `fps` is how many frames were to be."""
        with self._lock:
            return self._blind.count(time.monotonic(), is_wanted=is_wanted and self._status.state != "ended", fps=fps)

    def hold(self, why: str) -> None:
        """Frames come but cannot be analysed: a live stream shows as stalled until `hold("")`."""
        with self._lock:
            self._changed |= why != self._held
            self._held = why

    def ease(self, why: str) -> None:
        """Fewer frames than come are analysed: a live stream says so until `ease("")`."""
        with self._lock:
            self._changed |= why != self._eased
            self._eased = why

    def report(self, state: StreamState, code: StreamCode | None = None, message: str = "") -> None:
        """A change of state, with its cause; the reader's `on_state`."""
        with self._lock:
            same = (self._status.state, self._status.code, self._status.message) == (state, code, message)
            if same:
                return
            since_s = self._status.since_s if self._status.state == state else time.time()
            reconnects = self._status.reconnects + (state == "reconnecting" and self._status.state != "reconnecting")
            self._status = replace(self._status, state=state, since_s=since_s, code=code, message=message, reconnects=reconnects)
            self._changed = True

    def saw(self, frame: Frame, seq: int) -> None:
        """A frame was analysed."""
        now_s = time.monotonic()
        self._frames.append(now_s)
        while self._frames[0] < now_s - FPS_WINDOW_S:
            self._frames.popleft()
        height, width = frame.source_hw
        with self._lock:
            self._blind.saw(now_s)
            self._status = replace(self._status, seq=seq, width=width, height=height, last_frame_at_s=frame.captured_at_s)

    def due(self) -> StreamStatus | None:
        """The status to write now, if any is."""
        now_s = time.monotonic()
        with self._lock:
            if not self._changed and now_s < self._next_write_s:
                return None
            self._changed, self._next_write_s = False, now_s + WRITE_EVERY_S
            status = replace(self._status, fps=self._fps(now_s), written_at_s=time.time())
            if self._held and status.state in ("live", "pending"):
                state: StreamState = "stalled" if status.state == "live" else "pending"
                status = replace(status, state=state, message=self._held)
            elif self._eased and status.state == "live" and not status.message:
                status = replace(status, message=self._eased)
            return status

    def write_again(self) -> None:
        """The last one could not be written: the next second's carries it."""
        self._next_write_s = time.monotonic() + WRITE_EVERY_S

    def _fps(self, now_s: float) -> float:
        recent = [at_s for at_s in self._frames if at_s >= now_s - FPS_WINDOW_S]
        if len(recent) < 2:
            return 0.0
        return round((len(recent) - 1) / max(recent[-1] - recent[0], 1e-3), 1)
