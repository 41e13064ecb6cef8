"""The worker process: owns the streams it is told to, each in a keeper of its own. Knows no pixel and decides nothing about them."""

import os
import shutil
import signal
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import structlog

from service import logs
from service.ingest.address import AddressGuard, parse_networks
from service.ingest.backoff import ConnectBudget
from service.metrics import Metrics
from service.settings import Settings
from service.shard.keeper import StreamKeeper
from service.shard.messages import BEAT_EVERY_S, Assign, Beat, WorkerReady
from service.shard.policies import PolicySource
from service.shard.process import begin
from service.shard.stream import WorkerParts
from service.state.store import Store
from service.types import StreamSpec

log = structlog.get_logger()

SAVE_WITHIN_S = 3.0


class Worker:
    """The streams of one process."""

    def __init__(self, parts: WorkerParts, policies: PolicySource) -> None:
        self._parts = parts
        self._policies = policies
        self._policies.refresh()
        parts.metrics.begin_worker()
        self._keepers: dict[str, StreamKeeper] = {}
        self._leaving: list[StreamKeeper] = []

    def assign(self, specs: tuple[StreamSpec, ...]) -> None:
        """Start, patch and stop streams until exactly these run."""
        wanted = {spec.id: spec for spec in specs}
        for stream_id in self._keepers.keys() - wanted.keys():
            keeper = self._keepers.pop(stream_id)
            keeper.stop()
            self._leaving.append(keeper)
        for stream_id, spec in wanted.items():
            if stream_id not in self._keepers or not self._keepers[stream_id].is_running:
                self._keepers[stream_id] = StreamKeeper(spec, self._policies.current, self._parts)
                self._keepers[stream_id].start()
            elif self._keepers[stream_id].spec != spec:
                self._keepers[stream_id].spec = spec
            self._parts.metrics.name_stream(stream_id, spec.name)

    def tend(self) -> bytes:
        """Once a second: new policies and effort to all streams, blind time counted; the metrics page.

        The series of streams that this worker no longer owns (taken from it, or fenced by another's) are dropped: their owner counts them.
        """
        self._weigh()
        if self._policies.refresh():
            for keeper in self._keepers.values():
                keeper.policies = self._policies.current
        for keeper in self._keepers.values():
            keeper.count_blind()
        for stream_id in [stream_id for stream_id, keeper in self._keepers.items() if not keeper.is_running]:
            self._leaving.append(self._keepers.pop(stream_id))
        gone = [keeper for keeper in self._leaving if not keeper.is_running]
        self._leaving = [keeper for keeper in self._leaving if keeper.is_running]
        for keeper in gone:
            if keeper.spec.id not in self._keepers:
                self._parts.metrics.forget_stream(keeper.spec.id)
        return self._parts.metrics.expose()

    def _weigh(self) -> None:
        pressure, metrics, name = self._parts.pressure, self._parts.metrics, self._parts.name
        if pressure.tick(time.monotonic()):
            log.warning("pressure", worker=name, level=pressure.level, cap_fps=round(pressure.cap_fps, 2))
        metrics.pressure.labels(name).set(pressure.level)
        metrics.pressure_fps.labels(name).set(pressure.cap_fps)

    @property
    def is_busy(self) -> bool:
        """A stream runs, or one that was stopped still closes its source."""
        return any(keeper.is_running for keeper in (*self._keepers.values(), *self._leaving))

    def stop(self) -> None:
        """Every stream saves its state."""
        deadline_s = time.monotonic() + SAVE_WITHIN_S
        for keeper in self._keepers.values():
            keeper.stop()
        for keeper in self._keepers.values():
            keeper.join(max(0.0, deadline_s - time.monotonic()))


def main(settings: Settings, engine_address: Path, redis_url: str, policies: Path | None, parent: Connection) -> None:
    """Process main. Works until the parent hangs up or SIGTERM comes; an orphan clears away the supervisor's folder.

    Leaves by os._exit: a decoder thread inside a blocking read would hold up, or crash, the interpreter's end.
    """
    begin("spare")
    supervisor_pid = os.getppid()
    signal.signal(signal.SIGTERM, lambda *_: parent.close())
    logs.configure(settings.log_level, as_json=settings.log_json, process="spare", shard=settings.shard)
    store = Store.connect(redis_url)
    source = PolicySource(store, policies)
    source.refresh()
    guard = AddressGuard(parse_networks(settings.allow_networks))
    try:
        first = _wait_for_name(parent)
        begin(first.worker)
        logs.configure(settings.log_level, as_json=settings.log_json, process=first.worker, shard=settings.shard)
        parts = WorkerParts(first.worker, settings, engine_address, store, Metrics(), guard, ConnectBudget(settings.connects_per_minute))
        _serve(Worker(parts, source), first, parent)
    except (EOFError, OSError):
        log.info("spare_stops")
    store.close()
    if os.getppid() != supervisor_pid:
        shutil.rmtree(engine_address.parent, ignore_errors=True)
    sys.stderr.flush()
    os._exit(0)


def _wait_for_name(parent: Connection) -> Assign:
    """A spare has all imported and connected, and no streams. EOFError or OSError when it is never needed."""
    parent.send(WorkerReady())
    while not parent.poll(BEAT_EVERY_S):
        parent.send(Beat(b""))
    first: Assign = parent.recv()
    return first


def _serve(worker: Worker, first: Assign, parent: Connection) -> None:
    """Until the pipe is closed on either side; then every stream has saved."""
    worker.assign(first.specs)
    try:
        while True:
            parent.send(Beat(worker.tend()))
            if parent.poll(BEAT_EVERY_S):
                message: Assign = parent.recv()
                worker.assign(message.specs)
    except (EOFError, OSError):
        log.info("worker_stops", name=first.worker)
        worker.stop()
