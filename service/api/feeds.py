"""Live data fanned out: one reader of Redis per watched thing, a bounded inbox per client. Knows no WebSocket.

A graph inbox that is full marks its client as too slow (it would miss deltas); a picture inbox holds the newest one only.
A feed runs while somebody listens, and outlives Redis being away.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import structlog
from redis import RedisError

from service.state.reader import Message, Preview, Reader
from service.state.records import LogEntry

log = structlog.get_logger()

Item = TypeVar("Item")
Offered = TypeVar("Offered", contravariant=True)
MAX_WAITING = 256
READ_WITHIN_S = 2.0
WATCH_EVERY_S = 2.0
REDIS_AGAIN_S = 0.5


class StreamGoneError(Exception):
    """The stream was deleted."""


class Inbox(Protocol[Offered]):
    """Where a client's messages wait."""

    def offer(self, item: Offered) -> None: ...
    def close(self) -> None: ...


class _Waiting(Generic[Item]):
    """Items to come; `get` raises StreamGoneError after the end."""

    def __init__(self, items: deque[Item]) -> None:
        self._items = items
        self._is_closed = False
        self._woken = asyncio.Event()

    def close(self) -> None:
        """What waits is still given."""
        self._is_closed = True
        self._woken.set()

    async def get(self) -> Item:
        """The next item."""
        while not self._items:
            if self._is_closed:
                raise StreamGoneError
            self._woken.clear()
            await self._woken.wait()
        return self._items.popleft()


class Backlog(_Waiting[Item]):
    """All items in order; past `limit` the client is too slow and nothing more is taken in."""

    def __init__(self, limit: int = MAX_WAITING) -> None:
        super().__init__(deque())
        self._limit = limit
        self.overflowed = asyncio.Event()

    def offer(self, item: Item) -> None:
        """Take one in."""
        if len(self._items) >= self._limit:
            self.overflowed.set()
        else:
            self._items.append(item)
            self._woken.set()


class Newest(_Waiting[Item]):
    """The newest item only; the one before it is dropped."""

    def __init__(self) -> None:
        super().__init__(deque(maxlen=1))

    def offer(self, item: Item) -> None:
        """Take one in."""
        self._items.append(item)
        self._woken.set()


class Feed(Generic[Item]):
    """One thing read once for all who listen. `run(send)` reads until cancelled; StreamGoneError from it ends every inbox."""

    def __init__(self, run: Callable[[Callable[[Item], None]], Awaitable[None]]) -> None:
        self._inboxes: set[Inbox[Item]] = set()
        self._run = run
        self._task: asyncio.Task[None] | None = None

    def add(self, inbox: Inbox[Item]) -> None:
        """Start to fill an inbox."""
        self._inboxes.add(inbox)
        if self._task is None:
            self._task = asyncio.create_task(self._keep_reading())

    def remove(self, inbox: Inbox[Item]) -> bool:
        """Stop to fill it; True when nobody listens any more."""
        self._inboxes.discard(inbox)
        if not self._inboxes and self._task is not None:
            self._task.cancel()
            self._task = None
        return not self._inboxes

    async def _keep_reading(self) -> None:
        while True:
            try:
                await self._run(self._send)
            except RedisError as error:
                log.warning("feed_interrupted", error=str(error))
                await asyncio.sleep(REDIS_AGAIN_S)
            except StreamGoneError:
                for inbox in self._inboxes:
                    inbox.close()
                return

    def _send(self, item: Item) -> None:
        for inbox in self._inboxes:
            inbox.offer(item)


@dataclass(slots=True)
class _Place:
    """Where a feed goes on after Redis was away."""

    seq: int


class Hub:
    """All feeds of one API process. `exists` tells whether a stream is still wanted."""

    def __init__(self, reader: Reader, exists: Callable[[str], Awaitable[bool]]) -> None:
        self.reader = reader
        self._exists = exists
        self._graphs: dict[str, Feed[Message]] = {}
        self._previews: dict[str, Feed[Preview]] = {}
        self._alerts: dict[str, Feed[LogEntry]] = {}
        self._alert_id = ""

    @asynccontextmanager
    async def graph(self, stream_id: str) -> AsyncIterator[Backlog[Message]]:
        """Every graph message from now on; one may come twice, which its seq tells."""
        inbox = Backlog[Message]()
        snapshot = await self.reader.snapshot(stream_id)
        place = _Place(snapshot.seq if snapshot else 0)
        async with _listening(self._graphs, stream_id, lambda send: self._read_graph(stream_id, place, send), inbox):
            yield inbox

    @asynccontextmanager
    async def preview(self, stream_id: str) -> AsyncIterator[Newest[Preview]]:
        """Analysed pictures from now on; the stream's worker encodes them while this is open."""
        inbox = Newest[Preview]()
        async with _listening(self._previews, stream_id, lambda send: self._read_preview(stream_id, send), inbox):
            yield inbox

    @asynccontextmanager
    async def alerts(self) -> AsyncIterator[Backlog[LogEntry]]:
        """What happens to alerts from now on."""
        inbox = Backlog[LogEntry]()
        end = await self.reader.alert_log_end()
        if not self._alerts:
            self._alert_id = end
        async with _listening(self._alerts, "all", self._read_alerts, inbox):
            yield inbox

    async def _read_graph(self, stream_id: str, place: _Place, send: Callable[[Message], None]) -> None:
        while True:
            messages = await self.reader.messages(stream_id, place.seq, READ_WITHIN_S)
            for message in messages:
                send(message)
                place.seq = message.seq
            if not messages and not await self._exists(stream_id):
                raise StreamGoneError

    async def _read_preview(self, stream_id: str, send: Callable[[Preview], None]) -> None:
        last_id, clock = "0", asyncio.get_running_loop().time
        watched_until_s = 0.0
        while True:
            if clock() >= watched_until_s:
                if not await self._exists(stream_id):
                    raise StreamGoneError
                await self.reader.watch_preview(stream_id)
                watched_until_s = clock() + WATCH_EVERY_S
            if preview := await self.reader.preview(stream_id, last_id, READ_WITHIN_S):
                last_id = preview.id
                send(preview)

    async def _read_alerts(self, send: Callable[[LogEntry], None]) -> None:
        while True:
            for entry in await self.reader.alert_log(self._alert_id, READ_WITHIN_S):
                self._alert_id = entry.id
                send(entry)


@asynccontextmanager
async def _listening(
    feeds: dict[str, Feed[Item]], stream_id: str, run: Callable[[Callable[[Item], None]], Awaitable[None]], inbox: Inbox[Item]
) -> AsyncIterator[None]:
    feed = feeds.setdefault(stream_id, Feed(run))
    feed.add(inbox)
    try:
        yield
    finally:
        if feed.remove(inbox) and feeds.get(stream_id) is feed:
            del feeds[stream_id]
