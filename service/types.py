"""The nouns of the service, one per arrow between its parts. Data only: no clock, no Redis, no network.

Boxes are (x0, y0, x1, y1) as fractions of the picture. `media_s` is the stream's own clock, monotonic over discontinuities;
`*_at_s` is wall time (Unix seconds). msgspec Structs cross process borders as JSON or MessagePack; Frame never does.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from msgspec import Struct

Box = tuple[float, float, float, float]
StreamState = Literal["pending", "connecting", "live", "stalled", "reconnecting", "ended", "failed"]
StreamCode = Literal[
    "auth_failed",
    "not_found",
    "timeout",
    "tls",
    "codec_unsupported",
    "too_large",
    "forbidden_address",
    "connection_failed",
]
Severity = Literal["info", "low", "medium", "high", "critical"]
Mode = Literal["shadow", "flag", "enforce"]
AlertState = Literal["open", "acked", "resolved", "dismissed"]


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded picture on the network's canvas. The picture fills the top left `content_hw` pixels, the rest is grey."""

    stream_id: str
    seq: int
    pts_s: float | None
    media_s: float
    captured_at_s: float
    image_HW3: npt.NDArray[np.uint8]
    content_hw: tuple[int, int]
    source_hw: tuple[int, int]


# ---- the graph of one moment ------------------------------------------------------------------------------------------------


class Node(Struct, frozen=True):
    """A thing with an identity. `label` is a class of the vocabulary."""

    id: int
    label: str
    score: float
    box: Box
    first_seen_s: float


class Edge(Struct, frozen=True):
    """Subject predicate object, by node id, true since `since_s` (media time)."""

    subject: int
    predicate: str
    object: int
    prob: float
    since_s: float


class TrackedGraph(Struct, frozen=True):
    """Nodes sorted by id, edges by (subject, predicate, object). An edge never names a missing node."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


class GraphSnapshot(Struct, frozen=True, tag="snapshot"):
    """The whole graph at `seq`: what a subscriber holds after replaying every delta up to it."""

    stream_id: str
    seq: int
    media_s: float
    captured_at_s: float
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


# ---- what changed -----------------------------------------------------------------------------------------------------------


class NodeAdd(Struct, frozen=True, tag="node_add"):
    node: Node


class NodeUpdate(Struct, frozen=True, tag="node_update"):
    id: int
    label: str
    score: float
    box: Box


class NodeMerge(Struct, frozen=True, tag="node_merge"):
    """`merged` was the same thing as `kept`: it leaves the graph and its edges become those of `kept`."""

    kept: int
    merged: int


class NodeLost(Struct, frozen=True, tag="node_lost"):
    """Out of sight: leaves the graph, may come back by NodeAdd with the same id."""

    id: int


class NodeRemove(Struct, frozen=True, tag="node_remove"):
    """Forgotten: this id never comes back."""

    id: int


class EdgeAdd(Struct, frozen=True, tag="edge_add"):
    edge: Edge


class EdgeUpdate(Struct, frozen=True, tag="edge_update"):
    subject: int
    predicate: str
    object: int
    prob: float


class EdgeRemove(Struct, frozen=True, tag="edge_remove"):
    subject: int
    predicate: str
    object: int


GraphEvent = NodeAdd | NodeUpdate | NodeMerge | NodeLost | NodeRemove | EdgeAdd | EdgeUpdate | EdgeRemove


class GraphDelta(Struct, frozen=True, tag="delta"):
    """Takes the graph of `seq - 1` to that of `seq`; events apply in order."""

    stream_id: str
    seq: int
    media_s: float
    captured_at_s: float
    events: tuple[GraphEvent, ...]


GraphMessage = GraphSnapshot | GraphDelta

# ---- policies, incidents, alerts --------------------------------------------------------------------------------------------


class Violation(Struct, frozen=True):
    """A policy holds right now. `key` names the event: policy, subject, predicate, object; `nodes` and `edges` are the proof."""

    policy: str
    key: str
    severity: Severity
    mode: Mode
    cooldown_s: float
    since_media_s: float
    summary: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


class Incident(Struct, frozen=True):
    """One real event, from the first violation to the last. It alerts once."""

    id: str
    key: str
    policy: str
    severity: Severity
    mode: Mode
    state: Literal["open", "closed"]
    opened_media_s: float
    opened_at_s: float
    last_media_s: float
    last_at_s: float
    cooldown_s: float
    alert_id: str | None


class Note(Struct, frozen=True):
    """One reviewer's step on an alert."""

    at_s: float
    action: Literal["ack", "resolve", "dismiss"]
    reason: str
    by: str


class Alert(Struct, frozen=True):
    """What a moderator reads: a sentence, and the subgraph that proves it."""

    id: str
    stream_id: str
    incident_id: str
    policy: str
    severity: Severity
    mode: Mode
    state: AlertState
    created_at_s: float
    captured_at_s: float
    media_s: float
    seq: int
    summary: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    incident_state: Literal["open", "closed"] = "open"
    closed_at_s: float | None = None
    notes: tuple[Note, ...] = ()


class AlertChange(Struct, frozen=True):
    """What a living incident changes on its alert after it was raised; reviewers' state and notes are not its business."""

    alert_id: str
    severity: Severity
    incident_state: Literal["open", "closed"]
    closed_at_s: float | None = None


# ---- streams ----------------------------------------------------------------------------------------------------------------


class Push(Struct, frozen=True):
    """A stream that a publisher pushes to the media server. `key_hash` is of its key; `publisher` names the session that publishes now.

    `before` are sessions that it took over from, newest first, of whose end nothing was heard.
    """

    key_hash: str
    publisher: str | None = None
    before: tuple[str, ...] = ()


class StreamSpec(Struct, frozen=True):
    """What a user asked for. `policies` None means all; `fps` None means every frame; `version` grows with each change.

    `push` None: Vigil pulls `url` from wherever it is. Else `url` is where Vigil plays what is pushed to its own media server.
    """

    id: str
    url: str
    name: str
    created_at_s: float
    labels: dict[str, str] = {}
    policies: tuple[str, ...] | None = None
    fps: float | None = None
    zones: dict[str, tuple[tuple[float, float], ...]] = {}
    version: int = 1
    push: Push | None = None

    @property
    def lacks_publisher(self) -> bool:
        """Pushed, and nobody publishes: there is nothing to watch."""
        return self.push is not None and self.push.publisher is None


class StreamStatus(Struct, frozen=True):
    """How it goes: written by the owning worker on every change and once a second, last at `written_at_s`."""

    stream_id: str
    state: StreamState
    since_s: float
    code: StreamCode | None = None
    message: str = ""
    seq: int = 0
    epoch: int = 0
    fps: float = 0.0
    width: int = 0
    height: int = 0
    reconnects: int = 0
    last_frame_at_s: float | None = None
    worker: str = ""
    written_at_s: float = 0.0
