"""When to try again: exponential waits with full jitter, and a budget of connects that all streams of a process share."""

import random
import threading
import time
from collections.abc import Callable


class Backoff:
    """Waits drawn uniformly from [0, min(max, base * 2^n)] after n failures in a row ("full jitter")."""

    def __init__(self, base_s: float, max_s: float, rng: random.Random) -> None:
        self._base_s = base_s
        self._max_s = max_s
        self._rng = rng
        self.failures = 0

    def next_wait_s(self) -> float:
        """Count one failure and draw the wait that follows it."""
        ceiling_s = min(self._max_s, self._base_s * 2.0 ** min(self.failures, 60))
        self.failures += 1
        return self._rng.uniform(0.0, ceiling_s)

    def reset(self) -> None:
        """The source proved steady: the next failure is a first one."""
        self.failures = 0


class ConnectBudget:
    """At most `per_minute` connects a minute on average, at once no more than a quarter of that. Thread-safe token bucket."""

    def __init__(self, per_minute: int, now: Callable[[], float] = time.monotonic) -> None:
        self._rate_per_s = per_minute / 60.0
        self._burst = max(1.0, per_minute / 4.0)
        self._tokens = self._burst
        self._now = now
        self._at_s = now()
        self._lock = threading.Lock()

    def reserve(self) -> float:
        """Take one connect and return how many seconds to wait before making it."""
        with self._lock:
            now_s = self._now()
            self._tokens = min(self._burst, self._tokens + (now_s - self._at_s) * self._rate_per_s)
            self._at_s = now_s
            self._tokens -= 1.0
            return max(0.0, -self._tokens / self._rate_per_s)
