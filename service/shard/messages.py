"""What the supervisor and its processes say over their pipes. A closed pipe means stop; silence means dead."""

from dataclasses import dataclass

from service.types import StreamSpec

BEAT_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class EngineReady:
    """The engine serves. `passed_over` says of each backend that was not chosen why; `capacity_fps` is what it holds."""

    backend: str
    model: str
    model_hash: str
    load_s: float
    capacity_fps: float
    passed_over: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class WorkerReady:
    """The process takes streams; it is a worker from its first Assign on, a spare until then."""


@dataclass(frozen=True, slots=True)
class ApiReady:
    """The API listens on `url`; `target` is the host:port at which Prometheus reaches it."""

    url: str
    target: str


@dataclass(frozen=True, slots=True)
class StartFailed:
    """The process cannot start and would fail again; the sentence is for the operator."""

    why: str


@dataclass(frozen=True, slots=True)
class Beat:
    """Alive; the process's metrics page."""

    metrics: bytes


@dataclass(frozen=True, slots=True)
class Assign:
    """The worker's name, and all streams that it owns from now on: it starts, patches and stops until that is true."""

    worker: str
    specs: tuple[StreamSpec, ...]


FromChild = EngineReady | WorkerReady | ApiReady | StartFailed | Beat
