"""From numpy to pyrender: pieces of geometry are put together as parts over one vertex array, and parts become a pyrender.Mesh.

A `Part` lists which vertices of the whole it uses (`vertices_V`); its `faces_F3` and `uv_V2` count in that list, not in the whole.
So the same parts serve every key frame: only vertices and normals change. Nothing but `to_pyrender` needs pyrender.

Legend: V vertices of the whole or of a part, F triangles, H W picture rows and columns.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from model.synth.moment import Float, Part

Colour = tuple[float, float, float]
Texture = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Piece:
    """Some triangles of one material, in metres; a vertex that is shared is shaded smoothly. Colours are 0..1."""

    vertices_V3: npt.NDArray[np.float64]
    faces_F3: npt.NDArray[np.int32]
    uv_V2: npt.NDArray[np.float64]
    colour: Colour = (0.7, 0.7, 0.7)
    texture_HW3: Texture | None = None

    def painted(self, paint: Colour | Texture) -> "Piece":
        """The same piece in a colour, or with a picture on it."""
        if isinstance(paint, np.ndarray):
            return replace(self, texture_HW3=paint, colour=(1.0, 1.0, 1.0))
        return replace(self, texture_HW3=None, colour=paint)

    def moved(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> "Piece":
        """Shifted by metres."""
        return replace(self, vertices_V3=self.vertices_V3 + np.array([x, y, z]))

    def turned(self, axis: int, degrees: float) -> "Piece":
        """Turned about x (0), y (1) or z (2) through the origin, right-handed."""
        cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
        a, b = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[a, a], turn[a, b], turn[b, a], turn[b, b] = cos, -sin, sin, cos
        return replace(self, vertices_V3=self.vertices_V3 @ turn.T)

    def stretched(self, x: float = 1.0, y: float = 1.0, z: float = 1.0) -> "Piece":
        """Scaled along each axis (positive factors)."""
        return replace(self, vertices_V3=self.vertices_V3 * [x, y, z])


@dataclass(frozen=True, slots=True)
class Solid:
    """Parts with the vertices and normals they index."""

    parts: tuple[Part, ...]
    vertices_V3: Float
    normals_V3: Float


def assemble(pieces: Iterable[Piece]) -> Solid:
    """One part a piece, in order; pieces do not share vertices."""
    parts: list[Part] = []
    vertices: list[npt.NDArray[np.float64]] = []
    start = 0
    for piece in pieces:
        count = len(piece.vertices_V3)
        uv_V2 = None if piece.texture_HW3 is None else piece.uv_V2.astype(np.float32)
        where_V = np.arange(start, start + count, dtype=np.int32)
        parts.append(Part(piece.faces_F3.astype(np.int32), where_V, piece.colour, uv_V2, piece.texture_HW3))
        vertices.append(piece.vertices_V3)
        start += count
    vertices_V3 = np.concatenate(vertices).astype(np.float32)
    return Solid(tuple(parts), vertices_V3, part_normals(parts, vertices_V3))


def part_normals(parts: Sequence[Part], vertices_V3: Float) -> Float:
    """Unit normals of every vertex, weighted by the area of the triangles at it; (0, 1, 0) where there are none."""
    normals_V3 = np.zeros((len(vertices_V3), 3), np.float64)
    for part in parts:
        faces_F3 = part.vertices_V[part.faces_F3]
        a_F3, b_F3, c_F3 = (vertices_V3[faces_F3[:, i]].astype(np.float64) for i in range(3))
        across_F3 = np.cross(b_F3 - a_F3, c_F3 - a_F3)
        for corner in range(3):
            for axis in range(3):
                normals_V3[:, axis] += np.bincount(faces_F3[:, corner], across_F3[:, axis], len(vertices_V3))
    length_V1 = np.linalg.norm(normals_V3, axis=1, keepdims=True)
    return np.where(length_V1 > 1e-12, normals_V3 / np.maximum(length_V1, 1e-12), [0.0, 1.0, 0.0]).astype(np.float32)


def to_pyrender(parts: Sequence[Part], vertices_V3: Float, normals_V3: Float, glowing: Sequence[int] = ()) -> Any:
    """A pyrender.Mesh with one opaque, two-sided primitive a part; parts numbered in `glowing` shine (screens)."""
    from model.render.gl import pyrender

    primitives = []
    for number, part in enumerate(parts):
        primitives.append(
            pyrender.Primitive(
                positions=np.asarray(vertices_V3, np.float32)[part.vertices_V],
                normals=np.asarray(normals_V3, np.float32)[part.vertices_V],
                texcoord_0=part.uv_V2,
                indices=part.faces_F3,
                material=_material(pyrender, part, number in glowing),
                mode=4,
            )
        )
    return pyrender.Mesh(primitives)


def _material(pyrender: Any, part: Part, glows: bool) -> Any:
    look: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": 0.75, "doubleSided": True, "baseColorFactor": [*part.colour, 1.0]}
    if part.texture_HW3 is not None:
        look["baseColorTexture"] = pyrender.Texture(source=part.texture_HW3, source_channels="RGB")
    if glows:
        look["emissiveFactor"] = [0.8, 0.8, 0.8]
        if part.texture_HW3 is not None:
            look["emissiveTexture"] = pyrender.Texture(source=part.texture_HW3, source_channels="RGB")
    return pyrender.MetallicRoughnessMaterial(**look)
