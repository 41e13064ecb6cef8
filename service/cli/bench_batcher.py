"""What one shard's batcher costs a frame, by number of streams: real sockets and shared memory, an engine that only takes its time.

The streams live in a process of their own and always have the next frame ready; the picture is written once. What is measured is the
engine process: how many frames a second pass, and its processor time for each, the fake network's being slept away.
"""

import multiprocessing
import selectors
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from msgspec import Struct

from engines.fake import FakeEngine, make_scene
from service.cli.procfs import family
from service.metrics import Metrics
from service.shard.engine_server import EngineServer
from service.shard.wire import ANSWER, Answer, Ask, Outcome, Request, receive_exactly, receive_greeting

CANVAS_HW = (256, 448)
DT_S = 0.04
ROUNDS = 3
SETTLE_S = 0.3
START_WITHIN_S = 30.0
SCENE = make_scene([("person", 0.9, (0.1, 0.1, 0.4, 0.9)), ("cup", 0.8, (0.3, 0.4, 0.4, 0.5))], [(0, "holding", 1, 0.9)])


class BatcherResult(Struct):
    """One number of streams. `fairness` is the most frames of a stream over the fewest; waits are from sent to taken."""

    streams: int
    frames_per_s: float
    cpu_us: float
    mean_batch: float
    queue_mean_ms: float
    fairness: float


class Tally(Struct):
    """What the streams' process counted: frames of each stream, and sums over their answers."""

    frames: list[int]
    batches: float
    queue_s: float
    seconds: float


def measure_batcher(
    streams: Sequence[int], cost_us: float, seconds: float, on_step: Callable[[], None], *, best_batch: int = 1
) -> list[BatcherResult]:
    """Each number of streams for `seconds` in all, in turns, against a network of `cost_us` a frame: the cheapest of `ROUNDS` rounds of
    each, so that what else the machine does falls on none alone. `on_step` is called after each number of the last round."""
    rounds: dict[int, list[BatcherResult]] = {count: [] for count in streams}
    with _engine(max(streams), cost_us * 1e-6, best_batch) as (address, pid):
        for turn in range(ROUNDS):
            for count in streams:
                rounds[count].append(_measure(address, pid, count, seconds / ROUNDS))
                if turn == ROUNDS - 1:
                    on_step()
    return [min(results, key=lambda result: result.cpu_us) for results in rounds.values()]


def _measure(address: Path, pid: int, count: int, seconds: float) -> BatcherResult:
    with _child(play_streams, address, count) as (player, _):
        assert player.poll(START_WITHIN_S), "the streams are connected"
        player.recv()
        time.sleep(SETTLE_S)
        player.send("count")
        cpu_s = family(pid)[0].cpu_s
        time.sleep(seconds)
        player.send("stop")
        tally: Tally = player.recv()
        cpu_s = family(pid)[0].cpu_s - cpu_s
    frames = sum(tally.frames)
    assert frames, "frames pass"
    return BatcherResult(
        streams=count,
        frames_per_s=frames / tally.seconds,
        cpu_us=cpu_s / frames * 1e6,
        mean_batch=frames / tally.batches,
        queue_mean_ms=tally.queue_s / frames * 1e3,
        fairness=max(tally.frames) / max(1, min(tally.frames)),
    )


@contextmanager
def _engine(num_streams: int, frame_s: float, best_batch: int) -> Iterator[tuple[Path, int]]:
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as folder:
        address = Path(folder) / "engine.sock"
        with _child(serve_fake, address, num_streams, frame_s, best_batch) as (engine, pid):
            assert engine.poll(START_WITHIN_S), "the engine serves"
            engine.recv()
            yield address, pid


@contextmanager
def _child(target: Callable[..., None], *arguments: object) -> Iterator[tuple[Connection, int]]:
    """A process and the pipe to it; it ends when the pipe does."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=target, args=(*arguments, theirs), daemon=True)
    process.start()
    theirs.close()
    assert process.pid is not None, "it was started"
    try:
        yield ours, process.pid
    finally:
        ours.close()
        process.join(5.0)
        process.kill()
        process.close()


def serve_fake(address: Path, num_streams: int, frame_s: float, best_batch: int, parent: Connection) -> None:
    """Process main: an engine that sees the same in every picture, after `frame_s`."""
    engine = FakeEngine(
        num_streams=num_streams,
        max_pixels=CANVAS_HW[0] * CANVAS_HW[1],
        scene=lambda _image_HW3, _dt_s: SCENE,
        frame_s=frame_s,
        best_batch=best_batch,
    )
    server = EngineServer(engine, address, Metrics())
    server.selector.register(parent, selectors.EVENT_READ)
    parent.send("ready")
    while parent not in server.gather(1.0):
        server.step()
    server.close()


def play_streams(address: Path, count: int, parent: Connection) -> None:
    """Process main: `count` streams that send the next frame as soon as an answer is there."""
    selector = selectors.DefaultSelector()
    selector.register(parent, selectors.EVENT_READ)
    for number in range(count):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(str(address))
        receive_greeting(connection)
        selector.register(connection, selectors.EVENT_READ, number)
        connection.sendall(_request())
    parent.send("connected")
    tally = Tally([0] * count, 0.0, 0.0, 0.0)
    while True:
        for key, _ in selector.select():
            if key.fileobj is not parent:
                _take_answer(key, tally)
            elif parent.recv() == "count":
                tally = Tally([0] * count, 0.0, 0.0, time.perf_counter())
            else:
                tally.seconds = time.perf_counter() - tally.seconds
                parent.send(tally)
                return


def _take_answer(key: selectors.SelectorKey, tally: Tally) -> None:
    connection = key.fileobj
    assert isinstance(connection, socket.socket)
    answer = Answer.unpack(receive_exactly(connection, ANSWER.size))
    connection.sendall(_request())
    assert answer.outcome is Outcome.OK, answer
    tally.frames[key.data] += 1
    tally.batches += 1.0 / answer.batch
    tally.queue_s += answer.queue_s


def _request() -> bytes:
    return Request(Ask.INFER, False, *CANVAS_HW, DT_S, time.monotonic()).pack()
