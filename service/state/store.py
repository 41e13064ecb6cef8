"""Everything that outlives a process, as typed reads and writes on one Redis. Knows no stream's insides and decides nothing.

Blocking; workers and the shard use it directly, the API from threads. `service.state.reader` waits for live data with asyncio.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from redis import Redis

from service.state.blob import StreamBlob
from service.types import Alert, AlertChange, GraphMessage, GraphSnapshot, StreamSpec, StreamStatus


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
class AlertPage:
    """Newest first; `cursor` fetches the next page, None at the end."""

    alerts: tuple[Alert, ...]
    cursor: str | None


class Store:
    """One client; safe to share between threads."""

    def __init__(self, redis: Redis, *, tenant: str = "default") -> None:
        self._redis = redis

    @classmethod
    def connect(cls, url: str, *, timeout_s: float = 2.0) -> "Store":
        """redis://, rediss:// or unix:// URL."""
        raise NotImplementedError

    def close(self) -> None: ...
    def ping(self) -> None:
        """redis.RedisError when the server is gone."""

    # desired streams
    def put_stream(
        self, spec: StreamSpec, *, idempotency_key: str | None = None, max_streams: int | None = None
    ) -> tuple[StreamSpec, bool]:
        """(spec, created?). The same key again gives the first spec and False; CapacityError at `max_streams`."""
        raise NotImplementedError

    def get_stream(self, stream_id: str) -> StreamSpec | None:
        raise NotImplementedError

    def list_streams(self) -> tuple[StreamSpec, ...]:
        raise NotImplementedError

    def patch_stream(self, spec: StreamSpec) -> StreamSpec | None:
        """Replace a spec, version + 1; None when it is gone or `spec.version` is not the stored one."""
        raise NotImplementedError

    def delete_stream(self, stream_id: str) -> bool:
        raise NotImplementedError

    def streams_version(self) -> str:
        """Changes with every put, patch and delete."""
        raise NotImplementedError

    def wait_streams_change(self, version: str, timeout_s: float) -> str:
        """Return the new version as soon as it differs, or the old one after `timeout_s`."""
        raise NotImplementedError

    # one stream, by its owner
    def claim(self, stream_id: str) -> int:
        """Become the owner: the new epoch."""
        raise NotImplementedError

    def resume(self, stream_id: str, model_hash: str) -> Resumed:
        raise NotImplementedError

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
        """One fenced atomic write; True while somebody watches the preview. FencedError when a newer epoch owns the stream.

        Alerts need the blob that remembers their incidents. Safe to repeat after a connection error.
        """
        raise NotImplementedError

    def save_blob(self, stream_id: str, blob: StreamBlob) -> None:
        """Write behind, fenced by `blob.epoch`."""
        raise NotImplementedError

    def put_status(self, status: StreamStatus) -> None:
        """Fenced by `status.epoch`; 0 means the supervisor, who owns no stream and is not fenced."""
        raise NotImplementedError

    def get_status(self, stream_id: str) -> StreamStatus | None:
        raise NotImplementedError

    def put_preview(self, stream_id: str, jpeg: bytes, snapshot: GraphSnapshot) -> None:
        raise NotImplementedError
