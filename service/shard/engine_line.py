"""A stream's line to the engine that outlives the engine: waits for it, connects again, gives it the stream's memory back."""

import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import structlog

from engines.protocol import EngineSpec, Memory, SceneGraph, UInt8
from service.errors import StateError
from service.shard.engine_client import EngineClient, EngineFrameError, EngineLostError

log = structlog.get_logger()

RETRY_EVERY_S = 0.1


class ModelChangedError(StateError):
    """Another model serves now, and has no memory of this stream: its analysis must start again, empty."""


class EngineLine:
    """`on_waiting(True)` is called again and again while there is no engine, `on_waiting(False)` once it is there.

    Whatever waits raises EngineLostError as soon as `stopping` is set.
    """

    def __init__(self, address: Path, stopping: threading.Event, on_waiting: Callable[[bool], None]) -> None:
        self._address = address
        self._stopping = stopping
        self._on_waiting = on_waiting
        self._client = self._connect()

    @property
    def spec(self) -> EngineSpec:
        return self._client.spec

    @property
    def memory(self) -> Memory | None:
        """The last copy that came back."""
        return self._client.memory

    @property
    def load(self) -> float:
        """Share of the last second in which the engine was at work."""
        return self._client.last_answer.engine_load

    def infer(self, image_HW3: UInt8, dt_s: float, *, want_memory: bool) -> SceneGraph:
        """As EngineClient.infer; a lost engine costs this frame (EngineFrameError) and the time until it is back."""
        try:
            return self._client.infer(image_HW3, dt_s, want_memory=want_memory)
        except EngineLostError as error:
            log.warning("engine_lost", error=str(error))
            self._regain()
            raise EngineFrameError("the engine was lost with this frame and is back") from error

    def read_memory(self) -> Memory:
        """The memory as it is now, or raises EngineLostError without waiting."""
        return self._client.read_memory()

    def write_memory(self, memory: Memory | None) -> None:
        """As EngineClient.write_memory."""
        self._client.write_memory(memory)

    def close(self) -> None:
        """Free the slot."""
        self._client.close()

    def _connect(self) -> EngineClient:
        while True:
            try:
                client = EngineClient(self._address)
            except EngineLostError:
                self._on_waiting(True)
                if self._stopping.wait(RETRY_EVERY_S):
                    raise
            else:
                self._on_waiting(False)
                return client

    def _regain(self) -> None:
        lost = self._client
        lost.close()
        self._client = self._connect()
        if self.spec.model_hash != lost.spec.model_hash:
            raise ModelChangedError(
                f"the engine came back with model {self.spec.model_hash[:12]}, this stream's is {lost.spec.model_hash[:12]}"
            )
        self._client.write_memory(lost.memory)

    def __enter__(self) -> "EngineLine":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
