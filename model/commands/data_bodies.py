"""`vigil data bodies`: bakes dressed people with key frames for rendered clips. Needs torch, `anny` and `warp-lang` (installed by name)."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the bodies go, and how many to bake."""
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="one .npz a body; files that are there are kept")
    parser.add_argument("--limit", type=int, default=None, metavar="N", help="stop after N new bodies (all)")


def run(args: argparse.Namespace) -> int:
    """Bake what is missing; prints how many bodies there are and how much they weigh."""
    try:
        from model.synth.bodies import bake
    except ImportError as error:
        raise ValueError(f"baking bodies needs torch, anny 0.6.2 and warp-lang ({error}): pip install anny==0.6.2") from error
    new = bake(args.out, args.limit)
    files = list(args.out.glob("*.npz"))
    print(f"{args.out}: {len(files)} bodies ({new} new), {sum(path.stat().st_size for path in files) / 1e6:.1f} MB")
    return 0
