"""People as a scene poses them: posed static models and bodies with key frames, under one roof. Knows no room.

K key frames, H hands (left, right), V vertices; a figure's own frame is y-up, looks along +z, metres.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from model.render.assets import Asset
from model.render.gl import pyrender
from model.synth.moment import BodyModel, Float, Matrix, Part, Vector
from model.synth.stock import Stock

FORWARD = np.array([0.0, -0.12, 0.99])
HEAD_TURNS: Mapping[str, tuple[float, float, float]] = {"RE/lyingDownMale01": (0.0, 1.0, 0.1)}
"""Where the heads of static models look, where it is not ahead."""
GROUND_SEAT_M = 0.0


class Stance(NamedTuple):
    """A figure at one moment, in its own frame."""

    palms_H3: Vector
    eyes_3: Vector
    gaze_3: Vector


@dataclass(frozen=True)
class Figure:
    """A person doing one thing. `grip_KH`: the hands that may hold; `carriage`: how (hanging, ear)."""

    identity: str
    posture: str
    action: str
    palms_KH3: Vector
    eyes_K3: Vector
    gaze_K3: Vector
    grip_KH: npt.NDArray[np.bool_]
    seat_m: float
    pelvis_3: Vector
    bounds_23: Vector
    mesh: Any
    points_V3: Vector
    carriage: tuple[str, ...] = ()
    model: BodyModel | None = None
    materials: tuple[Any, ...] = ()

    @property
    def num_keys(self) -> int:
        """K."""
        return len(self.palms_KH3)

    @property
    def height_m(self) -> float:
        """From the base to the top."""
        return float(self.bounds_23[1, 1])

    def at(self, share: float) -> Stance:
        """Between the key frames: 0 is the first, 1 the last."""
        gaze_3 = _between(self.gaze_K3, share)
        return Stance(_between(self.palms_KH3, share), _between(self.eyes_K3, share), gaze_3 / np.linalg.norm(gaze_3))

    def mesh_at(self, share: float) -> Any:
        """The mesh between key frames; the one mesh of a static figure."""
        if self.model is None or self.num_keys == 1:
            return self.mesh
        vertices_V3, normals_V3 = _between(self.model.key_vertices_KV3, share), _between(self.model.normals_KV3, share)
        return _mesh(self.model.parts, vertices_V3, normals_V3, self.materials)


def static_figure(stock: Stock, asset: Asset) -> Figure:
    """A posed person of the table."""
    if asset.head is None:
        raise ValueError(f"{asset.id} is no person: it has no head in the table")
    form, head = stock.asset(asset.id), np.array(asset.head)
    ground = asset.posture == "lying" or asset.seat == GROUND_SEAT_M
    posture = "standing" if asset.posture == "holding" else asset.posture
    gaze = np.array(HEAD_TURNS.get(asset.id, FORWARD))
    pelvis = {
        "standing": np.array([0.0, 0.53 * asset.size[1], 0.0]),
        "sitting": np.array([0.0, (asset.seat or 0.0) + 0.1, head[2] if asset.pelvis_z is None else asset.pelvis_z]),
        "lying": np.array([0.0, 0.12, 0.0]),
    }[posture]
    return Figure(
        identity=asset.identity,
        posture=posture,
        action=_static_action(asset),
        palms_KH3=np.array([[asset.hands["left"], asset.hands["right"]]]),
        eyes_K3=head[None],
        gaze_K3=(gaze / np.linalg.norm(gaze))[None],
        grip_KH=np.array([["left" in asset.grip, "right" in asset.grip]]),
        seat_m=0.0 if ground else asset.seat or 0.0,
        pelvis_3=pelvis,
        bounds_23=form.bounds_23,
        mesh=form.mesh,
        points_V3=form.triangles[:, 0].astype(np.float64),
        carriage=asset.grip,
    )


def moving_figure(model: BodyModel) -> Figure:
    """A body with key frames."""
    materials = tuple(_material(part) for part in model.parts)
    vertices_KV3 = model.key_vertices_KV3
    posture = "sitting" if model.posture == "sitting" else model.posture
    low, high = vertices_KV3.reshape(-1, 3).min(0), vertices_KV3.reshape(-1, 3).max(0)
    pelvis_y = {"standing": 0.53 * float(high[1]), "sitting": model.seat_m + 0.1}.get(posture, 0.12)
    return Figure(
        identity=model.identity,
        posture=posture,
        action=model.action,
        palms_KH3=np.asarray(model.palms_KH3, np.float64),
        eyes_K3=np.asarray(model.eyes_K3, np.float64),
        gaze_K3=np.asarray(model.gaze_K3, np.float64),
        grip_KH=np.asarray(model.grip_KH, np.bool_),
        seat_m=model.seat_m,
        pelvis_3=np.array([0.0, pelvis_y, model.pelvis_z_m]),
        bounds_23=np.stack([low, high]).astype(np.float64),
        mesh=_mesh(model.parts, vertices_KV3[0], model.normals_KV3[0], materials),
        points_V3=vertices_KV3[0].astype(np.float64),
        model=model,
        materials=materials,
    )


def to_world(pose: Matrix, points_X3: Vector) -> Vector:
    """Points of the figure's own frame in the world."""
    return np.asarray(points_X3 @ pose[:3, :3].T + pose[:3, 3])


def _static_action(asset: Asset) -> str:
    if "ear" in asset.grip:
        return "phone"
    if "hanging" in asset.grip:
        return "carry"
    return "hold" if asset.grip else "idle"


def _between(keys: Any, share: float) -> Vector:
    last = len(keys) - 1
    at = min(max(share, 0.0), 1.0) * last
    index = min(int(at), max(last - 1, 0))
    if last == 0:
        return np.asarray(keys[0], np.float64)
    return np.asarray(keys[index] + (at - index) * (keys[index + 1] - keys[index]), np.float64)


def _mesh(parts: tuple[Part, ...], vertices_V3: Any, normals_V3: Any, materials: tuple[Any, ...]) -> Any:
    primitives = [
        pyrender.Primitive(
            positions=np.asarray(vertices_V3[part.vertices_V], np.float32),
            normals=_unit(normals_V3[part.vertices_V]),
            texcoord_0=part.uv_V2 if part.texture_HW3 is not None else None,
            indices=part.faces_F3,
            material=material,
            mode=4,
        )
        for part, material in zip(parts, materials, strict=True)
    ]
    return pyrender.Mesh(primitives)


def _unit(normals_V3: Any) -> Float:
    return np.asarray(normals_V3 / np.maximum(np.linalg.norm(normals_V3, axis=1, keepdims=True), 1e-9), np.float32)


def _material(part: Part) -> Any:
    texture = None if part.texture_HW3 is None else pyrender.Texture(source=part.texture_HW3, source_channels="RGB")
    return pyrender.MetallicRoughnessMaterial(
        baseColorFactor=[*(part.colour if texture is None else (1.0, 1.0, 1.0)), 1.0],
        baseColorTexture=texture,
        metallicFactor=0.0,
        roughnessFactor=0.8,
        doubleSided=True,
    )
