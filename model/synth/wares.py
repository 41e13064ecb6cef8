"""Things by what they are called: a model of the table or one made from a seed, in the split's own share. Knows no room.

Made things come from a pool of numbered identities, so that a process makes each once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from model.synth import primitives
from model.synth.catalog import Catalog
from model.synth.mesh import to_pyrender
from model.synth.moment import Vector
from model.synth.stock import Form, Stock

POOL = 48
MADE_SHARE = 0.6
"""How often a thing is made where the table has models of it too."""
LARGEST_M = 0.8
SCALES = {"suitcase": 0.65, "sports ball": 1.0}


@dataclass(frozen=True, slots=True)
class Ware:
    """A thing to be placed: `grip_3` is what goes into a palm, in its own frame."""

    label: str
    form: Form
    grip_3: Vector
    scale: float = 1.0


class Wares:
    """What one scene can have."""

    def __init__(self, stock: Stock, catalog: Catalog, split: str, rng: np.random.Generator) -> None:
        self._stock, self._catalog, self._rng = stock, catalog, rng
        self._split: Literal["train", "test"] = "train" if split == "train" else "test"

    def get(self, label: str, kind: str | None = None) -> Ware | None:
        """A thing of that label; of a named kind it is always a made one. None where there is neither model nor builder."""
        if kind is not None:
            return self.made(label, kind)
        asset = self._catalog.pick(self._rng, label, lambda asset: max(asset.size) < LARGEST_M * 1.3 and asset.mount < 0.3)
        if label in primitives.labels() and (asset is None or self._rng.random() < MADE_SHARE):
            return self.made(label, None)
        if asset is None:
            return None
        form = self._stock.asset(asset.id)
        scale = SCALES.get(label, 1.0) * (float(self._rng.uniform(0.88, 1.15)) if asset.split == "both" else 1.0)
        low, high = form.bounds_23
        top = label in ("handbag", "suitcase", "backpack", "umbrella")
        grip = np.array([(low[0] + high[0]) / 2, high[1] - 0.02 if top else (low[1] + high[1]) / 2, (low[2] + high[2]) / 2])
        return Ware(label, form, grip, scale)

    def model(self, ids: Sequence[str]) -> Ware | None:
        """One of the named models that the split has."""
        found = self._catalog.having(lambda asset: asset.id in ids)
        if not found:
            return None
        asset = found[int(self._rng.integers(len(found)))]
        return Ware(asset.label, self._stock.asset(asset.id), np.zeros(3))

    def made(self, label: str, kind: str | None) -> Ware:
        """One of the split's own made things."""
        number = int(self._rng.integers(POOL))
        name = f"made/{self._split}/{label}/{kind}/{number}"
        if name not in self._stock.made:
            thing = primitives.build(label, primitives.thing_rng(self._split, label, number), kind)
            mesh = to_pyrender(thing.parts, thing.vertices_V3, thing.normals_V3, thing.glowing)
            self._stock.made[name] = Form(name, mesh), np.asarray(thing.grip_3, np.float64)
        form, grip_3 = self._stock.made[name]
        return Ware(label, form, grip_3)
