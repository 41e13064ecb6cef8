"""`vigil data synth-home`: renders SynthHome, clips of people and things in rooms with exact truth. Needs the extra `render`.

Measured: 0.2 CPU-seconds a frame at 384x224, of which scenes and their models a fifth; two idle cores make 600 clips of 12 in 15 minutes.
"""

import argparse
import time
from pathlib import Path

MEASURED = "0.2 s a frame at 384x224 on one core without a GPU, with shadows, masks, truth and encoding"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How much to render, how, and where."""
    parser.description = (
        f"Renders clips with boxes, ids, bodies and relations; goes on where it was stopped. One process a core: {MEASURED}."
        " Every clip follows from the seed, the split and its number."
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the data set; clips that are there are kept")
    parser.add_argument("--train", type=int, default=500, metavar="N", help="clips to train on (500)")
    parser.add_argument("--test", type=int, default=100, metavar="N", help="clips of other rooms, things and people, made first (100)")
    parser.add_argument("--frames", type=int, default=12, metavar="N", help="frames a clip (12)")
    parser.add_argument("--fps", type=int, default=5, help="frames a second (5)")
    parser.add_argument("--size", type=_size, default=(384, 224), metavar="WxH", help="picture size (384x224)")
    parser.add_argument("--seed", type=int, default=0, help="what everything is drawn from (0)")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="processes (2)")
    parser.add_argument("--bodies", type=Path, default=None, metavar="FOLDER", help="what `vigil data bodies` baked; fewer poses without")
    parser.add_argument("--sheet", type=Path, default=None, metavar="FILE", help="also draw 24 clips with their truth to a PNG")


def run(args: argparse.Namespace) -> int:
    """Render what is missing; prints how long it took, and counts per split."""
    _check(args)
    from model.synth.counts import count, table
    from model.synth.dataset import SPLITS, clips
    from model.synth.produce import Recipe, claim, plan, produce, write_attribution
    from model.synth.render_clip import Shape

    shape = Shape(args.seed, args.frames, args.fps, *args.size)
    claim(args.out, Recipe(shape, "" if args.bodies is None else args.bodies.name))
    jobs, started_s = plan(args.out, shape, args.train, args.test), time.monotonic()
    produce(jobs, args.bodies, args.workers)
    write_attribution(args.out)
    if jobs:
        spent_s = time.monotonic() - started_s
        print(
            f"{args.out}: {len(jobs)} clips, {spent_s:.0f} s, {spent_s * args.workers / len(jobs) / args.frames:.2f} s a frame and process"
        )
    present = {split: clips(args.out, split) for split in SPLITS if any((args.out / split).glob("[!.]*/clip.json"))}
    print(table([count(split, found) for split, found in present.items()]))
    if args.sheet is not None:
        from model.synth.sheet import write_sheet

        write_sheet(args.sheet, args.out, list(present), present)
        print(f"{args.sheet}: look at it")
    return 0


def _check(args: argparse.Namespace) -> None:
    numbers = {"--frames": args.frames, "--fps": args.fps, "--workers": args.workers}
    wrong = [f"{name} {value}" for name, value in numbers.items() if value < 1]
    if wrong or args.train < 0 or args.test < 0 or args.train + args.test == 0:
        raise ValueError(f"expected positive numbers and at least one clip, got {', '.join(wrong) or f'{args.train} + {args.test} clips'}")
    if args.bodies is not None and not args.bodies.is_dir():
        raise ValueError(f"no bodies in {args.bodies}: bake them with `vigil data bodies --out {args.bodies}`")


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit() and int(width) % 32 == 0 and int(height) % 32 == 0 and int(width) * int(height)):
        raise argparse.ArgumentTypeError(f"a size is WxH in multiples of 32, such as 384x224, got {text!r}")
    return int(width), int(height)
