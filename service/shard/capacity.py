"""How many frames a second the engine holds, and how busy it is. Pure book-keeping: no clock but the one it is handed."""

from collections import deque
from statistics import median

LAST_BATCHES = 64
WINDOW_S = 1.0


class Capacity:
    """Fed with every batch. One that is smaller than the engine's best counts only where it shows that the engine holds more."""

    def __init__(self, best_batch: int) -> None:
        self.best_batch = best_batch
        self._frame_s: deque[float] = deque(maxlen=LAST_BATCHES)
        self._busy_s = 0.0
        self._since_s: float | None = None
        self.load = 0.0
        """Share of the last window in which the engine was at work."""

    @property
    def frames_per_s(self) -> float:
        """The median of the last batches that count; 0 before the first."""
        return 1.0 / median(self._frame_s) if self._frame_s else 0.0

    def try_out(self, num_frames: int, took_s: float) -> None:
        """A batch that counts for what the engine holds."""
        self._frame_s.append(max(took_s, 1e-6) / num_frames)

    def note(self, num_frames: int, took_s: float, now_s: float) -> None:
        """A batch is done and answered."""
        self._busy_s += took_s
        if num_frames >= self.best_batch or num_frames > took_s * self.frames_per_s:
            self.try_out(num_frames, took_s)
        self.roll(now_s)

    def roll(self, now_s: float) -> None:
        """Close the window when it is over."""
        if self._since_s is None:
            self._since_s = now_s
        elif now_s - self._since_s >= WINDOW_S:
            self.load = min(1.0, self._busy_s / (now_s - self._since_s))
            self._busy_s, self._since_s = 0.0, now_s
