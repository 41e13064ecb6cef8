"""Which models a split may use, by what they are. Knows no room.

Models of the group `both` have too few look-alikes to be split: both sides use them at different scales.
"""

from collections.abc import Callable, Sequence

import numpy as np

from model.render.assets import Asset
from model.render.furniture import FurnitureLibrary

MAX_FACES = 40_000
UNFIT = frozenset(
    (
        "C0/table C0/desk KL/custom-desk SC/mezzanine-bed CB/bunkBed C0/babyRockingBed SC/crib C0/relaxChair SC/puff C0/silla2 "
        "KL/chair-ottoman CB/childChair SC/children_chair SC/ryokanChair CB/cornerSofa C0/L_shaped_sofa "
        "KL/mid-century-bench-sofa C0/sofa C0/couch2 SC/ext_table SC/office_furniture1 SC/contemp_living_room SC/dining_room "
        "C0/televisionCabinet KL/plate-and-ustensils SC/shopping-basket C0/ammoBox KL/screen-door SC/changing-table "
    ).split()
)
"""Loft beds, sets of furniture in one model, shapes that nobody sits on."""


class Catalog:
    """The models of one split."""

    def __init__(self, library: FurnitureLibrary, split: str) -> None:
        if split not in ("train", "test"):
            raise ValueError(f"a split is train or test, got {split!r}")
        usable = [asset for asset in library.assets.values() if asset.split in (split, "both") and asset.id not in UNFIT]
        self.assets: Sequence[Asset] = [asset for asset in usable if asset.faces <= MAX_FACES]

    def having(self, test: Callable[[Asset], bool]) -> list[Asset]:
        """All models that pass."""
        return [asset for asset in self.assets if test(asset)]

    def pick(self, rng: np.random.Generator, label: str, test: Callable[[Asset], bool] = lambda _: True) -> Asset | None:
        """One model with that label (or, for dressing, that id's group), at random; None where the split has none."""
        found = self.having(lambda asset: label in (asset.label, asset.id) and not asset.posture and test(asset))
        return found[int(rng.integers(len(found)))] if found else None

    def people(self) -> list[Asset]:
        """The posed people."""
        return self.having(lambda asset: bool(asset.posture))
