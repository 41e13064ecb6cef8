"""What subscribers of a stream were sent: its messages, whether they replay exactly, and how long nothing came."""

from itertools import pairwise

import msgspec
from redis import Redis

from service.pipeline.delta import apply
from service.state import keys
from service.types import GraphMessage, GraphSnapshot, TrackedGraph


def messages_of(redis_url: str, stream_id: str) -> list[GraphMessage]:
    """All that are still there, in order."""
    with Redis.from_url(redis_url) as redis:
        entries = redis.xrange(keys.graph(stream_id))
        return [msgspec.json.decode(fields[b"m"], type=GraphMessage) for _, fields in entries]


def latest(redis_url: str, stream_id: str) -> GraphSnapshot:
    with Redis.from_url(redis_url) as redis:
        return msgspec.json.decode(redis.get(keys.snapshot(stream_id)), type=GraphSnapshot)


def replayed(messages: list[GraphMessage]) -> TrackedGraph:
    """The graph of a subscriber who was there from the first message, a snapshot, on. KeyError or a gap in seq fails the test."""
    first = messages[0]
    assert isinstance(first, GraphSnapshot)
    graph = TrackedGraph(first.nodes, first.edges)
    for before, message in pairwise(messages):
        assert message.seq == before.seq + 1
        graph = TrackedGraph(message.nodes, message.edges) if isinstance(message, GraphSnapshot) else apply(graph, message.events)
    return graph


def longest_gap_s(messages: list[GraphMessage]) -> float:
    """Between the capture of one analysed frame and the next."""
    return max(later.captured_at_s - earlier.captured_at_s for earlier, later in pairwise(messages))
