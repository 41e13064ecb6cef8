"""The composition root: from settings to running processes. The only file that knows every part; it holds no logic of its own."""

import asyncio
import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import structlog
import uvicorn
from redis import RedisError

import service
from service import logs
from service.api.app import create_app
from service.api.health import own_target
from service.api.server import server_config
from service.errors import StartupError
from service.ingest.address import parse_networks
from service.policy import load_policies
from service.settings import Settings
from service.shard import engine_process, worker
from service.shard.children import ENGINE_START_WITHIN_S, Job
from service.shard.cores import CorePlan, default_workers, plan_cores
from service.shard.folder import run_folder
from service.shard.messages import BEAT_EVERY_S, ApiReady, Beat
from service.shard.process import begin
from service.shard.supervisor import Supervisor
from service.state.embedded import EmbeddedServer
from service.state.store import Store

log = structlog.get_logger()

SHIPPED_POLICIES = Path(service.__file__).parents[1] / "deploy" / "policies"


def serve(settings: Settings, on_ready: Callable[[str], None], *, with_api: bool = True) -> None:
    """Run everything until SIGINT or SIGTERM. `on_ready` gets the page's address once all parts serve.

    Raises StartupError, or ValueError for a policy file that must not be used.
    """
    logs.configure(settings.log_level, as_json=settings.log_json, process="supervisor", shard=settings.shard)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with contextlib.ExitStack() as stack:
        is_stopping = stack.enter_context(_stop_signals())
        parse_networks(settings.allow_networks)
        policies = _policies(settings)
        listener = stack.enter_context(_listen(settings.host, settings.port))
        embedded = None if settings.redis_url else stack.enter_context(EmbeddedServer.start(settings.data_dir))
        redis_url = embedded.url if embedded else str(settings.redis_url)
        store = stack.enter_context(contextlib.closing(_connect(redis_url)))
        address = stack.enter_context(run_folder()) / "engine.sock"
        work = (settings, address, redis_url, policies)
        cores = _cores(settings)
        supervisor = Supervisor(
            engine=Job("engine", engine_process.main, (settings, address), cores.engine, ENGINE_START_WITHIN_S),
            workers=[Job(f"worker-{number}", worker.main, work, own) for number, own in enumerate(cores.workers, 1)],
            spare=Job("spare", worker.main, work) if settings.spare_worker else None,
            api=Job("api", api_main, (settings, redis_url, policies, listener)) if with_api else None,
            store=store,
            shard=settings.shard,
            on_ready=on_ready,
        )
        supervisor.run(lambda: is_stopping() or bool(embedded and not embedded.is_running))
        if embedded and not embedded.is_running and not is_stopping():
            raise StartupError("the embedded Redis server ended by itself; start again, or set VIGIL_REDIS_URL to a server of your own")


def _cores(settings: Settings) -> CorePlan:
    """One entry for each worker, empty unless asked for."""
    available = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    num_workers = settings.workers or default_workers(len(available))
    return plan_cores(available if settings.pin_cpus else [], num_workers)


def _policies(settings: Settings) -> Path | None:
    path = settings.policies or (SHIPPED_POLICIES if SHIPPED_POLICIES.is_dir() else None)
    if path is not None:
        if not path.exists():
            raise StartupError(f"policies: {path} does not exist")
        load_policies(path)
    return path


def _connect(redis_url: str) -> Store:
    try:
        store = Store.connect(redis_url)
    except ValueError as error:
        raise StartupError(f"redis_url: {error}") from error
    try:
        store.ping()
    except RedisError as error:
        store.close()
        raise StartupError(f"Redis at {redis_url.rpartition('@')[2]} does not answer: {error}") from error
    return store


def _listen(host: str, port: int) -> socket.socket:
    """Taken here, so that a port in use is said at once and an API that is started again keeps its address."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=512)
    except OSError as error:
        raise StartupError(f"cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}; choose another with --port") from error


@contextlib.contextmanager
def _stop_signals() -> Iterator[Callable[[], bool]]:
    asked = threading.Event()
    previous = {number: signal.signal(number, lambda *_: asked.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


class _ApiServer(uvicorn.Server):
    """Stops when the supervisor hangs up; signals are the supervisor's business."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def api_main(settings: Settings, redis_url: str, policies: Path | None, listener: socket.socket, parent: Connection) -> None:
    """Process main of the API."""
    begin("api")
    logs.configure(settings.log_level, as_json=settings.log_json, process="api", shard=settings.shard)
    app = create_app(settings, redis_url, policies)
    host, port = listener.getsockname()[:2]
    ready = ApiReady(f"http://{host}:{port}", own_target(settings, port).address)
    asyncio.run(_serve_api(_ApiServer(server_config(app)), listener, ready, parent))


async def _serve_api(server: uvicorn.Server, listener: socket.socket, ready: ApiReady, parent: Connection) -> None:
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    loop = asyncio.get_running_loop()
    hung_up = asyncio.Event()
    loop.add_reader(parent.fileno(), hung_up.set)
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        parent.send(ready)
        while not hung_up.is_set() and not serving.done():
            parent.send(Beat(b""))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(hung_up.wait(), BEAT_EVERY_S)
    server.should_exit = True
    await serving
