"""A room and where things stand in it: on the floor, on furniture, seated, in a hand. Knows no camera and no clock.

Metres, y up. The room spans x in [-width/2, width/2] and z in [-depth/2, depth/2]; a yaw of 0 looks along +z.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from model.render.assets import Asset, Point
from model.render.furniture import FurnitureLibrary
from model.render.gl import pyrender

Matrix = npt.NDArray[np.float64]
Texture = npt.NDArray[np.uint8]
SKIRTING_HEIGHT = 0.09
SINK_INTO_SEAT = 0.02


@dataclass(frozen=True, slots=True)
class Thing:
    """Something placed: its model, its node in the scene and its pose at rest, in the frame of what carries it."""

    asset: Asset
    node: Any
    pose: Matrix


def pose(x: float, y: float, z: float, yaw: float = 0.0, scale: float = 1.0) -> Matrix:
    """Scale, turn about the vertical (radians), then move."""
    cos, sin = math.cos(yaw) * scale, math.sin(yaw) * scale
    return np.array([[cos, 0.0, sin, x], [0.0, scale, 0.0, y], [-sin, 0.0, cos, z], [0.0, 0.0, 0.0, 1.0]])


def look_at(eye: npt.ArrayLike, target: npt.ArrayLike) -> Matrix:
    """Camera (or light) at `eye` that looks at `target` with the horizon level."""
    eye_3, target_3 = np.asarray(eye, np.float64), np.asarray(target, np.float64)
    backward = (eye_3 - target_3) / np.linalg.norm(eye_3 - target_3)
    right = np.cross([0.0, 1.0, 0.0], backward)
    right /= np.linalg.norm(right)
    matrix = np.eye(4)
    matrix[:3, 0], matrix[:3, 1], matrix[:3, 2], matrix[:3, 3] = right, np.cross(backward, right), backward, eye_3
    return matrix


@dataclass(frozen=True, slots=True)
class Look:
    """How a room is painted and lit. `lamps` hang under the ceiling; the light of `sun_from` casts the shadows."""

    floor: Texture
    wall: Texture
    ceiling: tuple[int, int, int] = (235, 235, 232)
    ambient: float = 0.33
    sun: float = 1.5
    sun_colour: Point = (1.0, 0.96, 0.9)
    sun_from: Point = (1.2, 3.0, 2.4)
    lamp: float = 2.6
    lamp_colour: Point = (1.0, 0.95, 0.88)


class Room:
    """Four walls, floor, ceiling and light; `scene` is the pyrender.Scene that grows as things are placed."""

    def __init__(self, library: FurnitureLibrary, width: float, depth: float, height: float, look: Look) -> None:
        self.library = library
        self.width, self.depth, self.height = width, depth, height
        self.scene = pyrender.Scene(bg_color=[0.7, 0.7, 0.7, 1.0], ambient_light=[look.ambient] * 3)
        self.floor = self._build_shell(look)
        self._light(look)

    def place(self, asset_id: str, x: float, z: float, yaw: float = 0.0, y: float | None = None, scale: float = 1.0) -> Thing:
        """On the floor, or at height `y`; a window or lamp hangs at its catalogue height by itself."""
        mesh, asset = self.library.mesh(asset_id), self.library.assets[asset_id]
        at = pose(x, asset.mount if y is None else y, z, yaw, scale)
        return Thing(asset, self.scene.add(mesh, pose=at), at)

    def on(self, support: Thing, asset_id: str, x: float = 0.0, z: float = 0.0, yaw: float = 0.0, scale: float = 1.0) -> Thing:
        """On top of furniture; x and z in the furniture's own frame."""
        if support.asset.support is None:
            raise ValueError(f"nothing stands on {support.asset.id}")
        return self._attach(support, asset_id, pose(x, support.asset.support + 0.002, z, yaw, scale))

    def seat(self, support: Thing, person_id: str, x: float = 0.0, back: float = 0.0) -> Thing:
        """A sitting person on a chair or sofa, `back` metres further back than the middle of the seat."""
        person = self.library.assets[person_id]
        if support.asset.support is None or person.seat is None or person.pelvis_z is None:
            raise ValueError(f"{person_id} cannot sit on {support.asset.id}")
        _, _, z_back, z_front = support.asset.support_region
        z = 0.55 * z_back + 0.45 * z_front - person.pelvis_z - back
        return self._attach(support, person_id, pose(x, support.asset.support - person.seat - SINK_INTO_SEAT, z))

    def hold(self, person: Thing, asset_id: str, hand: str = "left", shift: Point = (0.0, -0.07, 0.03), scale: float = 1.0) -> Thing:
        """In a hand of a person; `shift` leads from the palm to the thing's base, in the person's own frame."""
        if hand not in person.asset.hands:
            raise ValueError(f"{person.asset.id} has no free {hand} hand")
        x, y, z = (palm + step for palm, step in zip(person.asset.hands[hand], shift, strict=True))
        return self._attach(person, asset_id, pose(x, y, z, 0.0, scale))

    def quad(self, corners: npt.ArrayLike, repeat: tuple[float, float], texture: Texture, roughness: float = 0.9) -> Any:
        """A textured rectangle; four corners counter-clockwise seen from its front. Returns its node."""
        corners_43 = np.asarray(corners, np.float32)
        normal = np.cross(corners_43[1] - corners_43[0], corners_43[3] - corners_43[0])
        u, v = repeat
        material = pyrender.MetallicRoughnessMaterial(
            baseColorTexture=pyrender.Texture(source=texture, source_channels="RGB"),
            metallicFactor=0.0,
            roughnessFactor=roughness,
            doubleSided=True,
        )
        rectangle = pyrender.Primitive(
            positions=corners_43,
            normals=np.tile(normal / np.linalg.norm(normal), (4, 1)).astype(np.float32),
            texcoord_0=np.array([[0, 0], [u, 0], [u, v], [0, v]], np.float32),
            indices=np.array([[0, 1, 2], [0, 2, 3]]),
            material=material,
            mode=4,
        )
        return self.scene.add(pyrender.Mesh([rectangle]))

    def _attach(self, parent: Thing, asset_id: str, local: Matrix) -> Thing:
        mesh, asset = self.library.mesh(asset_id), self.library.assets[asset_id]
        return Thing(asset, self.scene.add(mesh, pose=local, parent_node=parent.node), local)

    def _build_shell(self, look: Look) -> Any:
        x, z, top = self.width / 2, self.depth / 2, self.height
        floor = self.quad([[-x, 0, z], [x, 0, z], [x, 0, -z], [-x, 0, -z]], (self.width / 1.2, self.depth / 1.2), look.floor, 0.55)
        self.quad([[-x, top, -z], [x, top, -z], [x, top, z], [-x, top, z]], (1, 1), plain(look.ceiling))
        corners = ((-x, -z), (x, -z), (x, z), (-x, z))
        for index, start in enumerate(corners):
            self._wall(start, corners[(index + 1) % 4], look.wall)
        return floor

    def _wall(self, start: tuple[float, float], end: tuple[float, float], paint: Texture) -> None:
        (x0, z0), (x1, z1) = start, end
        length = math.hypot(x1 - x0, z1 - z0)
        self.quad([[x0, 0, z0], [x1, 0, z1], [x1, self.height, z1], [x0, self.height, z0]], (length / 2, self.height / 2), paint)
        inward_x, inward_z = -(z1 - z0) / length * 0.012, (x1 - x0) / length * 0.012
        x0, z0, x1, z1 = x0 + inward_x, z0 + inward_z, x1 + inward_x, z1 + inward_z
        self.quad([[x0, 0, z0], [x1, 0, z1], [x1, SKIRTING_HEIGHT, z1], [x0, SKIRTING_HEIGHT, z0]], (1, 1), plain((226, 226, 222)))

    def _light(self, look: Look) -> None:
        self.scene.add(pyrender.DirectionalLight(color=list(look.sun_colour), intensity=look.sun), pose=look_at(look.sun_from, [0, 0, 0]))
        for x in (-self.width / 4, self.width / 4):
            self.scene.add(pyrender.PointLight(color=list(look.lamp_colour), intensity=look.lamp), pose=pose(x, self.height - 0.25, 0.3))


def calm_look(rng: np.random.Generator) -> Look:
    """Brown boards and pale plaster in daylight."""
    return Look(floor=wood(rng, (168, 122, 82)), wall=plaster(rng, (214, 208, 192)))


def plain(colour: tuple[int, int, int]) -> Texture:
    """One colour."""
    return np.full((4, 4, 3), colour, np.uint8)


def sky(side: int = 64) -> Texture:
    """Seen through a window: blue that pales toward a green horizon. Row 0 is the top."""
    share = np.linspace(0, 1, side)[:, None, None]
    picture = np.array((150, 190, 232)) * (1 - share) + np.array((228, 236, 240)) * share
    picture[side * 4 // 5 :] = (126, 152, 96)
    return np.broadcast_to(picture, (side, side, 3)).astype(np.uint8)


def plaster(rng: np.random.Generator, colour: tuple[int, int, int], side: int = 256) -> Texture:
    """Painted wall: a colour with soft stains and grain."""
    grain = rng.normal(0, 2.5, (side, side, 1)) + smooth_noise(rng, side, side, 32)[..., None] * 3
    return np.clip(np.array(colour) + grain, 0, 255).astype(np.uint8)


def wood(rng: np.random.Generator, colour: tuple[int, int, int], side: int = 512, planks: int = 8) -> Texture:
    """Floor boards with joints. The side is a multiple of 4: OpenGL aligns rows."""
    picture = np.zeros((side, side, 3))
    width = side // planks
    for index in range(planks):
        columns = slice(index * width, (index + 1) * width)
        streaks = np.asarray(
            Image.fromarray(rng.normal(0, 1, (8, width // 2)).astype(np.float32)).resize((width, side), Image.Resampling.BICUBIC)
        )
        picture[:, columns] = np.array(colour) * rng.uniform(0.88, 1.1) + (smooth_noise(rng, side, width, 4) * 5 + streaks * 9)[..., None]
        picture[:, index * width : index * width + 2] *= 0.6
        joint = int(rng.integers(0, side - 2))
        picture[joint : joint + 2, columns] *= 0.65
    return np.clip(picture, 0, 255).astype(np.uint8)


def smooth_noise(rng: np.random.Generator, height: int, width: int, grain: int) -> npt.NDArray[np.float32]:
    """Normal noise, smooth over `grain` pixels."""
    coarse = rng.normal(0, 1, (height // grain + 2, width // grain + 2)).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
