"""Meshes with the geometry that truth needs: bounds, triangles, distances. Knows no room and no person.

P points, T triangles; metres.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from model.render.furniture import FurnitureLibrary
from model.synth.moment import Matrix, Vector

FAR_M = 0.25
"""Beyond this the distance to the bounding box is near enough."""


@dataclass(frozen=True)
class Form:
    """A mesh in its own frame. `support_m` is the height where things stand on it, over `region` (x0, x1, z0, z1)."""

    name: str
    mesh: Any
    support_m: float | None = None
    region: tuple[float, ...] = ()

    @cached_property
    def bounds_23(self) -> Vector:
        """Lowest and highest corner."""
        return np.asarray(self.mesh.bounds, np.float64)

    @property
    def size_3(self) -> Vector:
        """Width, height, depth."""
        return np.asarray(self.bounds_23[1] - self.bounds_23[0], np.float64)

    @cached_property
    def triangles(self) -> npt.NDArray[np.float32]:
        """All corners of all triangles: (T, 3, 3)."""
        parts = [np.asarray(part.positions)[np.asarray(part.indices, np.int64).reshape(-1, 3)] for part in self.mesh.primitives]
        return np.concatenate(parts).astype(np.float32)

    @cached_property
    def spheres(self) -> npt.NDArray[np.float32]:
        """Centre and radius of a sphere about each triangle: (T, 4)."""
        centre_T3 = self.triangles.mean(1)
        radius_T = np.linalg.norm(self.triangles - centre_T3[:, None], axis=-1).max(1)
        return np.concatenate([centre_T3, radius_T[:, None]], 1)


class Stock:
    """Every model that scenes use, made once: a mesh belongs to one renderer and may stand in many places."""

    def __init__(self, library: FurnitureLibrary) -> None:
        self.library = library
        self.made: dict[str, tuple[Form, Vector]] = {}
        self._forms: dict[str, Form] = {}

    def asset(self, asset_id: str) -> Form:
        """A model of the table."""
        if asset_id not in self._forms:
            asset = self.library.assets[asset_id]
            self._forms[asset_id] = Form(asset_id, self.library.mesh(asset_id), asset.support, asset.support_region)
        return self._forms[asset_id]


def stock_of(library: FurnitureLibrary) -> Stock:
    """The one stock of a library: it lives as long as the library's own meshes."""
    stock = library.kept.setdefault("stock", None) or Stock(library)
    library.kept["stock"] = stock
    return stock


def box_of(form: Form, pose: Matrix) -> Vector:
    """Lowest and highest world corner of a posed form."""
    low, high = form.bounds_23
    corners_83 = np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])
    world_83 = corners_83 @ pose[:3, :3].T + pose[:3, 3]
    return np.stack([world_83.min(0), world_83.max(0)])


def distance(points_P3: Vector, form: Form, pose: Matrix) -> Vector:
    """From each world point to the surface of a posed form; beyond FAR_M, to its bounding box."""
    scale = float(np.linalg.norm(pose[:3, 0]))
    local_P3 = (points_P3 - pose[:3, 3]) @ pose[:3, :3] / scale**2
    low, high = form.bounds_23
    to_box_P = np.linalg.norm(local_P3 - local_P3.clip(low, high), axis=-1) * scale
    return np.array(
        [gap if gap > FAR_M else max(gap, _surface_distance(point, form) * scale) for point, gap in zip(local_P3, to_box_P, strict=True)]
    )


def _surface_distance(point_3: Vector, form: Form) -> float:
    reach_T = np.linalg.norm(form.spheres[:, :3] - point_3, axis=1) - form.spheres[:, 3]
    near_T33 = form.triangles[reach_T < FAR_M].astype(np.float64)
    return float(_triangle_distance(point_3, near_T33).min()) if len(near_T33) else FAR_M


def _triangle_distance(point_3: Vector, triangles_T33: Vector) -> Vector:
    edges_T33 = np.roll(triangles_T33, -1, axis=1) - triangles_T33
    away_T33 = point_3 - triangles_T33
    share_T3 = ((away_T33 * edges_T33).sum(-1) / np.maximum((edges_T33**2).sum(-1), 1e-12)).clip(0, 1)
    to_edges_T = np.linalg.norm(away_T33 - share_T3[..., None] * edges_T33, axis=-1).min(1)
    normal_T3 = np.cross(edges_T33[:, 0], edges_T33[:, 1])
    normal_T3 /= np.maximum(np.linalg.norm(normal_T3, axis=1, keepdims=True), 1e-12)
    inside_T = (np.cross(edges_T33, away_T33) * normal_T3[:, None]).sum(-1).min(1) >= 0
    out: Vector = np.where(inside_T, np.abs((away_T33[:, 0] * normal_T3).sum(-1)), to_edges_T)
    return out
