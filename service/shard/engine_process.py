"""The engine process: owns the device, gathers waiting frames, infers them in batches, answers. Knows no stream, no policy, no Redis.

A batch is what waits at the moment the device is free: the oldest request and its neighbours on the same canvas. No frame waits for
a fuller batch. A connection is a slot of the memory bank; when it closes, the slot is emptied and free.
"""

import os
import selectors
import socket
import time
from collections import deque
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import structlog

from engines.factory import open_engine
from engines.inputs import check_batch
from engines.protocol import Engine, SceneGraph, UInt8
from service import logs
from service.metrics import Metrics
from service.settings import Settings
from service.shard.frames import Slot, SlotLayout, create_region
from service.shard.messages import BEAT_EVERY_S, Beat, EngineReady, StartFailed
from service.shard.process import begin
from service.shard.wire import REQUEST, Answer, Ask, Outcome, Request, receive_exactly, send_greeting

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Client:
    """One connected stream: where it listens, its row of the memory bank and its shared memory."""

    connection: socket.socket
    index: int
    slot: Slot


class EngineServer:
    """Serves one engine to many clients from one thread."""

    def __init__(self, engine: Engine, address: Path, metrics: Metrics) -> None:
        self._engine = engine
        self._metrics = metrics
        self._layout = SlotLayout.of(engine.spec)
        self._free = list(reversed(range(engine.spec.num_streams)))
        self._waiting: deque[tuple[Client, Request]] = deque()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        address.unlink(missing_ok=True)
        self._listener.bind(str(address))
        self._listener.listen(128)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)

    @property
    def selector(self) -> selectors.BaseSelector:
        """For the caller's own descriptors; they are handed back by `gather`."""
        return self._selector

    def gather(self, wait_s: float) -> list[object]:
        """Accept newcomers, take in requests; wait only when none is waiting. Returns the caller's file objects that are readable."""
        foreign: list[object] = []
        for key, _ in self._selector.select(0.0 if self._waiting else wait_s):
            if key.fileobj is self._listener:
                self._accept()
            elif isinstance(key.data, Client):
                self._receive(key.data)
            else:
                foreign.append(key.fileobj)
        return foreign

    def step(self) -> None:
        """Infer and answer one batch, if anything waits."""
        batch = self._take_batch()
        if not batch:
            return
        images_BHW3 = np.stack([_picture(client, request) for client, request in batch])
        started_s = time.monotonic()
        graphs = self._engine.infer(images_BHW3, [client.index for client, _ in batch], [request.dt_s for _, request in batch])
        infer_s = time.monotonic() - started_s
        self._metrics.infer_s.observe(infer_s)
        self._metrics.batch_size.observe(len(batch))
        for (client, request), graph in zip(batch, graphs, strict=True):
            queue_s = max(0.0, started_s - request.sent_s)
            self._metrics.queue_s.observe(queue_s)
            outcome = self._hand_over(client, request, graph)
            self._answer(client, Answer(outcome, len(batch), queue_s, infer_s))

    def close(self) -> None:
        """Hang up on everybody."""
        for key in list(self._selector.get_map().values()):
            if isinstance(key.data, Client):
                self._drop(key.data)
        self._listener.close()
        self._selector.close()

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        if not self._free:
            log.warning("engine_full", slots=self._engine.spec.num_streams)
            connection.close()
            return
        descriptor = create_region(self._layout.size_bytes)
        client = Client(connection, self._free.pop(), Slot(descriptor, self._layout))
        self._engine.write_memory(client.index, None)
        self._selector.register(connection, selectors.EVENT_READ, client)
        try:
            send_greeting(connection, self._engine.spec, descriptor)
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
                check_batch(self._engine.spec, _picture(client, request)[None], [client.index], [request.dt_s])
                self._waiting.append((client, request))
                return
            self._remember(client, request.ask)
            self._answer(client, Answer(Outcome.OK))
        except ValueError as error:
            log.warning("engine_refuses", why=str(error))
            self._answer(client, Answer(Outcome.REFUSED))

    def _remember(self, client: Client, ask: Ask) -> None:
        if ask is Ask.READ:
            client.slot.write_memory(self._engine.read_memory(client.index))
        else:
            self._engine.write_memory(client.index, client.slot.read_memory() if ask is Ask.WRITE else None)

    def _take_batch(self) -> list[tuple[Client, Request]]:
        """The oldest request and those behind it on the same canvas, up to the engine's batch."""
        if not self._waiting:
            return []
        canvas = (self._waiting[0][1].height, self._waiting[0][1].width)
        same = [item for item in self._waiting if (item[1].height, item[1].width) == canvas][: self._engine.spec.max_batch]
        taken = {client.index for client, _ in same}
        self._waiting = deque(item for item in self._waiting if item[0].index not in taken)
        return same

    def _hand_over(self, client: Client, request: Request, graph: SceneGraph) -> Outcome:
        if not _finite(graph):
            self._engine.write_memory(client.index, None)
            return Outcome.BROKEN
        client.slot.write_graph(graph)
        if request.want_memory:
            client.slot.write_memory(self._engine.read_memory(client.index))
        return Outcome.OK

    def _answer(self, client: Client, answer: Answer) -> None:
        try:
            client.connection.sendall(answer.pack())
        except OSError:
            self._drop(client)

    def _drop(self, client: Client) -> None:
        self._selector.unregister(client.connection)
        client.connection.close()
        client.slot.close()
        self._waiting = deque(item for item in self._waiting if item[0] is not client)
        self._free.append(client.index)


def _picture(client: Client, request: Request) -> UInt8:
    return client.slot.image(request.height, request.width)


def _finite(graph: SceneGraph) -> bool:
    arrays = (graph.boxes_N4, graph.scores_N, graph.embeddings_ND, graph.predicate_probs_RK)
    return all(bool(np.isfinite(array).all()) for array in arrays)


def main(settings: Settings, address: Path, parent: Connection) -> None:
    """Process main. Serves until the parent hangs up or says stop."""
    begin("engine", dies_with_parent=True)
    logs.configure(settings.log_level, as_json=settings.log_json)
    started_s = time.monotonic()
    try:
        engine = _open(settings)
    except ValueError as error:
        parent.send(StartFailed(str(error)))
        return
    metrics = Metrics()
    metrics.engine_ready.labels(engine.spec.backend, engine.spec.model).set(1)
    server = EngineServer(engine, address, metrics)
    parent.send(EngineReady(engine.spec.backend, engine.spec.model, engine.spec.model_hash, time.monotonic() - started_s))
    try:
        _serve(server, metrics, parent)
    except (BrokenPipeError, ConnectionResetError):
        log.info("engine_orphaned")
    finally:
        server.close()
        engine.close()


def _open(settings: Settings) -> Engine:
    return open_engine(
        settings.engine,
        model_dir=settings.model_dir,
        num_streams=settings.max_streams,
        max_pixels=settings.max_pixels,
        threads=settings.engine_threads,
    )


def _serve(server: EngineServer, metrics: Metrics, parent: Connection) -> None:
    server.selector.register(parent, selectors.EVENT_READ)
    next_beat_s = time.monotonic()
    while True:
        if parent in server.gather(BEAT_EVERY_S):
            return
        server.step()
        if time.monotonic() >= next_beat_s:
            parent.send(Beat(metrics.expose()))
            next_beat_s = time.monotonic() + BEAT_EVERY_S
