"""`vigil eval`: how good a checkpoint's scene graphs are, on rendered test clips (SynthHome-test) and labelled real ones (RealMini)."""

import argparse
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec
import torch
from tqdm import tqdm

from model.assemble import load_network
from model.checkpoint import Manifest, read_manifest
from model.commands.export import DEFAULT_FOLDER
from model.evaluation.eval_set import EvalSet, path_for, read_set, tower_of, write_set
from model.evaluation.failure_sheet import write_failures, write_found
from model.evaluation.failures import outcomes
from model.evaluation.frames import Int, class_groups
from model.evaluation.look import look
from model.evaluation.plot import draw_predicates
from model.evaluation.recall import Case
from model.evaluation.relate import TASKS, cases
from model.evaluation.report import CheckpointReport, Gain, Measured, Report, Thresholds, gains, measure, thresholds_of
from model.evaluation.sources import REALMINI, SYNTH_HOME, realmini, realmini_shots, synth_home, synth_home_shots
from model.evaluation.tables import checkpoint_lines, gain_lines
from model.machine import this_machine
from model.nano import Nano
from model.text import Prototypes


class Loaded(NamedTuple):
    """A checkpoint, ready to be measured."""

    manifest: Manifest
    tower: str
    network: Nano
    prototypes: Prototypes


class Outcome(NamedTuple):
    """What was measured of one checkpoint."""

    report: CheckpointReport
    measured: dict[str, Measured]
    thresholds: Thresholds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `vigil eval`."""
    parser.add_argument("--checkpoint", type=Path, default=DEFAULT_FOLDER, help="checkpoint folder; without it the shipped one")
    parser.add_argument("--baseline", type=Path, metavar="CHECKPOINT", help="another one to hold it against, on the same clips")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="SynthHome clips to look at (vigil data synth-home); else kept numbers")
    parser.add_argument("--realmini", type=Path, metavar="FOLDER", help="the real clips' videos to look at; else kept numbers")
    parser.add_argument("--limit", type=int, metavar="N", default=100, help="look at no more than so many clips of a set (100)")
    parser.add_argument("--exact-words", action="store_true", help="cup and bottle are two classes; without it Action Genome's 36 groups")
    parser.add_argument("--keep", action="store_true", help="keep what the image tower made of the clips, for runs without them")
    parser.add_argument(
        "--failures", type=Path, metavar="FILE.png", help="draw what is falsely said and missed on SynthHome (needs --data)"
    )
    parser.add_argument("--found", type=Path, metavar="FILE.png", help="draw what is rightly said on SynthHome (needs --data)")
    parser.add_argument("--threads", type=int, default=1, help="processor threads of the network")
    parser.add_argument("--out", type=Path, default=Path("bench/results"), help="folder for the tables (JSON) and the pictures (PNG)")


def run(args: argparse.Namespace) -> int:
    """Measure, print, write. Raises ValueError where there is nothing to measure on or, with pictures asked for, nothing to draw."""
    if (args.failures or args.found) and not args.data:
        raise ValueError("--failures and --found draw on pictures: give --data, a folder made by `vigil data synth-home`")
    torch.set_num_threads(args.threads)
    started, machine, group_C = time.monotonic(), this_machine(), class_groups(args.exact_words)
    seen: dict[tuple[str, str], EvalSet] = {}
    loaded = [_load(folder) for folder in (args.checkpoint, args.baseline) if folder]
    measured = [_measure(one, args, group_C, seen) for one in loaded]
    report = Report(
        machine=machine,
        class_matching="exact words" if args.exact_words else "Action Genome's groups",
        seconds=round(time.monotonic() - started, 1),
        checkpoints=[outcome.report for outcome in measured],
        gains=_gains(*measured) if len(measured) == 2 else [],
    )
    for one in report.checkpoints:
        print("\n".join(checkpoint_lines(one)), end="\n\n")
    if report.gains:
        print("\n".join(gain_lines(report.gains)), end="\n\n")
    print(f"classes matched by {report.class_matching}; intervals are 95 %; {report.seconds:.0f} s\nwritten: {_write(report, args.out)}")
    if args.failures or args.found:
        _draw(loaded[0], seen[(SYNTH_HOME, loaded[0].tower)], args, group_C)
    return 0


def _load(folder: Path) -> Loaded:
    network, prototypes = load_network(folder)
    manifest = read_manifest(folder)
    return Loaded(manifest, tower_of(manifest), network, prototypes)


def _measure(loaded: Loaded, args: argparse.Namespace, group_C: Int, seen: dict[tuple[str, str], EvalSet]) -> Outcome:
    thresholds = thresholds_of(loaded.manifest)
    measured = {}
    for name in (SYNTH_HOME, REALMINI):
        key = (name, loaded.tower)
        found = seen.get(key) or _eval_set(name, loaded, args)
        if found is not None:
            seen[key] = found
            tasks = ((task, _cases(loaded, found, task)) for task in tqdm(TASKS, desc=f"{loaded.manifest.name} on {name}", leave=False))
            measured[name] = measure(name, len(found.clips), tasks, thresholds, group_C)
    if not measured:
        raise ValueError(
            f"nothing to measure {loaded.manifest.name} on: no numbers are kept for its image tower {loaded.tower};"
            " give --data (made by `vigil data synth-home`) or --realmini (the real clips' folder)"
        )
    published = [use.name for use in loaded.manifest.predicates if use.published]
    sets = [one.report for one in measured.values()]
    report = CheckpointReport(loaded.manifest.name, loaded.manifest.model_hash, loaded.tower, published, sets)
    return Outcome(report, measured, thresholds)


def _cases(loaded: Loaded, eval_set: EvalSet, task: str) -> list[Case]:
    return list(cases(loaded.network.head, loaded.prototypes, eval_set, next(one for one in TASKS if one == task)))


def _eval_set(name: str, loaded: Loaded, args: argparse.Namespace) -> EvalSet | None:
    """From pixels where they were given, else as kept; None where there is neither."""
    watch = partial(look, loaded.network, loaded.tower, name)
    kept = path_for(name, loaded.tower)
    if name == SYNTH_HOME and args.data:
        folders, total = synth_home(args.data, args.limit)
        found = watch(synth_home_shots(folders), total)
    elif name == REALMINI and args.realmini:
        clips, total = realmini(args.limit)
        found = watch(realmini_shots(clips, args.realmini), total)
    elif kept.is_file():
        return read_set(kept)
    else:
        tqdm.write(f"{loaded.manifest.name}: no {name} (no clips given, no numbers kept for image tower {loaded.tower})")
        return None
    if args.keep:
        write_set(found, kept)
        tqdm.write(f"kept: {kept} ({kept.stat().st_size / 2**20:.1f} MiB)")
    return found


def _gains(new: Outcome, old: Outcome) -> list[Gain]:
    both = [name for name in new.measured if name in old.measured]
    return [gain for name in both for gain in gains(new.measured[name], new.thresholds, old.measured[name], old.thresholds)]


def _draw(loaded: Loaded, eval_set: EvalSet, args: argparse.Namespace, group_C: Int) -> None:
    """Pictures of what the checkpoint says and misses at its operating thresholds, those that were asked for."""
    title, folders = f"{loaded.manifest.name} on {eval_set.name}", synth_home(args.data, args.limit)[0]
    triplets = outcomes(_cases(loaded, eval_set, "sgdet"), thresholds_of(loaded.manifest).published_K, group_C)
    for path, write in ((args.failures, write_failures), (args.found, write_found)):
        if path:
            write(path, title, triplets, folders)
            print(f"{path}: look at it")


def _write(report: Report, out: Path) -> Path:
    """The tables, and a picture for each checkpoint and set, named by date and machine."""
    stem = f"eval-{report.machine.measured_at[:19].replace(':', '')}-{report.machine.cores}core"
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{stem}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    for checkpoint in report.checkpoints:
        for one in checkpoint.sets:
            draw_predicates(checkpoint.checkpoint, one, out / f"{stem}-{checkpoint.checkpoint}-{one.name}.png")
    return path
