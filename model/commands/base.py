"""`vigil base`: the size of the network at the paper's size, and a checkpoint of it from the user's CLIP weights or from random ones."""

import argparse
import os
from pathlib import Path

import msgspec
import torch
from tqdm import tqdm

from model.assemble import describe
from model.base.assemble import assemble_base, write_untrained
from model.base.clip_weights import find_cached_clip, find_clip
from model.base.cost import PAPER_FLOPS, PAPER_HW, PAPER_PARAMETERS, Part, canvas_hw, frame_ms, parts
from model.base.size import BASE
from model.checkpoint import Manifest
from model.export import export_onnx

SEED = 7
CLIP_WORDS = "towers: CLIP ViT-B/16 as supplied by the user; decoder, scene head and memory: untrained, every predicate held back"
RANDOM_WORDS = "nothing: random weights, every predicate held back"
EPILOG = """
size prints what the network costs; export writes a checkpoint folder that `vigil serve` runs with VIGIL_MODEL_DIR=FOLDER.
Nothing is downloaded: --clip takes a safetensors file (or a folder that holds model.safetensors) with the tokenizer's files beside it,
--clip-cache the CLIP ViT-B/16 that other tools left in the hub cache; with neither, all weights are random: good for measuring speed.
The decoder was never trained: what a checkpoint finds is noise, and every predicate is held back.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `vigil base`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    actions = parser.add_subparsers(dest="action", required=True)
    size = actions.add_parser("size", help="parameters and operations by part, beside the paper's")
    size.add_argument("--time", action="store_true", help="also time a frame on this machine's CPU, with random weights")
    export = actions.add_parser("export", help="write a checkpoint folder with its ONNX file")
    export.add_argument("folder", type=Path, help="where to write it; its name becomes the model's")
    source = export.add_mutually_exclusive_group()
    source.add_argument("--clip", type=Path, help="CLIP ViT-B/16 weights: a safetensors file, or a folder with model.safetensors")
    source.add_argument("--clip-cache", action="store_true", help="take the weights from the hub cache (HF_HUB_CACHE, HF_HOME)")
    export.add_argument("--seed", type=int, default=SEED, help="of the random weights")


def run(args: argparse.Namespace) -> int:
    """Print the size, or write the checkpoint and say what came out."""
    if args.action == "size":
        print("\n".join(_size_lines(time_it=args.time)))
        return 0
    clip = _clip(args)
    folder: Path = args.folder
    with tqdm(total=3, bar_format="{n_fmt}/{total_fmt} {desc} {elapsed}") as bar:
        bar.set_description("weights and prototypes")
        write_untrained(folder, BASE, clip, args.seed)
        bar.update()
        bar.set_description("network to ONNX, some minutes")
        manifest = _export(folder, RANDOM_WORDS if clip is None else CLIP_WORDS)
        bar.update(2)
    tqdm.write("\n".join(_export_lines(folder, manifest)))
    return 0


def _clip(args: argparse.Namespace) -> Path | None:
    if args.clip_cache:
        return find_cached_clip(os.environ, Path.home())
    return None if args.clip is None else find_clip(args.clip)


def _export(folder: Path, words: str) -> Manifest:
    network, prototypes = assemble_base(folder)
    name = folder.resolve().name
    export_onnx(network, network.num_slots, folder / f"{name}.onnx", prototypes.objects_CD.shape[1])
    return describe(folder, name, words)


def _export_lines(folder: Path, manifest: Manifest) -> list[str]:
    lines = [f"{folder}: model {manifest.name}, hash {manifest.model_hash}, trained on {manifest.trained_on}"]
    return lines + [f"  {name:24} {(folder / name).stat().st_size / 1e6:7.1f} MB" for name in manifest.files]


def _size_lines(*, time_it: bool) -> list[str]:
    found = parts(BASE)
    total = Part("all", sum(part.parameters for part in found), sum(part.flops for part in found))
    lines = [*_table([*found, total, Part("the paper", PAPER_PARAMETERS, PAPER_FLOPS)]), *_words(total)]
    if time_it:
        lines += [f"A frame by PyTorch on this CPU, {torch.get_num_threads()} threads, random weights: {frame_ms(BASE):.0f} ms (median)."]
    return lines


def _table(rows: list[Part]) -> list[str]:
    (height, width), (*_, total, paper) = canvas_hw(), rows
    return [
        f"base on {PAPER_HW[1]}x{PAPER_HW[0]} (canvas {width}x{height}: sides are multiples of 32), one frame",
        "",
        f"{'part':24}{'parameters':>14}{'GFLOP':>10}",
        *(f"{row.name:24}{row.parameters / 1e6:12.2f} M{row.flops / 1e9:10.2f}" for row in rows),
        f"{'ratio to the paper':24}{total.parameters / paper.parameters:14.3f}{total.flops / paper.flops:10.3f}",
        "",
    ]


def _words(total: Part) -> list[str]:
    full = sum(part.flops for part in parts(msgspec.structs.replace(BASE, shrink=1)))
    return [
        f"A multiply-add counts as two operations; as one, a frame has {total.flops / 2e9:.2f} G. The paper does not say which it counts.",
        "The text tower runs when a checkpoint is built: a frame does not pay for it.",
        f"The image tower sees the canvas at 1/{BASE.shrink} of its resolution. At full resolution a frame has {full / 1e9:.2f} GFLOP:",
        f"{full / PAPER_FLOPS:.2f} times the paper's, or {full / 2 / PAPER_FLOPS:.2f} times with a multiply-add as one.",
    ]
