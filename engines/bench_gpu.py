"""What a GPU makes of the networks, in one command that needs no network and no service: `make bench-gpu`, python -m engines.bench_gpu.

Prints what it finds as it goes, and writes everything as JSON after every stage, so that a run cut short leaves what it had. A stage
that fails is recorded in words and hides no other. Engine only: pictures lie on the device; decoding and the service come on top.
Needs torch, numpy, msgspec, safetensors, scipy, tokenizers, tqdm; onnx and TensorRT for their own rows.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engines.bench import EngineResult
    from engines.bench_gpu_measure import Facts, Row, SubjectFacts

NEEDED = ("torch", "numpy", "msgspec", "safetensors", "scipy", "tokenizers", "tqdm")
ENGINES = ["torch_cuda", "tensorrt", "tensorrt_rtx"]
WAYS = ["eager", "cuda graphs", "tensorrt", "tensorrt_rtx", "compile", "torch_tensorrt"]
"""In the order in which they are tried: the slow to build come last."""
SLOW_WAYS = ("compile", "torch_tensorrt")
"""They build for each batch, so they are tried at the first and the last only."""
ENGINE_SECONDS = 10.0
STREAM_FPS = 25
CAUGHT = (
    ImportError,
    RuntimeError,
    ValueError,
    AssertionError,
    AttributeError,
    TypeError,
    LookupError,
    OSError,
    subprocess.SubprocessError,
)
"""What a library that is missing, of another version or out of memory raises: the stage is recorded as failed and the next one runs."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One thing that was tried; `reason` says why it failed, empty when it did not."""

    name: str
    seconds: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Options:
    """What to try: the product's backends, networks (or folders of checkpoints), ways to run them, batches. `pixels` None: each its own."""

    device: str
    engines: Sequence[str]
    networks: Sequence[str]
    ways: Sequence[str]
    batches: Sequence[int]
    pixels: int | None


@dataclass(slots=True)
class GpuReport:
    """One run so far."""

    facts: "Facts | None" = None
    engines: "list[EngineResult]" = field(default_factory=list)
    subjects: "list[SubjectFacts]" = field(default_factory=list)
    rows: "list[Row]" = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)


class Run:
    """Runs stages one by one and keeps the report on disk."""

    def __init__(self, out: Path | None, seconds: float) -> None:
        self.report = GpuReport()
        self._out = out
        self._deadline_s = time.perf_counter() + seconds

    def stage(self, name: str, call: Callable[[], None]) -> bool:
        """True when it went well. Past the time limit nothing is started any more, and that is the reason recorded."""
        begun_s, reason = time.perf_counter(), ""
        if begun_s > self._deadline_s:
            reason = "not tried: the time was up"
        else:
            try:
                call()
            except CAUGHT as error:
                reason = f"{type(error).__name__}: {' '.join(str(error).split())[:400]}"
                if not isinstance(error, ImportError | ValueError):
                    traceback.print_exc(limit=-3, file=sys.stdout)
        self.report.stages.append(Stage(name, time.perf_counter() - begun_s, reason))
        print(f"-- {name}: {reason or f'{self.report.stages[-1].seconds:.1f} s'}", flush=True)
        self._write()
        return not reason

    def add(self, row: "Row") -> None:
        """Say and keep one row. TimeoutError once the time is up, so that no larger batch is begun."""
        self.report.rows.append(row)
        print(f"   {row.way}, batch {row.batch}: {row.p50_ms:.3f} ms, {row.fps:.1f} frames/s", flush=True)
        self._write()
        if time.perf_counter() > self._deadline_s:
            raise TimeoutError(f"the time was up after batch {row.batch}")

    def _write(self) -> None:
        if self._out:
            self._out.parent.mkdir(parents=True, exist_ok=True)
            self._out.write_text(json.dumps(asdict(self.report), indent=2) + "\n")


def missing_packages() -> list[str]:
    """Those of NEEDED that this Python does not have."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


def measure(run: Run, options: Options) -> None:
    """All stages, in order: what the product does with the device first, what is slow to build last."""
    from engines import bench_gpu_measure as measuring
    from engines.bench import table as engine_table

    device, report = measuring.device_of(options.device), run.report
    subjects: list[measuring.Measured] = []

    def find_facts() -> None:
        report.facts = measuring.facts(device)
        print("\n".join(measuring.facts_lines(report.facts)))

    def run_engines(backend: str) -> None:
        found = measuring.engines(backend, options.batches, options.pixels, ENGINE_SECONDS)
        report.engines += found.results
        print("\n".join(engine_table(found)))

    def make(name: str) -> None:
        subjects.append(measuring.Measured.of(name, device, report.facts, options.pixels))
        report.subjects.append(subjects[-1].facts)
        print(measuring.subject_line(subjects[-1].facts))

    run.stage("facts", find_facts)
    for backend in options.engines:
        run.stage(f"engine {backend}", partial(run_engines, backend))
    for name in options.networks:
        run.stage(f"{name}: make", partial(make, name))
    for way in options.ways:
        for subject in subjects:
            batches = sorted({options.batches[0], options.batches[-1]}) if way in SLOW_WAYS else options.batches
            run.stage(f"{subject.facts.name}: {way}", partial(subject.measure, way, batches, run.add))


def table(report: GpuReport) -> list[str]:
    """Lines for a terminal: rows, then what failed and why."""
    lines = [
        "pictures lie on the device:",
        f"{'network':8} {'way':16} {'prec':>5} {'batch':>5} {'p50 ms':>9} {'p95 ms':>9} {'frames/s':>9} {'of peak':>8} {'MiB':>7} "
        f"{'error':>8} {f'streams at {STREAM_FPS}':>13}",
    ]
    for row in report.rows:
        share = "-" if row.peak_share is None else f"{row.peak_share:.1%}"
        memory = "-" if row.memory_mib is None else f"{row.memory_mib:.0f}"
        lines.append(
            f"{row.network:8} {row.way:16} {row.precision:>5} {row.batch:5} {row.p50_ms:9.3f} {row.p95_ms:9.3f} {row.fps:9.1f} {share:>8} "
            f"{memory:>7} {row.difference:8.1e} {int(row.fps // STREAM_FPS):13}"
        )
    return lines + [f"{stage.name}: {stage.reason}" for stage in report.stages if stage.reason]


def main(words: Sequence[str] | None = None) -> int:
    """The command. 2 when a package is missing, 1 when nothing was measured."""
    args = _parser().parse_args(words)
    if missing := missing_packages():
        print(f"this Python lacks {', '.join(missing)}: install them, or without a network put their wheels into wheels/", file=sys.stderr)
        return 2
    out = args.json or (Path(os.environ["OUT"]) / "bench-gpu.json" if os.environ.get("OUT") else None)
    run = Run(out, args.seconds)
    options = Options(args.device, args.engines, args.networks, args.ways, [int(word) for word in args.batches], args.pixels)
    try:
        run.stage("all", lambda: measure(run, options))
    finally:
        print("\n".join(table(run.report)))
    return 0 if run.report.rows or run.report.engines else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m engines.bench_gpu", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"), help="cpu: the same stages where there is no GPU, for a test")
    parser.add_argument("--engines", type=_words, default=ENGINES, metavar="A,B", help="backends of the product, with the shipped network")
    parser.add_argument("--networks", type=_words, default=["nano", "base"], metavar="A,B", help="also folders of checkpoints")
    parser.add_argument("--ways", type=_words, default=WAYS, metavar="A,B", help=f"of {', '.join(WAYS)}")
    parser.add_argument("--batches", type=_words, default=["1", "2", "4", "8", "16"], metavar="N,N")
    parser.add_argument("--pixels", type=int, help="most pixels of the canvas, instead of each network's own")
    parser.add_argument("--seconds", type=float, default=540.0, help="start nothing new after so long")
    parser.add_argument("--json", type=Path, metavar="FILE", help="without it bench-gpu.json in the folder $OUT, where that is set")
    return parser


def _words(text: str) -> list[str]:
    """By comma; empty for none."""
    return [word for word in text.split(",") if word]


if __name__ == "__main__":
    raise SystemExit(main())
