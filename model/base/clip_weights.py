"""CLIP weights that the user supplies become our two towers. Nothing is downloaded. Knows no vocabulary.

A file, a folder, or the hub cache that other tools on the machine have filled; the tokenizer's files lie beside the weights.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from model.base.clip_names import Layout, layout_of
from model.base.clip_text import TextTower
from model.base.size import Size
from model.base.vit import ImageTower

MODEL = "openai/clip-vit-base-patch16"
WEIGHTS = "model.safetensors"


class ClipTowers(nn.Module):
    """Both towers of one CLIP: their parameters are `image.*` and `text.*`."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.image, self.text = ImageTower(size), TextTower(size)


def load_clip(path: Path, size: Size) -> ClipTowers:
    """Towers with the weights of a safetensors file, float32.

    Raises ValueError, naming the first tensor that is missing or misshapen, when the file is not a CLIP of this size.
    """
    try:
        stored = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} cannot be read as safetensors: {error}") from error
    towers = ClipTowers(size)
    try:
        layout = layout_of(stored)
        weights = {name: _read(name, value.shape, stored, layout) for name, value in towers.state_dict().items()}
        _no_further_blocks(stored, layout, size)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    towers.load_state_dict(weights, assign=True)
    return towers.eval()


def _read(ours: str, expected: torch.Size, stored: Mapping[str, Tensor], layout: Layout) -> Tensor:
    sources = layout.sources(ours)
    shape = tuple(expected[::-1]) if ours in layout.transposed else (expected[0] // len(sources), *expected[1:])
    parts = []
    for name in sources:
        if name not in stored:
            raise ValueError(f"{name} is missing, expected {shape} ({layout.name} layout)")
        if tuple(stored[name].shape) != shape:
            raise ValueError(f"{name} is {tuple(stored[name].shape)} there, {shape} in this network")
        parts.append(stored[name].float())
    whole = torch.cat(parts)
    return whole.T.contiguous() if ours in layout.transposed else whole


def _no_further_blocks(stored: Mapping[str, Tensor], layout: Layout, size: Size) -> None:
    """A deeper CLIP would fill our blocks and leave some of its own: it is refused too."""
    for tower, layers in (("image", size.image.layers), ("text", size.text.layers)):
        start = f"{layout.blocks[tower]}.{layers}."
        further = sorted(name for name in stored if name.startswith(start))
        if further:
            raise ValueError(f"{further[0]} is there, but the {tower} tower of this network has {layers} blocks")


def find_clip(path: Path) -> Path:
    """The weights file that a user means by a file or a folder. Raises ValueError when there is none."""
    file = path / WEIGHTS if path.is_dir() else path
    if not file.is_file():
        raise ValueError(f"there is no {file}: expected a safetensors file with CLIP weights, or a folder that holds {WEIGHTS}")
    return file


def find_cached_clip(environ: Mapping[str, str], home: Path) -> Path:
    """The weights of CLIP ViT-B/16 in the hub cache, its main revision first. Raises ValueError, saying where it looked."""
    cache = hub_cache(environ, home) / f"models--{MODEL.replace('/', '--')}"
    main = cache / "refs" / "main"
    revisions = [cache / "snapshots" / main.read_text().strip()] if main.is_file() else []
    for revision in [*revisions, *sorted((cache / "snapshots").glob("*"))]:
        if (revision / WEIGHTS).is_file():
            return revision / WEIGHTS
    raise ValueError(f"no {MODEL} in the hub cache: looked for {cache / 'snapshots' / '*' / WEIGHTS}; put it there, or name a file")


def hub_cache(environ: Mapping[str, str], home: Path) -> Path:
    """Where the hub's own tools keep models: HF_HUB_CACHE, else HF_HOME/hub, else the user's cache folder."""
    if environ.get("HF_HUB_CACHE"):
        return Path(environ["HF_HUB_CACHE"])
    if environ.get("HF_HOME"):
        return Path(environ["HF_HOME"]) / "hub"
    return Path(environ.get("XDG_CACHE_HOME") or home / ".cache") / "huggingface" / "hub"
