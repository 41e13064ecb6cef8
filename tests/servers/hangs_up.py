"""An RTMP server that begins to play whatever is asked for and hangs up at once, as MediaMTX does with a stream that nobody publishes."""

import socket
import struct
import threading
from collections import defaultdict
from collections.abc import Iterator
from types import TracebackType
from typing import BinaryIO

_COMMAND, _CHUNK_SIZE = 20, 1
_CHUNK_BYTES = 128
_HEADER_BYTES = (11, 7, 3, 0)
_OBJECT_END = b"\x00\x00\x09"
_STARTED = {"level": "status", "code": "NetStream.Play.Start"}
_CONNECTED = {"code": "NetConnection.Connect.Success"}

Amf = None | float | str | dict[str, str]


class HangsUp:
    """`with HangsUp() as server:` players of any stream at `server.port` are let in and hung up on; `plays` counts them."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, name="hangs-up")
        self.port = int(self._listener.getsockname()[1])
        self.plays = 0

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client, client.makefile("rb") as incoming:
                client.settimeout(5.0)
                try:
                    self._serve(client, incoming)
                except (OSError, EOFError):
                    continue

    def _serve(self, client: socket.socket, incoming: BinaryIO) -> None:
        hello = _read(incoming, 1537)
        client.sendall(hello[:1] + bytes(1536) + hello[1:])
        _read(incoming, 1536)
        for name, number in _commands(incoming):
            if name == "connect":
                client.sendall(_command("_result", number, {"fmsVer": "FMS/3,0"}, _CONNECTED))
            elif name == "createStream":
                client.sendall(_command("_result", number, None, 1.0))
            elif name == "play":
                self.plays += 1
                client.sendall(_command("onStatus", number, None, _STARTED))
                client.shutdown(socket.SHUT_RDWR)
                return

    def __enter__(self) -> "HangsUp":
        self._thread.start()
        return self

    def stop(self) -> None:
        """Listen no more: the port is free. Once more is no error."""
        if self._thread.is_alive():
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._thread.join()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


def _commands(incoming: BinaryIO) -> Iterator[tuple[str, float]]:
    """Name and transaction of each command; of a player's chunks every channel carries one message at a time."""
    chunk_bytes, kinds, lengths, bodies = _CHUNK_BYTES, dict[int, int](), dict[int, int](), defaultdict[int, bytes](bytes)
    while True:
        first = _read(incoming, 1)[0]
        channel, header = first & 63, _read(incoming, _HEADER_BYTES[first >> 6])
        if len(header) >= 7:
            lengths[channel], kinds[channel] = int.from_bytes(header[3:6], "big"), header[6]
        bodies[channel] += _read(incoming, min(chunk_bytes, lengths[channel] - len(bodies[channel])))
        if len(bodies[channel]) < lengths[channel]:
            continue
        body = bodies.pop(channel)
        if kinds[channel] == _CHUNK_SIZE:
            chunk_bytes = int.from_bytes(body, "big")
        elif kinds[channel] == _COMMAND:
            end = 3 + int.from_bytes(body[1:3], "big")
            yield body[3:end].decode(), struct.unpack(">d", body[end + 1 : end + 9])[0]


def _read(incoming: BinaryIO, num_bytes: int) -> bytes:
    read = incoming.read(num_bytes)
    if len(read) < num_bytes:
        raise EOFError
    return read


def _command(*values: Amf) -> bytes:
    """One message on channel 3 in one chunk; shorter than 128 bytes, else FFmpeg would look for a second chunk."""
    body = b"".join(_amf(value) for value in values)
    assert len(body) <= _CHUNK_BYTES, len(body)
    return struct.pack(">B3x", 3) + len(body).to_bytes(3, "big") + bytes([_COMMAND]) + bytes(4) + body


def _amf(value: Amf) -> bytes:
    if value is None:
        return b"\x05"
    if isinstance(value, float):
        return b"\x00" + struct.pack(">d", value)
    if isinstance(value, str):
        return b"\x02" + _text(value)
    return b"\x03" + b"".join(_text(key) + _amf(one) for key, one in value.items()) + _OBJECT_END


def _text(text: str) -> bytes:
    return struct.pack(">H", len(text)) + text.encode()
