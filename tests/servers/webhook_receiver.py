"""A receiver of webhooks: a real HTTP server that keeps what it gets and answers as it was told, slowly, wrongly or without end."""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType


@dataclass(frozen=True, slots=True)
class Received:
    """One request and the status that it is answered with; the names of its headers are in small letters."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    status: int


@dataclass(frozen=True, slots=True)
class Answer:
    """`delay_s` passes before the first byte. An endless body goes on until the client hangs up."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    is_endless: bool = False


class WebhookReceiver:
    """`with WebhookReceiver() as receiver:` `script` is answered with first, one each, then `usual`. `cut_off` counts who hung up early."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.received: list[Received] = []
        self.script: deque[Answer] = deque()
        self.usual = Answer()
        self.cut_off = 0
        self._arrived = threading.Condition()
        self._closing = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver._take(self)

            def log_message(self, format: str, *args: object) -> None:
                del format, args

        self._server = ThreadingHTTPServer((address, 0), Handler)
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="webhook-receiver")
        self.port = self._server.server_port
        self.url = f"http://{address}:{self.port}/hook"

    def wait_until(self, is_met: Callable[[list[Received]], bool], timeout_s: float = 20.0) -> list[Received]:
        """What was received, as soon as it is what is waited for."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: is_met(self.received), timeout_s), f"after {timeout_s} s: {len(self.received)} requests"
            return list(self.received)

    def wait_for(self, count: int) -> list[Received]:
        """At least so many requests."""
        return self.wait_until(lambda received: len(received) >= count)

    def _take(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["content-length"]))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        with self._arrived:
            answer = self.script.popleft() if self.script else self.usual
            self.received.append(Received(handler.path, headers, body, answer.status))
            self._arrived.notify_all()
        self._closing.wait(answer.delay_s)
        try:
            self._answer(handler, answer)
        except OSError:
            self.cut_off += 1
            handler.close_connection = True

    def _answer(self, handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        handler.send_response(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        if not answer.is_endless:
            handler.send_header("content-length", "0")
        handler.end_headers()
        while answer.is_endless and not self._closing.is_set():
            handler.wfile.write(bytes(1 << 16))

    def __enter__(self) -> "WebhookReceiver":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
