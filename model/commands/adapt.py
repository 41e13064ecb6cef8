"""`vigil adapt`: a checkpoint's linear head alone, re-fitted to its optimum from reviewers' verdicts in seconds, as a new checkpoint."""

import argparse
import json
import shutil
import time
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from model.checkpoint import HEAD, digest, read_manifest, write_manifest
from model.head_file import CARD, LoadedHead, load_head, save_head
from model.proxvp.adapt import Fitted, Stiffness, adapt
from model.proxvp.proxvp import batch_cells
from model.proxvp.verdicts import collect, read_verdicts, write_verdicts
from model.rollout import draw_batch, empty_state
from model.samples import Plan, Samples
from model.scene_head import SceneHead
from model.text import Prototypes
from model.train import CLIP_FRAMES

ORDINARY_SEED, COLLECTED_SEED = 4_000_037, 5_000_011
CHUNK = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `vigil adapt`."""
    stiffness = Stiffness()
    parser.add_argument("--checkpoint", type=Path, required=True, metavar="FOLDER", help="the checkpoint to start from; it is not changed")
    parser.add_argument("--verdicts", type=Path, required=True, metavar="FILE", help="JSON lines, as model/proxvp/verdicts.py says")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where the new checkpoint goes")
    parser.add_argument("--collect", type=int, metavar="CLIPS", help="first write FILE: true verdicts on what is reported in so many clips")
    parser.add_argument("--ordinary", type=int, default=300, metavar="SCENES", help="world frames whose pairs should stay as they are")
    parser.add_argument("--lam", type=float, default=stiffness.lam, help="how stiff every direction is")
    parser.add_argument("--kappa", type=float, default=stiffness.kappa, help="how many verdicts the ordinary pairs weigh")


def run(args: argparse.Namespace) -> int:
    """Fit, say how near the optimum it is, write."""
    torch.set_num_threads(1)
    manifest = read_manifest(args.checkpoint)
    loaded = load_head(args.checkpoint)
    if args.collect:
        _collect(loaded, args.collect, args.verdicts)
    if args.out is None:
        return 0
    if args.lam <= 0.0 or args.kappa < 0.0:
        raise ValueError(f"--lam must be above 0 and --kappa not below, got {args.lam} and {args.kappa}")
    if args.out.exists() and args.out.samefile(args.checkpoint):
        raise ValueError(f"--out {args.out} is the checkpoint itself; name another folder")
    verdicts = read_verdicts(args.verdicts, manifest.dim)
    ordinary_YD = _ordinary(loaded.head, loaded.prototypes, args.ordinary)
    begun = time.perf_counter()
    fitted = adapt(loaded.head, loaded.prototypes, verdicts, ordinary_YD, Stiffness(args.lam, args.kappa))
    print(f"fitted in {time.perf_counter() - begun:.2f} s on {len(verdicts)} verdicts, {len(ordinary_YD)} ordinary pairs held")
    for one in fitted:
        agreed = f"agrees with {one.agreed_before} -> {one.agreed_after} of {one.verdicts}"
        print(f"{one.predicate:20} {agreed:32} optimal within {one.certificate:.1e} nats, {one.steps} Newton steps")
    _write(args.checkpoint, args.out, loaded, fitted)
    print(f"written: {args.out}")
    return 0


def _collect(loaded: LoadedHead, num_clips: int, path: Path) -> None:
    clips = Samples(Plan(num_clips, CLIP_FRAMES, COLLECTED_SEED), 1, loaded.prototypes.objects_CD.shape[1], "drawing clips to review")
    thresholds = {score.name: score.threshold for score in loaded.scores if score.published}
    verdicts = collect(loaded.head, loaded.prototypes, clips, thresholds)
    write_verdicts(path, verdicts)
    print(f"{len(verdicts)} verdicts, {sum(one.holds for one in verdicts)} of them right: {path}")


def _ordinary(head: SceneHead, prototypes: Prototypes, num_scenes: int) -> Tensor:
    """Embeddings of pairs in frames of the box world (Y, D)."""
    dim = prototypes.objects_CD.shape[1]
    if num_scenes < 1:
        return torch.zeros(0, dim)
    scenes = Samples(Plan(num_scenes, 1, ORDINARY_SEED), 1, dim, "drawing ordinary frames")
    generator, found = torch.Generator().manual_seed(0), []
    for rows_B in scenes.batches(CHUNK, None):
        batch = draw_batch(scenes, rows_B, empty_state(head, len(rows_B)), 0.0, generator)
        found.append(batch_cells(head, prototypes, batch).rows_XE[:, :-1])
    return torch.cat(found)


def _write(source: Path, out: Path, loaded: LoadedHead, fitted: list[Fitted]) -> None:
    """All files of the checkpoint, with the new head in head.safetensors and in the ONNX graph, and a manifest that fits."""
    old = read_manifest(source)
    shutil.copytree(source, out, dirs_exist_ok=True)
    about = {name: value for name, value in json.loads((source / CARD).read_text()).items() if name not in ("vocabulary", "predicates")}
    words = ", ".join(f"{one.predicate} ({one.verdicts})" for one in fitted)
    save_head(out, loaded, {**about, "adapted": words})
    name = out.resolve().name
    (out / old.onnx_file).rename(out / f"{name}.onnx")
    _patch(out / f"{name}.onnx", loaded.head)
    files = {(f"{name}.onnx" if file == old.onnx_file else file): digest_of for file, digest_of in old.files.items()}
    files |= {file: digest(out / file) for file in (HEAD, f"{name}.onnx")}
    fields = {field: getattr(old, field) for field in old.__struct_fields__}
    trained_on = f"{old.trained_on}; linear head re-fitted from verdicts on {words}"
    write_manifest(out, type(old)(**{**fields, "name": name, "trained_on": trained_on, "files": files}))


def _patch(path: Path, head: SceneHead) -> None:
    """Put the head's weights in the graph in place of the old ones."""
    model = onnx.load(str(path))
    wanted = {"head.weight_delta": head.weight_delta, "head.bias": head.bias}
    for constant in model.graph.initializer:
        values = wanted.pop(constant.name, None)
        if values is not None:
            constant.CopyFrom(numpy_helper.from_array(values.detach().numpy(), constant.name))
    if wanted:
        raise ValueError(f"{path} holds no {', '.join(wanted)}: export it again with vigil export")
    onnx.save_model(model, str(path))
