"""`vigil train-table`: the parts of the method and other people's ideas on the same data, seeds and steps; table, picture, JSON.

Judged sets come from kept numbers (`vigil eval --keep`) of the detector's image tower; without them the table goes without.
"""

import argparse
import functools
import hashlib
from pathlib import Path

import msgspec
import torch
from tqdm import tqdm

from model.assemble import load_network
from model.checkpoint import read_manifest
from model.commands.export import DEFAULT_FOLDER
from model.evaluation.eval_set import EvalSet, tower_of
from model.evaluation.frames import CONSTRAINTS
from model.machine import Machine, this_machine
from model.rendered_samples import RenderedSamples
from model.rivals.adds import parts
from model.rivals.cost import Cost, costs
from model.rivals.kept_sets import counted, kept_digest, kept_paths, read_kept
from model.rivals.over_time_section import newest, section
from model.rivals.page import page
from model.rivals.report import Report, draw_bars, figures
from model.rivals.set_report import all_figures
from model.rivals.table import ROWS, Data, Result, Setup, kept_or_run, seconds_a_step, untrained, with_gaps
from model.samples import Plan, Samples
from model.synth.dataset import ANNOTATION, SPLITS, clip_folders
from model.train import CLIP_FRAMES, DIM, TrainingSet

TEST_SEED = 4_000_037
HEADLINE = "with"
BASE = "plain"
THREADS = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `vigil train-table`."""
    setup = Setup()
    parser.add_argument("--data", default=setup.data, metavar="world|FOLDER", help="the box world, or a SynthHome folder beside it")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--seeds", type=int, default=3, help="runs a row")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--scenes", type=int, default=setup.scenes, help="single frames of the box world to train on; 0 for none")
    parser.add_argument("--clips", type=int, default=setup.clips, help="clips of the box world to train on; 0 for none")
    parser.add_argument("--test-clips", type=int, default=setup.test_clips, help="held-out clips of the box world, if --data is world")
    parser.add_argument("--epochs", type=int, default=setup.epochs)
    parser.add_argument("--batch", type=int, default=setup.batch, help="single frames a step")
    parser.add_argument("--clip-batch", type=int, default=setup.clip_batch, help="clips a step")
    parser.add_argument("--passes", type=float, default=setup.rendered_passes, help="how often an epoch goes over the rendered clips")
    parser.add_argument("--hidden", type=float, default=setup.hidden, help="share of training pairs that lose their labels, for all rows")
    parser.add_argument("--detector", type=Path, default=DEFAULT_FOLDER, help="checkpoint whose detector sees the clips")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw the world")
    parser.add_argument("--timed", type=int, default=20, metavar="N", help="frames a row that the whole network is timed on; 0 for none")
    parser.add_argument("--estimate", action="store_true", help="say how long it would take and stop")
    parser.add_argument("--kept", type=Path, default=Path("data/train-table"), help="where finished runs lie, so that a killed one goes on")
    parser.add_argument("--out", type=Path, default=Path("bench/results"), help="folder for JSON, markdown and picture")


def run(args: argparse.Namespace) -> int:
    """Run what is missing, seed by seed over all rows; print and write."""
    torch.set_num_threads(THREADS)
    judged_files = kept_paths(tower_of(read_manifest(args.detector)))
    setup, judged = _setup(args, judged_files), read_kept(judged_files)
    folder = args.kept / hashlib.sha256(msgspec.json.encode(setup)).hexdigest()[:12]
    data = functools.cache(lambda: with_gaps(_data(setup, args.workers, args.detector, judged), setup.hidden, setup.data_seed))
    jobs = [(name, seed) for seed in range(args.first_seed, args.first_seed + args.seeds) for name in args.rows]
    if args.estimate:
        print(_estimate([job for job in jobs if not (folder / f"{job[0]}-{job[1]}.json").is_file()], setup, data()))
        return 0
    machine, results = this_machine(), []
    with tqdm(jobs, desc="rows and seeds", unit="run") as bar:
        for name, seed in bar:
            bar.set_postfix_str(f"{name}, seed {seed}")
            results.append(kept_or_run(folder, setup, data, name, seed))
    report = _report(machine, setup, judged, results, args)
    text = page(report, args.seeds, section(newest(args.out)))
    print(text)
    for path in _write(report, text, args.out, args.seeds):
        print(f"written: {path}")
    return 0


def _report(machine: Machine, setup: Setup, judged: list[EvalSet], results: list[Result], args: argparse.Namespace) -> Report:
    counts, over_time = [counted(one) for one in judged], newest(args.out)
    return Report(
        machine=machine,
        setup=setup,
        tables={constraint: figures(results, constraint) for constraint in CONSTRAINTS},
        counted=counts,
        sets=all_figures(results, counts),
        adds=parts(results),
        costs=_costs(args.rows, args.detector, args.timed),
        threads=THREADS,
        over_time=over_time.name if over_time else "",
        results=results,
    )


def _costs(rows: list[str], detector: Path, frames: int) -> list[Cost]:
    """The plain row is timed in any case: it is what the others are held against."""
    if frames < 1:
        return []
    network, prototypes = load_network(detector)
    return costs({name: untrained(name) for name in dict.fromkeys([BASE, *rows])}, BASE, network, prototypes, frames)


def _setup(args: argparse.Namespace, judged_files: list[Path]) -> Setup:
    rendered = args.data != "world"
    if args.seeds < 1 or args.epochs < 1 or (not rendered and args.scenes < 1):
        raise ValueError("a table needs at least one seed, one epoch and, without rendered clips, one scene")
    return Setup(
        data=args.data, scenes=args.scenes, clips=args.clips, test_clips=args.test_clips, epochs=args.epochs, batch=args.batch,
        clip_batch=args.clip_batch, hidden=args.hidden, rendered_passes=args.passes,
        detector=f"{args.detector.name}, tower {tower_of(read_manifest(args.detector))}",
        digest=clips_digest(Path(args.data)) if rendered else "", judged=kept_digest(judged_files),
    )  # fmt: skip


def clips_digest(folder: Path) -> str:
    """Of all annotations, which name their videos' digests: kept results of other clips are not taken for these."""
    total = hashlib.sha256()
    for split in SPLITS:
        for path in clip_folders(folder, split):
            total.update((path / ANNOTATION).read_bytes())
    return total.hexdigest()[:12]


def _data(setup: Setup, workers: int, detector: Path, judged: list[EvalSet]) -> Data:
    sets = []
    if setup.scenes:
        scenes = Samples(Plan(setup.scenes, 1, setup.data_seed), workers, DIM, "drawing scenes")
        sets.append(TrainingSet(scenes, setup.batch))
    if setup.clips:
        clips = Samples(Plan(setup.clips, CLIP_FRAMES, setup.data_seed), workers, DIM, "drawing clips")
        sets.append(TrainingSet(clips, setup.clip_batch))
    if setup.data == "world":
        test = Samples(Plan(setup.test_clips, CLIP_FRAMES, setup.data_seed + TEST_SEED), workers, DIM, "drawing test clips")
        return Data(sets, test, judged)
    network, folder = load_network(detector)[0], Path(setup.data)
    sets.append(TrainingSet(RenderedSamples(folder, "train", network, CLIP_FRAMES), setup.clip_batch, setup.rendered_passes))
    return Data(sets, RenderedSamples(folder, "test", network, CLIP_FRAMES), judged)


def _estimate(jobs: list[tuple[str, int]], setup: Setup, data: Data) -> str:
    steps = setup.epochs * sum(one.num_batches for one in data.sets)
    per_row = {name: seconds_a_step(name, setup, data) for name in dict.fromkeys(name for name, _ in jobs)}
    total_s = sum(per_row[name] * steps for name, _ in jobs)
    each = ", ".join(f"{name} {second:.2f}" for name, second in per_row.items())
    return f"{len(jobs)} runs of {steps} steps: about {total_s / 60:.0f} CPU minutes of training (seconds a step: {each})"


def _write(report: Report, text: str, folder: Path, seeds: int) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{report.machine.measured_at[:19].replace(':', '')}-train-table-{report.machine.cores}core"
    paths = [folder / f"{stem}.{end}" for end in ("json", "md", "png")]
    paths[0].write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    paths[1].write_text(text, encoding="utf-8")
    draw_bars(report.tables[HEADLINE], paths[2], f"{HEADLINE} constraint, reported entities, {seeds} seeds")
    return paths
