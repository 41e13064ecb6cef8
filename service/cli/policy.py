"""`vigil policy check FILE`: is this policy file sound? One line a finding, `file:line: sentence`; status 1 when it must not be used."""

import argparse
import sys
from pathlib import Path

from engines.factory import open_engine
from model.vocabulary import MODERATION_V1, Vocabulary
from service.policy import PolicyError, load_policies

SMALL_PICTURE_PIXELS = 64 * 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `vigil policy`."""
    parser.add_argument("action", choices=("check",), help="check: read and lint, change nothing")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="YAML file, or a folder of them")
    parser.add_argument("--model", type=Path, metavar="DIR", help="checkpoint whose published predicates count (default: the shipped one)")


def run(args: argparse.Namespace) -> int:
    """0 when every file can be used (perhaps with warnings), else 1."""
    vocabulary, published = _spoken(args.model)
    is_sound = True
    for path in args.files:
        try:
            policies = load_policies(path, vocabulary=vocabulary, published=published)
        except PolicyError as error:
            print(error)
            is_sound = False
            continue
        for warning in policies.warnings:
            print(warning)
        found = (_counted(len(policies.policies), "policy", "policies"), _counted(len(policies.warnings), "warning", "warnings"))
        print(f"{path}: {', '.join(found)}")
    return 0 if is_sound else 1


def _spoken(model_dir: Path | None) -> tuple[Vocabulary, frozenset[str] | None]:
    """The words of the checkpoint and the predicates it publishes; without the shipped one that check is left out, and said so."""
    try:
        engine = open_engine("onnxruntime", model_dir=model_dir, num_streams=1, max_pixels=SMALL_PICTURE_PIXELS, threads=1)
    except (ImportError, ValueError) as error:
        if model_dir is not None:
            raise
        print(f"held-back predicates are not checked: {error}", file=sys.stderr)
        return MODERATION_V1, None
    published = frozenset(predicate.name for predicate in engine.spec.predicates if predicate.published)
    vocabulary = engine.spec.vocabulary
    engine.close()
    return vocabulary, published


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
