"""`vigil optimisers`: ways of training beside each other on the same frames, seeds and steps; table, figure and verdict."""

import argparse
import functools
from pathlib import Path
from typing import Never

import msgspec
import torch
from msgspec import Struct
from tqdm import tqdm

from model.machine import Machine, this_machine
from model.proxvp.compare import Run, Setup, draw_shared, fingerprint, kept_or_run
from model.proxvp.diagnosis import say
from model.proxvp.figure import draw_curves
from model.proxvp.verdict import BASE, OURS, Line, Row, as_good, lines, markdown, rows
from model.train import OPTIMISERS


class Report(Struct, frozen=True):
    """What the JSON holds: the table, the lines, and every run behind them."""

    machine: Machine
    setup: Setup
    table: list[Row]
    lines: list[Line]
    as_good: list[str]
    runs: list[Run]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `vigil optimisers`."""
    setup = Setup()
    parser.add_argument("--methods", nargs="+", choices=OPTIMISERS, default=list(OPTIMISERS))
    parser.add_argument("--seeds", type=int, default=5, help="runs a method")
    parser.add_argument("--scenes", type=int, default=setup.scenes, help="frames to train on, shared by all runs")
    parser.add_argument("--epochs", type=int, default=setup.epochs)
    parser.add_argument("--batch", type=int, default=setup.batch, help="frames a step")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw the world")
    parser.add_argument("--kept", type=Path, default=Path("data/optimisers"), help="where finished runs lie, so that a killed one goes on")
    parser.add_argument("--json", type=Path, default=Path("bench/results"), help="folder for the results")
    parser.add_argument("--figure", type=Path, default=Path("docs/loss-curves.png"), help="the loss curves as PNG")


def run(args: argparse.Namespace) -> int:
    """Run what is missing, seed by seed over all methods; print and write."""
    torch.set_num_threads(1)
    setup = Setup(scenes=args.scenes, epochs=args.epochs, batch=args.batch)
    folder = args.kept / fingerprint(setup)
    shared = functools.cache(lambda: draw_shared(setup, args.workers))
    machine, runs = this_machine(), []
    total = len(args.methods) * args.seeds * setup.epochs * -(-setup.scenes // setup.batch)
    with tqdm(total=total, desc="comparing", unit="step") as bar:
        for seed in range(args.seeds):
            for method in args.methods:
                runs.append(kept_or_run(folder, setup, shared, method, seed, lambda text: _tick(bar, text)))
                bar.n = total * len(runs) // (len(args.methods) * args.seeds)
                bar.refresh()
    runs.sort(key=lambda one: args.methods.index(one.method))
    table = rows(runs)
    report = Report(machine, setup, table, lines(table) if {BASE, OURS} <= set(args.methods) else [], as_good(table), runs)
    draw_curves(runs, args.figure)
    print(f"{markdown(table)}\n\n{_verdict(report)}")
    print(f"written: {_write(report, args.json)}, {args.figure}")
    return 0


def _tick(bar: "tqdm[Never]", text: str) -> None:
    bar.update()
    bar.set_postfix_str(text, refresh=False)


def _verdict(report: Report) -> str:
    out = [f"{'holds' if one.holds else 'FAILS'}: {one.says} {one.measured:.3f}, asked for at most {one.at_most}" for one in report.lines]
    if report.as_good:
        out.append(f"simpler and as good by these lines: {', '.join(report.as_good)}")
    ours = [one for one in report.runs if one.method == OURS][:1]
    out += [f"seed {one.seed}, epoch {found.epoch}: {say(found)}" for one in ours for found in one.diagnoses]
    return "\n".join(out)


def _write(report: Report, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{report.machine.measured_at[:19].replace(':', '')}-optimisers-{report.machine.cores}core.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    return path
