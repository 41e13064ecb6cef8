"""A worker played by a test: claims a stream and writes graphs, pictures, alerts and status to the real store."""

import io
import time
from dataclasses import dataclass, field

from PIL import Image, ImageDraw

from service.pipeline.delta import EMPTY, diff
from service.state.blob import StreamBlob
from service.state.store import Store
from service.types import (
    Alert,
    AlertChange,
    Edge,
    GraphDelta,
    GraphSnapshot,
    Node,
    Severity,
    StreamCode,
    StreamSpec,
    StreamState,
    StreamStatus,
    TrackedGraph,
)

WIDTH, HEIGHT = 448, 252


def person(node_id: int = 3, left: float = 0.3) -> Node:
    return Node(node_id, "person", 0.97, (left, 0.1, left + 0.25, 0.95), 0.0)


def cup(node_id: int = 7, left: float = 0.5) -> Node:
    return Node(node_id, "cup", 0.8, (left, 0.4, left + 0.08, 0.55), 0.2)


def table(node_id: int = 9) -> Node:
    return Node(node_id, "dining table", 0.9, (0.45, 0.6, 0.98, 0.98), 0.0)


HOLDING = Edge(3, "holding", 7, 0.9, 0.4)
BENEATH = Edge(9, "in_front_of", 3, 0.8, 0.1)
HOLDS_CUP = TrackedGraph((person(), cup(), table()), (HOLDING, BENEATH))


def made_stream(store: Store, stream_id: str = "s1", url: str = "http://127.0.0.1:9/live.m3u8", name: str = "Lobby") -> StreamSpec:
    return store.put_stream(StreamSpec(stream_id, url, name, time.time()))[0]


@dataclass
class Actor:
    """One stream's owner. `seq` is that of the last message."""

    store: Store
    stream_id: str = "s1"
    fps: float = 25.0
    epoch: int = 0
    seq: int = 0
    graph: TrackedGraph = field(default_factory=lambda: EMPTY)

    def __post_init__(self) -> None:
        self.epoch = self.store.claim(self.stream_id)

    def say(self, state: StreamState, code: StreamCode | None = None, message: str = "") -> None:
        now = time.time()
        is_live = state == "live"
        status = StreamStatus(
            self.stream_id, state, now, code, message, self.seq, self.epoch, self.fps if is_live else 0.0, 1280, 720, 0, now, "worker-1"
        )
        self.store.put_status(status)

    def show(
        self, graph: TrackedGraph, *, as_snapshot: bool = False, jpeg: bytes | None = None, alert: Alert | None = None
    ) -> GraphSnapshot:
        """Publish the next frame."""
        self.seq += 1
        media_s, captured_at_s = self.seq / self.fps, time.time()
        snapshot = GraphSnapshot(self.stream_id, self.seq, media_s, captured_at_s, graph.nodes, graph.edges)
        delta = GraphDelta(self.stream_id, self.seq, media_s, captured_at_s, diff(self.graph, graph))
        message = snapshot if as_snapshot or self.seq == 1 else delta
        opened = (alert,) if alert else ()
        self.store.publish(self.stream_id, self.epoch, message, snapshot, blob=self._blob() if alert else None, opened=opened)
        self.graph = graph
        if jpeg is not None:
            self.store.put_preview(self.stream_id, jpeg, snapshot)
        return snapshot

    def raise_alert(self, alert_id: str, severity: Severity = "high", summary: str = "person 3 has been holding cup 7 for 1.0 s") -> Alert:
        """An alert that HOLDS_CUP proves."""
        now = time.time()
        alert = Alert(
            id=alert_id,
            stream_id=self.stream_id,
            incident_id=f"incident-{alert_id}",
            policy="person-holding-cup",
            severity=severity,
            mode="flag",
            state="open",
            created_at_s=now,
            captured_at_s=now,
            media_s=self.seq / self.fps,
            seq=self.seq + 1,
            summary=summary,
            nodes=(person(), cup()),
            edges=(HOLDING,),
        )
        self.show(self.graph, alert=alert)
        return alert

    def close_incident(self, alert: Alert) -> None:
        self.seq += 1
        snapshot = GraphSnapshot(self.stream_id, self.seq, self.seq / self.fps, time.time(), self.graph.nodes, self.graph.edges)
        change = AlertChange(alert.id, alert.severity, "closed", time.time())
        self.store.publish(self.stream_id, self.epoch, snapshot, snapshot, blob=self._blob(), changed=(change,))

    def _blob(self) -> StreamBlob:
        return StreamBlob("model", self.epoch, self.seq, self.seq / self.fps, b"", b"")


def picture(graph: TrackedGraph = HOLDS_CUP, ground: tuple[int, int, int] = (60, 74, 92)) -> bytes:
    """A JPEG with a plain shape where each thing is."""
    image = Image.new("RGB", (WIDTH, HEIGHT), ground)
    draw = ImageDraw.Draw(image)
    for node in graph.nodes:
        x0, y0, x1, y1 = node.box
        draw.rectangle((x0 * WIDTH, y0 * HEIGHT, x1 * WIDTH, y1 * HEIGHT), fill=(150, 140, 120))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()
