"""`vigil eval-tracks`: identities, merging and relation filtering over time, through the service's own pipeline, part by part."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
from tqdm import tqdm

from engines.factory import AUTO, BACKENDS, open_engine
from engines.protocol import Engine
from model.machine import this_machine
from service.cli.eval_tracks_clips import Source, WatchedClip, published, realmini, synth_home, watch
from service.cli.eval_tracks_figure import draw, require_matplotlib
from service.cli.eval_tracks_measure import Report, SetReport, Variant, measure, num_passes
from service.cli.eval_tracks_variants import SHIPPED
from service.settings import Settings

REALMINI_FPS = 8.0
NOTES = (
    "Per variant one part differs from what is shipped. Switches, IDF1, duplicates, flicker (below 1: what is never found never changes),",
    "delays of the spells that were found, false minutes (of edges, per hour), covered (share of true edges' time) at judged moments;",
    "merges, changes and bytes over all frames. Rendered clips are short: an identity needs 3 hits of 5, an edge things seen for half a",
    "second, so their first frames are always missed. Delays on real clips are as coarse as their key frames are apart.",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    settings = Settings()
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="SynthHome clips (vigil data synth-home); every frame is judged")
    parser.add_argument("--realmini", type=Path, metavar="FOLDER", help="the real clips' videos; their labelled key frames are judged")
    parser.add_argument("--checkpoint", type=Path, metavar="FOLDER", help="checkpoint folder; without it the shipped one")
    parser.add_argument("--split", default="test", choices=("train", "test"), help="which SynthHome clips (test)")
    parser.add_argument("--limit", type=int, metavar="N", default=60, help="no more than so many clips of a set (60)")
    parser.add_argument("--fps", type=float, default=REALMINI_FPS, help=f"analysed frames per second of real clips ({REALMINI_FPS:g})")
    parser.add_argument("--engine", default=settings.engine, choices=(AUTO, *BACKENDS), help="backend that runs the network")
    parser.add_argument("--threads", type=int, default=settings.engine_threads, help="CPU threads of the engine; 0: one per core")
    parser.add_argument("--out", type=Path, default=Path("bench/results"), help="folder for the table (JSON) and the picture (PNG)")


def run(args: argparse.Namespace) -> int:
    """Watch the clips once, replay them through every variant, print, write. ValueError where there is nothing to watch."""
    if args.limit < 1 or args.fps <= 0:
        raise ValueError(f"--limit is at least 1 and --fps above 0, got {args.limit} and {args.fps:g}")
    require_matplotlib()
    sets = _sets(args)
    started_s = time.monotonic()
    engine = open_engine(args.engine, model_dir=args.checkpoint, num_streams=1, max_pixels=Settings().max_pixels, threads=args.threads)
    machine = this_machine()
    try:
        reports = [_measured(engine, name, sources, fps) for name, sources, fps in sets]
    finally:
        engine.close()
    report = Report(
        machine=machine,
        checkpoint=engine.spec.model,
        model_hash=engine.spec.model_hash,
        backend=engine.spec.backend,
        published=sorted(published(engine.spec)),
        class_matching="Action Genome's groups",
        seconds=round(time.monotonic() - started_s, 1),
        sets=reports,
    )
    print("\n".join(table_lines(report)))
    print(f"{report.seconds:.0f} s; written: {_write(report, args.out)}")
    return 0


def table_lines(report: Report) -> list[str]:
    """The tables, and how to read them."""
    lines = [f"{report.checkpoint} ({report.backend}), {len(report.published)} published predicates", *NOTES]
    for one in report.sets:
        lines += ["", f"{one.name}: {one.clips} clips, {one.minutes:.1f} minutes, {one.looks} frames, "
                      f"{one.judged} judged, one every {one.judged_every_s:.2g} s"]  # fmt: skip
        lines += [
            f"{'':34} switches   IDF1  duplicates  merges  flicker  delay p50/p95 s    found  covered  false min/h  changes/min  delta B/s"
        ]
        lines += [_line(variant) for variant in one.variants]
    return lines


def _line(variant: Variant) -> str:
    names = (f"identities {variant.identities_by}", f"relations {variant.relations_by}")
    held, said = variant.identities, variant.edges
    name = names[1] if variant.relations_by != SHIPPED else names[0]
    return (
        f"{name:34} {held.switches:8d} {held.idf1:6.3f} {held.duplicate_rate:11.4f} {variant.merges:7d} {said.flicker:8.2f}   "
        f"{said.delay_median_s:6.2f} {said.delay_p95_s:6.2f} {said.found:5d}/{said.spells:<5d} {variant.covered:7.3f} "
        f"{said.false_edge_minutes_per_hour:10.1f} {variant.edge_changes_per_minute:12.1f} {variant.delta_bytes_per_s:10.0f}"
    )


def _sets(args: argparse.Namespace) -> list[tuple[str, Sequence[Source], float | None]]:
    """Name, clips and analysed frames per second (None: all) of what was asked for."""
    sets: list[tuple[str, Sequence[Source], float | None]] = []
    if args.data is not None:
        sets.append((f"synth-home-{args.split}", synth_home(args.data, args.split, args.limit), None))
    if args.realmini is not None:
        sets.append(("realmini", realmini(args.realmini, args.limit), args.fps))
    if not sets:
        raise ValueError("nothing to measure on: give --data (made by `vigil data synth-home`) or --realmini (the real clips' folder)")
    return sets


def _measured(engine: Engine, name: str, sources: Sequence[Source], fps: float | None) -> SetReport:
    clips: list[WatchedClip] = [watch(engine, source, fps) for source in tqdm(sources, desc=f"watching {name}", unit="clip")]
    with tqdm(total=num_passes(), desc=f"replaying {name}", unit="pass") as bar:
        return measure(name, clips, engine.spec, bar.update)


def _write(report: Report, out: Path) -> Path:
    """The report, and a picture of it, named by date and machine."""
    stem = f"tracks-{report.machine.measured_at[:19].replace(':', '')}-{report.machine.cores}core"
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{stem}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    draw(report, out / f"{stem}.png")
    return path
