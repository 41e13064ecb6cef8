"""`vigil train-image`: the heads on the frozen detector that rendered pictures teach: cues of bodies, and classes that COCO lacks."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from model.checkpoint import DETECTOR, IMAGE_HEADS
from model.vocabulary import ACTION_GENOME_ONLY

if TYPE_CHECKING:
    from model.image_heads.fit_classes import ClassFigures
    from model.image_heads.gather import People, Sights

DEFAULT_OUT = Path(__file__).parents[1] / "checkpoints" / "nano-v1"
CARD = "image_heads.json"
MIN_BASE = 20
"""Classes with fewer held-out things are listed without a figure worth quoting."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `vigil train-image`."""
    parser.add_argument("--data", type=Path, default=Path("data/synth-home"), help="SynthHome folder (vigil data synth-home)")
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help="checkpoint folder; its detector.safetensors must be there")
    parser.add_argument("--cue-epochs", type=int, default=8)
    parser.add_argument("--class-epochs", type=int, default=12)
    parser.add_argument("--limit", type=int, default=0, help="use only so many clips of each split (0: all)")
    parser.add_argument("--seed", type=int, default=7)


def run(args: argparse.Namespace) -> int:
    """Features once, then both heads; trust in classes from clips held apart; measured on the test split, whose models, rooms and people
    no training clip has."""
    from model.image_heads.fit_classes import fit_classes, measure_classes, trusted
    from model.image_heads.fit_cues import fit_cues, measure_cues
    from model.image_heads.weights import ImageHeads, save_image_heads

    if not (args.out / DETECTOR).is_file():
        raise ValueError(f"{args.out} has no {DETECTOR}: run `vigil export {args.out} --untrained --fetch`, or copy one there")
    learned, apart = _apart(_folders(args, "train"))
    people, sights = _gathered(args, learned, "train")
    extra = fit_classes(sights, args.class_epochs, args.seed)
    heads = ImageHeads(fit_cues(people, args.cue_epochs, args.seed), trusted(extra, _gathered(args, apart, "held-apart")[1]))
    save_image_heads(heads, args.out / IMAGE_HEADS)
    people, sights = _gathered(args, _folders(args, "test"), "test")
    figures = asdict(measure_cues(heads.cues, people))
    classes = {ACTION_GENOME_ONLY[class_]: row for class_, row in measure_classes(heads.extra, sights).items()}
    card = {"seed": args.seed, "clips": len(learned), "cues": figures, "classes": {name: row._asdict() for name, row in classes.items()}}
    (args.out / CARD).write_text(json.dumps(card, indent=1) + "\n")
    print("\n".join(f"{name:24} {value:.3f}" for name, value in figures.items()))
    print("\n".join(_class_line(name, row) for name, row in classes.items()))
    return 0


def _class_line(name: str, row: "ClassFigures") -> str:
    few = " (few)" * (row.things < MIN_BASE)
    return f"{name:12} AP50 {row.average_precision:.3f} of {row.things}{few}; trusted {row.sure_right} right of {row.sure}"


def _folders(args: argparse.Namespace, split: str) -> list[Path]:
    from model.synth.dataset import clip_folders

    return clip_folders(args.data, split)[: args.limit or None]


def _apart(folders: list[Path]) -> tuple[list[Path], list[Path]]:
    """Clips to fit on, and the last ones, which say from where a class can be trusted."""
    from model.synth.dataset import APART_SHARE

    count = max(1, round(APART_SHARE * len(folders)))
    if count >= len(folders):
        raise ValueError(f"{len(folders)} clips are too few to hold some apart")
    return folders[:-count], folders[-count:]


def _gathered(args: argparse.Namespace, folders: list[Path], title: str) -> tuple["People", "Sights"]:
    from functools import partial

    from model.annotations import read_clip
    from model.image_heads.gather import gather
    from model.synth.dataset import ANNOTATION, frames_of
    from model.weights import load_detector

    clips = [(read_clip(folder / ANNOTATION), partial(frames_of, folder)) for folder in folders]
    return gather(load_detector(args.out / DETECTOR), clips, args.seed, title=f"features of {title} clips")
