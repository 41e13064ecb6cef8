"""Streams, their state, policies and metrics as typed reads and writes on one Redis. Knows no stream's insides and decides nothing.

Blocking; workers and the shard use it directly, the API from threads. `reader.py` waits for live data with asyncio.
redis.RedisError means that the server is gone or full: the caller keeps what it wanted to write and tries again (every write may be
repeated).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from service.errors import FencedError, StateError
from service.state import keys, scripts
from service.state.alerts import MAX_LOG, AlertShelf
from service.state.blob import StreamBlob, decode_blob, encode_blob
from service.state.link import Client, connect
from service.state.records import text
from service.types import Alert, AlertChange, GraphMessage, GraphSnapshot, Push, StreamSpec, StreamStatus

MAX_MESSAGES = 512
MAX_PREVIEWS = 4
PREVIEW_TTL_S = 10
METRICS_TTL_S = 15
TARGET_TTL_S = 3600
IDEMPOTENCY_TTL_S = 24 * 3600


class CapacityError(ValueError):
    """More streams than this installation takes."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """Where a stream goes on: `seq` is the last one that a subscriber may have seen (0: none); `refused` says why a blob was not used."""

    blob: StreamBlob | None
    seq: int
    snapshot: GraphSnapshot | None
    refused: str = ""


@dataclass(frozen=True, slots=True)
class StoredPolicies:
    """What PUT /v1/policies stored last; `version` grows by one each time."""

    version: int
    text: str


@dataclass(frozen=True, slots=True)
class Target:
    """Where one shard's metrics are scraped: `address` is host:port."""

    shard: str
    address: str


class Store:
    """One client; safe to share between threads. `alerts` is the shelf of alerts."""

    def __init__(self, redis: Client, *, tenant: str = keys.DEFAULT_TENANT) -> None:
        self._redis = redis
        self._tenant = tenant
        self.alerts = AlertShelf(redis, tenant=tenant)
        self._put_stream = redis.register_script(scripts.PUT_STREAM)
        self._patch_stream = redis.register_script(scripts.PATCH_STREAM)
        self._delete_stream = redis.register_script(scripts.DELETE_STREAM)
        self._claim = redis.register_script(scripts.CLAIM)
        self._publish = redis.register_script(scripts.PUBLISH)
        self._save_blob = redis.register_script(scripts.SAVE_BLOB)
        self._put_status = redis.register_script(scripts.PUT_STATUS)

    @classmethod
    def connect(cls, url: str, *, timeout_s: float = 5.0) -> "Store":
        """redis://, rediss:// or unix:// URL. ValueError for another scheme; the connection is made at the first command."""
        return cls(connect(url, timeout_s))

    def close(self) -> None:
        """Drop the connections."""
        self._redis.close()

    def ping(self) -> None:
        """redis.RedisError when the server does not answer."""
        self._redis.ping()

    # ---- desired streams ----------------------------------------------------------------------------------------------------

    def put_stream(
        self, spec: StreamSpec, *, idempotency_key: str | None = None, max_streams: int | None = None
    ) -> tuple[StreamSpec, bool]:
        """(spec, created?). The same key and request again gives the first spec and False.

        CapacityError at `max_streams`; ValueError when the key came with another request or the id is taken.
        """
        fingerprint = "" if idempotency_key is None else _fingerprint(spec)
        names = [keys.STREAMS, keys.STREAM_CHANGES, keys.idempotency(self._tenant, idempotency_key or "")]
        args = [spec.id, msgspec.json.encode(spec), fingerprint, max_streams or 0, IDEMPOTENCY_TTL_S]
        outcome, known = self._put_stream(keys=names, args=args)
        match text(outcome):
            case "created":
                return spec, True
            case "known":
                return msgspec.json.decode(known, type=StreamSpec), False
            case "full":
                raise CapacityError(f"{max_streams} streams are running, which is the limit; delete one first")
            case "other":
                raise ValueError(f"Idempotency-Key {idempotency_key!r} was used with another request; send a new key")
            case _:
                raise ValueError(f"a stream with id {spec.id!r} exists")

    def get_stream(self, stream_id: str) -> StreamSpec | None:
        """The spec, or None."""
        data = self._redis.hget(keys.STREAMS, stream_id)
        return None if data is None else msgspec.json.decode(data, type=StreamSpec)

    def list_streams(self) -> tuple[StreamSpec, ...]:
        """All specs, oldest first."""
        specs = [msgspec.json.decode(data, type=StreamSpec) for data in self._redis.hvals(keys.STREAMS)]
        return tuple(sorted(specs, key=lambda spec: (spec.created_at_s, spec.id)))

    def patch_stream(self, spec: StreamSpec) -> StreamSpec | None:
        """Replace a spec that was read as `spec.version`; the new one has version + 1. None when it changed meanwhile or is gone."""
        patched = msgspec.structs.replace(spec, version=spec.version + 1)
        args = [spec.id, msgspec.json.encode(patched), spec.version]
        done = self._patch_stream(keys=[keys.STREAMS, keys.STREAM_CHANGES], args=args)
        return patched if done else None

    def delete_stream(self, stream_id: str) -> bool:
        """Remove a stream and all that belongs to it but its alerts, which stay listed. A late write of its owner is refused."""
        names = [keys.STREAMS, keys.STREAM_CHANGES, *keys.of_stream(stream_id)]
        return bool(self._delete_stream(keys=names, args=[stream_id]))

    def streams_version(self) -> str:
        """Changes with every put, patch and delete."""
        last = self._redis.xrevrange(keys.STREAM_CHANGES, count=1)
        return text(last[0][0]) if last else "0-0"

    # ---- one stream, by its owner -------------------------------------------------------------------------------------------

    def claim(self, stream_id: str) -> int:
        """Become the owner: a new epoch, above all before. FencedError when the stream was deleted."""
        epoch = int(self._claim(keys=[keys.STREAMS, keys.epoch(stream_id)], args=[stream_id]))
        if epoch == 0:
            raise FencedError(f"stream {stream_id} does not exist")
        return epoch

    def resume(self, stream_id: str, model_hash: str) -> Resumed:
        """What the owner before left. A blob that cannot be used is left out, with the reason; seq goes on all the same."""
        pipe = self._redis.pipeline(transaction=True)
        pipe.get(keys.blob(stream_id)).get(keys.snapshot(stream_id)).xrevrange(keys.graph(stream_id), count=1)
        stored, shown, last = pipe.execute()
        snapshot = None if shown is None else msgspec.json.decode(shown, type=GraphSnapshot)
        seq = max(int(last[0][0].split(b"-")[0]) if last else 0, snapshot.seq if snapshot else 0)
        if stored is None:
            return Resumed(None, seq, snapshot)
        try:
            blob = decode_blob(stored, model_hash)
        except StateError as error:
            return Resumed(None, seq, snapshot, refused=str(error))
        return Resumed(blob, max(seq, blob.seq), snapshot)

    def publish(
        self,
        stream_id: str,
        epoch: int,
        message: GraphMessage,
        snapshot: GraphSnapshot,
        *,
        blob: StreamBlob | None = None,
        opened: Sequence[Alert] = (),
        changed: Sequence[AlertChange] = (),
    ) -> bool:
        """One fenced atomic write; True while somebody watches the preview. FencedError when another epoch owns the stream.

        Alerts need the blob that remembers their incidents. Safe to repeat after a connection error: nothing is written twice.
        """
        assert blob is not None or not (opened or changed), "alerts are written together with the blob that remembers their incidents"
        names = [keys.epoch(stream_id), keys.graph(stream_id), keys.snapshot(stream_id), keys.blob(stream_id), keys.watched(stream_id)]
        names += [keys.alerts(self._tenant), keys.alert_order(self._tenant), keys.alert_log(self._tenant), keys.stream_alerts(stream_id)]
        args: list[str | bytes | int | float] = [epoch, message.seq, msgspec.json.encode(message), msgspec.json.encode(snapshot)]
        args += [encode_blob(blob) if blob else b"", MAX_MESSAGES, MAX_LOG, len(opened)]
        for alert in opened:
            names.append(keys.alert(alert.id))
            args += [alert.id, msgspec.json.encode(alert), alert.severity, stream_id]
        for change in changed:
            names.append(keys.alert(change.alert_id))
            closed_at = "" if change.closed_at_s is None else change.closed_at_s
            args += [change.alert_id, change.severity, change.incident_state, closed_at]
        outcome, number = self._publish(keys=names, args=args)
        if outcome == b"fenced":
            raise FencedError(f"epoch {epoch} no longer owns stream {stream_id}")
        assert outcome == b"ok", f"seq {message.seq} of stream {stream_id} goes back behind {number}"
        if opened:
            self.alerts.trim()
        return bool(number)

    def save_blob(self, stream_id: str, blob: StreamBlob) -> None:
        """Write behind without a message, fenced by `blob.epoch`."""
        names = [keys.epoch(stream_id), keys.blob(stream_id)]
        if not self._save_blob(keys=names, args=[blob.epoch, encode_blob(blob)]):
            raise FencedError(f"epoch {blob.epoch} no longer owns stream {stream_id}")

    # ---- status and preview -------------------------------------------------------------------------------------------------

    def put_status(self, status: StreamStatus) -> None:
        """Fenced by `status.epoch`; 0 is the supervisor's, who owns no stream and is not fenced. A deleted stream takes no status."""
        names = [keys.epoch(status.stream_id), keys.status(status.stream_id), keys.STREAMS]
        done = self._put_status(keys=names, args=[status.epoch, msgspec.json.encode(status), status.stream_id])
        if not done and status.epoch:
            raise FencedError(f"epoch {status.epoch} no longer owns stream {status.stream_id}")

    def get_status(self, stream_id: str) -> StreamStatus | None:
        """The last status, or None before the first."""
        return self.get_statuses((stream_id,))[0]

    def get_statuses(self, stream_ids: Sequence[str]) -> tuple[StreamStatus | None, ...]:
        """One for each id, in one round trip."""
        if not stream_ids:
            return ()
        found = self._redis.mget([keys.status(stream_id) for stream_id in stream_ids])
        return tuple(None if data is None else msgspec.json.decode(data, type=StreamStatus) for data in found)

    def put_preview(self, stream_id: str, jpeg: bytes, snapshot: GraphSnapshot) -> None:
        """The analysed picture with its graph; the last few are held for some seconds."""
        name = keys.preview(stream_id)
        pipe = self._redis.pipeline(transaction=False)
        pipe.xadd(name, {"jpeg": jpeg, "graph": msgspec.json.encode(snapshot)}, maxlen=MAX_PREVIEWS, approximate=False)
        pipe.expire(name, PREVIEW_TTL_S)
        pipe.execute()

    def is_watched(self, stream_id: str) -> bool:
        """Does somebody watch the preview? `publish` tells it too."""
        return bool(self._redis.exists(keys.watched(stream_id)))

    # ---- policies and metrics -----------------------------------------------------------------------------------------------

    def put_policies(self, yaml_text: str) -> int:
        """Store what was checked before; the new version."""
        pipe = self._redis.pipeline(transaction=True)
        pipe.hset(keys.POLICIES, "text", yaml_text).hincrby(keys.POLICIES, "version", 1)
        return int(pipe.execute()[1])

    def get_policies(self) -> StoredPolicies | None:
        """None when nobody has stored any: the files are in force."""
        stored, version = self._redis.hmget(keys.POLICIES, ["text", "version"])
        return None if stored is None or version is None else StoredPolicies(int(version), text(stored))

    def policies_version(self) -> int:
        """0 when nobody has stored any; cheap enough to ask every second."""
        return int(self._redis.hget(keys.POLICIES, "version") or 0)

    def put_metrics(self, shard: str, process: str, page: bytes, *, at_s: float) -> None:
        """The /metrics text of one process of a shard; gone 15 s after its last one."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.set(keys.process_metrics(shard, process), page, ex=METRICS_TTL_S).zadd(keys.metrics(shard), {process: at_s})
        pipe.zremrangebyscore(keys.metrics(shard), "-inf", at_s - 100 * METRICS_TTL_S)
        pipe.execute()

    def all_metrics(self, shard: str) -> dict[str, bytes]:
        """Process -> text, of the processes of a shard that live."""
        processes = [text(name) for name in self._redis.zrange(keys.metrics(shard), 0, -1)]
        if not processes:
            return {}
        pages = self._redis.mget([keys.process_metrics(shard, process) for process in processes])
        return {process: page for process, page in zip(processes, pages, strict=True) if page is not None}

    def put_target(self, target: Target, *, at_s: float) -> None:
        """Its API serves now; forgotten an hour after the last time, so that one that died is missed and not just gone."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.zadd(keys.TARGETS, {f"{target.shard} {target.address}": at_s})
        pipe.zremrangebyscore(keys.TARGETS, "-inf", at_s - TARGET_TTL_S)
        pipe.execute()

    def drop_target(self, target: Target) -> None:
        """Its API stops, as it should."""
        self._redis.zrem(keys.TARGETS, f"{target.shard} {target.address}")

    def targets(self, *, now_s: float) -> tuple[Target, ...]:
        """Every API of every shard that was said to serve within the last hour and has not said goodbye, by name."""
        found = self._redis.zrangebyscore(keys.TARGETS, now_s - TARGET_TTL_S, "+inf")
        return tuple(Target(*text(member).split(" ", 1)) for member in sorted(found))


def _fingerprint(spec: StreamSpec) -> str:
    """Of what was asked; a pushed stream's address and key are made up anew each time."""
    asked = msgspec.structs.replace(
        spec, id="", created_at_s=0.0, version=1, url="" if spec.push else spec.url, push=spec.push and Push("")
    )
    return hashlib.blake2b(msgspec.json.encode(asked, order="deterministic"), digest_size=12).hexdigest()
