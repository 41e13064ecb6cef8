"""A reader under test: collects its frames and its states with the time they came."""

import itertools
import random
import time
from types import TracebackType

from service.ingest.address import AddressGuard
from service.ingest.mailbox import Mailbox
from service.ingest.reader import StreamReader
from service.metrics import Metrics
from service.settings import Settings
from service.types import Frame, StreamCode, StreamSpec, StreamState

QUICK = Settings(open_timeout_s=2.0, read_timeout_s=1.0, stall_after_s=1.0, backoff_base_s=0.1, backoff_max_s=0.4)


class Watch:
    """`with Watch(url, guard) as watch:` the reader runs; `until(...)` takes frames until something holds."""

    def __init__(
        self, url: str, guard: AddressGuard, *, settings: Settings = QUICK, fps: float | None = None, start_s: float = 0.0
    ) -> None:
        self.mailbox = Mailbox()
        self.metrics = Metrics()
        self.frames: list[Frame] = []
        self.states: list[tuple[StreamState, StreamCode | None, str]] = []
        spec = StreamSpec(id="cam", url=url, name="cam", created_at_s=0.0, fps=fps)
        self.reader = StreamReader(spec, settings, guard, self.mailbox, self._note, self.metrics, start_s, rng=random.Random(1))

    def _note(self, state: StreamState, code: StreamCode | None, message: str) -> None:
        self.states.append((state, code, message))

    @property
    def state(self) -> StreamState:
        """The state said last."""
        return self.states[-1][0] if self.states else "pending"

    @property
    def names(self) -> list[StreamState]:
        """All states in order."""
        return [state for state, _, _ in self.states]

    @property
    def codes(self) -> list[StreamCode]:
        """All codes in order."""
        return [code for _, code, _ in self.states if code is not None]

    def watch_for(self, seconds: float) -> None:
        """Take frames for so long."""
        self._collect(time.monotonic() + seconds, "ended", "failed")

    def until_state(self, *wanted: StreamState, timeout_s: float = 10.0) -> None:
        """Take frames until the reader is in one of these states."""
        self._collect(time.monotonic() + timeout_s, *wanted)
        assert self.state in wanted, self.states

    def until_frames(self, count: int, timeout_s: float = 10.0) -> None:
        """Take so many more frames."""
        deadline_s, goal = time.monotonic() + timeout_s, len(self.frames) + count
        while len(self.frames) < goal:
            assert time.monotonic() < deadline_s, f"{len(self.frames)} of {goal} frames; {self.states}"
            self._take()

    def _collect(self, deadline_s: float, *wanted: StreamState) -> None:
        while time.monotonic() < deadline_s and self.state not in wanted:
            self._take()

    def _take(self) -> None:
        frame = self.mailbox.take(0.05)
        if frame is not None:
            self.frames.append(frame)
        elif self.mailbox.closed:
            time.sleep(0.01)

    def __enter__(self) -> "Watch":
        self.reader.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.reader.stop()
        assert self.reader.join(6.0), "the reader did not end"


def is_growing(frames: list[Frame]) -> bool:
    """Whether media time only grows."""
    return all(left.media_s < right.media_s for left, right in itertools.pairwise(frames))
