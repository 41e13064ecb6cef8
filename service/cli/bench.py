"""`vigil bench`: what this machine makes of Vigil, part by part, with ratios inside one run. Measures nothing itself.

Without a choice of parts all of them run, shortly. Tables are printed; --json and --page write them down, with plots.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Never

from tqdm import tqdm

from engines.bench import EngineReport
from engines.factory import AUTO, BACKENDS, PREFERRED, SHIPPED
from service.cli import bench_plots
from service.cli.bench_batcher import BatcherResult, measure_batcher
from service.cli.bench_engine import measure_backends
from service.cli.bench_flame import find_py_spy, flame_graph
from service.cli.bench_origin import origin_process, paint_clip
from service.cli.bench_peers import PeersResult, measure_peers
from service.cli.bench_report import BATCHER_COST_US, Report, judge, new_report, read_report, write_report
from service.cli.bench_stages import StagesPlan, StagesResult, measure_stages
from service.cli.bench_stream import StreamResult, measure_stream, own_service, rtmp_source
from service.cli.bench_streams import SETTLE_S, StreamsResult, crowd
from service.cli.bench_tables import fill_page, machine_lines, sections
from service.cli.demo import CLIP
from service.settings import Settings

SIMULATED, REAL = "1,2,4,8,16,32,64", "1,2,4,8,16"
BATCHER_STREAMS = (1, 2, 4, 8, 16, 32, 64)
ENGINE_BATCHES = (1, 4)
SHORT_S = {"engine": 15.0, "stages": 6.0, "batcher": 4.5, "simulated": 8.0, "streams": 10.0, "stream": 20.0, "peers": 30.0}
LOOPBACK = "127.0.0.0/8"
EXAMPLES = """examples:
  vigil bench                                           everything, shortly
  vigil bench --streams 16 --fps 2 --seconds 300        16 streams of 720p25 sampled at 2 FPS, for five minutes
  vigil bench --hls service/cli/demo_clip/room.mp4      one stream at its full rate, end to end
  vigil bench --hls FILE --flame flame.svg              the same, and where the time goes
  vigil bench --from RESULTS.json --page docs/benchmark.md      nothing is measured: tables and plots of an earlier run
Settings of the service that have no option here come from the environment: VIGIL_WORKERS=2 vigil bench --streams 16"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Parts, sources, the service, and where to write."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    part = parser.add_argument_group("parts; without any, all run shortly")
    part.add_argument("--engine", action="store_true", help="the network: backends by threads and batches, share of a measured ceiling")
    part.add_argument("--stages", action="store_true", help="what each stage of a frame's way costs, beside its floor")
    part.add_argument("--batcher", action="store_true", help="one shard's batcher with 1 to 64 streams and a network of stated cost")
    part.add_argument("--simulated", metavar="N,N", type=counts, help=f"so many painted streams and the fake engine, such as {SIMULATED}")
    part.add_argument("--streams", metavar="N,N", type=counts, help=f"so many real streams of --hls or --rtmp, such as {REAL}")
    part.add_argument("--peers", action="store_true", help="beside an OpenCV + torch loop and a published network (torch, OpenCV)")
    part.add_argument("--stream", metavar="URL", help="one live stream end to end")
    source = parser.add_argument_group("sources")
    source.add_argument("--hls", metavar="FILE", type=Path, help="without --streams: one stream of it, end to end, served as live HLS")
    source.add_argument("--rtmp", metavar="FILE", type=Path, help="the same as RTMP, by the program ffmpeg")
    source.add_argument("--clip", metavar="FILE", type=Path, default=CLIP, help="for --stages, --peers and --streams (the demo's clip)")
    source.add_argument("--fps", type=float, default=2.0, help="frames a second asked of each of --streams and --simulated (2)")
    source.add_argument("--seconds", type=float, help="how long to measure each part, or each number of streams")
    _add_service_arguments(parser.add_argument_group("the service and its engine"))
    out = parser.add_argument_group("writing")
    out.add_argument("--json", metavar="OUT", type=Path, help="the report (into a folder: under a name of its own), plots beside it")
    out.add_argument(
        "--page", metavar="FILE", type=Path, help="put tables and plots into this page, between its marks; with --json or --from"
    )
    out.add_argument("--from", dest="earlier", metavar="JSON", type=Path, help="measure nothing: tables, plots and page of this report")
    out.add_argument(
        "--flame", metavar="SVG", type=Path, help="a flame graph of the service under --stream, --hls, --rtmp or --streams (py-spy)"
    )


def _add_service_arguments(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--api", metavar="URL", help="a running service to send the streams to; without it one is started")
    group.add_argument("--pid", type=int, help="its process id on this machine, for memory and processor time")
    group.add_argument(
        "--backend", choices=(AUTO, *BACKENDS), default=AUTO, help="engine of the service and of --stages; auto is the best that runs here"
    )
    group.add_argument("--model-dir", type=Path, metavar="FOLDER", help="checkpoint; without it the shipped one")
    group.add_argument("--against", type=Path, metavar="FOLDER", help="with --engine: another checkpoint, in turns with the first")
    group.add_argument("--max-pixels", type=int, metavar="N", help="pixels of the analysed picture")
    group.add_argument("--policies", type=Path, metavar="PATH", help="policies to evaluate")
    group.add_argument("--allow-network", action="append", metavar="CIDR", default=[], help="private network that --stream may be in")
    group.add_argument(
        "--admission", action="store_true", help="let the service refuse streams beyond what its engine holds, as it does by default"
    )


def counts(text: str) -> list[int]:
    """ "1,2,4" as growing numbers."""
    numbers = [int(word) for word in text.split(",")]
    if numbers != sorted(set(numbers)) or numbers[0] < 1:
        raise argparse.ArgumentTypeError(f"growing numbers of streams by comma are expected, such as {REAL}; got {text!r}")
    return numbers


def run(args: argparse.Namespace) -> int:
    """Print what was asked for, write it down where asked."""
    _check(args)
    if args.earlier:
        report = read_report(args.earlier)
        report.verdicts = judge(report)
        _say(report, "everything")
        _write(args, report, args.earlier)
        return 0
    report = new_report(args.backend)
    print("\n".join(machine_lines(report)), flush=True)
    begun_s = time.monotonic()
    _measure(args, report)
    report.verdicts = judge(report)
    _say(report, "verdicts")
    print(f"\nmeasured in {time.monotonic() - begun_s:.0f} s")
    if args.json:
        _write(args, report, write_report(report, args.json))
    return 0


def _check(args: argparse.Namespace) -> None:
    """Say what is wrong before anything long has run."""
    if args.page and not (args.json or args.earlier):
        raise ValueError("--page shows a report that is a file: give --json OUT too, or --from JSON")
    if args.flame:
        find_py_spy()
        if args.api and not args.pid:
            raise ValueError("--flame needs the service's --pid beside --api")
    for file in (args.clip, args.hls, args.rtmp, args.earlier):
        if file and not file.is_file():
            raise ValueError(f"{file}: there is no such file")


def _measure(args: argparse.Namespace, report: Report) -> None:
    """The parts that were asked for, or all, into the report; each is said when it is there."""
    one_stream = bool(args.stream or ((args.hls or args.rtmp) and not args.streams))
    chosen = [args.engine, args.stages, args.batcher, args.simulated, args.streams, args.peers, one_stream, args.flame]
    whole = not any(chosen)
    if args.engine or whole:
        report.engine = _engine(args)
        _say(report, "engine")
    if args.stages or whole:
        report.stages = _stages(args)
        _say(report, "stages")
    if args.batcher or whole:
        report.batcher = _batcher(args)
        _say(report, "batcher")
    if args.simulated or whole:
        report.simulated = _series(args, args.simulated or counts(SIMULATED), is_simulated=True)
        _say(report, "simulated")
    if args.streams or whole:
        report.streams = _series(args, args.streams or counts(REAL), is_simulated=False)
        _say(report, "streams")
    if one_stream or whole or (args.flame and not args.streams):
        report.stream = _stream(args)
        _say(report, "stream")
    if args.peers or whole:
        report.peers = _peers(args, is_optional=whole)
        _say(report, "peers")


def _say(report: Report, name: str) -> None:
    for section in sections(report):
        if name in (section.name, "everything"):
            print("\n".join(["", section.title, "", *section.lines]), flush=True)


def _write(args: argparse.Namespace, report: Report, results: Path) -> None:
    plots = bench_plots.draw(report, results) if bench_plots.has_matplotlib() else {}
    if not plots:
        print(bench_plots.MISSING if not bench_plots.has_matplotlib() else "no plots: nothing to draw was measured")
    for file in (results, *plots.values()):
        print(f"written: {file}")
    if args.page:
        fill_page(args.page, report, results, plots)
        print(f"written: {args.page}")


# ---- parts ------------------------------------------------------------------------------------------------------------------


def _engine(args: argparse.Namespace) -> EngineReport:
    folders = [args.model_dir or SHIPPED, *([args.against] if args.against else [])]
    backends = PREFERRED if args.backend == AUTO else (args.backend,)
    with _bar("engine") as tick:
        batches = (1,) if args.against else ENGINE_BATCHES
        return measure_backends(backends, folders, [_max_pixels(args)], batches, _seconds(args, "engine"), tick)


def _stages(args: argparse.Namespace) -> StagesResult:
    plan = StagesPlan(args.clip, args.backend, args.model_dir, _max_pixels(args), args.policies, _seconds(args, "stages"))
    with _bar("stages") as tick:
        return measure_stages(plan, tick)


def _batcher(args: argparse.Namespace) -> list[BatcherResult]:
    with _bar("batcher", total=len(BATCHER_STREAMS)) as tick:
        return measure_batcher(BATCHER_STREAMS, BATCHER_COST_US, _seconds(args, "batcher"), tick)


def _peers(args: argparse.Namespace, *, is_optional: bool) -> PeersResult | None:
    try:
        with _bar("peers") as tick:
            checkpoint, max_pixels = args.model_dir or SHIPPED, _max_pixels(args)
            return measure_peers(
                args.clip, _seconds(args, "peers"), tick, backend=args.backend, checkpoint=checkpoint, max_pixels=max_pixels
            )
    except ValueError as error:
        if not is_optional:
            raise
        print(f"\nPeers are left out: {error}", flush=True)
        return None


def _series(args: argparse.Namespace, numbers: Sequence[int], *, is_simulated: bool) -> StreamsResult:
    name, backend = ("simulated", "fake") if is_simulated else ("streams", args.backend)
    seconds = _seconds(args, name)
    with ExitStack() as stack:
        source, url_of, origin_pid = stack.enter_context(_painted(args.fps) if is_simulated else _real(args, numbers[-1]))
        api, pid = _service(args, stack, backend, numbers[-1])
        tick = stack.enter_context(_bar(name, total=round(len(numbers) * (seconds + min(SETTLE_S, seconds)))))
        streams = stack.enter_context(crowd(api, url_of, args.fps))
        result = StreamsResult(source, "", [])
        for number in numbers:
            refused = streams.grow_to(number, tick)
            is_watched = args.flame and not is_simulated and number == numbers[-1]
            with flame_graph(args.flame, pid, seconds) if is_watched else nullcontext():
                result.points.append(streams.measure(seconds, pid, origin_pid, refused, tick))
        result.engine = streams.engine()
    return result


def _stream(args: argparse.Namespace) -> StreamResult:
    seconds = _seconds(args, "stream")
    with ExitStack() as stack:
        url = args.stream or stack.enter_context(_real(args, 1))[1](0)
        api, pid = _service(args, stack, args.backend, 1)
        tick = stack.enter_context(_bar("stream", total=round(seconds)))
        if args.flame:
            stack.enter_context(flame_graph(args.flame, pid, seconds))
        return measure_stream(api, url, seconds, pid, tick)


# ---- what the parts share ---------------------------------------------------------------------------------------------------


@contextmanager
def _painted(fps: float) -> Iterator[tuple[str, Callable[[int], str], int]]:
    """(what it is, address by number, pid of the source) of small painted streams at twice the asked rate."""
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as folder:
        clip = paint_clip(Path(folder) / "painted.mp4", 2 * fps)
        with origin_process(clip) as origin:
            yield f"painted HLS, 320x192 at {max(1, round(2 * fps))} FPS", origin.url, origin.pid


@contextmanager
def _real(args: argparse.Namespace, number: int) -> Iterator[tuple[str, Callable[[int], str], int]]:
    """As `_painted`, of a file at its own size and rate."""
    if args.rtmp:
        with ExitStack() as stack:
            urls = [stack.enter_context(rtmp_source(args.rtmp)) for _ in range(number)]
            yield f"RTMP of {args.rtmp.name}", urls.__getitem__, 0
    else:
        file = args.hls or args.clip
        with origin_process(file) as origin:
            yield f"HLS of {file.name}", origin.url, origin.pid


def _service(args: argparse.Namespace, stack: ExitStack, backend: str, number: int) -> tuple[str, int]:
    """(address, pid) of the running service, or of one started for `number` streams. Pid 0: not known."""
    if args.api:
        return args.api.rstrip("/"), args.pid or 0
    options = ["--engine", backend, "--max-streams", str(max(number, Settings().max_streams))]
    for flag, value in (("--model-dir", args.model_dir), ("--max-pixels", args.max_pixels), ("--policies", args.policies)):
        options += [flag, str(value)] if value else []
    for network in [*args.allow_network, *([] if args.stream else [LOOPBACK])]:
        options += ["--allow-network", network]
    return stack.enter_context(own_service(options, {} if args.admission else {"VIGIL_ADMIT_FPS": "0"}))


def _seconds(args: argparse.Namespace, part: str) -> float:
    return float(args.seconds or SHORT_S[part])


def _max_pixels(args: argparse.Namespace) -> int:
    return args.max_pixels or Settings().max_pixels


@contextmanager
def _bar(name: str, total: int | None = None) -> Iterator[Callable[..., None]]:
    """A progress bar's tick, which takes an optional word on how it goes."""
    bar: tqdm[Never]
    with tqdm(total=total, desc=name, leave=False, disable=None, unit=" steps") as bar:

        def tick(text: str = "") -> None:
            bar.update()
            if text:
                bar.set_postfix_str(text)

        yield tick
