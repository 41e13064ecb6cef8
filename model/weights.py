"""The detector's weights on disk: half precision, loaded as the same float32 numbers everywhere. Knows no manifest and no head."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from model.detector import Detector


def save_detector(detector: nn.Module, path: Path) -> None:
    """Store all weights, rounded to half precision."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.half().contiguous() for name, value in detector.state_dict().items()}, path)


def load_detector(path: Path) -> Detector:
    """A detector with stored weights, float32. Raises ValueError, naming the first difference, when the file holds something else."""
    with torch.device("meta"):
        detector = Detector()
    detector.load_state_dict(read_weights(path, detector), assign=True)
    return detector.eval()


def read_weights(path: Path, network: nn.Module) -> dict[str, Tensor]:
    """The file's weights, float32, when they are exactly those of the network. Raises ValueError, naming the first difference."""
    try:
        stored = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} cannot be read as safetensors: {error}") from error
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in stored.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise ValueError(f"{path}: {name} is {found.get(name)} there, {expected.get(name)} in this network")
    return {name: value.float() for name, value in stored.items()}
