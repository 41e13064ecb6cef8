"""The console in a real Chromium, on a real API and Redis, with a worker played by the test."""

import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx
import pytest
from msgspec.structs import replace
from playwright.sync_api import Browser, Page, sync_playwright

from service.metrics import Metrics
from service.state.embedded import EmbeddedServer
from service.state.store import Store
from service.types import TrackedGraph
from tests.service.api.actor import BENEATH, HOLDING, Actor, cup, made_stream, person, picture, table
from tests.service.api.serving import served

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP vigil.test 127.0.0.1",
]
FRAME_EVERY_S = 0.08


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed: the page was not tried in a browser")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield opened
        opened.close()


@dataclass
class Scene:
    """Stream s1 goes on by itself: a person who holds a cup walks; pictures come while they are watched."""

    store: Store
    actor: Actor
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> None:
        step = 0
        while not self.stop.wait(FRAME_EVERY_S):
            step += 1
            graph = _walk(step)
            with self.lock:
                watched = self.store.is_watched("s1")
                self.actor.show(graph, jpeg=picture(graph) if watched else None)
                if step % 10 == 1:
                    self.actor.say("live")
                    _say_ready(self.store)


def _walk(step: int) -> TrackedGraph:
    shift = 0.1 * abs((step % 40) - 20) / 20
    moving = (replace(person(), box=_right(person().box, shift)), replace(cup(), box=_right(cup().box, shift)))
    return TrackedGraph((*moving, table()), (HOLDING, BENEATH))


def _right(box: tuple[float, float, float, float], shift: float) -> tuple[float, float, float, float]:
    return (box[0] + shift, box[1], box[2] + shift, box[3])


def _say_ready(store: Store) -> None:
    engine = Metrics()
    engine.engine_ready.labels("fake", "test").set(1)
    store.put_metrics("main", "engine", engine.expose(), at_s=0)
    store.put_metrics("main", "worker-1", Metrics().expose(), at_s=0)


@pytest.fixture
def options() -> dict[str, object]:
    """Settings of the API beyond the defaults; a test file or a test may give its own."""
    return {}


@pytest.fixture
def server(options: dict[str, object]) -> Iterator[tuple[httpx.Client, Store]]:
    """A fresh API on a fresh Redis whose parts are ready."""
    with EmbeddedServer.start() as redis, served(redis.url, None, **options) as client:
        store = Store.connect(redis.url)
        _say_ready(store)
        yield client, store
        store.close()


@pytest.fixture
def scene(server: tuple[httpx.Client, Store]) -> Iterator[Scene]:
    _, store = server
    made_stream(store)
    playing = Scene(store, Actor(store))
    thread = threading.Thread(target=playing.run)
    thread.start()
    yield playing
    playing.stop.set()
    thread.join()


@dataclass
class Watched:
    """What a page did behind its face."""

    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
def page(browser: Browser, server: tuple[httpx.Client, Store], watched: Watched) -> Iterator[Page]:
    """The console at 1280x800. After the test: no error in its console, no request to another origin."""
    client, _ = server
    origin = str(client.base_url).rstrip("/")
    opened = browser.new_page(viewport={"width": 1280, "height": 800}, base_url=origin)
    opened.set_default_timeout(8000)
    opened.on("console", lambda message: watched.errors.append(message.text) if message.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: watched.errors.append(str(error)))
    opened.on("request", lambda request: watched.foreign.append(request.url) if _is_foreign(request.url, origin) else None)
    opened.on("websocket", lambda socket: watched.foreign.append(socket.url) if _is_foreign(socket.url, origin) else None)
    yield opened
    errors = [text for text in watched.errors if "getImageData" not in text]
    opened.close()
    assert errors == []
    assert watched.foreign == []


def _is_foreign(url: str, origin: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme not in ("blob", "data") and parts.netloc != urlsplit(origin).netloc
