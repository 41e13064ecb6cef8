"""Every name that Vigil uses in Redis, in one place. Knows no value and no command.

One prefix, so that a shared server can be shared. Keys of one stream start with `vigil:stream:{id}:` and go when the stream is deleted;
alerts stay. Kinds: S string, H hash, Z sorted set, X stream (capped).
"""

PREFIX = "vigil:"
DEFAULT_TENANT = "default"

STREAMS = PREFIX + "streams"
"""H stream id -> StreamSpec: the desired state."""
STREAM_CHANGES = PREFIX + "streams:changes"
"""X id, op (put or delete): how a shard hears of a change."""
POLICIES = PREFIX + "policies"
"""H text, version: the policies stored by PUT /v1/policies."""
WEBHOOKS = PREFIX + "webhooks"
"""H webhook id -> Webhook, its secret included."""
WEBHOOK_LEASE = PREFIX + "webhooks:lease"
"""S which process delivers; gone some seconds after its last renewal."""
TARGETS = PREFIX + "targets"
"""Z "shard host:port" of an API -> Unix time at which it was last said to serve: what Prometheus scrapes."""


def idempotency(tenant: str, key: str) -> str:
    """S "stream id, fingerprint of the request", lives a day."""
    return f"{PREFIX}idempotency:{tenant}:{key}"


def status(stream_id: str) -> str:
    """S StreamStatus."""
    return f"{PREFIX}stream:{stream_id}:status"


def epoch(stream_id: str) -> str:
    """S integer: whoever claimed it last owns the stream."""
    return f"{PREFIX}stream:{stream_id}:epoch"


def blob(stream_id: str) -> str:
    """S StreamBlob, <= 64 KiB."""
    return f"{PREFIX}stream:{stream_id}:blob"


def graph(stream_id: str) -> str:
    """X seq-1 -> m: the last GraphMessages as JSON, newest 512."""
    return f"{PREFIX}stream:{stream_id}:graph"


def snapshot(stream_id: str) -> str:
    """S the latest GraphSnapshot as JSON."""
    return f"{PREFIX}stream:{stream_id}:snapshot"


def watched(stream_id: str) -> str:
    """S exists while somebody watches the preview."""
    return f"{PREFIX}stream:{stream_id}:watched"


def preview(stream_id: str) -> str:
    """X jpeg, graph: the last few analysed pictures with their graph."""
    return f"{PREFIX}stream:{stream_id}:preview"


def stream_alerts(stream_id: str) -> str:
    """Z alert id -> order of creation. Stays when the stream goes, like the alerts."""
    return f"{PREFIX}alerts:of:{stream_id}"


def alert(alert_id: str) -> str:
    """H body (Alert as raised), severity, incident_state, closed_at_s, state, notes."""
    return f"{PREFIX}alert:{alert_id}"


def alerts(tenant: str) -> str:
    """Z alert id -> order of creation."""
    return f"{PREFIX}alerts:{tenant}:index"


def alert_order(tenant: str) -> str:
    """S counter behind the order of creation."""
    return f"{PREFIX}alerts:{tenant}:order"


def alert_log(tenant: str) -> str:
    """X kind, id: what happened to alerts, for live subscribers; newest 10,000."""
    return f"{PREFIX}alerts:{tenant}:log"


def metrics(shard: str) -> str:
    """Z process -> Unix time of its last page."""
    return f"{PREFIX}metrics:{shard}"


def webhook(webhook_id: str) -> str:
    """H cursor (id of the last entry of the alert log that is done with), last_delivery_at_s, last_error, backlog, disabled."""
    return f"{PREFIX}webhook:{webhook_id}"


def process_metrics(shard: str, process: str) -> str:
    """S one process's /metrics text, lives as long as it is refreshed."""
    return f"{PREFIX}metrics:{shard}:{process}"


def of_stream(stream_id: str) -> tuple[str, ...]:
    """All that goes with a deleted stream."""
    names = (status, epoch, blob, graph, snapshot, watched, preview)
    return tuple(name(stream_id) for name in names)
