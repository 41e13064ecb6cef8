"""What stands in each kind of room, and how it gets there. Knows no person and no camera."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from model.render.assets import Asset
from model.render.room import pose, sky
from model.synth.catalog import Catalog
from model.synth.moment import Vector
from model.synth.plan import Spot, footprint
from model.synth.portals import portal
from model.synth.stage import Item, Stage
from model.synth.wares import Wares

Test = Callable[[Asset], bool]


def _any(_: Asset) -> bool:
    return True


def _high(asset: Asset) -> bool:
    return asset.support is not None and 0.62 < asset.support < 0.8


def _low(asset: Asset) -> bool:
    return asset.support is not None and 0.35 < asset.support < 0.58


def _seat(asset: Asset) -> bool:
    return asset.support is not None and 0.38 < asset.support < 0.52


def _on_floor(asset: Asset) -> bool:
    return asset.mount < 0.3


def _hung(asset: Asset) -> bool:
    return asset.mount >= 0.3


def _short(asset: Asset) -> bool:
    return asset.size[1] < 1.1 and asset.mount < 0.3


def _tall(asset: Asset) -> bool:
    return asset.size[1] > 1.3 and asset.mount < 0.3 and asset.size[0] < 2.2


class Want(NamedTuple):
    """A thing that a room may have: `how` it is put, `chance` of each of `most`."""

    label: str
    how: str
    chance: float = 1.0
    test: Test = _any
    most: int = 1


COMMON = (
    Want("door", "portal", 0.5),
    Want("door", "wall", 0.3),
    Want("window", "wall", 0.6),
    Want("picture", "made on wall", 0.6, most=2),
    Want("mirror", "made on wall", 0.2),
    Want("towel", "made on wall", 0.12),
    Want("vacuum", "made on floor", 0.08),
    Want("groceries", "made on floor", 0.08),
    Want("sports ball", "made on floor", 0.1),
    Want("light", "hang", 0.3, _hung),
    Want("potted plant", "corner", 0.5, lambda asset: asset.size[1] > 0.5),
    Want("box", "floor", 0.25, lambda asset: asset.size[0] < 0.7),
    Want("cat", "floor", 0.1),
    Want("dog", "floor", 0.12),
)
ROOMS: dict[str, tuple[Want, ...]] = {
    "living": (
        Want("couch", "wall", 1.0, _any),
        Want("dining table", "before couch", 0.8, _low),
        Want("cabinet", "tv stand", 0.8, lambda asset: 0.4 < asset.size[1] < 0.9 and asset.size[0] > 0.9 and asset.mount < 0.3),
        Want("chair", "floor", 0.7, _seat),
        Want("shelf", "wall", 0.5, _on_floor),
        Want("SC/round-carpet", "rug", 0.3),
        Want("light", "floor", 0.4, lambda asset: asset.size[1] > 1.2 and asset.mount < 0.3),
    ),
    "bedroom": (
        Want("bed", "wall"),
        Want("cabinet", "beside bed", 0.8, lambda asset: asset.size[1] < 0.6),
        Want("cabinet", "wall", 0.7, _tall),
        Want("cabinet", "tv stand", 0.25, lambda asset: 0.4 < asset.size[1] < 0.9 and asset.size[0] > 0.9 and asset.mount < 0.3),
        Want("dining table", "desk", 0.4, _high),
        Want("chair", "floor", 0.4, _seat),
        Want("clothes", "floor", 0.3, lambda asset: asset.size[1] < 0.3),
        Want("shoe", "floor", 0.4),
        Want("teddy bear", "floor", 0.2),
    ),
    "kitchen": (
        Want("refrigerator", "wall"),
        Want("cabinet", "wall", 0.9, lambda asset: 0.8 < asset.size[1] < 0.95 and asset.size[0] < 1.1, most=3),
        Want("oven", "wall", 0.6),
        Want("sink", "wall", 0.6),
        Want("cabinet", "hang", 0.6, _hung, most=2),
        Want("dining table", "centre", 0.8, _high),
        Want("chair", "round table", 0.9, _seat, most=3),
    ),
    "dining": (
        Want("dining table", "centre", 1.0, _high),
        Want("chair", "round table", 0.9, _seat, most=4),
        Want("cabinet", "wall", 0.8, lambda asset: asset.mount < 0.3 and asset.size[0] < 1.8),
        Want("shelf", "wall", 0.4, _on_floor),
        Want("refrigerator", "wall", 0.2),
    ),
    "office": (
        Want("dining table", "desk", 1.0, _high),
        Want("dining table", "desk", 0.4, _high),
        Want("shelf", "wall", 0.8, _on_floor),
        Want("cabinet", "wall", 0.5, lambda asset: asset.mount < 0.3 and asset.size[0] < 1.8),
        Want("chair", "floor", 0.5, _seat),
        Want("couch", "wall", 0.3),
    ),
    "hall": (
        Want("door", "wall"),
        Want("cabinet", "wall", 0.8, _tall),
        Want("sink", "wall", 0.4),
        Want("toilet", "wall", 0.3),
        Want("towel", "hang", 0.6, _hung),
        Want("mirror", "made on wall", 0.6),
        Want("towel", "made on wall", 0.5),
        Want("shoe", "floor", 0.6, most=2),
        Want("clothes", "wall", 0.5, lambda asset: asset.size[1] > 1.0),
        Want("chair", "wall", 0.5, _seat),
        Want("bicycle", "wall", 0.2),
        Want("suitcase", "floor", 0.3),
    ),
}
SIZES = {"living": (4.2, 5.6), "bedroom": (3.8, 5.0), "kitchen": (3.8, 5.0), "dining": (3.8, 5.0), "office": (3.6, 4.8), "hall": (3.2, 4.4)}
UPON = {
    "dining table": ("cup", "bottle", "wine glass", "bowl", "book", "laptop", "cell phone", "sandwich", "cake", "apple", "paper", "knife",
                     "vase", "remote", "scissors", "medicine", "box", "light", "clock", "fork", "spoon", "towel", "groceries", "toaster"),
    "cabinet": ("cup", "bottle", "bowl", "vase", "book", "light", "clock", "picture", "medicine", "box", "microwave", "paper",
                "toaster", "potted plant", "clothes", "groceries"),
    "bed": ("book", "laptop", "teddy bear", "clothes", "cell phone", "handbag", "towel", "paper", "blanket",
            "pillow", "pillow"),
    "couch": ("pillow", "pillow", "blanket", "book", "laptop", "remote", "handbag", "clothes", "cell phone", "cat", "backpack"),
    "chair": ("handbag", "clothes", "book", "backpack", "towel"),
}  # fmt: skip
SCALES = {"suitcase": 0.65, "picture": 2.6}


FROM_CEILING = frozenset(
    "CB/hangingLight KL/fluorescent KL/hanging-restaurant-light SC/ceiling-lamp C0/lamp2 KL/track-lights SC/saloon_lamp".split()
)


class Furnisher:
    """Fills a stage with models of one split."""

    def __init__(self, stage: Stage, catalog: Catalog, wares: Wares) -> None:
        self.stage, self.catalog, self.wares, self.rng = stage, catalog, wares, stage.rng
        self._how: dict[str, Callable[[Asset], Item | None]] = {
            "wall": self._wall,
            "hang": self._hang,
            "corner": self._corner,
            "floor": self._floor,
            "rug": self._rug,
            "centre": self._centre,
            "desk": self._desk,
            "tv stand": self._tv_stand,
            "before couch": lambda asset: self._before("couch", asset),
            "beside bed": lambda asset: self._beside("bed", asset),
            "round table": self._round_table,
        }

    def furnish(self, kind: str) -> None:
        """All that a room of that kind may have."""
        for want in ROOMS[kind] + COMMON:
            for _ in range(want.most):
                if self.rng.random() < want.chance:
                    self._want(want)

    def _want(self, want: Want) -> None:
        if want.how == "portal":
            self._portal()
        elif want.how in ("made on wall", "made on floor"):
            self._made(want)
        else:
            asset = self.catalog.pick(self.rng, want.label, want.test)
            if asset is not None:
                self._how[want.how](asset)

    def _made(self, want: Want) -> None:
        ware = self.wares.get(want.label, "wall" if want.label == "mirror" else "framed" if want.label == "picture" else None)
        if ware is None:
            return
        size, plan = ware.form.size_3, self.stage.plan
        on_floor = want.how == "made on floor"
        spot = plan.open_floor(size) if on_floor else plan.against_wall(size, float(self.rng.uniform(0.95, 1.45)))
        if spot is not None:
            self.stage.put(ware.form, want.label, spot, ware.scale)

    def _portal(self) -> None:
        """A door with its knob, or a doorway with the leaf turned into the room."""
        is_open = self.rng.random() < 0.5
        made, stage = portal(self.rng, is_open=is_open), self.stage
        outer = made.doorway or made.leaf
        spot = stage.plan.against_wall(outer.size_3, clearance=0.9 if is_open else 0.6)
        if spot is None:
            return
        at = pose(*spot)
        if made.doorway is not None:
            stage.place(made.doorway, "doorway", at, takes_space=True)
        stage.place(made.leaf, "door", at @ made.leaf_pose, takes_space=True)
        stage.place(self.wares.made("doorknob", "doorknob").form, "doorknob", at @ made.knob)

    def strew(self, count: int) -> None:
        """Small things upon furniture."""
        supports = [
            item for item in self.stage.items if item.label in UPON and item.form.support_m is not None and item.form.support_m < 1.3
        ]
        supports += [item for item in supports if item.label in ("bed", "couch")] * 2
        for _ in range(count if supports else 0):
            support = supports[int(self.rng.integers(len(supports)))]
            self.lay(support, str(self.rng.choice(UPON[support.label])))

    def lay(self, support: Item, label: str) -> Item | None:
        """A thing of that label upon furniture; None where it does not fit."""
        ware = self.wares.get(label)
        return None if ware is None else self.stage.on(support, ware.form, label, float(self.rng.normal(0, 0.6)), scale=ware.scale)

    def items(self, label: str) -> list[Item]:
        """What the room has of it."""
        return [item for item in self.stage.items if item.label == label]

    def _scale(self, asset: Asset) -> float:
        return SCALES.get(asset.label, 1.0) * (float(self.rng.uniform(0.88, 1.15)) if asset.split == "both" else 1.0)

    def _put(self, asset: Asset, spot: Spot | None, scale: float = 1.0) -> Item | None:
        if spot is None:
            return None
        return self.stage.put(self.stage.stock.asset(asset.id), asset.label, spot, scale)

    def _wall(self, asset: Asset) -> Item | None:
        clearance = {"door": 0.7, "window": 0.0}.get(asset.label, 0.35 if asset.mount < 0.3 else 0.0)
        item = self._put(asset, self.stage.plan.against_wall(np.array(asset.size), asset.mount, clearance=clearance))
        if item is not None and asset.label == "window":
            self._sky(item)
        return item

    def _hang(self, asset: Asset) -> Item | None:
        if asset.id in FROM_CEILING:
            return self._put(asset, self.stage.plan.open_floor(np.array(asset.size), self.stage.room.height - asset.size[1] - 0.005, 0.4))
        if asset.mount + asset.size[1] > self.stage.room.height:
            return None
        return self._wall(asset)

    def _corner(self, asset: Asset) -> Item | None:
        return self._put(asset, self.stage.plan.against_wall(np.array(asset.size)))

    def _floor(self, asset: Asset) -> Item | None:
        scale = self._scale(asset)
        return self._put(asset, self.stage.plan.open_floor(np.array(asset.size) * scale), scale)

    def _rug(self, asset: Asset) -> Item | None:
        spot = self.stage.plan.open_floor(np.array(asset.size) * 1.5)
        return None if spot is None else self.stage.put(self.stage.stock.asset(asset.id), "", spot, 2.0, takes_space=False)

    def _centre(self, asset: Asset) -> Item | None:
        spot = Spot(float(self.rng.normal(0, 0.25)), 0.0, float(self.rng.normal(0, 0.25)), float(self.rng.choice([0.0, math.pi / 2])))
        return self._put(asset, spot if self.stage.plan.free(footprint(spot, np.array(asset.size)), 0.45) else None)

    def _desk(self, asset: Asset) -> Item | None:
        desk = self._put(asset, self.stage.plan.against_wall(np.array(asset.size), clearance=0.9))
        chair = self.catalog.pick(self.rng, "chair", _seat)
        if desk is not None and chair is not None:
            away = asset.size[2] / 2 + chair.size[2] / 2 + float(self.rng.uniform(-0.08, 0.12))
            self._put_beside(desk, chair, float(self.rng.normal(0, 0.1)), away, math.pi + float(self.rng.normal(0, 0.15)))
        return desk

    def _tv_stand(self, asset: Asset) -> Item | None:
        stand = self._put(asset, self.stage.plan.against_wall(np.array(asset.size), clearance=0.4))
        if stand is not None:
            tv = self.wares.made("tv", "set")
            self.stage.on(stand, tv.form, "tv", 0.0, (0.0, 0.0), min(1.0, float(asset.size[0]) / float(tv.form.size_3[0])))
        return stand

    def _before(self, label: str, asset: Asset) -> Item | None:
        owners = self.items(label)
        if not owners:
            return None
        away = owners[0].form.size_3[2] / 2 + asset.size[2] / 2 + float(self.rng.uniform(0.35, 0.6))
        return self._put_beside(owners[0], asset, float(self.rng.normal(0, 0.15)), away, 0.0)

    def _beside(self, label: str, asset: Asset) -> Item | None:
        owners = self.items(label)
        if not owners:
            return None
        side = float(self.rng.choice([-1.0, 1.0]))
        size = owners[0].form.size_3
        return self._put_beside(owners[0], asset, side * (size[0] / 2 + asset.size[0] / 2 + 0.06), (asset.size[2] - size[2]) / 2 + 0.1, 0.0)

    def _round_table(self, asset: Asset) -> Item | None:
        tables = [item for item in self.items("dining table") if item.form.support_m and item.form.support_m > 0.6]
        if not tables:
            return None
        table, side = tables[0], int(self.rng.integers(4))
        half = table.form.size_3[0 if side % 2 else 2] / 2
        away = half + float(self.rng.uniform(0.16, 0.34))
        angle = side * math.pi / 2
        local = pose(math.sin(angle) * away, 0.0, math.cos(angle) * away, angle + math.pi + float(self.rng.normal(0, 0.08)))
        return self._at(table, asset, local)

    def _put_beside(self, owner: Item, asset: Asset, x: float, z: float, yaw: float) -> Item | None:
        return self._at(owner, asset, pose(x, 0.0, z, yaw))

    def _at(self, owner: Item, asset: Asset, local: Vector) -> Item | None:
        world = owner.rest @ local
        spot = Spot(float(world[0, 3]), 0.0, float(world[2, 3]), float(np.arctan2(world[0, 2], world[2, 2])))
        legroom = np.array([asset.size[0], asset.size[1], asset.size[2]])
        plan = self.stage.plan
        own = [box for box in plan.boxes if _meets(box, footprint(spot, legroom)) and _same_place(box, owner)]
        others = [box for box in plan.boxes if not any(box is mine for mine in own)]
        plan.boxes, kept = others, plan.boxes
        free = plan.free(footprint(spot, legroom))
        plan.boxes = kept
        return self._put(asset, spot) if free else None

    def _sky(self, window: Item) -> None:
        """Daylight behind the panes."""
        half, (low, high) = window.form.size_3[0] / 2 - 0.05, window.form.bounds_23[:, 1]
        depth = window.form.bounds_23[0, 2] - 0.01
        corners = np.array([[-half, low + 0.05, depth], [half, low + 0.05, depth], [half, high - 0.05, depth], [-half, high - 0.05, depth]])
        self.stage.room.quad(corners @ window.rest[:3, :3].T + window.rest[:3, 3], (1, 1), sky())


def _meets(box: Vector, other: Vector) -> bool:
    return bool(((box[0] < other[1]) & (box[1] > other[0])).all())


def _same_place(box: Vector, owner: Item) -> bool:
    return bool(np.allclose((box[0] + box[1])[[0, 2]] / 2, owner.rest[[0, 2], 3], atol=0.05))
