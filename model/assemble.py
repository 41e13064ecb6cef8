"""Detector, head and prototypes become a checkpoint folder, and a folder becomes the network again. Knows no training and no runtime."""

from pathlib import Path

import numpy as np
import torch

from model.appearance import DIM
from model.belief import Pace
from model.calibrate import Score
from model.checkpoint import (
    DETECTOR,
    FORMAT,
    HEAD,
    IMAGE_HEADS,
    PROTOTYPES,
    SIZE,
    Manifest,
    PredicateUse,
    digest,
    read_manifest,
    read_paces,
    write_manifest,
)
from model.head_file import LoadedHead, load_head, save_head
from model.image_heads.weights import load_image_heads
from model.nano import Nano
from model.scene_head import SceneHead
from model.suppression import NUM_ENTITIES
from model.text import Prototypes, load_prototypes
from model.vocabulary import MODERATION_V1
from model.weights import load_detector

SEED = 7


def load_network(folder: Path) -> tuple[Nano, Prototypes]:
    """The network of a whole checkpoint and its text prototypes. Raises ValueError when the folder is torn or foreign."""
    read_manifest(folder)
    return assemble(folder)


def assemble(folder: Path) -> tuple[Nano, Prototypes]:
    """The network from detector and head files alone, before there is a manifest."""
    loaded = load_head(folder)
    image_heads = load_image_heads(folder / IMAGE_HEADS) if (folder / IMAGE_HEADS).is_file() else None
    return Nano(load_detector(folder / DETECTOR), loaded.head, image_heads).eval(), loaded.prototypes


def write_untrained_head(folder: Path, prototypes: Prototypes | None = None, *, episodes: bool = False, seed: int = SEED) -> None:
    """A head that knows nothing yet: random weights by the seed, every predicate held back. Its width is that of the prototypes."""
    torch.manual_seed(seed)
    prototypes = load_prototypes(DIM) if prototypes is None else prototypes
    dim = prototypes.objects_CD.shape[1]
    head = SceneHead(dim, len(MODERATION_V1.objects), len(MODERATION_V1.predicates), episodes=episodes)
    scores = tuple(
        Score(name, published=False, threshold=1.0, average_precision=0.0, precision=0.0, recall=0.0, positives=0)
        for name in MODERATION_V1.predicates
    )
    save_head(folder, LoadedHead(head, prototypes, scores), {"recipe": "untrained"})


def describe(folder: Path, name: str, trained_on: str) -> Manifest:
    """Write prototypes and manifest for the files in the folder, the ONNX file included."""
    loaded = load_head(folder)
    np.save(folder / PROTOTYPES, torch.cat(list(loaded.prototypes)).numpy())
    optional = tuple(name for name in (IMAGE_HEADS, SIZE) if (folder / name).is_file())
    files = (DETECTOR, HEAD, *optional, PROTOTYPES, f"{name}.onnx")
    paces = read_paces(folder)
    manifest = Manifest(
        format=FORMAT,
        name=name,
        vocabulary=MODERATION_V1.name,
        objects=MODERATION_V1.objects,
        predicates=tuple(
            PredicateUse(score.name, score.published, score.threshold, paces.get(score.name, Pace())) for score in loaded.scores
        ),
        num_entities=NUM_ENTITIES,
        num_pairs=2 * loaded.head.num_pairs,
        num_slots=loaded.head.num_slots,
        dim=loaded.prototypes.objects_CD.shape[1],
        trained_on=trained_on,
        files={file: digest(folder / file) for file in files},
    )
    write_manifest(folder, manifest)
    return manifest
