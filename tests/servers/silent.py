"""A TCP listener that accepts and says nothing, and counts who came."""

import socket
import threading
from types import TracebackType


class SilentServer:
    """`with SilentServer() as silent:` connections to `silent.port` stay open without an answer; `contacts` counts them."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self._listener = socket.create_server((address, 0))
        self._clients: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, name="silent-server")
        self.address = address
        self.contacts = 0

    @property
    def port(self) -> int:
        """The free port that was taken."""
        return int(self._listener.getsockname()[1])

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.contacts += 1
            self._clients.append(client)

    def __enter__(self) -> "SilentServer":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for client in self._clients:
            client.close()
