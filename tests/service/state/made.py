"""Small streams, graphs and alerts for the tests of the store."""

from typing import Literal

from service.state.blob import StreamBlob
from service.types import Alert, Edge, GraphDelta, GraphSnapshot, Mode, Node, NodeLost, Severity, StreamSpec

PERSON = Node(id=3, label="person", score=0.9, box=(0.1, 0.1, 0.5, 0.9), first_seen_s=1.0)
KNIFE = Node(id=7, label="knife", score=0.8, box=(0.3, 0.4, 0.4, 0.5), first_seen_s=2.0)
HOLDING = Edge(subject=3, predicate="holding", object=7, prob=0.9, since_s=2.0)


def spec(stream_id: str = "st_1", *, created_at_s: float = 100.0, url: str = "rtmp://example.org/live") -> StreamSpec:
    return StreamSpec(id=stream_id, url=url, name="door", created_at_s=created_at_s)


def snapshot(seq: int, stream_id: str = "st_1") -> GraphSnapshot:
    return GraphSnapshot(stream_id=stream_id, seq=seq, media_s=seq / 25, captured_at_s=1000.0, nodes=(PERSON, KNIFE), edges=(HOLDING,))


def delta(seq: int, stream_id: str = "st_1") -> GraphDelta:
    return GraphDelta(stream_id=stream_id, seq=seq, media_s=seq / 25, captured_at_s=1000.0, events=(NodeLost(9),))


def blob(seq: int, epoch: int, *, model_hash: str = "model-a", incidents: bytes = b"") -> StreamBlob:
    return StreamBlob(
        model_hash=model_hash, epoch=epoch, seq=seq, media_s=seq / 25, prototypes=bytes(34 * 1024), counts=bytes(600), incidents=incidents
    )


def alert(
    number: int,
    *,
    stream_id: str = "st_1",
    severity: Severity = "high",
    mode: Mode = "flag",
    state: Literal["open", "closed"] = "open",
) -> Alert:
    return Alert(
        id=f"al_{number}",
        stream_id=stream_id,
        incident_id=f"in_{number}",
        policy="knife-in-hand",
        severity=severity,
        mode=mode,
        state="open",
        created_at_s=1000.0 + number,
        captured_at_s=999.9 + number,
        media_s=float(number),
        seq=number,
        summary="person 3 holding knife 7 for 1.2 s",
        nodes=(PERSON, KNIFE),
        edges=(HOLDING,),
        incident_state=state,
    )
