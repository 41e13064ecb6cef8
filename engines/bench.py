"""How fast an engine runs here: every backend, checkpoint, canvas, thread count and batch, in turns within one run. Runs alone.

    python -m engines.bench --backends onnxruntime,openvino --threads 1,2 --batches 1,4 --json results.json

Knows no stream and no service. A call infers one batch; the cost of a network does not depend on what is in the pictures.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path

import numpy as np

from engines.bench_ceiling import Ceiling, cpu_ceiling, gflop_per_frame
from engines.canvas import Canvas, fit_canvas
from engines.factory import BACKENDS, SHIPPED, open_engine
from engines.protocol import Engine, UInt8

SOURCE_HW = (720, 1280)
BATCHES = (1, 2, 4, 8, 16)
ROUND_FRAMES = 5
NUM_PICTURES = 16
DT_S = 0.04
DEFAULT_PIXELS = 448 * 256


@dataclass(frozen=True, slots=True)
class Setting:
    """What is opened once. The canvas is that of a 1280x720 source within `max_pixels`."""

    backend: str
    folder: Path
    max_pixels: int
    threads: int

    @property
    def canvas(self) -> Canvas:
        return fit_canvas(*SOURCE_HW, self.max_pixels)

    @property
    def words(self) -> str:
        return f"{self.backend}, {self.folder.name}, {self.canvas.width}x{self.canvas.height}, {self.threads} threads"


@dataclass(frozen=True, slots=True)
class EngineResult:
    """One setting with one batch: milliseconds a call, frames a second by the median call.

    `ratio` is its time a frame over that of the first result, in the same run. `ceiling_share` is what it does of the most that was
    measured on as many threads. `memory_mib` is how much the process grew when the engine was opened. None: not known here.
    """

    backend: str
    checkpoint: str
    device: str
    precision: str
    threads: int
    batch: int
    width: int
    height: int
    frames: int
    load_s: float
    p50_ms: float
    p95_ms: float
    fps: float
    ratio: float
    gflop_per_frame: float | None
    gflops: float | None
    ceiling_share: float | None
    memory_mib: float | None


@dataclass(frozen=True, slots=True)
class EngineReport:
    """One run; `skipped` says in words what could not run and why."""

    results: list[EngineResult]
    ceilings: list[Ceiling]
    skipped: list[str]


@dataclass(slots=True)
class _Opened:
    setting: Setting
    engine: Engine
    load_s: float
    memory_mib: float | None


@dataclass(slots=True)
class _Lane:
    opened: _Opened
    batch: int
    calls_ms: list[float] = field(default_factory=list)


def measure_engines(
    settings: Sequence[Setting],
    batches: Sequence[int],
    seconds: float,
    on_step: Callable[[], None] = lambda: None,
    ceiling_seconds: float = 0.5,
) -> EngineReport:
    """About `seconds` in all beside loading and the ceilings. A setting that cannot be opened is skipped, with its reason.

    ValueError when none can be opened.
    """
    skipped: list[str] = []
    with ExitStack() as stack:
        opened = [one for setting in settings if (one := _open(setting, max(batches), skipped))]
        for one in opened:
            stack.callback(one.engine.close)
        if not opened:
            raise ValueError(f"no engine could be opened: {'; '.join(skipped)}")
        lanes = [_Lane(one, batch) for one in opened for batch in batches if _fits(one, batch, skipped)]
        ceilings = [cpu_ceiling(count, ceiling_seconds) for count in _known_threads(opened)]
        _take_turns(lanes, seconds, on_step)
    return EngineReport(_results(lanes, ceilings), ceilings, skipped)


def table(report: EngineReport) -> list[str]:
    """Lines for a terminal."""
    lines = [f"{'backend':14} {'checkpoint':12} {'canvas':>9} {'thr':>3} {'batch':>5} {'p50 ms':>8} {'p95 ms':>8} {'FPS':>8} {'ratio':>6} "]
    lines[0] += f"{'GFLOP':>6} {'GFLOP/s':>8} {'share':>6} {'MiB':>6}"
    for one in report.results:
        canvas = f"{one.width}x{one.height}"
        head = f"{one.backend:14} {one.checkpoint:12} {canvas:>9} {one.threads:3} {one.batch:5} {one.p50_ms:8.2f} {one.p95_ms:8.2f} "
        share = "-" if one.ceiling_share is None else f"{one.ceiling_share:.0%}"
        numbers = f"{_text(one.gflop_per_frame, 2):>6} {_text(one.gflops, 1):>8} {share:>6} {_text(one.memory_mib, 0):>6}"
        lines.append(f"{head}{one.fps:8.1f} {one.ratio:6.2f} {numbers}")
    for ceiling in report.ceilings:
        kinds = (ceiling.numpy_matmul, ceiling.onnxruntime_matmul, ceiling.onnxruntime_conv)
        words = "numpy matmul {}, ONNX Runtime matmul {}, convolution {}".format(*(_text(kind, 1) for kind in kinds))
        lines.append(f"ceiling on {ceiling.threads} threads, GFLOP/s: {words}")
    return lines + [f"skipped: {reason}" for reason in report.skipped]


def picture(height: int, width: int, seed: int) -> UInt8:
    """Large blocks of colour with a little noise."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (height // 32, width // 32, 3)).repeat(32, 0).repeat(32, 1)
    noise = rng.integers(-8, 9, (height, width, 3))
    out: UInt8 = np.clip(blocks + noise, 0, 255).astype(np.uint8)
    return out


def _open(setting: Setting, num_streams: int, skipped: list[str]) -> _Opened | None:
    before_mib, started_s = _resident_mib(), time.perf_counter()
    try:
        engine = open_engine(
            setting.backend,
            model_dir=setting.folder,
            num_streams=num_streams,
            max_pixels=setting.max_pixels,
            threads=setting.threads,
        )
    except (ValueError, RuntimeError) as error:
        skipped.append(f"{setting.words}: {error}")
        return None
    after_mib = _resident_mib()
    grown_mib = None if before_mib is None or after_mib is None else max(0.0, after_mib - before_mib)
    return _Opened(setting, engine, time.perf_counter() - started_s, grown_mib)


def _fits(opened: _Opened, batch: int, skipped: list[str]) -> bool:
    most = opened.engine.spec.max_batch
    if batch > most:
        skipped.append(f"{opened.setting.words}, batch {batch}: this engine takes at most {most}")
    return batch <= most


def _known_threads(opened: Sequence[_Opened]) -> list[int]:
    """Thread counts of the settings on the processor whose operations are known."""
    return sorted({one.setting.threads for one in opened if one.engine.spec.device == "cpu" and _gflop(one) is not None})


def _gflop(opened: _Opened) -> float | None:
    if opened.engine.spec.backend == "fake":
        return None
    canvas = opened.setting.canvas
    return gflop_per_frame(opened.setting.folder, canvas.height, canvas.width)


def _take_turns(lanes: Sequence[_Lane], seconds: float, on_step: Callable[[], None]) -> None:
    """Rounds over all lanes; a lane's turn is about ROUND_FRAMES frames. The first round warms up and does not count."""
    pictures = {one.opened.setting.canvas: np.empty(0, np.uint8) for one in lanes}
    for canvas in pictures:
        pictures[canvas] = np.stack([picture(canvas.height, canvas.width, seed) for seed in range(NUM_PICTURES)])
    for lane in lanes:
        _turn(lane, pictures[lane.opened.setting.canvas])
        lane.calls_ms.clear()
    deadline_s = time.perf_counter() + seconds
    while time.perf_counter() < deadline_s or not lanes[-1].calls_ms:
        for lane in lanes:
            _turn(lane, pictures[lane.opened.setting.canvas])
        on_step()


def _turn(lane: _Lane, pictures_NHW3: UInt8) -> None:
    slots, dt_s = list(range(lane.batch)), [DT_S] * lane.batch
    for number in range(max(1, ROUND_FRAMES // lane.batch)):
        first = (number * lane.batch) % (NUM_PICTURES - lane.batch + 1)
        started_s = time.perf_counter()
        lane.opened.engine.infer(pictures_NHW3[first : first + lane.batch], slots, dt_s)
        lane.calls_ms.append((time.perf_counter() - started_s) * 1000)


def _results(lanes: Sequence[_Lane], ceilings: Sequence[Ceiling]) -> list[EngineResult]:
    base_ms = statistics.median(lanes[0].calls_ms) / lanes[0].batch
    best = {ceiling.threads: ceiling.best for ceiling in ceilings}
    return [_result(lane, base_ms, best.get(lane.opened.setting.threads)) for lane in lanes]


def _result(lane: _Lane, base_ms: float, ceiling: float | None) -> EngineResult:
    setting, spec = lane.opened.setting, lane.opened.engine.spec
    p50_ms, gflop = statistics.median(lane.calls_ms), _gflop(lane.opened)
    fps = 1000 * lane.batch / p50_ms
    gflops = None if gflop is None else gflop * fps
    return EngineResult(
        backend=setting.backend,
        checkpoint=setting.folder.name,
        device=spec.device,
        precision=spec.precision,
        threads=setting.threads,
        batch=lane.batch,
        width=setting.canvas.width,
        height=setting.canvas.height,
        frames=lane.batch * len(lane.calls_ms),
        load_s=lane.opened.load_s,
        p50_ms=p50_ms,
        p95_ms=float(np.percentile(lane.calls_ms, 95)),
        fps=fps,
        ratio=p50_ms / lane.batch / base_ms,
        gflop_per_frame=gflop,
        gflops=gflops,
        ceiling_share=gflops / ceiling if gflops and ceiling and spec.device == "cpu" else None,
        memory_mib=lane.opened.memory_mib,
    )


def _resident_mib() -> float | None:
    """None where there is no /proc."""
    path = Path("/proc/self/statm")
    return int(path.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20 if path.is_file() else None


def _text(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def main(words: Sequence[str] | None = None) -> int:
    """The command."""
    cores = os.cpu_count() or 1
    parser = argparse.ArgumentParser(prog="python -m engines.bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--backends", default=",".join(name for name in BACKENDS if name != "fake"), help="names, by comma")
    parser.add_argument("--checkpoints", type=Path, nargs="+", default=[SHIPPED], metavar="FOLDER")
    parser.add_argument("--pixels", type=_numbers, default=[DEFAULT_PIXELS], metavar="N,N", help="most pixels of the canvas")
    parser.add_argument("--threads", type=_numbers, default=sorted({1, cores}), metavar="N,N", help="on the processor")
    parser.add_argument("--batches", type=_numbers, default=list(BATCHES), metavar="N,N")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    args = parser.parse_args(words)
    choices = product(args.backends.split(","), args.checkpoints, args.pixels, args.threads)
    report = measure_engines([Setting(*choice) for choice in choices], args.batches, args.seconds)
    print("\n".join(table(report)))
    if args.json:
        args.json.write_text(json.dumps(asdict(report), indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
