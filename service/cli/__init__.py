"""The `vigil` command: one table of sub-commands, each a module with `add_arguments(parser)` and `run(args) -> exit status`."""

import argparse
import importlib
import sys
from collections.abc import Sequence

from service.errors import VigilError

COMMANDS: dict[str, tuple[str, str]] = {
    "serve": ("service.cli.serve", "watch streams: starts the shard, the API and the page"),
    "demo": ("service.cli.demo", "everything at once on this machine, with a live test stream or one of yours"),
    "replay": ("service.cli.replay", "analyse a video file: overlay video, graph and alerts as files"),
    "policy": ("service.cli.policy", "check a policy file"),
    "bench": ("service.cli.bench", "measure this machine: engine, service overhead, a live stream end to end"),
    "engine": ("service.cli.engine", "build engine files ahead of time, list and check the stored ones, measure a backend"),
    "train-image": ("model.commands.train_image", "train the heads on the detector's features, on rendered clips (extra: train)"),
    "fit-filter": ("model.commands.fit_filter", "fit the relation filter of a checkpoint, compare it with simpler ones (extra: train)"),
    "train": ("model.commands.train", "train a checkpoint on the box-level world (extra: train)"),
    "fine-tune": ("model.commands.fine_tune", "a checkpoint goes on learning from your own labelled clips (extra: train)"),
    "train-table": ("model.commands.method_table", "the parts of the method and other ideas beside each other (extra: train)"),
    "eval": ("model.commands.eval", "measure a checkpoint's scene graphs on rendered and labelled real clips (extra: train)"),
    "cues": ("model.commands.cues", "what hands, gaze and posture add to a checkpoint's relations (extra: train)"),
    "eval-tracks": ("service.cli.eval_tracks", "measure identities and relations over time, part by part of the pipeline"),
    "memory": ("model.commands.memory", "what the memory adds: ways of remembering beside each other (extra: train)"),
    "hand-crops": ("model.commands.hand_crops", "does a second look at people's hands find more, and at what cost (extra: train)"),
    "optimisers": ("model.commands.optimisers", "compare ways of training: curves, figure, verdict (extra: train)"),
    "adapt": ("model.commands.adapt", "re-fit a checkpoint's linear head to reviewers' verdicts, in seconds (extra: train)"),
    "export": ("model.commands.export", "import COCO weights, export a checkpoint to ONNX (extra: train)"),
    "base": ("model.commands.base", "the network at the paper's size: what it costs, a checkpoint of it (extra: train)"),
    "data": ("model.commands.data", "render clips from 3-D models (extra: render)"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one sub-command; bad input ends with one clear sentence and status 2."""
    args = sys.argv[1:] if argv is None else list(argv)
    if not args or args[0] not in COMMANDS:
        return _usage(args)
    module_name, about = COMMANDS[args[0]]
    try:
        module = importlib.import_module(module_name)
        parser = argparse.ArgumentParser(prog=f"vigil {args[0]}", description=about)
        module.add_arguments(parser)
        return int(module.run(parser.parse_args(args[1:])))
    except (ValueError, OSError, VigilError) as error:
        print(f"vigil {args[0]}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _usage(args: Sequence[str]) -> int:
    asked = bool(args) and args[0] in ("-h", "--help", "help")
    out = sys.stdout if asked else sys.stderr
    if args and not asked:
        print(f"vigil: no command {args[0]!r}", file=out)
    print("usage: vigil COMMAND [options]   (vigil COMMAND --help says more)\n", file=out)
    for name, (_, about) in COMMANDS.items():
        print(f"  {name:8} {about}", file=out)
    return 0 if asked else 2
