"""Plain solids to build things of: boxes, quads, lathes, tubes, sheets. Pure numpy; knows no colour.

All y up, base at y = 0 where it says so. Legend: V vertices, F triangles, P points of a profile or path, R C rows and columns of a sheet.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from model.synth.mesh import Piece

Floats = npt.NDArray[np.float64]
SHARP_COS = 0.75
FIRST, REST = slice(-1), slice(1, None)


def quad(corners: Sequence[Sequence[float]]) -> Piece:
    """Four corners, counter-clockwise seen from the front; the picture's lower left is at the first."""
    uv_V2 = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    return Piece(np.array(corners, np.float64), np.array([[0, 1, 2], [0, 2, 3]], np.int32), uv_V2)


def front_quad(width: float, height: float, y: float = 0.0, z: float = 0.0) -> Piece:
    """Upright, looks along +z, its foot at height y."""
    w = width / 2
    return quad([[-w, y, z], [w, y, z], [w, y + height, z], [-w, y + height, z]])


def flat_quad(width: float, depth: float, y: float = 0.0) -> Piece:
    """Lies and looks up; the picture's top is at -z."""
    w, d = width / 2, depth / 2
    return quad([[-w, y, d], [w, y, d], [w, y, -d], [-w, y, -d]])


def box(width: float, height: float, depth: float) -> Piece:
    """Base centre at the origin, sharp edges, the picture once on every side."""
    w, d = width / 2, depth / 2
    sides = [
        front_quad(width, height, 0.0, d),
        front_quad(width, height, 0.0, d).turned(1, 180.0),
        front_quad(depth, height, 0.0, w).turned(1, 90.0),
        front_quad(depth, height, 0.0, w).turned(1, -90.0),
        flat_quad(width, depth, height),
        flat_quad(width, depth, 0.0).turned(0, 180.0),
    ]
    return joined(sides)


def joined(pieces: Sequence[Piece]) -> Piece:
    """Several pieces as one of the first's paint."""
    starts = np.cumsum([0] + [len(piece.vertices_V3) for piece in pieces[:-1]])
    faces_F3 = np.concatenate([piece.faces_F3 + start for piece, start in zip(pieces, starts, strict=True)]).astype(np.int32)
    vertices_V3 = np.concatenate([piece.vertices_V3 for piece in pieces])
    uv_V2 = np.concatenate([piece.uv_V2 for piece in pieces])
    return Piece(vertices_V3, faces_F3, uv_V2, pieces[0].colour, pieces[0].texture_HW3)


def lathe(profile: Sequence[tuple[float, float]], sections: int = 20) -> Piece:
    """(radius, height) points turned about y, from bottom to top along the outside; sharp where the profile turns by over 40 degrees."""
    runs, run = [], [profile[0]]
    for i in range(1, len(profile)):
        run.append(profile[i])
        if i + 1 == len(profile) or _is_sharp(profile[i - 1], profile[i], profile[i + 1]):
            runs.append(run)
            run = [profile[i]]
    return joined([_ring(np.array(points, np.float64), sections) for points in runs])


def ball(radius: float, height: float | None = None) -> Piece:
    """A ball that stands on y = 0; `height` squeezes it."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, 11)
    tall = 2 * radius if height is None else height
    return lathe([(float(radius * np.cos(a)) if abs(a) < 1.57 else 0.0, float(tall / 2 * (1 + np.sin(a)))) for a in angle], 18)


def cylinder(radius: float, height: float, sections: int = 20) -> Piece:
    """Stands on y = 0."""
    return lathe([(0.0, 0.0), (radius, 0.0), (radius, height), (0.0, height)], sections)


def tube(path: Sequence[Sequence[float]], radius: float | Sequence[float] | Floats, sections: int = 10) -> Piece:
    """A round bar along a path of P points, open at its ends where the radius is not 0."""
    path_P3 = np.array(path, np.float64)
    radius_P = np.broadcast_to(np.asarray(radius, np.float64), len(path_P3))
    along_P3 = np.gradient(path_P3, axis=0)
    along_P3 /= np.linalg.norm(along_P3, axis=1, keepdims=True)
    side = np.cross(along_P3[0], [0.0, 1.0, 0.0] if abs(along_P3[0][1]) < 0.9 else [1.0, 0.0, 0.0])
    rows = []
    angle_C = np.linspace(0, 2 * np.pi, sections + 1)
    for centre_3, along_3, r in zip(path_P3, along_P3, radius_P, strict=True):
        side = side - along_3 * (side @ along_3)
        side /= np.linalg.norm(side)
        other = np.cross(along_3, side)
        rows.append(centre_3 + r * (np.cos(angle_C)[:, None] * side + np.sin(angle_C)[:, None] * other))
    return sheet(np.array(rows))


def rod(start: Sequence[float], end: Sequence[float], radius: float) -> Piece:
    """A straight closed bar."""
    a_3, b_3 = np.array(start, np.float64), np.array(end, np.float64)
    step = (b_3 - a_3) * 1e-3
    return tube([list(a_3), list(a_3 + step), list(b_3 - step), list(b_3)], [1e-5, radius, radius, 1e-5])


def sheet(points_RC3: Floats) -> Piece:
    """A grid of points as cloth; the picture's left is column 0, its bottom row 0."""
    rows, columns = points_RC3.shape[:2]
    index_RC = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = (index_RC[r, k].ravel() for r, k in ((FIRST, FIRST), (FIRST, REST), (REST, REST), (REST, FIRST)))
    faces_F3 = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]).astype(np.int32)
    v_RC, u_RC = np.meshgrid(np.linspace(0, 1, rows), np.linspace(0, 1, columns), indexing="ij")
    return Piece(points_RC3.reshape(-1, 3).astype(np.float64), faces_F3, np.stack([u_RC.ravel(), v_RC.ravel()], 1))


def prism(outline: Sequence[tuple[float, float]], thickness: float) -> Piece:
    """A convex outline in x, y (counter-clockwise) that is `thickness` deep about z = 0, sharp edges."""
    outline_P2, half, count = np.array(outline, np.float64), thickness / 2, len(outline)
    low, high = outline_P2.min(0), outline_P2.max(0)
    uv_V2 = (outline_P2 - low) / np.maximum(high - low, 1e-9)
    fan_F3 = np.array([[0, i, i + 1] for i in range(1, count - 1)], np.int32)
    front = Piece(np.column_stack([outline_P2, np.full(count, half)]), fan_F3, uv_V2)
    back = Piece(np.column_stack([outline_P2, np.full(count, -half)]), fan_F3[:, ::-1], uv_V2)
    edges = []
    for i in range(count):
        (x0, y0), (x1, y1) = outline_P2[i], outline_P2[(i + 1) % count]
        edges.append(quad([[x0, y0, -half], [x1, y1, -half], [x1, y1, half], [x0, y0, half]]))
    return joined([front, back, *edges])


def _ring(points_P2: Floats, sections: int) -> Piece:
    angle_C = np.linspace(0, 2 * np.pi, sections + 1)
    x = points_P2[:, :1] * np.sin(angle_C)
    z = points_P2[:, :1] * np.cos(angle_C)
    return sheet(np.stack([x, np.broadcast_to(points_P2[:, 1:], x.shape), z], 2))


def _is_sharp(before: tuple[float, float], at: tuple[float, float], after: tuple[float, float]) -> bool:
    a = np.subtract(at, before) / max(float(np.hypot(*np.subtract(at, before))), 1e-9)
    b = np.subtract(after, at) / max(float(np.hypot(*np.subtract(after, at))), 1e-9)
    return bool(a @ b < SHARP_COS)
