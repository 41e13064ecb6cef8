"""What the engine process and its clients say to each other over a Unix stream socket. Pixels and arrays lie in the slot (frames.py).

One connection is one stream's memory slot: accepting gives it, closing frees it. A greeting comes first (the engine's spec and the
slot's file descriptor), then fixed-size requests, each answered by one fixed-size answer. At most one request is under way.
"""

import socket
import struct
from enum import IntEnum

import msgspec
from msgspec import Struct

from engines.protocol import EngineSpec

LENGTH = struct.Struct("<I")
REQUEST = struct.Struct("<BBxxIIdd")
ANSWER = struct.Struct("<BxxxIddd")


class Ask(IntEnum):
    """INFER the picture in the slot; put the slot's memory into the bank (WRITE), empty the bank's (CLEAR), copy it out (READ)."""

    INFER = 1
    WRITE = 2
    CLEAR = 3
    READ = 4


class Outcome(IntEnum):
    """REFUSED: the request does not fit the spec. BROKEN: the network gave numbers that are not finite; its memory was emptied.
    STALE: the frame was too old when its turn came; a fresh one is served next.
    """

    OK = 0
    REFUSED = 1
    BROKEN = 2
    STALE = 3


class Request(Struct, frozen=True):
    """`sent_s` is the machine's monotonic clock."""

    ask: Ask
    want_memory: bool = False
    height: int = 0
    width: int = 0
    dt_s: float = 0.0
    sent_s: float = 0.0

    def pack(self) -> bytes:
        return REQUEST.pack(self.ask, self.want_memory, self.height, self.width, self.dt_s, self.sent_s)

    @classmethod
    def unpack(cls, data: bytes) -> "Request":
        ask, want_memory, height, width, dt_s, sent_s = REQUEST.unpack(data)
        return cls(Ask(ask), bool(want_memory), height, width, dt_s, sent_s)


class Answer(Struct, frozen=True):
    """How a request went, with how many others it shared a batch, how long it waited and how long the network took.

    `engine_load` is the share of the last second or so in which the engine was at work.
    """

    outcome: Outcome
    batch: int = 0
    queue_s: float = 0.0
    infer_s: float = 0.0
    engine_load: float = 0.0

    def pack(self) -> bytes:
        return ANSWER.pack(self.outcome, self.batch, self.queue_s, self.infer_s, self.engine_load)

    @classmethod
    def unpack(cls, data: bytes) -> "Answer":
        outcome, batch, queue_s, infer_s, engine_load = ANSWER.unpack(data)
        return cls(Outcome(outcome), batch, queue_s, infer_s, engine_load)


def receive_exactly(connection: socket.socket, size_bytes: int) -> bytes:
    """The next bytes; ConnectionError when the other side is gone."""
    data = connection.recv(size_bytes)
    while len(data) < size_bytes:
        part = connection.recv(size_bytes - len(data)) if data else b""
        if not part:
            raise ConnectionResetError("the other side closed the connection")
        data += part
    return data


def send_greeting(connection: socket.socket, spec: EngineSpec, descriptor: int) -> None:
    """The spec and the slot's memory."""
    body = msgspec.json.encode(spec)
    socket.send_fds(connection, [LENGTH.pack(len(body))], [descriptor])
    connection.sendall(body)


def receive_greeting(connection: socket.socket) -> tuple[EngineSpec, int]:
    """The spec and a file descriptor that the caller closes. ConnectionError when the engine has no slot left."""
    head, descriptors, _, _ = socket.recv_fds(connection, LENGTH.size, 1)
    if len(head) != LENGTH.size or not descriptors:
        raise ConnectionRefusedError("the engine gave no slot: all are in use, or it is stopping")
    body = receive_exactly(connection, LENGTH.unpack(head)[0])
    return msgspec.json.decode(body, type=EngineSpec), descriptors[0]
