"""One client's way through a stream's graph: where it starts, what follows without a gap, and only the pattern it asked for.

Knows no WebSocket. A message without a pattern passes as the bytes that the worker wrote.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import msgspec

from service.api.feeds import Backlog
from service.pipeline.delta import EMPTY, apply, diff
from service.state.reader import Message, Reader
from service.types import Edge, GraphMessage, GraphSnapshot, TrackedGraph

NOTHING = -1
"""The client holds no graph: it starts with a snapshot, whatever comes."""


async def follow(reader: Reader, stream_id: str, inbox: Backlog[Message], since: int | None) -> AsyncIterator[Message]:
    """A snapshot (or what came after `since`, where that is still held), then every message in order.

    A hole, where Redis or the worker lost messages, is closed by a new snapshot. The inbox must have been filling before this begins.
    """
    missed = None if since is None else await reader.backlog(stream_id, since)
    last_seq = NOTHING if since is None or missed is None else since
    for message in await _whole(reader, stream_id) if missed is None else missed:
        yield message
        last_seq = message.seq
    while True:
        message = await inbox.get()
        if message.seq <= last_seq:
            continue
        if not message.is_snapshot and message.seq != last_seq + 1:
            message = await reader.snapshot(stream_id) or message
        yield message
        last_seq = message.seq


async def _whole(reader: Reader, stream_id: str) -> Sequence[Message]:
    snapshot = await reader.snapshot(stream_id)
    return () if snapshot is None else (snapshot,)


@dataclass(frozen=True, slots=True)
class Pattern:
    """`subject-predicate-object`, each with * and ? as in file names: person-holding-*. Spaces may be written as _."""

    subject: str
    predicate: str
    object: str

    @classmethod
    def parse(cls, text: str) -> "Pattern":
        """ValueError when it has not three parts."""
        parts = text.lower().split("-")
        if len(parts) != 3 or not all(parts):
            raise ValueError(f"a pattern is subject-predicate-object such as person-holding-*, got {text!r}")
        subject, predicate, obj = (part.replace(" ", "_") for part in parts)
        return cls(subject, predicate, obj)

    def takes(self, subject: str, predicate: str, obj: str) -> bool:
        """Does a triplet of labels fit?"""
        pairs = ((subject, self.subject), (predicate, self.predicate), (obj, self.object))
        return all(fnmatchcase(word.replace(" ", "_"), wanted) for word, wanted in pairs)


class Matcher:
    """The part of the graph that fits any of the patterns, as a stream of its own: snapshot, then deltas when that part changes."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._patterns = tuple(patterns)
        self._whole = EMPTY
        self._shown = EMPTY

    def take(self, message: Message) -> bytes | None:
        """The message to send instead, or None when nothing in the part has changed."""
        decoded: GraphMessage = msgspec.json.decode(message.data, type=GraphMessage)
        if isinstance(decoded, GraphSnapshot):
            self._whole = TrackedGraph(decoded.nodes, decoded.edges)
            self._shown = self._part()
            return msgspec.json.encode(msgspec.structs.replace(decoded, nodes=self._shown.nodes, edges=self._shown.edges))
        self._whole = apply(self._whole, decoded.events)
        before, self._shown = self._shown, self._part()
        events = diff(before, self._shown)
        return msgspec.json.encode(msgspec.structs.replace(decoded, events=events)) if events else None

    def _part(self) -> TrackedGraph:
        labels = {node.id: node.label for node in self._whole.nodes}
        edges = tuple(edge for edge in self._whole.edges if self._fits(edge, labels))
        ends = {end for edge in edges for end in (edge.subject, edge.object)}
        return TrackedGraph(tuple(node for node in self._whole.nodes if node.id in ends), edges)

    def _fits(self, edge: Edge, labels: dict[int, str]) -> bool:
        return any(pattern.takes(labels[edge.subject], edge.predicate, labels[edge.object]) for pattern in self._patterns)
