"""Both image heads together, and their file in a checkpoint folder: half precision, loaded as the same float32 numbers everywhere."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from model.image_heads.cue_head import CueHead
from model.image_heads.extra_classes import ExtraClasses


class ImageHeads(nn.Module):
    """What rendered pictures have taught beside the detector."""

    def __init__(self, cues: CueHead, extra: ExtraClasses) -> None:
        super().__init__()
        self.cues = cues
        self.extra = extra


def save_image_heads(heads: ImageHeads, path: Path) -> None:
    """Store all weights, rounded to half precision."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.half().contiguous() for name, value in heads.state_dict().items()}, path)


def load_image_heads(path: Path) -> ImageHeads:
    """Heads with stored weights, float32. Raises ValueError, naming the first difference, when the file holds something else."""
    try:
        stored = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} cannot be read as safetensors: {error}") from error
    with torch.device("meta"):
        heads = ImageHeads(CueHead(), ExtraClasses())
    expected = {name: tuple(value.shape) for name, value in heads.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in stored.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise ValueError(f"{path}: {name} is {found.get(name)} there, {expected.get(name)} in this network")
    heads.load_state_dict({name: value.float() for name, value in stored.items()}, assign=True)
    return heads.eval()
