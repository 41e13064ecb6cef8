"""From decoded pictures to frames in the mailbox: media time, pace, canvas. Knows no connection and no state machine."""

import threading
import time
from collections import deque
from dataclasses import dataclass

from service.ingest.clock import LiveEdgePacer, MediaClock, PlayoutPacer
from service.ingest.decode import Painter
from service.ingest.effort import Demand
from service.ingest.lazy_decoder import Picture
from service.ingest.mailbox import DropCause, Mailbox
from service.metrics import Metrics
from service.types import Frame

RATE_FRAMES = 50


@dataclass(frozen=True, slots=True)
class IntakeStats:
    """Size of the source's picture in pixels, released frames in all, their rate, wall time of the last."""

    width: int = 0
    height: int = 0
    frames: int = 0
    fps: float = 0.0
    last_frame_at_s: float | None = None


class Intake:
    """One stream's pictures, across all its connections. Used by one thread; `stats` may be read from any.

    `demand` says which pictures are wanted; whoever decodes asks it.
    """

    def __init__(
        self, stream_id: str, fps: float | None, max_pixels: int, mailbox: Mailbox, metrics: Metrics, media_start_s: float
    ) -> None:
        self._stream_id = stream_id
        self._mailbox = mailbox
        self._metrics = metrics
        self._clock = MediaClock(media_start_s)
        self.demand = Demand(fps)
        self._painter = Painter(max_pixels)
        self._pacer: PlayoutPacer | LiveEdgePacer = LiveEdgePacer()
        self._released_s: deque[float] = deque(maxlen=RATE_FRAMES)
        self.stats = IntakeStats()

    def restart(self, *, is_bursty: bool) -> None:
        """A new connection: its timestamps and its schedule begin anew."""
        self._clock.interrupt()
        self._pacer = PlayoutPacer() if is_bursty else LiveEdgePacer()

    def accept(self, picture: Picture, stopping: threading.Event) -> bool:
        """Take one picture through; True when it came out as a frame. May wait for the frame's time, but not once `stopping` is set."""
        now_s = time.monotonic()
        media_s = self._clock.advance(picture.frame.time, now_s)
        if picture.passed_over:
            self._drop(self.demand.cause, picture.passed_over)
        wait_s = self._pacer.admit(media_s, now_s)
        if wait_s is None:
            self._drop("late")
            return False
        begun_s = time.perf_counter()
        painted = self._painter.paint(picture.frame, picture.pixel_aspect)
        paint_s = time.perf_counter() - begun_s
        self._metrics.decode_s.labels(self._stream_id).observe(picture.decode_s + paint_s)
        if stopping.wait(max(0.0, wait_s - paint_s)):
            return False
        self._release(
            Frame(
                stream_id=self._stream_id,
                seq=0,
                pts_s=picture.frame.time,
                media_s=media_s,
                captured_at_s=time.time(),
                image_HW3=painted.image_HW3,
                content_hw=painted.content_hw,
                source_hw=painted.source_hw,
            )
        )
        return True

    def _release(self, frame: Frame) -> None:
        if self._mailbox.put(frame):
            self._metrics.frames_dropped.labels(self._stream_id, "superseded").inc()
        self._released_s.append(time.monotonic())
        span_s = self._released_s[-1] - self._released_s[0]
        self.stats = IntakeStats(
            width=frame.source_hw[1],
            height=frame.source_hw[0],
            frames=self.stats.frames + 1,
            fps=(len(self._released_s) - 1) / span_s if span_s else 0.0,
            last_frame_at_s=frame.captured_at_s,
        )

    def _drop(self, cause: DropCause, count: int = 1) -> None:
        self._mailbox.drop(cause, count)
        self._metrics.frames_dropped.labels(self._stream_id, cause).inc(count)
