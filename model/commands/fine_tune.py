"""`vigil fine-tune`: a checkpoint's scene head goes on learning from a folder of your own labelled clips, as a new checkpoint."""

import argparse
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
from tqdm import tqdm

from model.assemble import assemble, describe, load_network
from model.calibrate import observe
from model.checkpoint import DETECTOR, IMAGE_HEADS, MANIFEST, PACES, Manifest, read_manifest
from model.datasets.lgsd import read_folder, split_by_clip
from model.export import export_onnx
from model.fine_tune import Judged, Settings, fine_tune, judge_head, rescored
from model.head_file import CARD, LoadedHead, load_head, save_head
from model.labelled_samples import LabelledSamples, window_length
from model.nano import Nano

EPILOG = """
FOLDER holds NAME/clip.json (model/annotations.py) with its video beside it, or train/NAME and test/NAME; without train and test,
every fifth clip by the SHA-1 of its name is held out. Before and after are measured on the held-out clips, which are not learned from.
The detector, what is published and at which threshold stay those of the source checkpoint, which is not changed.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `vigil fine-tune`."""
    settings = Settings()
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="labelled clips")
    parser.add_argument("--from", dest="source", type=Path, required=True, metavar="CHECKPOINT", help="the checkpoint to start from")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the new checkpoint goes")
    parser.add_argument("--epochs", type=int, default=settings.epochs, help="passes over the labelled clips")
    parser.add_argument("--clip-batch", type=int, default=settings.clip_batch, help="windows of up to 8 frames a step")
    parser.add_argument("--rate", type=float, default=settings.rate, help="the first learning rate; it falls to nothing in a line")
    parser.add_argument("--world-scenes", type=int, default=settings.world_scenes, help="frames of the box world mixed in; 0 for none")
    parser.add_argument("--seed", type=int, default=settings.seed)
    parser.add_argument("--judge-only", action="store_true", help="measure the source checkpoint on the held-out clips and stop")


def run(args: argparse.Namespace) -> int:
    """Look once, learn, measure before and after, write."""
    torch.set_num_threads(1)
    if args.out.exists() and args.out.resolve() == args.source.resolve():
        raise ValueError(f"--out {args.out} is the checkpoint itself; name another folder")
    settings = Settings(args.seed, args.epochs, args.clip_batch, args.rate, args.world_scenes)
    loaded, split = load_head(args.source), split_by_clip(read_folder(args.data))
    network, length = load_network(args.source)[0], window_length((*split.train, *split.held_out))
    held_out = LabelledSamples(split.held_out, network, length, "looking at held-out clips")
    before = judge_head(loaded, held_out)
    print(_line("before", before))
    if args.judge_only:
        return 0
    train = LabelledSamples(split.train, network, length, "looking at clips to learn from")
    people, pairs = train.people_and_pairs()
    if not pairs:
        raise ValueError(f"the detector reports {people} of the annotated people and no pair of a person and a thing: nothing to learn")
    head = fine_tune(loaded, train, settings)
    tuned = LoadedHead(head, loaded.prototypes, loaded.scores)
    after = judge_head(tuned, held_out)
    print(f"{_line('after', after)}\n{len(split.held_out)} held-out clips; learned from {len(split.train)} clips, {pairs} pairs")
    if after.f1.value < before.f1.value:
        print("triplet F1 on the held-out clips fell: more labelled clips, fewer epochs or a lower rate may help")
    tuned = LoadedHead(head, loaded.prototypes, rescored(loaded.scores, observe(head, loaded.prototypes, held_out)))
    manifest = write_checkpoint(args.source, args.out, tuned, _about(settings, before, after), len(split.train))
    print(f"written: {args.out}, model {manifest.name}, hash {manifest.model_hash}")
    return 0


def write_checkpoint(
    source: Path,
    out: Path,
    tuned: LoadedHead,
    about: dict[str, object],
    num_clips: int,
    export: Callable[[Nano, int, Path], None] = export_onnx,
) -> Manifest:
    """The source's detector, image heads and paces with the new head, exported anew: about half a minute. A kill leaves a folder without a
    manifest, which no engine loads."""
    old = read_manifest(source)
    out.mkdir(parents=True, exist_ok=True)
    (out / MANIFEST).unlink(missing_ok=True)
    for name in (DETECTOR, IMAGE_HEADS, PACES):
        if (source / name).is_file():
            shutil.copy2(source / name, out / name)
    card = json.loads((source / CARD).read_text())
    save_head(out, tuned, {**{name: card[name] for name in card if name not in ("vocabulary", "predicates")}, **about})
    tqdm.write("network to ONNX, about half a minute")
    network, _ = assemble(out)
    name = out.resolve().name
    export(network, network.num_slots, out / f"{name}.onnx")
    return describe(out, name, f"{old.trained_on}; scene head fine-tuned on {num_clips} labelled clips")


def _about(settings: Settings, before: Judged, after: Judged) -> dict[str, object]:
    return {"fine_tuned": {**asdict(settings), "held_out": {"before": _rounded(before), "after": _rounded(after)}}}


def _rounded(judged: Judged) -> dict[str, float]:
    return {"triplet_f1": round(judged.f1.value, 4), "mean_average_precision": round(judged.mean_average_precision, 4)}


def _line(when: str, judged: Judged) -> str:
    f1, at = judged.f1, judged.recall_at
    return (
        f"{when:7} triplet F1 {f1.value:.3f} ({f1.low:.3f} to {f1.high:.3f}), precision {judged.precision.value:.3f}, "
        f"recall {judged.recall.value:.3f}; R@{at.k} {at.recall.value:.3f}, mR@{at.k} {at.mean_recall.value:.3f}; "
        f"mAP {judged.mean_average_precision:.3f}"
    )
