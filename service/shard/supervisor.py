"""Keeps one shard running: engine, workers and API as processes, desired streams handed out to workers. Touches no frame.

One loop in one thread: hear the processes, hand out streams, tend the dead and the silent, push the metrics pages.
"""

import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import wait

import structlog
from msgspec.structs import replace
from redis import RedisError

from service.errors import StartupError
from service.metrics import Metrics
from service.shard.assign import assign
from service.shard.children import Child, Job
from service.shard.messages import ApiReady, Assign, Beat, EngineReady, FromChild, StartFailed, WorkerReady
from service.state.store import Store, Target
from service.types import StreamSpec, StreamStatus

log = structlog.get_logger()

LOOK_EVERY_S = 0.1
METRICS_EVERY_S = 1.0
STOP_WITHIN_S = 5.0
START_TRIES = 3


class Supervisor:
    """`run` returns after a clean stop. `on_ready` is called once, when engine, workers and API all serve."""

    def __init__(
        self,
        *,
        engine: Job,
        workers: Sequence[Job],
        spare: Job | None,
        api: Job | None,
        store: Store,
        shard: str,
        on_ready: Callable[[str], None],
    ) -> None:
        self._engine = Child(engine)
        self._workers = {job.name: Child(job) for job in workers}
        self._spare = Child(spare) if spare else None
        self._api = Child(api) if api else None
        self._store = store
        self._shard = shard
        self._on_ready = on_ready
        self._metrics = Metrics()
        for child in self._needed():
            self._metrics.worker_restarts.labels(child.job.name)
        self._specs: dict[str, StreamSpec] = {}
        self._owners: dict[str, str] = {}
        self._version: str | None = None
        self._url = ""
        self._target: Target | None = None
        self._was_ready = False
        self._next_metrics_s = 0.0

    def run(self, is_stopping: Callable[[], bool]) -> None:
        """Until `is_stopping`. Raises StartupError when a process says that it can never start."""
        try:
            for child in self._needed():
                child.start()
            while not is_stopping():
                self._hear()
                self._hand_out()
                self._tend()
                self._push_metrics()
        finally:
            self._stop()

    def _needed(self) -> list[Child]:
        return [self._engine, *self._workers.values(), *([self._api] if self._api else [])]

    def _children(self) -> list[Child]:
        """The spare is started last, when all others serve."""
        return [*self._needed(), *([self._spare] if self._spare and self._was_ready else [])]

    def _hear(self) -> None:
        wait([child.pipe for child in self._children() if child.pipe], LOOK_EVERY_S)
        for child in self._children():
            was_alive = child.pid is not None
            for message in child.listen():
                self._take(child, message)
            if was_alive and child.pid is None:
                self._see_death(child)

    def _take(self, child: Child, message: FromChild) -> None:
        match message:
            case Beat(page):
                child.metrics = page
            case StartFailed(why):
                if not self._was_ready:
                    raise StartupError(why)
                log.error("process_cannot_start", name=child.job.name, why=why)
            case ready:
                child.is_ready = True
                self._greet(child, ready)

    def _greet(self, child: Child, ready: EngineReady | WorkerReady | ApiReady) -> None:
        match ready:
            case EngineReady():
                self._welcome(ready)
            case WorkerReady():
                if child is not self._spare:
                    self._tell(child)
            case ApiReady(url, address):
                self._url, self._target = url, Target(self._shard, address)
        if not self._was_ready and all(one.is_ready for one in self._needed()):
            self._was_ready = True
            self._on_ready(self._url)

    def _welcome(self, engine: EngineReady) -> None:
        for backend, why in engine.passed_over:
            log.info("backend_passed_over", backend=backend, why=why)
        log.info(
            "engine_ready",
            backend=engine.backend,
            model=engine.model,
            model_hash=engine.model_hash,
            load_s=round(engine.load_s, 2),
            capacity_fps=round(engine.capacity_fps, 1),
        )

    def _hand_out(self) -> None:
        """Tell each worker whose set of streams changed."""
        try:
            version = self._store.streams_version()
            if version == self._version:
                return
            specs = {spec.id: spec for spec in self._store.list_streams()}
        except RedisError as error:
            log.warning("redis_gone", error=str(error))
            return
        self._version = version
        before, self._specs = self._specs, specs
        owners, self._owners = self._owners, assign(self._owners, specs, self._workers)
        changed = {spec_id for spec_id in before.keys() | specs.keys() if before.get(spec_id) != specs.get(spec_id)}
        touched = {owner for spec_id in changed for owner in (owners.get(spec_id), self._owners.get(spec_id)) if owner}
        for name in sorted(touched):
            self._tell(self._workers[name])

    def _tell(self, worker: Child) -> None:
        if worker.is_ready:
            worker.tell(Assign(worker.job.name, tuple(spec for spec in self._specs.values() if self._owners[spec.id] == worker.job.name)))

    def _see_death(self, child: Child) -> None:
        if not self._was_ready and child.restarts + 1 >= START_TRIES:
            raise StartupError(f"the {child.job.name} process died {START_TRIES} times while starting; its last words are above")
        if child.job.name in self._workers:
            self._replace(child)

    def _replace(self, worker: Child) -> None:
        """A spare steps in at once, unless the worker dies again and again; its streams are seen to be without it meanwhile."""
        if self._spare and self._spare.is_ready and not worker.died_young:
            worker.take_over(self._spare)
            self._metrics.worker_restarts.labels(worker.job.name).inc()
            self._tell(worker)
        self._mourn(worker)

    def _mourn(self, child: Child) -> None:
        for stream_id in [stream for stream, owner in self._owners.items() if owner == child.job.name]:
            try:
                status = self._store.get_status(stream_id) or StreamStatus(stream_id, "pending", time.time())
                if _rests(self._specs[stream_id], status):
                    continue
                message = "its worker process is started again"
                self._store.put_status(replace(status, state="reconnecting", since_s=time.time(), epoch=0, fps=0.0, message=message))
            except RedisError as error:
                log.warning("redis_gone", error=str(error))
                return

    def _tend(self) -> None:
        for child in self._children():
            if child.tend() and child is not self._spare:
                self._metrics.worker_restarts.labels(child.job.name).inc()

    def _push_metrics(self) -> None:
        if time.monotonic() < self._next_metrics_s:
            return
        self._next_metrics_s = time.monotonic() + METRICS_EVERY_S
        pages = {child.job.name: child.metrics for child in self._children() if child.metrics}
        now_s = time.time()
        try:
            for name, page in {**pages, "supervisor": self._metrics.expose()}.items():
                self._store.put_metrics(self._shard, name, page, at_s=now_s)
            if self._target and self._api and self._api.is_ready:
                self._store.put_target(self._target, at_s=now_s)
        except RedisError as error:
            log.warning("redis_gone", error=str(error))

    def _stop(self) -> None:
        """Workers save their streams first, while engine and store still stand."""
        deadline_s = time.monotonic() + STOP_WITHIN_S
        self._say_goodbye()
        if self._spare and not self._spare.is_ready:
            self._spare.end(time.monotonic())
        workers = [*self._workers.values(), *([self._spare] if self._spare else [])]
        for group in (workers, [self._api] if self._api else [], [self._engine]):
            for child in group:
                child.hang_up()
            for child in group:
                child.end(deadline_s)

    def _say_goodbye(self) -> None:
        """To Prometheus: nobody is to be woken for a stop that was asked for."""
        if self._target is None:
            return
        try:
            self._store.drop_target(self._target)
        except RedisError as error:
            log.warning("redis_gone", error=str(error))


def _rests(spec: StreamSpec, status: StreamStatus) -> bool:
    """Nobody misses its worker: it is over, or waits for its publisher."""
    return status.state in ("ended", "failed") or (status.state == "pending" and spec.lacks_publisher)
