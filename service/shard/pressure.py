"""What a worker asks of its streams while the engine is the bottleneck: full rate, then fewer frames, then key frames only; never nothing.

Fair: one rate for all streams of the worker, the highest at which they together ask no more than the engine gave them; who asks for
less than that keeps it. Engine load and lost frames decide, both measured. Pure book-keeping: no clock but the one it is handed.
"""

import threading
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from service.ingest.effort import FULL_EFFORT, Effort

WINDOW_S = 1.0
LOST_SHARE = 0.1
BUSY_LOAD = 0.85
CALM_LOAD = 0.65
LOWER_AFTER = 2
RAISE_AFTER, RAISE_AFTER_MOST = 4, 64
"""Windows in a row without loss. An engine that is still busy then is only tried with a little more, and each time that this was too
much the next try waits twice as long: a rate that just fits stays nearly always, and a passing burst does not hold streams down."""
FAILED_WITHIN = 6
SPARE_SHARE = 0.9
RAISE_TO_LOAD = 0.8
RAISE_LIMITS = (1.2, 2.0)
FULL_FPS = 30.0
KEY_FRAMES_BELOW_FPS = 1.0
LEAST_FPS = 0.25


@dataclass(slots=True)
class _Tally:
    """One stream in this window."""

    analysed: int = 0
    lost: int = 0


class Pressure:
    """Thread-safe: streams note, the worker ticks, streams read `effort` (the same object until it changes)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tallies: defaultdict[str, _Tally] = defaultdict(_Tally)
        self._load = 0.0
        self._since_s: float | None = None
        self._busy_windows = 0
        self._calm_windows = 0
        self._raise_after = RAISE_AFTER
        self._since_raise = RAISE_AFTER_MOST
        self._cap_fps: float | None = None
        self.effort = FULL_EFFORT

    @property
    def level(self) -> int:
        """0 full rate, 1 sampled, 2 key frames only."""
        return 0 if self._cap_fps is None else 1 + self.effort.key_frames_only

    @property
    def cap_fps(self) -> float:
        """Most frames a second of each stream; 0 at full rate."""
        return self._cap_fps or 0.0

    def note(self, stream_id: str, engine_load: float, *, analysed: int = 0, lost: int = 0) -> None:
        """An answer of the engine; `lost` frames were superseded or stale since the last."""
        with self._lock:
            tally = self._tallies[stream_id]
            tally.analysed += analysed
            tally.lost += lost
            self._load = engine_load

    def tick(self, now_s: float) -> bool:
        """Close the window when it is over; True when the effort changed."""
        with self._lock:
            if self._since_s is None:
                self._since_s = now_s
            window_s = now_s - self._since_s
            if window_s < WINDOW_S:
                return False
            before, tallies = self.effort, list(self._tallies.values())
            self._since_s = now_s
            self._tallies.clear()
            if tallies:
                self._weigh(tallies, window_s)
            return self.effort is not before

    def _weigh(self, tallies: list[_Tally], window_s: float) -> None:
        analysed, lost = sum(tally.analysed for tally in tallies), sum(tally.lost for tally in tallies)
        rates = [(tally.analysed + tally.lost) / window_s for tally in tallies]
        is_losing = lost > LOST_SHARE * (analysed + lost)
        self._busy_windows = self._busy_windows + 1 if is_losing and self._load > BUSY_LOAD else 0
        self._calm_windows = 0 if is_losing else self._calm_windows + 1
        self._since_raise += 1
        if self._load < CALM_LOAD:
            self._raise_after = RAISE_AFTER
        if self._busy_windows >= LOWER_AFTER:
            if self._since_raise <= FAILED_WITHIN:
                self._raise_after = min(2 * self._raise_after, RAISE_AFTER_MOST)
            fair_fps = fair_rate(rates, SPARE_SHARE * analysed / window_s)
            self._set_cap(min(fair_fps, SPARE_SHARE * (self._cap_fps or FULL_FPS)))
        elif self._calm_windows >= self._raise_after and self._cap_fps is not None:
            self._since_raise = 0
            nobody_is_held_back = not self.effort.key_frames_only and max(rates) < SPARE_SHARE * self._cap_fps
            least, most = RAISE_LIMITS
            factor = min(most, max(least, RAISE_TO_LOAD / max(self._load, 0.01)))
            self._set_cap(None if nobody_is_held_back else factor * self._cap_fps)

    def _set_cap(self, cap_fps: float | None) -> None:
        self._busy_windows = self._calm_windows = 0
        if cap_fps is None or cap_fps >= FULL_FPS:
            self._cap_fps, self.effort = None, FULL_EFFORT
            return
        self._cap_fps = max(LEAST_FPS, cap_fps)
        self.effort = Effort(self._cap_fps, key_frames_only=self._cap_fps < KEY_FRAMES_BELOW_FPS)


def fair_rate(rates: Iterable[float], capacity: float) -> float:
    """The rate `c` with sum(min(rate, c)) = capacity: max-min fairness. The highest rate when all fit."""
    left, fair = capacity, 0.0
    waiting = sorted(rates)
    for position, rate in enumerate(waiting):
        fair = left / (len(waiting) - position)
        if rate > fair:
            return fair
        left -= rate
    return waiting[-1] if waiting else fair
