"""Between a stream's reader and its pipeline: one frame, the newest. Holds no thread and knows no metric.

Drops are counted by cause: superseded (a newer frame came before the last was taken), late (too far behind the live edge),
sampled (above the frame rate that the user asked for), overload (above what the shard can afford just now, where that is less).
Of the last two most were never decoded.
"""

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Literal

from service.types import Frame

DropCause = Literal["superseded", "late", "sampled", "overload"]


class Mailbox:
    """Thread-safe slot of one frame. After `close`, `put` is ignored and `take` returns None at once."""

    def __init__(self) -> None:
        self._filled = threading.Condition()
        self._frame: Frame | None = None
        self._drops: Counter[DropCause] = Counter()
        self._closed = False

    @property
    def drops(self) -> Mapping[DropCause, int]:
        """Frames not analysed so far, by cause."""
        with self._filled:
            return dict(self._drops)

    @property
    def closed(self) -> bool:
        """Whether the last frame has come."""
        return self._closed

    def put(self, frame: Frame) -> bool:
        """Leave the newest frame; True when an unread one had to go for it."""
        with self._filled:
            if self._closed:
                return False
            superseded = self._frame is not None
            self._drops["superseded"] += superseded
            self._frame = frame
            self._filled.notify()
            return superseded

    def drop(self, cause: DropCause, count: int = 1) -> None:
        """Count frames that were thrown away before they came here."""
        with self._filled:
            self._drops[cause] += count

    def take(self, timeout_s: float) -> Frame | None:
        """Wait for a frame; None after `timeout_s`, or when closed and empty."""
        with self._filled:
            self._filled.wait_for(lambda: self._frame is not None or self._closed, timeout_s)
            frame, self._frame = self._frame, None
            return frame

    def close(self) -> None:
        """No more frames: wakes whoever waits."""
        with self._filled:
            self._closed = True
            self._filled.notify_all()
