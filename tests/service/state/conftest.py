"""One real server per kind for the whole session; every test starts on an empty one."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from service.state.embedded import EmbeddedServer, find_server
from service.state.store import Store


@pytest.fixture(scope="session", params=["bundled", "debian"])
def server_url(request: pytest.FixtureRequest) -> Iterator[str]:
    debian = shutil.which("redis-server")
    if request.param == "debian" and debian is None:
        pytest.skip("redis-server is not installed: the store was not tried on Redis 7.0")
    binary = find_server() if request.param == "bundled" or debian is None else Path(debian)
    with EmbeddedServer.start(binary=binary) as server:
        yield server.url


@pytest.fixture
def redis(server_url: str) -> Iterator[Redis]:
    client = Redis.from_url(server_url)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def store(server_url: str, redis: Redis) -> Iterator[Store]:
    del redis
    opened = Store.connect(server_url)
    yield opened
    opened.close()
