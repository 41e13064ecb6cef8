"""The application on a real uvicorn in a thread, on a free port."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import uvicorn

from service.api.app import create_app
from service.api.server import server_config
from service.settings import Settings


class QuietServer(uvicorn.Server):
    """Leaves signals to pytest."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextmanager
def served(redis_url: str, policies: Path | None = None, **options: object) -> Iterator[httpx.Client]:
    """A client of the running API; its base_url is the address."""
    settings = Settings(**{"port": 0, "allow_networks": ("127.0.0.0/8",), **options})  # type: ignore[arg-type]
    server = QuietServer(server_config(create_app(settings, redis_url, policies), host="127.0.0.1", port=0))
    thread = threading.Thread(target=server.run, name="api")
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the API did not start"
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10.0) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive(), "the API did not stop"


def socket_url(client: httpx.Client, path: str) -> str:
    return str(client.base_url.join(path)).replace("http", "ws", 1)
