"""`vigil train`: a checkpoint's scene head, from the box-level world and rendered clips, in minutes on two cores, repeatable by seed."""

import argparse
from dataclasses import asdict, replace
from pathlib import Path

from tqdm import tqdm

from model.calibrate import Observed, mean_average_precision, observe, only_blurred, score
from model.checkpoint import DETECTOR, IMAGE_HEADS
from model.head_file import LoadedHead, load_head, load_recipe, save_head
from model.image_heads.weights import load_image_heads
from model.nano import Nano
from model.rollout import ClipSource, held_apart
from model.samples import Plan, Samples
from model.scene_head import SceneHead
from model.synth.dataset import APART_SHARE
from model.text import Prototypes
from model.train import CLIP_FRAMES, DIM, OPTIMISERS, SMALL, TRAIN_PAIRS, Recipe, new_head, train
from model.weights import load_detector

DEFAULT_OUT = Path(__file__).parents[1] / "checkpoints" / "nano-v1"
SMALL_OUT = Path("data/train-small")
HELD_OUT_SEED = 1_000_003
"""Added to the seed for the clips that thresholds and figures come from."""
SMALL_MARGIN = 0.15
"""World mAP by which --small has to beat an untrained head."""
SMALL_HELD_OUT = 32
RENDERED_FRAMES = 6
"""SynthHome's clips have 12 frames: two windows a clip, and none is left over."""
STATE = "training.pt"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `vigil train`."""
    recipe = Recipe()
    parser.add_argument("--seed", type=int, default=recipe.seed)
    parser.add_argument("--scenes", type=int, default=recipe.num_scenes, help="single frames to draw")
    parser.add_argument("--clips", type=int, default=recipe.num_clips, help=f"clips of {CLIP_FRAMES} frames to draw")
    parser.add_argument("--held-out", type=int, default=600, help="clips for thresholds and figures")
    parser.add_argument("--epochs", type=int, default=recipe.epochs)
    parser.add_argument("--batch", type=int, default=recipe.batch, help="single frames a step")
    parser.add_argument("--clip-batch", type=int, default=recipe.clip_batch, help="clips a step")
    parser.add_argument("--workers", type=int, default=recipe.workers, help="processes that draw the world")
    parser.add_argument("--optimiser", choices=OPTIMISERS, default=recipe.optimiser)
    parser.add_argument("--rendered", type=Path, metavar="FOLDER", help="mix in rendered clips (vigil data synth-home), its train split")
    parser.add_argument("--rendered-frames", type=int, default=RENDERED_FRAMES, help="frames of a window of a rendered clip")
    parser.add_argument("--rendered-passes", type=float, default=recipe.rendered_passes, help="passes over the rendered clips an epoch")
    parser.add_argument(
        "--prior-strength", type=float, default=recipe.prior_strength, help="how far odds move from the world's to the priors' (0..1)"
    )
    parser.add_argument("--thresholds-only", action="store_true", help="keep the head that lies in --out, find its thresholds again")
    parser.add_argument("--episodes", action="store_true", help="a memory of its own for every thing and pair, beside the prototypes")
    parser.add_argument("--no-memory", action="store_true", help="train without memory, for comparison")
    parser.add_argument("--small", action="store_true", help="a run for CI, sizes fixed: fails unless it clearly beats an untrained head")
    parser.add_argument("--fresh", action="store_true", help=f"start anew where a killed run left {STATE}, instead of going on from it")
    parser.add_argument("--out", type=Path, help=f"checkpoint folder; default: the shipped nano-v1, with --small {SMALL_OUT}")


def run(args: argparse.Namespace) -> int:
    """Train (or keep what is there), calibrate on held-out clips, write head.safetensors and head.json, print a table."""
    out: Path = args.out or (SMALL_OUT if args.small else DEFAULT_OUT)
    recipe = load_recipe(out) if args.thresholds_only else _recipe(args)
    rendered, apart = _rendered(Path(recipe.rendered), args.rendered_frames, out) if recipe.rendered else (None, [])
    head, prototypes = _kept(out) if args.thresholds_only else _trained(recipe, rendered, out / STATE, fresh=args.fresh)
    num_held_out = SMALL_HELD_OUT if args.small else args.held_out
    held_out = Samples(Plan(num_held_out, CLIP_FRAMES, recipe.seed + HELD_OUT_SEED), recipe.workers, DIM, "drawing held-out clips")
    with_memory = observe(head, prototypes, held_out, use_memory=recipe.use_memory)
    without = observe(head, prototypes, held_out, use_memory=False)
    scores = score(_observed(head, prototypes, held_out, apart, use_memory=recipe.use_memory) or {"drawn": with_memory})
    about = {"recipe": asdict(recipe), "world": {"memory": _figures(with_memory), "memory_emptied": _figures(without)}}
    save_head(out, LoadedHead(head, prototypes, scores), about)
    (out / STATE).unlink(missing_ok=True)
    for one in scores:
        tqdm.write(
            f"{one.name:20} {'published' if one.published else 'held back':10} at {one.threshold:.2f}   AP {one.average_precision:.3f}"
            f"   precision {one.precision:.3f}   recall {one.recall:.3f}   of {one.positives}   {one.measured_on}"
        )
    quality = mean_average_precision(with_memory)
    tqdm.write(f"world mAP {quality:.3f}, with the memory emptied {mean_average_precision(without):.3f}")
    return _beats_untrained(quality, prototypes, held_out) if args.small else 0


def _recipe(args: argparse.Namespace) -> Recipe:
    rendered = str(args.rendered or "")
    if args.small:
        return replace(SMALL, optimiser=args.optimiser, rendered=rendered, rendered_passes=args.rendered_passes)
    return Recipe(
        seed=args.seed, num_scenes=args.scenes, num_clips=args.clips, epochs=args.epochs, batch=args.batch, clip_batch=args.clip_batch,
        workers=args.workers, prior_strength=args.prior_strength, use_memory=not args.no_memory, episodes=args.episodes,
        optimiser=args.optimiser, rendered=rendered, rendered_passes=args.rendered_passes,
    )  # fmt: skip


def _trained(recipe: Recipe, rendered: ClipSource | None, state_file: Path, *, fresh: bool) -> tuple[SceneHead, Prototypes]:
    if fresh:
        state_file.unlink(missing_ok=True)
    trainer = train(recipe, rendered, state_file)
    return trainer.head, trainer.prototypes


def _rendered(folder: Path, num_frames: int, checkpoint: Path) -> tuple[ClipSource, list[ClipSource]]:
    """The train split as the checkpoint's own detector and image heads see it, or the shipped checkpoint's where the folder has none yet:
    what to train on, and what is held apart for thresholds."""
    from model.rendered_samples import RenderedSamples

    seen_by = checkpoint if (checkpoint / DETECTOR).is_file() else DEFAULT_OUT
    image_heads = load_image_heads(seen_by / IMAGE_HEADS) if (seen_by / IMAGE_HEADS).is_file() else None
    network = Nano(load_detector(seen_by / DETECTOR), new_head(TRAIN_PAIRS), image_heads)
    samples = RenderedSamples(folder, "train", network, num_frames)
    return held_apart(samples, APART_SHARE)[0], [held_apart(samples.whole(), APART_SHARE)[1]]


def _beats_untrained(quality: float, prototypes: Prototypes, held_out: Samples) -> int:
    """Say what training has brought; status 1 when it is less than it must be."""
    untrained = mean_average_precision(observe(new_head(TRAIN_PAIRS).eval(), prototypes, held_out))
    tqdm.write(f"an untrained head {untrained:.3f}: {quality - untrained:+.3f}, at least {SMALL_MARGIN:+.3f} is asked for")
    return 0 if quality >= untrained + SMALL_MARGIN else 1


def _observed(
    head: SceneHead, prototypes: Prototypes, drawn: ClipSource, rendered: list[ClipSource], *, use_memory: bool
) -> dict[str, Observed]:  # fmt: skip
    """What thresholds come from: rendered clips, which are as the network sees the world; for what is rare there, drawn ones besides."""
    if not rendered:
        return {}
    sets = {"rendered": rendered, "rendered and drawn": [drawn, *rendered]}
    return {title: observe(head, prototypes, *clips, use_memory=use_memory) for title, clips in sets.items()}


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
