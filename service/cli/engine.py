"""`vigil engine build|list|check|bench`: engine files before they are needed, whether they are whole, right and fast.

Builds and measures nothing itself; libraries for building are imported only when they are to build.
"""

import argparse
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import numpy as np
from tqdm import tqdm

from engines.accuracy import Accuracy, Recording, measure, record
from engines.bench import Setting, measure_engines, table
from engines.factory import BACKENDS, PREFERRED, SHIPPED, open_engine
from engines.probe import probe
from engines.protocol import UInt8
from engines.store import EngineStore, Entry
from service.cli.demo import CLIP
from service.ingest.file import read_file
from service.settings import Settings

REFERENCE = "onnxruntime"
GATE_FRAMES, GATE_FPS = 8, 1.0
Actions: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
CHECKS = "is every stored engine whole, does each backend here see what fp32 ONNX Runtime sees: status 1 when not"
BUILD_EXAMPLES = """examples:
  vigil engine build --backend tensorrt                           for the GPU here, before the service needs it
  vigil engine build --backend tensorrt_rtx --for SM86,SM89,SM120   on any machine, for GPUs of these generations
  vigil engine build --backend tensorrt_rtx --source 1280x720 --source 720x1280   wide and tall streams
A stream whose picture has another shape gets its engine when its first frame comes, and all streams wait for it meanwhile.
Install a builder with pip install "vigil[gpu]" (TensorRT) or "vigil[rtx]" (TensorRT-RTX: needs no GPU)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One parser for each action."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="build|list|check|bench")
    settings = Settings()
    build = _action(actions, "build", "make engine files ahead of time", BUILD_EXAMPLES)
    build.add_argument("--backend", required=True, metavar="NAME", help="tensorrt, tensorrt_rtx or torch_tensorrt")
    build.add_argument("--precision", default="fp16", help="fp16 (default), bf16 or fp32: of the convolutions, the rest is fp32")
    build.add_argument("--for", dest="generations", type=_words, default=(), metavar="SM86,SM89", help="GPU generations; only tensorrt_rtx")
    build.add_argument("--max-batch", type=int, default=16, help="the most frames at once: 1, 2, 4, 8 or 16 (default)")
    build.add_argument(
        "--source", type=_size, action="append", metavar="WxH", help="size of a stream's picture; may be repeated (1280x720)"
    )
    _add_common(build, settings)
    _add_store(build)
    _add_store(_action(actions, "list", "what the store holds, each file's digest checked"))
    check = _action(actions, "check", CHECKS)
    check.add_argument("--backend", choices=BACKENDS, action="append", help="compare only this one; may be repeated (all that run here)")
    check.add_argument("--precision", help="fp16, bf16 or fp32; without it each backend's own")
    check.add_argument("--clip", type=Path, default=CLIP, help="the video whose frames are compared (the demo's)")
    _add_common(check, settings)
    _add_store(check)
    bench = _action(actions, "bench", "milliseconds and frames a second of one backend here, by batch")
    bench.add_argument("--backend", choices=BACKENDS, help="without it the best that can run here")
    bench.add_argument("--batches", type=_numbers, default=(1, 2, 4, 8), metavar="1,2,4", help="frames at once (1,2,4,8)")
    bench.add_argument("--threads", type=int, default=0, help="CPU threads; 0: one per core")
    bench.add_argument("--seconds", type=float, default=10.0, help="how long to measure in all (10)")
    _add_common(bench, settings)


def run(args: argparse.Namespace) -> int:
    """0 when all is well, 1 when `check` found a fault; ValueError with a sentence on bad input."""
    actions = {"build": _build, "list": _list, "check": _check, "bench": _bench}
    return actions[args.action](args)


def _build(args: argparse.Namespace) -> int:
    try:
        from engines.prebuild import Order, build_ahead
    except ImportError as error:
        raise ValueError(f'building needs more packages, pip install "vigil[rtx]" or "vigil[gpu]" brings them: {error}') from error
    order = Order(
        backend=args.backend,
        folder=args.model_dir or SHIPPED,
        precision=args.precision,
        generations=args.generations,
        max_batch=args.max_batch,
        max_pixels=args.max_pixels,
        sources_HW=tuple(args.source or [(720, 1280)]),
    )
    began_s = time.monotonic()
    with tqdm(desc="building", leave=False, disable=None, bar_format="{desc}: {elapsed} {bar} {n_fmt}/{total_fmt} {postfix}") as bar:

        def show(phase: str, done: int, steps: int) -> None:
            bar.total, bar.n = steps, done
            bar.set_postfix_str(phase)

        for words, path in build_ahead(order, EngineStore(args.store), show):
            bar.write(f"{words}: {path} ({path.stat().st_size / 1e6:.1f} MB)")
    print(f"ready after {time.monotonic() - began_s:.0f} s")
    return 0


def _list(args: argparse.Namespace) -> int:
    store = EngineStore(args.store)
    entries = store.entries()
    for entry in entries:
        print(_line(entry))
    print(f"{store.folder}: {_counted(entries)}")
    return 0


def _check(args: argparse.Namespace) -> int:
    store = EngineStore(args.store)
    entries = store.entries()
    for entry in entries:
        if entry.fault is not None:
            print(f"{entry.path}: {entry.fault}; it will be built again, and may be deleted")
    print(f"{store.folder}: {_counted(entries)}")
    is_whole = all(entry.fault is None for entry in entries)
    return 0 if _all_agree(args) and is_whole else 1


def _all_agree(args: argparse.Namespace) -> bool:
    """Every backend that was asked for, or that runs here, against the reference on frames of the clip."""
    asked = args.backend or [name for name in PREFERRED if name != REFERENCE and probe(name).usable]
    if not asked:
        print(f"no backend but {REFERENCE} runs here: nothing to compare")
        return True
    frames = islice(read_file(args.clip, args.max_pixels, fps=GATE_FPS), GATE_FRAMES)
    pictures_NHW3 = np.stack([frame.image_HW3 for frame in tqdm(frames, total=GATE_FRAMES, desc="reading", leave=False, disable=None)])
    reference = _record_reference(args, pictures_NHW3)
    verdicts = [_compare(args, name, reference) for name in tqdm(asked, desc="comparing", leave=False, disable=None)]
    for name, (precision, accuracy) in zip(asked, verdicts, strict=True):
        print(f"{name} {precision}: {accuracy.verdict() or 'sees what it should'} ({_numbers_of(accuracy)})")
    return not any(accuracy.verdict() for _, accuracy in verdicts)


def _record_reference(args: argparse.Namespace, pictures_NHW3: UInt8) -> Recording:
    engine = open_engine(REFERENCE, model_dir=args.model_dir, num_streams=GATE_FRAMES, max_pixels=args.max_pixels)
    try:
        return record(engine, pictures_NHW3)
    finally:
        engine.close()


def _compare(args: argparse.Namespace, backend: str, reference: Recording) -> tuple[str, Accuracy]:
    engine = open_engine(
        backend, model_dir=args.model_dir, num_streams=GATE_FRAMES, max_pixels=args.max_pixels, precision=args.precision
    )  # fmt: skip
    try:
        return engine.spec.precision, measure(reference, engine)
    finally:
        engine.close()


def _bench(args: argparse.Namespace) -> int:
    backend = args.backend or next(name for name in PREFERRED if probe(name).usable)
    settings = [Setting(backend, args.model_dir or SHIPPED, args.max_pixels, args.threads)]
    with tqdm(desc=f"measuring {backend}", unit=" rounds", leave=False, disable=None) as bar:

        def tick() -> None:
            bar.update()

        report = measure_engines(settings, args.batches, args.seconds, tick)
    print("\n".join(table(report)))
    return 0


def _line(entry: Entry) -> str:
    state = "whole" if entry.fault is None else entry.fault
    if entry.card is None:
        return f"{entry.path.name}  {state}"
    key, card = entry.card.key, entry.card
    batches = f"batch {key.batches[0]}-{key.batches[2]}"
    canvas = f"{key.width}x{key.height}" if key.width else "any canvas"
    place = f"{key.device} {key.capability}, driver {key.driver or '-'}"
    what = f"{key.backend:14} {key.model:10} {key.model_hash}  {key.precision}  {canvas}  {batches}  {place}"
    age = _age(time.time() - card.built_unix_s)
    return f"{what}  {', '.join(key.libraries)}  {card.size_bytes / 1e6:.1f} MB  built in {card.build_s:.0f} s, {age} ago  {state}"


def _age(seconds: float) -> str:
    """In the largest unit that it holds at least twice, else in seconds."""
    size, unit = next((pair for pair in UNITS if seconds >= 2 * pair[0]), UNITS[-1])
    return f"{seconds / size:.0f} {unit}"


def _counted(entries: Sequence[Entry]) -> str:
    num_faults = sum(entry.fault is not None for entry in entries)
    return f"engines: {len(entries) - num_faults} whole, {num_faults} torn"


def _numbers_of(accuracy: Accuracy) -> str:
    boxes = f"{accuracy.num_things} things, mean IoU {accuracy.mean_iou:.3f}, same labels {accuracy.same_labels:.3f}"
    return f"{boxes}, F1 of {accuracy.num_triplets} triplets {accuracy.triplet_f1:.3f}, gap {accuracy.probability_gap:.3f}"


def _action(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, about: str, epilog: str = ""
) -> argparse.ArgumentParser:
    return actions.add_parser(name, help=about, description=about, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter)


def _add_common(parser: argparse.ArgumentParser, settings: Settings) -> None:
    parser.add_argument(
        "--model-dir", type=Path, default=settings.model_dir, metavar="FOLDER", help="checkpoint; without it the shipped one"
    )
    parser.add_argument(
        "--max-pixels", type=int, default=settings.max_pixels, help=f"pixels of the analysed picture ({settings.max_pixels})"
    )


def _add_store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--store", type=Path, metavar="FOLDER", help="another engine store; the service's is $XDG_CACHE_HOME/vigil/engines")


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in text.split(",") if word)


def _numbers(text: str) -> tuple[int, ...]:
    """ "1,2,4" as whole numbers from 1 on."""
    if not all(word.isdecimal() and int(word) for word in text.split(",")):
        raise argparse.ArgumentTypeError(f"whole numbers from 1 on by comma are expected, such as 1,2,4; got {text!r}")
    return tuple(int(word) for word in text.split(","))


def _size(text: str) -> tuple[int, int]:
    """ "1280x720" as (height, width)."""
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"a size is WIDTHxHEIGHT, such as 1280x720; got {text!r}")
    return int(height), int(width)
