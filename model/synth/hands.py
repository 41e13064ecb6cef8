"""What people have in hand, on them and by their hands: held, carried, worn, covered, and the near misses beside them.

A hand is left (0), right (1) or both (2). Things in hand follow the palm.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from model.render.room import pose
from model.synth import primitives
from model.synth.figures import Figure
from model.synth.grips import BOTH, Grip, Hold, gripping
from model.synth.mesh import to_pyrender
from model.synth.moment import Matrix, Vector
from model.synth.motion import bounce, still
from model.synth.plan import Spot
from model.synth.stage import Item, Person, Stage
from model.synth.stock import Form
from model.synth.wares import Ware, Wares

HANGING = (
    "handbag", "handbag", "suitcase", "bottle", "shoe", "broom", "knife", "teddy bear", "groceries", "baseball bat", "towel", "backpack",
    "umbrella", "vacuum", "broom", "clothes", "cup", "book", "tennis racket",
)  # fmt: skip
FORWARD = (
    "cup", "cup", "wine glass", "bottle", "book", "cell phone", "cell phone", "apple", "sandwich", "bowl", "remote", "paper", "medicine",
    "banana", "donut", "box", "towel", "knife", "mirror", "shoe", "clothes", "pizza", "scissors", "hot dog",
    "orange",
)  # fmt: skip
BY_ACTION: dict[str, tuple[str, ...]] = {
    "hold": FORWARD,
    "carry": ("box", "box", "laptop", "groceries", "pillow", "blanket", "clothes", "towel", "suitcase", "bowl", "cake", "backpack"),
    "drink": ("cup", "cup", "bottle", "wine glass"),
    "eat": ("sandwich", "apple", "banana", "donut", "pizza", "hot dog", "orange", "cake"),
    "phone": ("cell phone",),
    "read": ("book", "book", "paper", "cell phone"),
    "write": ("paper",),
    "wipe": ("towel",),
    "reach": ("cup", "bottle", "book", "cell phone", "apple", "bowl", "box", "knife", "remote", "wine glass", "medicine", "shoe", "banana"),
    "sweep": ("broom", "broom", "vacuum"),
}
HELD_KIND = {("book", "hold"), ("book", "read"), ("cell phone", "hold"), ("cell phone", "read"), ("paper", "hold"), ("paper", "read"),
             ("mirror", "hold"), ("towel", "hold"), ("towel", "reach"), ("cell phone", "phone")}  # fmt: skip
KINDS = {
    ("box", "hold"): "packet",
    ("box", "reach"): "packet",
    ("box", "carry"): "carton",
    ("mirror", ""): "held",
    ("clothes", ""): "folded",
    ("towel", "wipe"): "folded",
    ("blanket", ""): "folded",
    ("vacuum", "sweep"): "upright",
    ("laptop", ""): "open",
}
EAR_M = 0.22
WIPE_SCALE = 0.45
"""A folded towel as a cloth under the hand."""
POINTS_DOWN = frozenset({"baseball bat", "knife", "tennis racket"})
"""In a hanging hand."""
UPRIGHT_ON_FLOOR = frozenset({"broom", "vacuum"})
SMALL = (*FORWARD[:16], "laptop", "cake", "knife", "fork", "vase", "remote")
BESIDE = (
    "backpack",
    "handbag",
    "box",
    "suitcase",
    "shoe",
    "sports ball",
    "clothes",
    "pillow",
    "blanket",
    "vacuum",
    "groceries",
    "broom",
    "book",
    "bottle",
)
HAT_M = 0.03
HEADWEAR = ("SC/casquette", "SC/chapeau")


class Outfitter:
    """Gives things to the people of a stage."""

    def __init__(self, stage: Stage, wares: Wares) -> None:
        self.stage, self.wares, self.rng = stage, wares, stage.rng

    def outfit(self, person: Person) -> None:
        """Hands first, then what is worn, then what is near."""
        self._fill_hands(person)
        if person.figure.posture == "standing" and not person.ties.leans_on and self.rng.random() < 0.16:
            self._backpack(person)
        if person.figure.posture == "lying" and self.rng.random() < (0.25 if person.ties.support == self.stage.floor.id else 0.65):
            self._blanket(person)
        if person.figure.model is None and person.figure.posture != "lying" and self.rng.random() < 0.12:
            self._hat(person)
        if self.rng.random() < 0.45:
            self._near_hand(person)
        if self.rng.random() < 0.12:
            self._in_the_air(person)
        if self.rng.random() < 0.4:
            self._beside(person)

    def _fill_hands(self, person: Person) -> None:
        figure = person.figure
        spans = [gripping(figure, hand) for hand in range(2)]
        hands = [hand for hand in range(2) if spans[hand] is not None]
        if figure.action == "write" and person.table is not None:
            self._under_hands(person, person.table)
        if not hands or (figure.model is None and self.rng.random() < 0.2) or (figure.action == "reach" and not self._may_reach(person)):
            return
        labels = HANGING if figure.action == "carry" and figure.model is None else BY_ACTION.get(figure.action, ())
        label = str(self.rng.choice(labels)) if labels else ""
        kind = "held" if (label, figure.action) in HELD_KIND else KINDS.get((label, figure.action), KINDS.get((label, "")))
        ware = self.wares.get(label, kind) if label else None
        if ware is not None and not (label in UPRIGHT_ON_FLOOR and figure.posture != "standing"):
            hand = BOTH if len(hands) == 2 and figure.action != "drink" else hands[0]
            self._give(person, ware, hand, spans[hands[0]] or (0.0, 1.0), held=kind == "held")

    def _may_reach(self, person: Person) -> bool:
        """A thing to be taken lies on a table or the floor, not in the air."""
        return person.table is not None or person.figure.posture == "other"

    def _give(self, person: Person, ware: Ware, hand: int, span: tuple[float, float], *, held: bool) -> None:
        figure = person.figure
        stance = figure.at(span[0])
        palm_3 = stance.palms_H3.mean(0) if hand == BOTH else stance.palms_H3[hand]
        at_ear = figure.action == "phone" and float(np.linalg.norm(palm_3 - stance.eyes_3)) < EAR_M
        grip, scale, grip_3 = Grip.FIXED, ware.scale, np.asarray(ware.grip_3)
        if held and ware.label != "towel" and not at_ear:
            grip = Grip.FACES
        if figure.action == "sweep":
            grip, grip_3 = Grip.STICK, np.zeros(3)
        elif ware.label in UPRIGHT_ON_FLOOR:
            grip = Grip.TO_FLOOR
        if figure.action == "wipe":
            scale, grip_3 = WIPE_SCALE, np.array([0.0, float(ware.form.bounds_23[1, 1]) * 0.9, 0.0])
        if hand == BOTH and not held and grip is Grip.FIXED:
            scale = scale * self._between_palms(figure, ware)
            low, high = ware.form.bounds_23
            grip_3 = np.array([(low[0] + high[0]) / 2, low[1] * 0.6 + high[1] * 0.4, (low[2] + high[2]) / 2])
        yaw = (math.pi / 2 if hand == 0 else -math.pi / 2) if at_ear else 0.0 if held else math.pi
        offset = pose(0.0, 0.0, 0.0, yaw, scale)
        if figure.model is None and "hanging" in figure.carriage and ware.label in POINTS_DOWN:
            offset[:3, :3] = offset[:3, :3] @ _tip(ware.label)
        offset[:3, 3] -= offset[:3, :3] @ grip_3
        if person.table is not None and figure.action in ("reach", "eat"):
            offset[1, 3] = max(offset[1, 3], (person.table.form.support_m or 0.0) + 0.003 - palm_3[1] - float(person.rest[1, 3]))
        item = self.stage.place(ware.form, ware.label, person.rest)
        person.holds.append((item, Hold(hand, offset, grip, *span)))

    def _between_palms(self, figure: Figure, ware: Ware) -> float:
        """A box as wide as the hands are apart."""
        gap = float(np.linalg.norm(figure.palms_KH3[0, 0] - figure.palms_KH3[0, 1])) - 0.05
        return float(np.clip(gap / (float(ware.form.size_3[0]) * ware.scale), 0.55, 1.25)) if gap > 0.2 else 1.0

    def _under_hands(self, person: Person, table: Item) -> None:
        """Paper to write on, or a laptop to type on."""
        label = str(self.rng.choice(["paper", "paper", "laptop", "keyboard"]))
        ware = self.wares.made(label, {"paper": "notebook", "laptop": "open", "keyboard": None}[label])
        palm_3 = person.figure.palms_KH3[0].mean(0)
        shift = 0.06 if label == "laptop" else 0.0
        at = person.rest @ pose(float(palm_3[0]), 0.0, float(palm_3[2]) + shift, math.pi)
        at[1, 3] = (table.form.support_m or 0.0) + 0.002
        item = self.stage.place(ware.form, label, at, table.id)
        if label == "paper":
            person.ties = replace(person.ties, writes_on=frozenset({item.id}))

    def _backpack(self, person: Person) -> None:
        ware, figure = self.wares.get("backpack", "backpack"), person.figure
        if ware is None:
            return
        back_3 = _back(figure)
        local = pose(0.0, 0.0, 0.0, math.pi)
        top = float(ware.form.bounds_23[1, 1])
        local[:3, 3] = [back_3[0], back_3[1] - top, back_3[2] - float(-ware.form.bounds_23[0, 2]) + 0.02]
        item = self.stage.place(ware.form, "backpack", person.rest @ local)
        person.worn.append((item, local))
        person.ties = replace(person.ties, on_back=person.ties.on_back | {item.id})

    def _hat(self, person: Person) -> None:
        """On a head that keeps still."""
        hat = self.wares.model(HEADWEAR)
        if hat is None:
            return
        x, y, z = person.figure.eyes_K3[0]
        local = pose(float(x), float(y) + HAT_M, float(z) - 0.02)
        item = self.stage.place(hat.form, hat.label, person.rest @ local)
        person.worn.append((item, local))
        person.ties = replace(person.ties, worn=frozenset({item.id}))

    def _blanket(self, person: Person) -> None:
        """Over all but the head; some people have it to the chest only."""
        figure = person.figure
        low, high = figure.bounds_23
        head, far = (low[2], high[2]) if figure.eyes_K3[0, 2] < 0 else (high[2], low[2])
        start = head + (far - head) * float(self.rng.uniform(0.24, 0.45))
        width = float(high[0] - low[0]) + float(self.rng.uniform(0.2, 0.5))
        size = (min(width, 1.3), abs(far - start) + 0.1)
        made = primitives.drape_blanket(figure.points_V3, ((low[0] + high[0]) / 2, (start + far) / 2), size, 0.02, self.rng)
        mesh = to_pyrender(made.parts, made.vertices_V3, made.normals_V3)
        item = self.stage.place(Form("draped", mesh), "blanket", person.rest)
        person.worn.append((item, np.eye(4)))
        person.pace = lambda _: 0.0
        person.ties = replace(person.ties, covered_by=frozenset({item.id}))

    def _near_hand(self, person: Person) -> None:
        """On the furniture under a hand, 8 to 30 cm beside it, not in it."""
        palms_H3 = self.stage.subject(person, 0.0).palms_H3
        for hand in self.rng.permutation(2):
            for item in self.stage.items:
                spot = _over(item, palms_H3[int(hand)])
                ware = self.wares.get(str(self.rng.choice(SMALL))) if spot is not None else None
                if spot is None or ware is None:
                    continue
                angle, away = float(self.rng.uniform(-3.1, 3.1)), float(self.rng.uniform(0.1, 0.3))
                near = (spot[0] + away * math.cos(angle), spot[1] + away * math.sin(angle))
                self.stage.on(item, ware.form, ware.label, float(self.rng.normal(0, 0.6)), near, ware.scale)
                return

    def _in_the_air(self, person: Person) -> None:
        """A ball by a hand that does not touch it."""
        ware = self.wares.get("sports ball", "ball")
        if ware is None:
            return
        palm_3 = self.stage.subject(person, 0.0).palms_H3[int(self.rng.integers(2))]
        away, angle = float(self.rng.uniform(0.3, 0.6)), person_yaw(person) + float(self.rng.normal(0, 0.6))
        at = palm_3 + np.array([away * math.sin(angle), float(self.rng.uniform(-0.1, 0.3)), away * math.cos(angle)])
        if self.stage.plan.free(np.array([at - 0.12, at + 0.12])) and at[1] > 0.1:
            item = self.stage.place(ware.form, ware.label, pose(*at))
            item.motion = bounce(self.rng, float(self.rng.uniform(0.1, 0.4))) if self.rng.random() < 0.8 else still

    def _beside(self, person: Person) -> None:
        """On the floor, near and not touched."""
        ware = self.wares.get(str(self.rng.choice(BESIDE)))
        if ware is None:
            return
        at = person.rest[:3, 3]
        spot = self.stage.plan.near(float(at[0]), float(at[2]), ware.form.size_3 * ware.scale, (0.3, 1.1))
        if spot is not None:
            self.stage.put(ware.form, ware.label, Spot(spot.x, 0.0, spot.z, spot.yaw), ware.scale)


def person_yaw(person: Person) -> float:
    """Where the body faces at rest."""
    return float(np.arctan2(person.rest[0, 2], person.rest[2, 2]))


def _tip(label: str) -> Vector:
    """Upside down, or a blade that lies turned to the floor."""
    return np.diag([1.0, -1.0, -1.0]) if label != "knife" else np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


def _back(figure: Figure) -> Vector:
    """The middle of the shoulder blades: where the top of a backpack goes."""
    height = figure.height_m
    low, high = 0.62 * height, 0.78 * height
    spine = figure.pelvis_3[0]
    points_V3: Vector = figure.points_V3
    torso = points_V3[(points_V3[:, 1] > low) & (points_V3[:, 1] < high) & (np.abs(points_V3[:, 0] - spine) < 0.12)]
    back = float(torso[:, 2].min()) if len(torso) else -0.12
    return np.array([spine, 0.8 * height, back])


def _over(item: Item, point_3: Vector) -> Sequence[float] | None:
    """Where on a piece of furniture the point is, in its frame, if it is no more than 35 cm above."""
    form = item.form
    if form.support_m is None or not form.region or not item.label:
        return None
    turn: Matrix = item.rest
    local = (point_3 - turn[:3, 3]) @ turn[:3, :3]
    x0, x1, z0, z1 = form.region
    inside = x0 - 0.15 < local[0] < x1 + 0.15 and z0 - 0.15 < local[2] < z1 + 0.15
    return (float(local[0]), float(local[2])) if inside and -0.12 < local[1] - form.support_m < 0.35 else None
