"""`vigil train`: the scene head of a checkpoint, from the box-level world alone, in minutes on two cores, repeatable by seed."""

import argparse
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from model.calibrate import Observed, mean_average_precision, observe, only_blurred, score
from model.head_file import LoadedHead, load_head, load_recipe, save_head
from model.samples import Plan, Samples
from model.scene_head import SceneHead
from model.text import Prototypes
from model.train import CLIP_FRAMES, DIM, Recipe, train

DEFAULT_OUT = Path(__file__).parents[1] / "checkpoints" / "nano-v0"
HELD_OUT_SEED = 1_000_003
"""Added to the seed for the clips that thresholds and figures come from."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `vigil train`."""
    recipe = Recipe()
    parser.add_argument("--seed", type=int, default=recipe.seed)
    parser.add_argument("--scenes", type=int, default=recipe.num_scenes, help="single frames to draw")
    parser.add_argument("--clips", type=int, default=recipe.num_clips, help=f"clips of {CLIP_FRAMES} frames to draw")
    parser.add_argument("--held-out", type=int, default=600, help="clips for thresholds and figures")
    parser.add_argument("--epochs", type=int, default=recipe.epochs)
    parser.add_argument("--workers", type=int, default=recipe.workers, help="processes that draw the world")
    parser.add_argument(
        "--prior-strength", type=float, default=recipe.prior_strength, help="how far odds move from the world's to the priors' (0..1)"
    )
    parser.add_argument("--thresholds-only", action="store_true", help="keep the head that lies in --out, find its thresholds again")
    parser.add_argument("--no-memory", action="store_true", help="train without memory, for comparison")
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help="checkpoint folder")


def run(args: argparse.Namespace) -> int:
    """Train (or keep what is there), calibrate on held-out clips, write head.safetensors and head.json, print a table."""
    recipe = Recipe(
        seed=args.seed, num_scenes=args.scenes, num_clips=args.clips, epochs=args.epochs, workers=args.workers,
        prior_strength=args.prior_strength, use_memory=not args.no_memory,
    )  # fmt: skip
    recipe = load_recipe(args.out) if args.thresholds_only else recipe
    head, prototypes = _kept(args.out) if args.thresholds_only else _trained(recipe)
    held_out = Samples(Plan(args.held_out, CLIP_FRAMES, recipe.seed + HELD_OUT_SEED), recipe.workers, DIM, "drawing held-out clips")
    with_memory = observe(head, prototypes, held_out, use_memory=recipe.use_memory)
    without = observe(head, prototypes, held_out, use_memory=False)
    scores = score(with_memory)
    about = {"recipe": asdict(recipe), "world": {"memory": _figures(with_memory), "memory_emptied": _figures(without)}}
    save_head(args.out, LoadedHead(head, prototypes, scores), about)
    for one in scores:
        tqdm.write(
            f"{one.name:20} {'published' if one.published else 'held back':10} at {one.threshold:.2f}   AP {one.average_precision:.3f}"
            f"   precision {one.precision:.3f}   recall {one.recall:.3f}   of {one.positives}"
        )
    tqdm.write(f"world mAP {mean_average_precision(with_memory):.3f}, with the memory emptied {mean_average_precision(without):.3f}")
    return 0


def _trained(recipe: Recipe) -> tuple[SceneHead, Prototypes]:
    trainer = train(recipe)
    return trainer.head, trainer.prototypes


def _kept(folder: Path) -> tuple[SceneHead, Prototypes]:
    loaded = load_head(folder)
    return loaded.head, loaded.prototypes


def _figures(observed: Observed) -> dict[str, float]:
    return {
        "mean_average_precision": round(mean_average_precision(observed), 4),
        "on_blurred_frames": round(mean_average_precision(only_blurred(observed)), 4),
        "names_right": round(observed.names_right, 4),
        "detector_names_right": round(observed.detector_names_right, 4),
        "pairs": len(observed.probs_XK),
    }
