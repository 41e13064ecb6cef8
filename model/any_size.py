"""A checkpoint folder of either size becomes its network: what engines that run PyTorch modules open."""

from pathlib import Path

from model.assemble import load_network
from model.base.assemble import load_base
from model.base.network import Base
from model.checkpoint import SIZE
from model.nano import Nano
from model.text import Prototypes


def load_any(folder: Path) -> tuple[Nano | Base, Prototypes]:
    """The network of a whole checkpoint and its text prototypes. Raises ValueError when the folder is torn or foreign."""
    return load_base(folder) if (folder / SIZE).is_file() else load_network(folder)
