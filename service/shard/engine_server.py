"""Serves one engine to many streams over sockets and shared memory, from one thread. Knows no stream, no policy, no Redis.

A connection is a slot of the memory bank; when it closes, the slot is emptied and free. Which frames go together, and when, is
batcher.py's business. When the engine's spec changes, everybody is hung up on: they connect again and learn it.
"""

import math
import os
import selectors
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import structlog

from engines.device_memory import device_memory
from engines.inputs import check_batch
from engines.protocol import Engine, EngineSpec, SceneGraph, UInt8
from service.metrics import Metrics
from service.shard.batcher import Batch, Batcher, Canvas
from service.shard.capacity import Capacity
from service.shard.frames import Slot, SlotLayout, create_region
from service.shard.wire import REQUEST, Answer, Ask, Outcome, Request, receive_exactly, send_greeting

log = structlog.get_logger()

MAX_DELAY_S = 0.002
"""How long a frame waits for company, where frames are faster in company."""
STALE_AFTER_S = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Client:
    """One connected stream: where it listens, its row of the memory bank and its shared memory."""

    connection: socket.socket
    index: int
    slot: Slot


class Asked(NamedTuple):
    """A frame that waits."""

    client: Client
    request: Request


class EngineServer:
    """`capacity` is kept up with every batch. A frame older than `stale_after_s` when its turn comes is not analysed."""

    def __init__(self, engine: Engine, address: Path, metrics: Metrics, *, stale_after_s: float = STALE_AFTER_S) -> None:
        self._engine = engine
        self._metrics = metrics
        self._stale_after_s = stale_after_s
        self.capacity = Capacity(best_batch=1)
        self._take_up(engine.spec)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        address.unlink(missing_ok=True)
        self._listener.bind(str(address))
        self._listener.listen(128)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)

    def _take_up(self, spec: EngineSpec) -> None:
        """Begin with nobody connected."""
        best_batch = min(spec.best_batch, spec.max_batch, spec.num_streams)
        self._spec = spec
        self._layout = SlotLayout.of(spec)
        self._free = list(reversed(range(spec.num_streams)))
        self._batcher: Batcher[Asked] = Batcher(
            best_batch=best_batch, max_delay_s=MAX_DELAY_S if best_batch > 1 else 0.0, stale_after_s=self._stale_after_s
        )
        self._canvases: set[Canvas] = set()
        self._room_L = np.empty(best_batch * spec.max_pixels * 3, np.uint8)
        self.capacity.best_batch = best_batch

    @property
    def selector(self) -> selectors.BaseSelector:
        """For the caller's own descriptors; they are handed back by `gather`."""
        return self._selector

    def gather(self, wait_s: float) -> list[object]:
        """Accept newcomers, take in requests; wait only until a batch is due. Returns the caller's file objects that are readable."""
        foreign: list[object] = []
        due_s = self._batcher.wait_s(time.monotonic())
        for key, _ in self._selector.select(wait_s if due_s is None else min(wait_s, due_s)):
            if isinstance(key.data, Client):
                self._receive(key.data)
            elif key.fileobj is self._listener:
                self._accept()
            else:
                foreign.append(key.fileobj)
        return foreign

    def step(self) -> None:
        """Infer and answer one batch, if any is due."""
        started_s = time.monotonic()
        batch = self._batcher.take(started_s)
        if batch is None:
            return
        for client, request in batch.stale:
            self._answer(client, Answer(Outcome.STALE, 0, started_s - request.sent_s, 0.0, self.capacity.load))
        if batch.frames:
            self._infer(batch, started_s)

    def report(self, now_s: float) -> None:
        """Bring the gauges up to date: who serves, what it holds, how busy it is, how full its device."""
        self.capacity.roll(now_s)
        for gauge in (self._metrics.engine_ready, self._metrics.engine_capacity, self._metrics.engine_load):
            gauge.clear()  # a backend that was swapped out is gone
        self._metrics.engine_ready.labels(self._spec.backend, self._spec.model).set(1)
        self._metrics.engine_capacity.labels(self._spec.backend).set(self.capacity.frames_per_s)
        self._metrics.engine_load.labels(self._spec.backend).set(self.capacity.load)
        if memory := device_memory(self._spec.backend):
            self._metrics.device_memory.labels(memory.device, "used").set(memory.used_bytes)
            self._metrics.device_memory.labels(memory.device, "total").set(memory.total_bytes)

    def follow(self) -> bool:
        """When the engine's spec is another one than clients know, hang up on everybody and begin anew with it; True when it was."""
        if self._engine.spec == self._spec:
            return False
        for client in self._clients():
            self._drop(client)
        self._take_up(self._engine.spec)
        return True

    def close(self) -> None:
        """Hang up on everybody."""
        for client in self._clients():
            self._drop(client)
        self._listener.close()
        self._selector.close()

    def _clients(self) -> list[Client]:
        return [key.data for key in self._selector.get_map().values() if isinstance(key.data, Client)]

    # ---- frames -------------------------------------------------------------------------------------------------------------

    def _infer(self, batch: Batch[Asked], started_s: float) -> None:
        frames = batch.frames
        slots, dt_s = [client.index for client, _ in frames], [request.dt_s for _, request in frames]
        graphs = self._engine.infer(self._images(batch.canvas, frames), slots, dt_s)
        infer_s = time.monotonic() - started_s
        self._metrics.infer_s.observe(infer_s)
        self._metrics.batch_size.observe(len(frames))
        for (client, request), graph in zip(frames, graphs, strict=True):
            queue_s = max(0.0, started_s - request.sent_s)
            self._metrics.queue_s.observe(queue_s)
            outcome = self._hand_over(client, request, graph)
            self._answer(client, Answer(outcome, len(frames), queue_s, infer_s, self.capacity.load))
        done_s = time.monotonic()
        self.capacity.note(len(frames), done_s - started_s, done_s)

    def _images(self, canvas: Canvas, frames: list[Asked]) -> UInt8:
        """A lone picture where it lies; several side by side in one room, which is there already. Not to be kept: slots may close."""
        height, width = canvas
        if len(frames) == 1:
            return frames[0].client.slot.image(height, width)[None]
        images_BHW3 = self._room_L[: len(frames) * height * width * 3].reshape(len(frames), height, width, 3)
        for image_HW3, (client, _) in zip(images_BHW3, frames, strict=True):
            image_HW3[:] = client.slot.image(height, width)
        return images_BHW3

    def _hand_over(self, client: Client, request: Request, graph: SceneGraph) -> Outcome:
        if not client.slot.write_graph(graph):
            self._engine.write_memory(client.index, None)
            return Outcome.BROKEN
        if request.want_memory:
            client.slot.write_memory(self._engine.read_memory(client.index))
        return Outcome.OK

    # ---- connections --------------------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        if not self._free:
            log.warning("engine_full", slots=self._spec.num_streams)
            connection.close()
            return
        descriptor = create_region(self._layout.size_bytes)
        client = Client(connection, self._free.pop(), Slot(descriptor, self._layout))
        self._engine.write_memory(client.index, None)
        self._batcher.join(client.index)
        self._selector.register(connection, selectors.EVENT_READ, client)
        try:
            send_greeting(connection, self._spec, descriptor)
        except OSError:
            self._drop(client)
        finally:
            os.close(descriptor)

    def _receive(self, client: Client) -> None:
        try:
            request = Request.unpack(receive_exactly(client.connection, REQUEST.size))
        except OSError:
            self._drop(client)
            return
        try:
            if request.ask is Ask.INFER:
                canvas = self._check(client, request)
                self._batcher.add(client.index, canvas, request.sent_s, Asked(client, request), time.monotonic())
                return
            self._remember(client, request.ask)
            self._answer(client, Answer(Outcome.OK))
        except ValueError as error:
            log.warning("engine_refuses", why=str(error))
            self._answer(client, Answer(Outcome.REFUSED))

    def _check(self, client: Client, request: Request) -> Canvas:
        """ValueError unless the engine could take this frame; a canvas is looked at once."""
        canvas = (request.height, request.width)
        if canvas not in self._canvases or not 0.0 <= request.dt_s < math.inf:
            check_batch(self._spec, client.slot.image(*canvas)[None], [client.index], [request.dt_s])
            self._canvases.add(canvas)
        return canvas

    def _remember(self, client: Client, ask: Ask) -> None:
        if ask is Ask.READ:
            client.slot.write_memory(self._engine.read_memory(client.index))
        else:
            self._engine.write_memory(client.index, client.slot.read_memory() if ask is Ask.WRITE else None)

    def _answer(self, client: Client, answer: Answer) -> None:
        try:
            client.connection.sendall(answer.pack())
        except OSError:
            self._drop(client)

    def _drop(self, client: Client) -> None:
        self._selector.unregister(client.connection)
        client.connection.close()
        client.slot.close()
        self._batcher.leave(client.index)
        self._free.append(client.index)
