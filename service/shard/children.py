"""Processes that are kept alive: spawned, listened to, killed when silent, started again with backoff. Knows no stream."""

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

import structlog

from service.logs import LastWords
from service.shard.messages import Assign, FromChild

log = structlog.get_logger()

SILENT_AFTER_S = 8.0
START_WITHIN_S = 300.0
ENGINE_START_WITHIN_S = 900.0  # the first start on a GPU builds its engines
LIVED_WELL_S = 10.0
SPARE_AFTER_S = 3.0
BACKOFF_BASE_S = 0.5
BACKOFF_MAX_S = 10.0


@dataclass(frozen=True, slots=True)
class Job:
    """What a process runs: `target(*arguments, pipe to the supervisor)`; both must be importable and picklable. No `cores` binds none.
    One that has not said within `start_within_s` that it is ready is started again."""

    name: str
    target: Callable[..., None]
    arguments: tuple[object, ...] = ()
    cores: frozenset[int] = frozenset()
    start_within_s: float = START_WITHIN_S


class Child:
    """One process under a name. `restarts` counts the times it had to be started again."""

    def __init__(self, job: Job, *, silent_after_s: float = SILENT_AFTER_S) -> None:
        self.job = job
        self._silent_after_s = silent_after_s
        self.restarts = 0
        self.metrics = b""
        self.is_ready = False
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None
        self._started_s = 0.0
        self._heard_s = 0.0
        self._short_lives = 0
        self._start_at_s = 0.0

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def died_young(self) -> bool:
        """Its last life was short: something kills it."""
        return self._short_lives > 0

    @property
    def pipe(self) -> Connection | None:
        """Readable when the child says something or is gone."""
        return self._pipe

    def start(self) -> None:
        """Start the process now."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_run, args=(self.job.target, *self.job.arguments, theirs), name=self.job.name, daemon=True)
        with _sigint_held():
            process.start()
        theirs.close()
        self._process, self._pipe = process, ours
        self._started_s = self._heard_s = time.monotonic()
        self.is_ready = False
        self._bind()
        log.info("process_started", name=self.job.name, pid=process.pid)

    def listen(self) -> list[FromChild]:
        """What it said since. A process found dead or silent for too long is put down for a restart (`pid` is None then)."""
        heard: list[FromChild] = []
        try:
            while self._pipe and self._pipe.poll():
                heard.append(self._pipe.recv())
                self._heard_s = time.monotonic()
        except (EOFError, OSError):
            self._bury()
        silent_s = time.monotonic() - self._heard_s
        if self._process and silent_s > (self._silent_after_s if self.is_ready else self.job.start_within_s):
            log.warning("process_silent", name=self.job.name, pid=self.pid, silent_s=round(silent_s, 1))
            self._bury()
        return heard

    def tell(self, message: Assign) -> None:
        """Say something; a process that is gone is found by `listen`."""
        try:
            if self._pipe:
                self._pipe.send(message)
        except OSError:
            log.info("process_deaf", name=self.job.name)

    def tend(self) -> bool:
        """Start it again when that is due; True when it was."""
        if self._process is not None or time.monotonic() < self._start_at_s:
            return False
        self.restarts += 1
        self.start()
        return True

    def take_over(self, spare: "Child") -> None:
        """Go on with the process that `spare` holds ready; the spare is started again a little later."""
        assert self._process is None, "the old process is gone"
        assert spare.is_ready, "only a ready spare can step in"
        self._process, self._pipe = spare._process, spare._pipe
        self._started_s = self._heard_s = time.monotonic()
        self.is_ready = True
        self.restarts += 1
        spare._process, spare._pipe, spare.is_ready = None, None, False
        spare._start_at_s = time.monotonic() + SPARE_AFTER_S
        self._bind()
        log.info("process_started", name=self.job.name, pid=self.pid, was_spare=True)

    def hang_up(self) -> None:
        """Ask it to end: it sees its pipe close."""
        if self._pipe:
            self._pipe.close()
            self._pipe = None

    def end(self, deadline_s: float) -> None:
        """Wait until the monotonic `deadline_s`, then kill; who has not begun to work has nothing to save."""
        self.hang_up()
        if self._process is None:
            return
        self._process.join(max(0.0, deadline_s - time.monotonic()))
        if self._process.is_alive():
            tell = log.warning if self.is_ready else log.info
            tell("process_killed", name=self.job.name, pid=self.pid)
            self._process.kill()
            self._process.join()
        self._process.close()
        self._process = None

    def _bind(self) -> None:
        """To its cores, before it has threads: they inherit it. A process that is gone already is found by `listen`."""
        if self.job.cores and self.pid and hasattr(os, "sched_setaffinity"):
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(self.pid, self.job.cores)

    def _bury(self) -> None:
        lived_s = time.monotonic() - self._started_s
        self._short_lives = 0 if lived_s > LIVED_WELL_S else self._short_lives + 1
        wait_s = 0.0 if self._short_lives <= 1 else min(BACKOFF_MAX_S, BACKOFF_BASE_S * 2.0 ** (self._short_lives - 2))
        self._start_at_s = time.monotonic() + wait_s
        self.metrics = b""
        self.is_ready = False
        if self._process and self._process.is_alive():
            self._process.kill()
        exit_code = self._exit_code()
        log.warning("process_died", name=self.job.name, exit_code=exit_code, lived_s=round(lived_s, 1), restart_in_s=wait_s)
        self.end(time.monotonic())

    def _exit_code(self) -> int | None:
        if self._process is None:
            return None
        self._process.join(2.0)
        return self._process.exitcode


def _run(target: Callable[..., None], *arguments: object) -> None:
    """First thing in the process."""
    with LastWords():
        target(*arguments)


@contextlib.contextmanager
def _sigint_held() -> Iterator[None]:
    """A child started here never sees Ctrl-C, not even while Python is loading in it: it ends when its pipe closes."""
    resource_tracker.ensure_running()  # its own start would let SIGINT through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
