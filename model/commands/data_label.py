"""`vigil data label`: look at hand-labelled key frames of real clips in a local page, correct and save them; or count them."""

import argparse
from pathlib import Path

from model.realmini.counts import count
from model.realmini.editor import Labels, serve
from model.realmini.reader import ANNOTATIONS, load_realmini

DEFAULT_PORT = 8765


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `vigil data label`."""
    parser.add_argument(
        "--clips", type=Path, default=None, metavar="FOLDER", help="where the videos lie; without it, labels are only counted"
    )
    parser.add_argument("--clip", default=None, metavar="NAME", help="only this clip")
    parser.add_argument("--annotations", type=Path, default=ANNOTATIONS, metavar="FOLDER", help="where the labels lie (RealMini's own)")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help=f"of the page on 127.0.0.1; 0 takes a free one ({DEFAULT_PORT})")


def run(args: argparse.Namespace) -> int:
    """Print the counts; with videos, serve the page until Ctrl-C."""
    print_counts(args.annotations)
    if args.clips is None:
        return 0
    with serve(Labels(args.clips, args.annotations, args.clip), args.port) as server:
        print(f"http://127.0.0.1:{server.server_address[1]}/   (Ctrl-C ends; Save writes into {args.annotations})", flush=True)
        server.serve_forever()
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
