"""One embedded server and one running API for all tests of this folder; each test starts with an empty Redis."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from service.state.embedded import EmbeddedServer
from service.state.store import Store
from service.state.webhooks import WebhookShelf
from tests.servers.webhook_receiver import WebhookReceiver
from tests.service.api.actor import Actor, made_stream
from tests.service.api.media_servers import PLAY_URL, PUSH_URL, TOKEN
from tests.service.api.serving import served

POLICIES = """- name: person-holding-cup
  severity: high
  mode: flag
  when: {relation: {subject: person, predicate: holding, object: cup, min_prob: 0.5}}
  for: 1s
"""


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with EmbeddedServer.start() as server:
        yield server.url


@pytest.fixture(scope="session")
def policy_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("policies") / "cups.yaml"
    path.write_text(POLICIES)
    return path


@pytest.fixture(scope="session")
def api(redis_url: str, policy_file: Path) -> Iterator[httpx.Client]:
    with served(redis_url, policy_file, max_streams=3) as client:
        yield client


@pytest.fixture(autouse=True)
def empty_redis(redis_url: str) -> None:
    with Redis.from_url(redis_url) as redis:
        redis.flushall()


@pytest.fixture
def store(redis_url: str) -> Iterator[Store]:
    store = Store.connect(redis_url)
    yield store
    store.close()


@pytest.fixture
def actor(store: Store) -> Actor:
    """The owner of stream s1."""
    made_stream(store)
    return Actor(store)


@pytest.fixture
def shelf(redis_url: str) -> Iterator[WebhookShelf]:
    shelf = WebhookShelf.connect(redis_url)
    yield shelf
    shelf.close()


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def pushing(redis_url: str, policy_file: Path) -> Iterator[httpx.Client]:
    """The API of an operator who takes pushed streams."""
    options = {"push_url": PUSH_URL, "push_play_url": PLAY_URL, "hook_token": TOKEN}
    with served(redis_url, policy_file, max_streams=3, **options) as client:
        yield client


@pytest.fixture
def stream(pushing: httpx.Client) -> dict[str, Any]:
    """A pushed one, as its maker was answered: with its key."""
    made = pushing.post("/v1/streams", json={"source": "push"})
    assert made.status_code == 201, made.text
    return dict(made.json())
