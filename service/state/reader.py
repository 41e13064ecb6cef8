"""Live data for the API, with asyncio: graph messages, previews and alerts as they come. Knows no WebSocket."""

from dataclasses import dataclass
from typing import Any

import msgspec
from redis.asyncio import Redis

from service.state import keys
from service.state.records import LogEntry, LogKind, alert_of, text

MAX_BLOCK_S = 2.0
WATCH_TTL_S = 5


@dataclass(frozen=True, slots=True)
class Message:
    """One GraphMessage, still encoded."""

    seq: int
    data: bytes

    @property
    def is_snapshot(self) -> bool:
        """A snapshot starts afresh; a delta builds on seq - 1."""
        return self.data.startswith(b'{"type":"snapshot"')


@dataclass(frozen=True, slots=True)
class Preview:
    """An analysed picture and the GraphSnapshot (JSON) of the same frame; `id` is where to go on."""

    id: str
    jpeg: bytes
    graph: bytes


class Reader:
    """One asyncio client of the server; every wait is bounded and returns empty-handed at its end."""

    def __init__(self, redis: Any, *, tenant: str = keys.DEFAULT_TENANT) -> None:
        self._redis = redis
        self._log = keys.alert_log(tenant)

    @classmethod
    def connect(cls, url: str, *, timeout_s: float = 5.0) -> "Reader":
        """As Store.connect."""
        return cls(Redis.from_url(url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, protocol=2))

    async def close(self) -> None:
        """Drop the connections."""
        await self._redis.aclose()

    async def snapshot(self, stream_id: str) -> Message | None:
        """The latest whole graph, or None before the first frame."""
        data = await self._redis.get(keys.snapshot(stream_id))
        return None if data is None else Message(msgspec.json.decode(data, type=_Seq).seq, data)

    async def backlog(self, stream_id: str, after_seq: int) -> tuple[Message, ...] | None:
        """What a subscriber that holds `after_seq` missed; None when that is no longer held and it needs a snapshot."""
        rows = await self._redis.xrange(keys.graph(stream_id), min=f"{after_seq}-1")
        messages = tuple(_message(row) for row in rows)
        if messages and messages[0].seq == after_seq:
            return messages[1:]
        return messages if messages and (messages[0].is_snapshot or messages[0].seq == after_seq + 1) else None

    async def messages(self, stream_id: str, after_seq: int, timeout_s: float) -> tuple[Message, ...]:
        """Messages after `after_seq`, oldest first; waits for the first up to `timeout_s` (2 s at most)."""
        found = await self._redis.xread({keys.graph(stream_id): f"{after_seq}-1"}, block=_block_ms(timeout_s))
        return tuple(_message(row) for row in found[0][1]) if found else ()

    async def watch_preview(self, stream_id: str) -> None:
        """Say that somebody watches: repeat at least every 4 s."""
        await self._redis.set(keys.watched(stream_id), b"1", ex=WATCH_TTL_S)

    async def preview(self, stream_id: str, after_id: str, timeout_s: float) -> Preview | None:
        """The newest picture after `after_id` ("0" for any), older ones are skipped; None when none came in time."""
        found = await self._redis.xread({keys.preview(stream_id): after_id}, block=_block_ms(timeout_s))
        if not found:
            return None
        entry_id, fields = found[0][1][-1]
        return Preview(text(entry_id), fields[b"jpeg"], fields[b"graph"])

    async def alert_log_end(self) -> str:
        """Where the alert log ends now."""
        last = await self._redis.xrevrange(self._log, count=1)
        return text(last[0][0]) if last else "0-0"

    async def alert_log(self, after: str, timeout_s: float, *, limit: int = 100) -> tuple[LogEntry, ...]:
        """What happened to alerts after an entry, oldest first, each with the alert as it is now (shadow ones too)."""
        found = await self._redis.xread({self._log: after}, count=limit, block=_block_ms(timeout_s))
        rows = found[0][1] if found else []
        pipe = self._redis.pipeline(transaction=False)
        for _, fields in rows:
            pipe.hgetall(keys.alert(text(fields[b"id"])))
        alerts = [alert_of(fields) for fields in (await pipe.execute())] if rows else []
        return tuple(
            LogEntry(text(entry_id), msgspec.convert(text(fields[b"kind"]), LogKind), alert)
            for (entry_id, fields), alert in zip(rows, alerts, strict=True)
            if alert is not None
        )


class _Seq(msgspec.Struct):
    seq: int


def _message(row: Any) -> Message:
    entry_id, fields = row
    return Message(int(text(entry_id).split("-")[0]), fields[b"m"])


def _block_ms(timeout_s: float) -> int:
    return max(1, int(min(timeout_s, MAX_BLOCK_S) * 1000))
