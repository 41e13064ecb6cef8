"""How large a network with CLIP towers is: one value, stored as size.json in its checkpoint. Knows no tensor."""

from pathlib import Path

import msgspec

from model.checkpoint import SIZE

CANVAS_STRIDE = 32
"""Engines cut canvases in multiples of this."""


class TowerSize(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A transformer: width, blocks, attention heads, and the width inside its feed-forward layers."""

    width: int
    layers: int
    heads: int
    inner: int


class Size(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that fixes shapes. `grid` is the side, in patches, that the image tower's position embedding was trained on.

    `shrink` is how many canvas pixels a side make one pixel that the image tower sees: its cost falls with the square.
    """

    image: TowerSize
    patch: int
    grid: int
    text: TowerSize
    num_tokens: int
    positions: int
    joint: int
    decoder: TowerSize
    queries: int
    shrink: int

    @property
    def dim(self) -> int:
        """Width of entities, prototypes and memory: the decoder's."""
        return self.decoder.width

    def __post_init__(self) -> None:
        if CANVAS_STRIDE % (self.patch * self.shrink):
            raise ValueError(
                f"a patch covers patch x shrink canvas pixels, which divides {CANVAS_STRIDE}: got {self.patch} x {self.shrink}"
            )
        for name, tower in (("image", self.image), ("text", self.text), ("decoder", self.decoder)):
            if tower.width % tower.heads:
                raise ValueError(f"the {name} tower's width is a multiple of its heads, got {tower.width} and {tower.heads}")


BASE = Size(
    image=TowerSize(width=768, layers=12, heads=12, inner=3072),
    patch=16,
    grid=14,
    text=TowerSize(width=512, layers=12, heads=8, inner=2048),
    num_tokens=49408,
    positions=77,
    joint=512,
    decoder=TowerSize(width=256, layers=8, heads=8, inner=2048),
    queries=64,
    shrink=2,
)
"""CLIP ViT-B/16 with a decoder that brings the whole to the paper's parameters and operations (docs/base.md)."""


def write_size(folder: Path, size: Size) -> None:
    """Store the size, readable."""
    (folder / SIZE).write_bytes(msgspec.json.format(msgspec.json.encode(size), indent=1) + b"\n")


def read_size(folder: Path) -> Size:
    """The size of a checkpoint. Raises ValueError when there is none or it is not one."""
    path = folder / SIZE
    if not path.is_file():
        raise ValueError(f"{folder} has no {SIZE}: it is no checkpoint with CLIP towers")
    try:
        return msgspec.json.decode(path.read_bytes(), type=Size)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} does not hold a size: {error}") from error
