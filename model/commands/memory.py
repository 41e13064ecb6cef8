"""`vigil memory`: what a stream's memory adds, ways of remembering beside each other on the same clips, steps and seeds."""

import argparse
import functools
import hashlib
from pathlib import Path

import msgspec
import torch
from tqdm import tqdm

from model.machine import this_machine
from model.memory_study.report import Report, draw_gains, headline, markdown, table
from model.memory_study.study import Run, Setup, draw_data, kept_or_run
from model.memory_study.variants import BASELINE, VARIANTS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `vigil memory`."""
    setup = Setup()
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--seeds", type=int, default=3, help="runs a variant")
    parser.add_argument("--scenes", type=int, default=setup.scenes, help="single frames that every head is trained on first")
    parser.add_argument("--base-epochs", type=int, default=setup.base_epochs)
    parser.add_argument("--clips", type=int, default=setup.clips, help="clips that each variant goes on with")
    parser.add_argument("--epochs", type=int, default=setup.epochs)
    parser.add_argument("--test-clips", type=int, default=setup.test_clips)
    parser.add_argument("--workers", type=int, default=1, help="processes that draw the world")
    parser.add_argument(
        "--kept", type=Path, default=Path("data/memory-study"), help="where finished runs lie, so that a killed one goes on"
    )
    parser.add_argument("--only-kept", action="store_true", help="a table of the runs that are finished; run nothing")
    parser.add_argument("--out", type=Path, default=Path("bench/results"), help="folder for JSON, markdown and picture")


def run(args: argparse.Namespace) -> int:
    """Run what is missing, seed by seed over all variants; print and write."""
    torch.set_num_threads(1)
    setup = Setup(args.scenes, args.base_epochs, clips=args.clips, epochs=args.epochs, test_clips=args.test_clips)
    if args.seeds < 1 or min(args.scenes, args.clips, args.epochs, args.test_clips, args.base_epochs) < 1:
        raise ValueError("a study needs at least one seed, scene, clip, epoch and test clip")
    folder = args.kept / hashlib.sha256(msgspec.json.encode(setup)).hexdigest()[:12]
    data = functools.cache(lambda: draw_data(setup, args.workers))
    jobs = [(name, seed) for seed in range(args.seeds) for name in args.variants]
    if args.only_kept:
        jobs = [(name, seed) for name, seed in jobs if (folder / f"{name}-{seed}.json").is_file()]
    machine, runs = this_machine(), []
    with tqdm(jobs, desc="variants and seeds", unit="run") as bar:
        for name, seed in bar:
            runs.append(kept_or_run(folder, setup, data, name, seed, lambda text: bar.set_postfix_str(text)))
    if not any(one.variant == BASELINE for one in runs):
        raise ValueError(f"a table needs {BASELINE!r} to compare with; among the runs are {sorted({one.variant for one in runs})}")
    figures = table(runs)
    print(f"{markdown(figures, runs)}\n")
    print("\n".join(headline(figures)))
    for path in _write(Report(machine, setup, figures, runs), args.out, runs):
        print(f"written: {path}")
    return 0


def _write(report: Report, folder: Path, runs: list[Run]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{report.machine.measured_at[:19].replace(':', '')}-memory-{report.machine.cores}core"
    paths = [folder / f"{stem}.{end}" for end in ("json", "md", "png")]
    paths[0].write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    paths[1].write_text(markdown(report.table, runs) + "\n\n" + "\n".join(headline(report.table)) + "\n", encoding="utf-8")
    draw_gains(report.table, paths[2])
    return paths
