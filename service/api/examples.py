"""Example answers for OpenAPI, as real Structs, so that they cannot fall out of step with what is sent."""

from service.api.problem import ProblemBody
from service.api.views import (
    AlertsView,
    CheckView,
    FindingView,
    HealthView,
    PoliciesView,
    PolicyView,
    ReadyView,
    StreamsView,
    StreamView,
    WebhookEvent,
    WebhooksView,
    WebhookTestView,
    WebhookView,
)
from service.types import Alert, Edge, GraphSnapshot, Node

POLICY_TEXT = """- name: knife-in-hand
  severity: critical
  mode: enforce
  when: {relation: {subject: person, predicate: [holding, carrying], object: knife, min_prob: 0.6}}
  for: 1s
  cooldown: 60s
"""

_NODES = (
    Node(3, "person", 0.97, (0.31, 0.12, 0.58, 0.94), 12.4),
    Node(7, "knife", 0.71, (0.52, 0.41, 0.6, 0.5), 14.0),
)
_EDGES = (Edge(3, "holding", 7, 0.92, 14.2),)
_STREAM = StreamView(
    id="5f1c2a9b04de",
    source="pull",
    url="https://media.example.com/hall/index.m3u8?token=***",
    name="Hall, north",
    state="live",
    code=None,
    message="",
    since_s=1750000003.2,
    labels={"site": "north"},
    policies=None,
    fps=None,
    zones={},
    version=1,
    created_at_s=1750000001.0,
    measured_fps=24.9,
    width=1280,
    height=720,
    seq=412,
    reconnects=0,
    worker="worker-1",
    epoch=1,
    last_frame_at_s=1750000019.6,
)
_ALERT = Alert(
    id="0197a3c1",
    stream_id=_STREAM.id,
    incident_id="0197a3c0",
    policy="knife-in-hand",
    severity="critical",
    mode="enforce",
    state="open",
    created_at_s=1750000019.7,
    captured_at_s=1750000019.6,
    media_s=15.2,
    seq=380,
    summary="person 3 has been holding knife 7 for 1.0 s",
    nodes=_NODES,
    edges=_EDGES,
)
_WEBHOOK = WebhookView(
    id="9d02c7e1a4b8",
    url="https://desk.example.com/vigil?key=***",
    name="Night desk",
    severities=("high", "critical"),
    policies=None,
    streams=None,
    created_at_s=1750000002.0,
    last_delivery_at_s=1750000019.8,
    last_error="",
    backlog=0,
    disabled=False,
)
_POLICY = PolicyView("knife-in-hand", "critical", "enforce")

EXAMPLES: tuple[object, ...] = (
    _STREAM,
    StreamsView((_STREAM,)),
    GraphSnapshot(_STREAM.id, 412, 16.48, 1750000019.6, _NODES, _EDGES),
    _ALERT,
    AlertsView((_ALERT,), None),
    PoliciesView(2, (_POLICY,), (), POLICY_TEXT),
    CheckView(False, (), (FindingView(4, "predicate 'holdin' is not known; did you mean 'holding'?", False),)),
    _WEBHOOK,
    WebhooksView((_WEBHOOK,)),
    WebhookEvent("evt_1750000019712-0", "alert.opened", 1750000019.712, _ALERT),
    WebhookTestView(False, 401, "https://desk.example.com answers with HTTP status 401", 0.084),
    HealthView("ok", 1750000020.0),
    ReadyView(True, "onnxruntime, nano-v1", 1),
    ProblemBody(
        "urn:vigil:problem:forbidden_address",
        "Forbidden",
        403,
        "10.0.0.5 is not a public address; private ones must be listed in VIGIL_ALLOW_NETWORKS",
        "forbidden_address",
    ),
)
