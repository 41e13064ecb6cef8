"""Dressed people with key frames on disk: `bake` writes one .npz a body (float16 vertices), `load_bodies` reads them with numpy only.

A body's frame: y up, looks along +z, left is +x; its lowest point is on y = 0 (a jump leaves the floor). Standing: the feet are about the
origin. Sitting on a chair: feet on y = 0, the seat at `seat_m`, the pelvis at `pelvis_z_m`. Lying: on y = 0, the head towards -z.
What is held by a lying body is turned with it: "up" of its holder is -z and "ahead" is +y.
Key frames are gone through in order, over two to three seconds; a small child's feet may hang above the floor.
Legend: K key frames, V vertices, H hands (left, right).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from model.synth.body_people import NAMED, PEOPLE, Person
from model.synth.mesh import part_normals
from model.synth.moment import BodyModel, Part

SEED = 3
TRAIN_EACH, DRAWN_EACH, TEST_EACH = 8, 6, 9
ANATOMIES = "anatomies.cache"


@dataclass(frozen=True, slots=True)
class Order:
    """One body to bake."""

    person: Person
    action: str

    @property
    def file_name(self) -> str:
        """Where it is kept."""
        return f"{self.person.split}-{self.person.name}-{self.action}.npz"


def load_bodies(folder: Path, split: str) -> list[BodyModel]:
    """All bodies of one side, in the order of their file names. Raises ValueError when there are none."""
    if split not in ("train", "test"):
        raise ValueError(f"a split is train or test, got {split!r}")
    paths = sorted(folder.glob(f"{split}-*.npz"))
    if not paths:
        raise ValueError(f"{folder} has no {split} bodies: make them with `vigil data bodies --out {folder}`")
    return [read_body(path) for path in paths]


def read_body(path: Path) -> BodyModel:
    """One file of `bake`."""
    with np.load(path) as data:
        count = int(data["num_parts"])
        parts = tuple(
            Part(
                data[f"faces{i}"].astype(np.int32),
                data[f"vertices{i}"],
                (1.0, 1.0, 1.0),
                data[f"uv{i}"].astype(np.float32),
                data[f"texture{i}"],
            )
            for i in range(count)
        )
        vertices_KV3 = data["vertices"].astype(np.float32)
        return BodyModel(
            identity=str(data["identity"]),
            split=str(data["split"]),
            posture=str(data["posture"]),
            action=str(data["action"]),
            key_vertices_KV3=vertices_KV3,
            normals_KV3=np.stack([part_normals(parts, vertices_V3) for vertices_V3 in vertices_KV3]),
            parts=parts,
            palms_KH3=data["palms"],
            eyes_K3=data["eyes"],
            gaze_K3=data["gaze"],
            grip_KH=data["grip"],
            seat_m=float(data["seat_m"]),
            pelvis_z_m=float(data["pelvis_z_m"]),
        )


def write_body(path: Path, body: BodyModel) -> None:
    """Store a body; normals are found again when it is read."""
    arrays: dict[str, npt.NDArray[np.generic]] = {
        name: np.array(value)
        for name, value in (
            ("identity", body.identity), ("split", body.split), ("posture", body.posture), ("action", body.action),
            ("seat_m", body.seat_m), ("pelvis_z_m", body.pelvis_z_m), ("num_parts", len(body.parts)),
        )
    }  # fmt: skip
    arrays |= {"vertices": body.key_vertices_KV3.astype(np.float16), "palms": body.palms_KH3.astype(np.float32)}
    arrays |= {"eyes": body.eyes_K3.astype(np.float32), "gaze": body.gaze_K3.astype(np.float32), "grip": body.grip_KH}
    for i, part in enumerate(body.parts):
        if part.uv_V2 is None or part.texture_HW3 is None:
            raise ValueError(f"part {i} of {body.identity} has no texture; bodies are kept with one a part")
        arrays |= {f"faces{i}": part.faces_F3.astype(np.uint16), f"vertices{i}": part.vertices_V}
        arrays |= {f"uv{i}": part.uv_V2.astype(np.float16), f"texture{i}": part.texture_HW3}
    partial = path.with_suffix(".part")
    with partial.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # its stub takes the names for its own flag
    partial.rename(path)


def orders() -> list[Order]:
    """Who does what: every action is done on both sides, by different people; the same list every time."""
    from model.synth.body_actions import ACTIONS

    rng = np.random.default_rng(SEED)
    out: list[Order] = []
    test, train = ([person for person in NAMED if person.split == split] for split in ("test", "train"))
    for people, each in ((test, TEST_EACH), (train, TRAIN_EACH), (PEOPLE[len(NAMED) :], DRAWN_EACH)):
        deck: list[str] = []
        for person in people:
            mine: list[str] = []
            while len(mine) < each:
                deck = deck or [str(name) for name in rng.permutation(list(ACTIONS))]
                name = next((name for name in deck if name not in mine), deck[0])
                deck.remove(name)
                mine += [] if name in mine else [name]
            out += [Order(person, name) for name in mine]
    return out


def bake(folder: Path, limit: int | None = None) -> int:
    """Write the bodies that are not there yet; returns how many. About a second each, and a minute for the shapes at first."""
    from model.synth.body_anatomy import read_anatomies
    from model.synth.body_baker import bake_body

    folder.mkdir(parents=True, exist_ok=True)
    todo = [order for order in orders() if not (folder / order.file_name).exists()][:limit]
    anatomies = read_anatomies(folder / ANATOMIES)
    for order in tqdm(todo, desc="bodies", unit="body"):
        write_body(folder / order.file_name, bake_body(order.person, order.action, anatomies[order.person.name]))
    return len(todo)
