"""Every metric name that an operator may depend on, in one place. Knows no Redis and no HTTP.

Each process owns one `Metrics`; `expose` gives its text, `merge` joins the texts of all processes into one /metrics page.
What may be counted is there from the start with 0 (`begin_*`): a rate does not see the first step of a series that begins with 1.
A deleted stream's series go with `forget_stream`. docs/metrics.md is generated from here.
"""

import re
from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics, generate_latest

from service import VERSION

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0)
HTTP_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
STREAM_STATES = ("pending", "connecting", "live", "stalled", "reconnecting", "ended", "failed")
DROP_CAUSES = ("superseded", "late", "sampled", "overload", "stale", "engine_error")
SOCKET_KINDS = ("graph", "preview", "alerts")
_LABEL = re.compile(r'(\w+)="(?:[^"\\]|\\.)*"')


class Metrics:
    """The metrics of one process. Those without labels are the engine's: on other pages they would stand as noughts."""

    def __init__(self, *, of_engine: bool = False) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = r = CollectorRegistry()
        engine = r if of_engine else None
        ProcessCollector(registry=r)
        self.build_info = Gauge("vigil_build_info", "1; the label says which version runs", ["version"], registry=r)
        self.build_info.labels(VERSION).set(1)
        self.stream_state = Gauge("vigil_stream_state", "1 for the state a stream is in", ["stream", "state"], registry=r)
        self.stream_info = Gauge("vigil_stream_info", "1; the label says what people call the stream", ["stream", "name"], registry=r)
        self.reconnects = Counter("vigil_reconnects", "Reconnects by cause", ["stream", "code"], registry=r)
        self.stalls = Counter("vigil_stalls", "Times a stream stood still", ["stream"], registry=r)
        self.frames = Counter("vigil_frames_analysed", "Frames analysed", ["stream"], registry=r)
        self.frames_dropped = Counter("vigil_frames_dropped", "Frames not analysed, by cause", ["stream", "cause"], registry=r)
        self.decode_s = Histogram("vigil_decode_seconds", "Decode and resize of one frame", ["stream"], registry=r, buckets=SECONDS)
        self.decoders = Gauge("vigil_decoder", "Connected streams by the decoder that really runs: software or cuda", ["kind"], registry=r)
        self.queue_s = Histogram("vigil_queue_seconds", "Wait of a frame for the engine", registry=engine, buckets=SECONDS)
        self.infer_s = Histogram("vigil_infer_seconds", "One engine call", registry=engine, buckets=SECONDS)
        self.batch_size = Histogram("vigil_batch_size", "Frames in one engine call", registry=engine, buckets=(1, 2, 4, 8, 16, 32))
        self.graph_s = Histogram("vigil_graph_seconds", "Association to delta, one frame", ["stream"], registry=r, buckets=SECONDS)
        self.frame_age_s = Histogram("vigil_frame_age_seconds", "Capture to policy decision", ["stream"], registry=r, buckets=SECONDS)
        self.alerts = Counter("vigil_alerts", "Alerts raised", ["stream", "policy", "severity"], registry=r)
        self.alerts_lost = Counter("vigil_alerts_lost", "Alerts or changes dropped while Redis was away", ["stream"], registry=r)
        self.alert_latency_s = Histogram(
            "vigil_alert_latency_seconds", "Capture of the deciding frame to alert stored", ["stream"], registry=r, buckets=SECONDS
        )
        self.state_writes = Counter("vigil_state_writes", "Stream state written to Redis", ["outcome"], registry=r)
        self.worker_restarts = Counter("vigil_worker_restarts", "Processes started again: workers, engine, API", ["worker"], registry=r)
        self.pressure = Gauge("vigil_pressure_level", "0 full rate, 1 sampled, 2 key frames only", ["worker"], registry=r)
        self.pressure_fps = Gauge("vigil_pressure_fps", "Most frames a second of each stream under pressure", ["worker"], registry=r)
        self.engine_capacity = Gauge("vigil_engine_capacity_fps", "Frames a second that the engine holds", ["backend"], registry=r)
        self.engine_load = Gauge("vigil_engine_load", "Share of the last second in which the engine was at work", ["backend"], registry=r)
        self.engine_swaps = Counter("vigil_engine_swaps", "Other models met in the model folder", ["outcome"], registry=r)
        self.engine_passed_over = Gauge("vigil_engine_passed_over", "1 for a backend that was not chosen", ["backend", "why"], registry=r)
        self.engine_ready = Gauge("vigil_engine_ready", "1 when the engine serves", ["backend", "model"], registry=r)
        self.engine_fell_back = Gauge(
            "vigil_engine_fell_back", "1 when a better engine failed to open, or a GPU is there and a CPU engine serves", registry=engine
        )
        self.device_memory = Gauge(
            "vigil_device_memory_bytes", "Memory of the device that the engine runs on, used and total", ["device", "kind"], registry=r
        )
        self.blind_s = Counter("vigil_blind_seconds", "Seconds in which a wanted stream was not analysed", ["stream"], registry=r)
        self.risk = Gauge(
            "vigil_stream_risk", "Gravest open incident: 0 none, 1 info, 2 low, 3 medium, 4 high, 5 critical", ["stream"], registry=r
        )
        self.relations = Gauge("vigil_relations", "Relations in the graph now", ["stream", "predicate"], registry=r)
        self.redis_s = Histogram("vigil_redis_seconds", "One call of a worker to Redis", ["call"], registry=r, buckets=SECONDS)
        self.publishes = Counter(
            "vigil_publishes", "What media servers asked about pushed streams, by answer", ["server", "outcome"], registry=r
        )
        self.http_s = Histogram(
            "vigil_http_seconds", "One HTTP request to the API", ["method", "route", "status"], registry=r, buckets=HTTP_SECONDS
        )
        self.ws_messages = Counter("vigil_ws_messages", "Messages sent to WebSocket clients", ["kind"], registry=r)
        self.webhook_deliveries = Counter(
            "vigil_webhook_deliveries", "Attempts to deliver to a webhook", ["webhook", "outcome"], registry=r
        )
        self.webhook_s = Histogram("vigil_webhook_seconds", "One attempt to deliver to a webhook", ["webhook"], registry=r, buckets=SECONDS)
        self.webhook_backlog = Gauge("vigil_webhook_backlog", "Alerts that wait for a webhook", ["webhook"], registry=r)
        self.ws_clients = Gauge("vigil_ws_clients", "WebSocket clients", ["kind"], registry=r)
        self.ws_dropped = Counter("vigil_ws_clients_dropped", "WebSocket clients cut off for being slow", ["kind"], registry=r)

    def begin_worker(self) -> None:
        """What a worker counts that is of no one stream."""
        for outcome in ("ok", "failed"):
            self.state_writes.labels(outcome)
        for call in ("publish", "save", "status"):
            self.redis_s.labels(call)
        for kind in ("software", "cuda"):
            self.decoders.labels(kind)

    def begin_api(self) -> None:
        """What the API counts."""
        for kind in SOCKET_KINDS:
            for counted in (self.ws_clients, self.ws_dropped, self.ws_messages):
                counted.labels(kind)

    def begin_stream(self, stream_id: str) -> None:
        """What a worker counts of one stream."""
        self.set_stream_state(stream_id, "pending")
        for counted in (self.frames, self.stalls, self.alerts_lost, self.blind_s, self.risk):
            counted.labels(stream_id)
        for cause in DROP_CAUSES:
            self.frames_dropped.labels(stream_id, cause)

    def begin_alerts(self, stream_id: str, policies: Iterable[tuple[str, str]]) -> None:
        """What policies (name, severity) may raise on a stream. Of those it has no more, only what was counted stays."""
        wanted = {(stream_id, name, severity) for name, severity in policies}
        for sample in next(iter(self.alerts.collect())).samples:
            labels = tuple(sample.labels.values())
            if labels[0] == stream_id and labels not in wanted and not sample.value:
                self.alerts.remove(*labels)
        for labels in wanted:
            self.alerts.labels(*labels)

    def name_stream(self, stream_id: str, name: str) -> None:
        """What it is called from now on."""
        for labels in [labels for labels in list(self.stream_info._metrics) if labels[0] == stream_id]:
            self.stream_info.remove(*labels)
        self.stream_info.labels(stream_id, name).set(1)

    def set_stream_state(self, stream_id: str, state: str) -> None:
        """Exactly one of the seven states is 1."""
        for name in STREAM_STATES:
            self.stream_state.labels(stream_id, name).set(name == state)

    def forget_stream(self, stream_id: str) -> None:
        """Drop every series of a stream."""
        for collector in vars(self).values():
            if not isinstance(collector, Gauge | Counter | Histogram) or "stream" not in collector._labelnames:
                continue
            at = collector._labelnames.index("stream")
            for labels in [values for values in list(collector._metrics) if values[at] == stream_id]:
                collector.remove(*labels)

    def expose(self) -> bytes:
        """Prometheus text format."""
        return generate_latest(self.registry)


def read_gauge(page: bytes, name: str) -> float | None:
    """The value of a metric's first sample on a page; None when it has none."""
    for line in page.decode().splitlines():
        if line.startswith((f"{name} ", f"{name}{{")):
            return float(line.rpartition(" ")[2])
    return None


def merge(texts: Mapping[str, bytes]) -> bytes:
    """Join the pages of several processes (name -> text); each sample gains the label `process`.

    Works on the text, whose form is our own (`Metrics.expose`): parsing it would take ten times as long, at every scrape.
    """
    families: dict[str, list[str]] = {}
    for process, text in sorted(texts.items()):
        label, lines = f'process="{process}"', families.setdefault("", [])
        for line in text.decode().rstrip("\n").split("\n"):
            if line.startswith("# HELP "):
                lines = families.setdefault(line.split(" ", 3)[2], [line])
            elif line.startswith("# TYPE "):
                lines.extend([line] if len(lines) == 1 else [])
            else:
                lines.append(_labelled(line, label))
    return "".join(f"{line}\n" for lines in families.values() for line in lines).encode()


def _labelled(sample: str, label: str) -> str:
    """The sample with the label `process` more, where it stands by name."""
    name, brace, rest = sample.partition("{")
    if not brace:
        name, _, value = sample.partition(" ")
        return f"{name}{{{label}}} {value}"
    end = 0
    for found in _LABEL.finditer(rest):
        if found[1] > "process":
            return f"{name}{{{rest[: found.start()]}{label},{rest[found.start() :]}"
        end = found.end()
    return f"{name}{{{rest[:end]},{label}{rest[end:]}"
