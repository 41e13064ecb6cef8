"""`vigil hand-crops`: whether a second detector pass on crops around people's hands pays, against true things and in processor time."""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import torch
from tqdm import tqdm

from model.assemble import load_network
from model.checkpoint import read_manifest
from model.commands.fit_filter import DEFAULT_FOLDER
from model.evaluation.canvas import paint
from model.evaluation.frames import Int, class_groups, truth_of
from model.evaluation.hand_crop_report import Report, SetReport, Watched, kinds_of, lines, measure
from model.evaluation.hand_crops import CROP_SIDE, REACH, Finds, Glance, glance, hand_squares, look_at_hands, merge
from model.evaluation.look import Shot
from model.evaluation.sources import REALMINI, SYNTH_HOME, realmini, synth_home, synth_home_shots
from model.machine import this_machine
from model.nano import Nano
from model.realmini.reader import realmini_frames


class Looker(NamedTuple):
    """A network and the ways in which it looks twice."""

    network: Nano
    people: tuple[int, ...]
    reach: float
    crop_side: int
    group_C: Int


class Second(NamedTuple):
    """Both passes' finds of one way to look; what the second pass took."""

    finds: Finds
    crops: int
    cpu_ms: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `vigil hand-crops`."""
    parser.add_argument("--checkpoint", type=Path, default=DEFAULT_FOLDER, help="checkpoint folder with image heads (nano-v1)")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="SynthHome clips (vigil data synth-home): the test split is judged")
    parser.add_argument("--realmini", type=Path, metavar="FOLDER", help="the real clips' videos: hand-labelled key frames are judged")
    parser.add_argument("--people", type=int, nargs="+", default=[1, 2], metavar="N", help="crops for the surest so many people (1 2)")
    parser.add_argument("--reach", type=float, default=REACH, help=f"a crop's side, in longer sides of the person's box ({REACH})")
    parser.add_argument("--side", type=int, default=CROP_SIDE, help=f"pixels a side that the detector sees of a crop ({CROP_SIDE})")
    parser.add_argument("--limit", type=int, metavar="N", default=100, help="look at no more than so many clips of a set (100)")
    parser.add_argument("--every", type=int, metavar="N", default=1, help="of SynthHome's frames judge each N-th of a clip (1)")
    parser.add_argument("--out", type=Path, default=Path("bench/results"), help="folder for the tables (JSON)")


def run(args: argparse.Namespace) -> int:
    """Measure, print, write. Raises ValueError where an option makes no sense or there is nothing to look at."""
    _check(args)
    torch.set_num_threads(1)
    machine, manifest = this_machine(), read_manifest(args.checkpoint)
    network = load_network(args.checkpoint)[0]
    if network.image_heads is None:
        raise ValueError(f"{args.checkpoint} has no image heads: it does not know where hands are")
    looker = Looker(network, tuple(args.people), args.reach, args.side, class_groups())
    sets = []
    if args.data:
        folders, total = synth_home(args.data, args.limit)
        frames = (shot for shot in synth_home_shots(folders) if shot.frame is not None and shot.frame.index % args.every == 0)
        sets.append(_measured(SYNTH_HOME, looker, frames, -(-total // args.every)))
    if args.realmini:
        clips = realmini(args.limit)[0]
        key_frames = (Shot(one.clip.name, one.frame.time_s, one.frame, one.image_HW3) for one in realmini_frames(args.realmini, clips))
        sets.append(_measured(REALMINI, looker, key_frames, sum(len(clip.frames) for clip in clips)))
    report = Report(machine, manifest.name, manifest.model_hash, args.side, args.reach, args.every, sets)
    for one in sets:
        print("\n".join(lines(one)), end="\n\n")
    print(f"realmini does not list every thing: a find that fits nothing listed may be right\nwritten: {_write(report, args.out)}")
    return 0


def _check(args: argparse.Namespace) -> None:
    if not (args.data or args.realmini):
        raise ValueError("nothing to look at: give --data (made by `vigil data synth-home`) or --realmini (the real clips' folder)")
    if args.side < 64 or args.side % 32:
        raise ValueError(f"--side must be a multiple of 32 and at least 64, got {args.side}")
    if not 0.0 < args.reach <= 2.0:
        raise ValueError(f"--reach must be in 0..2 longer sides of the person's box, got {args.reach}")
    if min(*args.people, args.limit, args.every) < 1:
        raise ValueError(f"--people, --limit and --every must be at least 1, got {args.people}, {args.limit} and {args.every}")


def _measured(name: str, looker: Looker, shots: Iterator[Shot], total: int) -> SetReport:
    bar = tqdm(shots, total=total, desc=f"looking at {name}", unit="frame", leave=False)
    ways = ("no crops", *(f"{people} {'person' if people == 1 else 'people'}" for people in looker.people))
    return measure(name, ways, [_watch(looker, shot) for shot in bar], looker.group_C)


def _watch(looker: Looker, shot: Shot) -> Watched:
    """One frame, first without crops and then with those of each number of people."""
    assert shot.frame is not None
    size_2 = (shot.picture_HW3.shape[1], shot.picture_HW3.shape[0])
    painted = paint(shot.picture_HW3)
    started = time.thread_time()
    seen = glance(looker.network, painted)
    first_ms = 1000 * (time.thread_time() - started)
    seconds = [_look_again(looker, shot, seen, people) for people in looker.people]
    truth = truth_of(shot.frame)
    on_canvas_2 = (painted.filled_2[0] * painted.image_HW3.shape[1], painted.filled_2[1] * painted.image_HW3.shape[0])
    return Watched(
        clip=shot.clip,
        truth=truth,
        kinds_N3=kinds_of(shot.frame, truth, REACH, size_2, on_canvas_2),
        finds=(seen.finds, *(one.finds for one in seconds)),
        crops=(0, *(one.crops for one in seconds)),
        cpu_ms=(first_ms, *(one.cpu_ms for one in seconds)),
    )


def _look_again(looker: Looker, shot: Shot, seen: Glance, people: int) -> Second:
    started = time.thread_time()
    squares_P4 = hand_squares(seen, people, looker.reach, (shot.picture_HW3.shape[1], shot.picture_HW3.shape[0]))
    more = look_at_hands(looker.network, shot.picture_HW3, squares_P4, looker.crop_side)
    finds = merge(seen.finds, more, looker.group_C)
    return Second(finds, len(squares_P4), 1000 * (time.thread_time() - started))


def _write(report: Report, out: Path) -> Path:
    """The tables, named by date and machine."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"hand-crops-{report.machine.measured_at[:19].replace(':', '')}-{report.machine.cores}core.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    return path
