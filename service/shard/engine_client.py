"""A stream's line to the engine process: one connection, one slot, one frame under way. Knows no stream and no policy."""

import os
import socket
import time
from pathlib import Path
from types import TracebackType

from engines.protocol import EngineSpec, Memory, SceneGraph, UInt8
from service.errors import VigilError
from service.shard.frames import Slot, SlotLayout
from service.shard.wire import ANSWER, Answer, Ask, Outcome, Request, receive_exactly, receive_greeting

ANSWER_TIMEOUT_S = 15.0


class EngineLostError(VigilError):
    """The engine process is gone, silent or full: wait, connect again and give it the memory back."""


class EngineFrameError(VigilError):
    """The engine could not analyse this one frame: drop it and go on."""


class EngineStaleError(EngineFrameError):
    """The frame was too old when its turn came: send a fresh one, which is served next."""


class EngineClient:
    """Blocks while the engine works; one thread at a time. `memory` is the last copy that came back."""

    def __init__(self, address: Path, *, timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        self.memory: Memory | None = None
        self.last_answer = Answer(Outcome.OK)
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._connection.settimeout(timeout_s)
        try:
            self._connection.connect(str(address))
            self.spec: EngineSpec
            self.spec, descriptor = receive_greeting(self._connection)
        except OSError as error:
            self._connection.close()
            raise EngineLostError(f"the engine does not answer at {address}: {error}") from error
        self._slot = Slot(descriptor, SlotLayout.of(self.spec))
        os.close(descriptor)

    def infer(self, image_HW3: UInt8, dt_s: float, *, want_memory: bool = False) -> SceneGraph:
        """The scene in one picture; advances this stream's memory by `dt_s` and, if wanted, copies it to `memory`.

        Raises EngineLostError, EngineStaleError, EngineFrameError (this frame only; after numbers that are not finite the last good
        memory is put back), ValueError when the picture does not fit the slot.
        """
        height, width = image_HW3.shape[:2]
        self._slot.image(height, width)[:] = image_HW3
        answer = self._ask(Request(Ask.INFER, want_memory, height, width, dt_s, time.monotonic()))
        if answer.outcome is Outcome.BROKEN:
            self.write_memory(self.memory)
        if answer.outcome is Outcome.STALE:
            raise EngineStaleError(f"the frame waited {answer.queue_s:.2f} s for the engine")
        if answer.outcome is not Outcome.OK:
            raise EngineFrameError(f"the engine could not analyse a {width}x{height} picture: {answer.outcome.name.lower()}")
        if want_memory:
            self.memory = self._slot.read_memory()
        return self._slot.read_graph()

    def read_memory(self) -> Memory:
        """This stream's memory as it is now. Raises EngineLostError."""
        self._ask(Request(Ask.READ))
        self.memory = self._slot.read_memory()
        return self.memory

    def write_memory(self, memory: Memory | None) -> None:
        """Give this stream a stored memory; None empties it. Raises EngineLostError, ValueError for a memory that does not fit."""
        if memory is not None:
            self._slot.write_memory(memory)
        answer = self._ask(Request(Ask.CLEAR if memory is None else Ask.WRITE))
        if answer.outcome is Outcome.STALE:
            raise EngineStaleError(f"the frame waited {answer.queue_s:.2f} s for the engine")
        if answer.outcome is not Outcome.OK:
            raise ValueError("the engine refused the memory: it holds numbers that are not finite, or negative evidence")
        self.memory = memory

    def _ask(self, request: Request) -> Answer:
        try:
            self._connection.sendall(request.pack())
            self.last_answer = Answer.unpack(receive_exactly(self._connection, ANSWER.size))
        except OSError as error:
            raise EngineLostError(f"the engine is gone: {error}") from error
        return self.last_answer

    def close(self) -> None:
        """Free the slot; a second call does nothing."""
        if self._connection.fileno() >= 0:
            self._connection.close()
            self._slot.close()

    def __enter__(self) -> "EngineClient":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
