"""`vigil data label`: look at the hand-labelled key frames of RealMini in a local page, correct and save them; or count them."""

import argparse
from pathlib import Path

from model.realmini.counts import count
from model.realmini.reader import ANNOTATIONS, load_realmini


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `vigil data label`."""
    parser.add_argument("--annotations", type=Path, default=ANNOTATIONS, metavar="FOLDER", help="where the labels lie (RealMini's own)")


def run(args: argparse.Namespace) -> int:
    """Counts."""
    print_counts(args.annotations)
    return 0


def print_counts(annotations: Path) -> None:
    """Frames, people, things per class, relations per predicate."""
    found = count(load_realmini(annotations))
    print(
        f"{found.num_clips} clips, {found.num_frames} key frames, {found.num_people} people seen, {found.num_identities} identities, "
        f"{found.num_pairs} pairs with relations"
    )
    for title, counted in (("things", found.things), ("relations", found.relations)):
        print(f"{sum(counted.values())} {title}: " + ", ".join(f"{name} {number}" for name, number in counted.most_common()))
