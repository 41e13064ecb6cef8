"""How long a wanted stream was not analysed. Pure: it is told the time, in seconds of one clock that never goes back.

A gap between two frames counts, whole, when it is longer than frames may lie apart: GAP_S, or twice the time between two sampled frames.
"""

GAP_S = 1.0
MAX_LOST_S = 3600.0


def longest_gap_s(fps: float | None) -> float:
    """What is no blindness at `fps` sampled frames a second; None: every frame."""
    return GAP_S if fps is None else max(GAP_S, 2.0 / fps)


class BlindTime:
    """One stream's, from `now_s` on. It grows while the stream is blind, not only afterwards."""

    def __init__(self, now_s: float) -> None:
        self._since_s = now_s
        self._gap_s = GAP_S
        self._is_blind = False
        self._grown_s = 0.0

    def lost(self, seconds: float) -> None:
        """Nobody owned the stream for so long before it began; at most MAX_LOST_S count."""
        self._since_s -= min(max(seconds, 0.0), MAX_LOST_S)

    def saw(self, now_s: float) -> None:
        """A frame was analysed."""
        self._look(now_s)
        self._since_s, self._is_blind = now_s, False

    def count(self, now_s: float, *, is_wanted: bool, fps: float | None) -> float:
        """Blind seconds since the last call. While nothing is wanted time passes without a gap."""
        self._gap_s = longest_gap_s(fps)
        if is_wanted:
            self._look(now_s)
        else:
            self._since_s, self._is_blind = now_s, False
        grown_s, self._grown_s = self._grown_s, 0.0
        return grown_s

    def _look(self, now_s: float) -> None:
        gap_s = now_s - self._since_s
        if self._is_blind or gap_s > self._gap_s:
            self._grown_s += gap_s
            self._since_s, self._is_blind = now_s, True
