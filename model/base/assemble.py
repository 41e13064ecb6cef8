"""Weights and a seed become a `base` checkpoint folder, and a folder becomes the network again. Knows no training and no runtime."""

from pathlib import Path

import torch

from model.assemble import write_untrained_head
from model.base.clip_text import ClipText
from model.base.clip_tokens import load_tokenizer
from model.base.clip_weights import load_clip
from model.base.network import Base, BaseDetector
from model.base.size import Size, read_size, write_size
from model.checkpoint import DETECTOR, read_manifest
from model.head_file import load_head
from model.text import Prototypes, embed_vocabulary, load_prototypes, prototypes_of
from model.weights import read_weights, save_detector


def write_untrained(folder: Path, size: Size, clip: Path | None, seed: int) -> None:
    """A network that was never trained, every predicate held back: towers and prototypes from CLIP's weights, the rest by the seed.

    Without weights the towers are random too, and the prototypes are nano's sentence embeddings. Stored in half precision.
    """
    torch.manual_seed(seed)
    detector = BaseDetector(size)
    prototypes = load_prototypes(size.dim)
    if clip is not None:
        towers = load_clip(clip, size)
        detector.image = towers.image
        text = ClipText(towers.text, load_tokenizer(clip.parent, size.num_tokens))
        prototypes = prototypes_of(embed_vocabulary(text.embed), size.dim)
    folder.mkdir(parents=True, exist_ok=True)
    write_size(folder, size)
    save_detector(detector, folder / DETECTOR)
    write_untrained_head(folder, prototypes, episodes=True, seed=seed)


def assemble_base(folder: Path) -> tuple[Base, Prototypes]:
    """The network from size, detector and head files alone, before there is a manifest."""
    loaded, detector = load_head(folder), BaseDetector(read_size(folder))
    detector.load_state_dict(read_weights(folder / DETECTOR, detector))
    return Base(detector, loaded.head).eval(), loaded.prototypes


def load_base(folder: Path) -> tuple[Base, Prototypes]:
    """The network of a whole checkpoint and its prototypes. Raises ValueError when the folder is torn or foreign."""
    read_manifest(folder)
    return assemble_base(folder)
