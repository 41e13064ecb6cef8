"""`vigil cues`: what hands, gaze and posture add to a checkpoint's relations, from the numbers kept of the judged clips."""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import torch
from tqdm import tqdm

from model.assemble import load_network
from model.checkpoint import read_manifest
from model.evaluation.cue_ablation import MISSING, CueTable, cue_table, set_without
from model.evaluation.eval_set import EvalSet, path_for, read_set, tower_of
from model.evaluation.frames import class_groups
from model.evaluation.operating import judge
from model.evaluation.plot import draw_cues
from model.evaluation.posture_check import PostureRow, implied, labelled, posture_rows
from model.evaluation.relate import Task, cases
from model.evaluation.sources import REALMINI, SYNTH_HOME
from model.evaluation.tables import cue_lines, posture_lines
from model.machine import Machine, this_machine
from model.realmini.reader import load_realmini
from model.scene_head import SceneHead
from model.text import Prototypes

TASKS: tuple[Task, ...] = ("predcls", "sgdet")
READS_CUES = Path(__file__).parents[1] / "checkpoints" / "nano-v1"


class CueReport(msgspec.Struct, frozen=True):
    """A results file."""

    machine: Machine
    checkpoint: str
    model_hash: str
    tower: str
    seconds: float
    tables: list[CueTable]
    postures: list[PostureRow]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `vigil cues`."""
    parser.add_argument("--checkpoint", type=Path, default=READS_CUES, help="checkpoint folder of a head that reads cues (nano-v1)")
    parser.add_argument("--threads", type=int, default=1, help="processor threads of the network")
    parser.add_argument("--out", type=Path, default=Path("bench/results"), help="folder for the table (JSON) and the picture (PNG)")


def run(args: argparse.Namespace) -> int:
    """Measure, print, write. Raises ValueError where the head reads no cues or no numbers are kept for its image tower."""
    torch.set_num_threads(args.threads)
    started, machine, manifest = time.monotonic(), this_machine(), read_manifest(args.checkpoint)
    network, prototypes = load_network(args.checkpoint)
    if not network.head.cue_columns:
        raise ValueError(f"{manifest.name} reads no cues: there is nothing to take away from it")
    tower = tower_of(manifest)
    sets = _kept(tower)
    with tqdm(total=len(sets) * len(TASKS) * len(MISSING), desc="taking cues away", unit="run", leave=False) as bar:
        tables = [_table(network.head, prototypes, one, task, bar.update) for one in sets for task in TASKS]
    report = CueReport(
        machine=machine,
        checkpoint=manifest.name,
        model_hash=manifest.model_hash,
        tower=tower,
        seconds=round(time.monotonic() - started, 1),
        tables=tables,
        postures=[row for one in sets for row in _postures(one)],
    )
    print(f"{report.checkpoint} ({report.model_hash}, image tower {tower}), in percent with 95 % intervals over clips", end="\n\n")
    for table in tables:
        print("\n".join(cue_lines(table)), end="\n\n")
    print("\n".join(posture_lines(report.postures)))
    print(f"written: {_write(report, args.out)}")
    return 0


def _kept(tower: str) -> list[EvalSet]:
    paths = [path for path in (path_for(name, tower) for name in (SYNTH_HOME, REALMINI)) if path.is_file()]
    if not paths:
        raise ValueError(f"no numbers are kept for image tower {tower}: write them with `vigil eval --keep`")
    return [read_set(path) for path in paths]


def _table(head: SceneHead, prototypes: Prototypes, eval_set: EvalSet, task: Task, tick: Callable[[], object]) -> CueTable:
    group_C, judged = class_groups(), {}
    for missing, parts in MISSING.items():
        judged[missing] = judge(cases(head, prototypes, set_without(eval_set, parts), task), group_C)
        tick()
    return cue_table(eval_set, task, judged)


def _postures(eval_set: EvalSet) -> list[PostureRow]:
    """By support relations; of real people also as labelled."""
    rows = posture_rows(eval_set, "implied", map(implied, eval_set.truths))
    return [*posture_rows(eval_set, "labelled", labelled(eval_set, load_realmini())), *rows] if eval_set.name == REALMINI else rows


def _write(report: CueReport, out: Path) -> Path:
    """The tables and a picture, named by date and machine."""
    stem = f"cues-{report.machine.measured_at[:19].replace(':', '')}-{report.machine.cores}core"
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{stem}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    draw_cues(report.checkpoint, report.tables, out / f"{stem}-{report.checkpoint}.png")
    return path
