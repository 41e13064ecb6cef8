"""Which waiting frames the engine takes next. Pure book-keeping: knows no socket, no pixel and no clock but the one it is handed.

The turn belongs to the stream, not to its frame: whoever was served longest ago comes first, on whatever canvas, so that no stream is
served twice before another that waits, and none starves. Who only fills up a batch on its canvas takes nobody's turn. A frame that is
too old when its turn comes is handed back as stale, and the stream keeps its turn for the fresh frame that follows: nobody else moves
up into this batch for it. That frame is taken however old it gets: where one call takes longer than frames may wait, and all streams'
frames come at the same moments, the same stream would come first for ever and all others be too late.
Adding and taking a frame cost the same however many streams wait (a heap for each canvas).
"""

import heapq
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

Ticket = TypeVar("Ticket")
Canvas = tuple[int, int]


class _Waiting(NamedTuple, Generic[Ticket]):
    """Sorted by turn, which no two streams share."""

    turn: int
    stream: int
    sent_s: float
    ticket: Ticket


@dataclass(frozen=True, slots=True)
class Batch(Generic[Ticket]):
    """Frames of one canvas to infer now, and those whose turn it was but that are too old."""

    canvas: Canvas
    frames: list[Ticket]
    stale: list[Ticket]


@dataclass(slots=True)
class _Queue(Generic[Ticket]):
    """Those who wait on one canvas; `since_s` is when the first of them came."""

    heap: list[_Waiting[Ticket]]
    since_s: float


class Batcher(Generic[Ticket]):
    """At most one waiting frame a stream. A batch goes when `best_batch` frames are there, when the first has waited `max_delay_s`, or
    when every connected stream waits already."""

    def __init__(self, *, best_batch: int, max_delay_s: float, stale_after_s: float) -> None:
        self._best_batch = best_batch
        self._max_delay_s = max_delay_s
        self._stale_after_s = stale_after_s
        self._turns: dict[int, int] = {}
        self._owed: set[int] = set()
        self._last_turn = 0
        self._queues: dict[Canvas, _Queue[Ticket]] = {}
        self._num_waiting = 0

    def join(self, stream: int) -> None:
        """A new stream, last in the order of turns."""
        self._turns[stream] = self._next_turn()

    def leave(self, stream: int) -> None:
        """It is gone, and its frame with it."""
        del self._turns[stream]
        self._owed.discard(stream)
        for queue in self._queues.values():
            queue.heap = [waiting for waiting in queue.heap if waiting.stream != stream]
            heapq.heapify(queue.heap)
        self._queues = {canvas: queue for canvas, queue in self._queues.items() if queue.heap}
        self._num_waiting = sum(len(queue.heap) for queue in self._queues.values())

    def add(self, stream: int, canvas: Canvas, sent_s: float, ticket: Ticket, now_s: float) -> None:
        """A frame that the stream sent at `sent_s`; `ticket` is what `take` gives back."""
        queue = self._queues.get(canvas)
        if queue is None:
            queue = self._queues[canvas] = _Queue([], now_s)
        heapq.heappush(queue.heap, _Waiting(self._turns[stream], stream, sent_s, ticket))
        self._num_waiting += 1

    def wait_s(self, now_s: float) -> float | None:
        """Seconds until a batch is due, 0 when one is; None when nothing waits."""
        if not self._num_waiting:
            return None
        if self._num_waiting == len(self._turns):
            return 0.0
        return min(self._delay_s(queue, now_s) for queue in self._queues.values())

    def take(self, now_s: float) -> Batch[Ticket] | None:
        """The batch that is due, or None."""
        if not self._num_waiting:
            return None
        everybody = self._num_waiting == len(self._turns)
        due = [canvas for canvas, queue in self._queues.items() if everybody or self._delay_s(queue, now_s) == 0.0]
        if not due:
            return None
        canvas = due[0] if len(due) == 1 else min(due, key=lambda canvas: self._queues[canvas].heap[0].turn)
        batch: Batch[Ticket] = Batch(canvas, [], [])
        heap = self._queues[canvas].heap
        for _ in range(min(len(heap), self._best_batch)):
            waiting = heapq.heappop(heap)
            self._num_waiting -= 1
            if now_s - waiting.sent_s > self._stale_after_s and waiting.stream not in self._owed:
                self._owed.add(waiting.stream)
                batch.stale.append(waiting.ticket)
            else:
                self._owed.discard(waiting.stream)
                self._turns[waiting.stream] = self._next_turn()
                batch.frames.append(waiting.ticket)
        if not heap:
            del self._queues[canvas]
        return batch

    def _delay_s(self, queue: _Queue[Ticket], now_s: float) -> float:
        if len(queue.heap) >= self._best_batch:
            return 0.0
        return max(0.0, queue.since_s + self._max_delay_s - now_s)

    def _next_turn(self) -> int:
        self._last_turn += 1
        return self._last_turn
