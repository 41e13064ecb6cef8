"""How much of a stream is worth its cost just now, and which pictures are wanted because of it. Pure: timestamps in, verdicts out.

Times are the source's own, in seconds; they need not start at 0.
"""

from dataclasses import dataclass

from service.ingest.mailbox import DropCause

SLACK_S = 1e-3
KEY_WAIT_S = 4.0
JUMP_S = 2.0


def _require_positive(fps: float | None) -> None:
    if fps is not None and fps <= 0:
        raise ValueError(f"fps is a number above 0, got {fps}")


@dataclass(frozen=True, slots=True)
class Effort:
    """What the shard can afford for a stream: frames a second of its time (None: all), or key frames alone."""

    fps: float | None = None
    key_frames_only: bool = False

    def __post_init__(self) -> None:
        _require_positive(self.fps)


FULL_EFFORT = Effort()


class Demand:
    """Wants at most as many pictures a second as the user asked for and the effort allows, on a grid that starts with the first.

    A key frame may be taken up to half an interval early, since it needs no other picture to be decoded; the grid stays, so the rate
    does too. A key frame that comes late moves the grid, so that the two stay in step. With key frames alone, another picture is wanted
    when none came for KEY_WAIT_S: a stream whose key frames are rare is seen rarely, not lost.
    `set_effort` may come from any thread, the rest from one.
    """

    def __init__(self, fps: float | None = None, effort: Effort = FULL_EFFORT) -> None:
        _require_positive(fps)
        self._fps = fps
        self._effort = effort
        self._grid_s: float | None = None

    def set_effort(self, effort: Effort) -> None:
        """From the next picture on."""
        self._effort = effort

    @property
    def is_full(self) -> bool:
        """Whether every picture is wanted."""
        return self._fps is None and self._effort == FULL_EFFORT

    @property
    def cause(self) -> DropCause:
        """Why a picture that is not wanted is not: the user's rate, or the effort where that is lower."""
        effort = self._effort
        binds = effort.key_frames_only or (effort.fps is not None and effort.fps < (self._fps or float("inf")))
        return "overload" if binds else "sampled"

    def restart(self) -> None:
        """The timestamps to come have nothing to do with those so far: the next picture is wanted."""
        self._grid_s = None

    def wants(self, at_s: float, *, is_key: bool) -> bool:
        """Whether a picture of this time is to be shown."""
        if self._grid_s is None:
            return True
        interval_s = self._interval_s
        if self._grid_s - at_s > interval_s + JUMP_S:
            return True
        if is_key:
            return at_s >= self._grid_s + interval_s / 2 - SLACK_S
        return at_s >= self._grid_s + (max(interval_s, KEY_WAIT_S) if self._effort.key_frames_only else interval_s) - SLACK_S

    def took(self, at_s: float, *, is_key: bool) -> None:
        """A picture of this time is shown."""
        interval_s = self._interval_s
        if self._grid_s is None or self._grid_s - at_s > interval_s + JUMP_S:
            self._grid_s = at_s
            return
        due_s = self._grid_s + interval_s
        self._grid_s = max(due_s, at_s if is_key else at_s - interval_s)

    @property
    def _interval_s(self) -> float:
        rates = [fps for fps in (self._fps, self._effort.fps) if fps is not None]
        return 1.0 / min(rates) if rates else 0.0
