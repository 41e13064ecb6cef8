"""Small vector arithmetic of the box world: unit vectors, turns about z, distances to boxes."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from model.world.things import Bool, Float

Scalar = TypeVar("Scalar", bound=np.generic)

UP: Float = np.array([0.0, 0.0, 1.0])


def unit(vectors: Float) -> Float:
    """Vectors of length one; a zero vector stays zero."""
    out: Float = vectors / (np.linalg.norm(vectors, axis=-1, keepdims=True) + 1e-9)
    return out


def heading(angle: Float) -> Float:
    """Horizontal unit vectors (..., 3) at angles from +x."""
    return np.stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)], -1)


def axes(yaw: Float) -> Float:
    """Rows are the axes of boxes turned by `yaw` about z: (..., 3, 3); `axes @ v` is v in the box's frame."""
    c, s, zero = np.cos(yaw), np.sin(yaw), np.zeros_like(yaw)
    return np.stack([np.stack([c, s, zero], -1), np.stack([-s, c, zero], -1), np.stack([zero, zero, zero + 1], -1)], -2)


def in_box_frame(points_SX3: Float, centre_ST3: Float, yaw_ST: Float) -> Float:
    """Every point of a scene in every box's frame: (S, T, X, 3)."""
    out: Float = np.einsum("stij,stxj->stxi", axes(yaw_ST), points_SX3[:, None] - centre_ST3[:, :, None])
    return out


def distance_to_box(local: Float, size: Float) -> Float:
    """Distance from points in a box's frame to its surface; 0 inside."""
    out: Float = np.linalg.norm(np.maximum(np.abs(local) - size / 2, 0), axis=-1)
    return out


def spread(values: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
    """A trailing axis for xyz, so that a number per row scales a vector per row."""
    return values[..., None]


def choose(conditions: Sequence[Bool], choices: Sequence[Float], otherwise: Float | float = 0.0) -> Float:
    """`np.select` of numbers: for every cell the first choice whose condition holds."""
    out: Float = np.select(list(conditions), list(choices), otherwise)
    return out
