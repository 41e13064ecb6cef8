"""Time of a stream: a media clock that never goes back, pacers that release frames in time, a frame rate limit. Pure.

No clock of its own: `now_s` is always a monotonic wall reading that the caller takes.
"""

MIN_STEP_S = 0.001
MAX_GAP_S = 5.0
FIRST_INTERVAL_S = 0.04
MAX_INTERVAL_S = 0.2
LATE_S = 0.5
DRIFT_PER_S = 0.001


class MediaClock:
    """Maps source timestamps, which jump and restart, to seconds that only grow.

    A forward step from MIN_STEP_S to MAX_GAP_S is believed. After anything else (a jump, a missing timestamp, a new connection) the wall
    says how much time passed, and at least one frame interval did.
    """

    def __init__(self, start_s: float = 0.0) -> None:
        self._media_s = start_s
        self._interval_s = FIRST_INTERVAL_S
        self._pts_s: float | None = None
        self._now_s: float | None = None

    def interrupt(self) -> None:
        """The next frame comes from a new connection: its timestamps have nothing to do with the last ones."""
        self._pts_s = None

    def advance(self, pts_s: float | None, now_s: float) -> float:
        """Media time of the next frame."""
        if self._now_s is not None:
            self._media_s += self._step_s(pts_s, now_s - self._now_s)
        self._pts_s, self._now_s = pts_s, now_s
        return self._media_s

    def _step_s(self, pts_s: float | None, waited_s: float) -> float:
        if pts_s is None or self._pts_s is None:
            return max(self._interval_s, waited_s)
        step_s = pts_s - self._pts_s
        if not MIN_STEP_S <= step_s <= MAX_GAP_S:
            return max(self._interval_s, waited_s)
        self._interval_s = min(step_s, MAX_INTERVAL_S)
        return step_s


class PlayoutPacer:
    """For sources that come in bursts (HLS): a frame waits for its time; after a late one the whole schedule moves back."""

    def __init__(self, buffer_s: float = 0.1) -> None:
        self._buffer_s = buffer_s
        self._offset_s: float | None = None

    def restart(self) -> None:
        """A new connection begins a new schedule."""
        self._offset_s = None

    def admit(self, media_s: float, now_s: float) -> float | None:
        """Seconds to wait before the frame is released. Never None: nothing is dropped here."""
        if self._offset_s is None:
            self._offset_s = now_s - media_s + self._buffer_s
        self._offset_s = max(self._offset_s, now_s - media_s)
        return media_s + self._offset_s - now_s


class LiveEdgePacer:
    """For sources that push in real time (RTMP): nothing waits, and what comes LATE_S behind the best seen delay is dropped.

    A lasting delay is accepted after LATE_S of dropping, so that a slower source is never silenced.
    """

    def __init__(self) -> None:
        self._offset_s: float | None = None
        self._late_since_s: float | None = None
        self._now_s = 0.0

    def restart(self) -> None:
        """A new connection begins a new schedule."""
        self._offset_s = None
        self._late_since_s = None

    def admit(self, media_s: float, now_s: float) -> float | None:
        """0.0 to release the frame at once, None when it is late and must be dropped."""
        offset_s = now_s - media_s
        if self._offset_s is None:
            self._offset_s, self._now_s = offset_s, now_s
        self._offset_s = min(offset_s, self._offset_s + DRIFT_PER_S * (now_s - self._now_s))
        self._now_s = now_s
        if offset_s - self._offset_s <= LATE_S:
            self._late_since_s = None
            return 0.0
        self._late_since_s = now_s if self._late_since_s is None else self._late_since_s
        if now_s - self._late_since_s <= LATE_S:
            return None
        self._offset_s, self._late_since_s = offset_s, None
        return 0.0


Pacer = PlayoutPacer | LiveEdgePacer


class FrameSampler:
    """Keeps at most `fps` frames per second of media time; None keeps all."""

    def __init__(self, fps: float | None) -> None:
        if fps is not None and fps <= 0:
            raise ValueError(f"fps is a number above 0, got {fps}")
        self._interval_s = 0.0 if fps is None else 1.0 / fps
        self._due_s: float | None = None

    def keeps(self, media_s: float) -> bool:
        """Whether the frame at this media time is analysed."""
        if self._due_s is not None and media_s < self._due_s - 1e-3:
            return False
        due_s = media_s if self._due_s is None else max(self._due_s, media_s - self._interval_s)
        self._due_s = due_s + self._interval_s
        return True
