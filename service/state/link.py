"""How a client of Redis is made. Knows no key."""

from typing import Any, TypeAlias

from redis import Redis

Client: TypeAlias = Any
"""A redis.Redis that never decodes: redis-py types every reply as bytes or str, ours are bytes; `records.text` asserts it."""


def connect(url: str, timeout_s: float) -> Client:
    """RESP2, whose replies have one shape on every server and client version. ValueError for a URL of another scheme."""
    return Redis.from_url(url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, protocol=2)
