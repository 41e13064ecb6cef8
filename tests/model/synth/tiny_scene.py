"""A scene of two boxes and a "person" in an empty room, with the interface of SynthScene."""

from typing import Any

import numpy as np
import trimesh

from model.render.gl import pyrender
from model.render.room import look_at
from model.synth.moment import Actor, Matrix, Moment, PosedBody

PERSON, NEAR_BOX, HIDDEN_BOX = 0, 1, 2


class TinyRoom:
    def __init__(self) -> None:
        self.scene = pyrender.Scene(bg_color=[0.5, 0.5, 0.5, 1.0], ambient_light=[0.4, 0.4, 0.4])
        self.scene.add(pyrender.DirectionalLight(color=[1.0, 1.0, 1.0], intensity=1.5), pose=look_at([1.0, 3.0, 2.0], [0, 0, 0]))
        self.scene.add(pyrender.PointLight(color=[1.0, 1.0, 1.0], intensity=3.0), pose=look_at([0.0, 2.4, 2.0], [0.1, 0, 0]))
        self.box([0.0, -0.05, 0.0], [6.0, 0.1, 6.0], (0.6, 0.5, 0.4))

    def box(self, at: list[float], size: list[float], colour: tuple[float, float, float]) -> Any:
        material = pyrender.MetallicRoughnessMaterial(baseColorFactor=[*colour, 1.0], metallicFactor=0.0, roughnessFactor=0.8)
        mesh = pyrender.Mesh.from_trimesh(trimesh.creation.box(size), material=material, smooth=False)
        pose = np.eye(4)
        pose[:3, 3] = at
        return self.scene.add(mesh, pose=pose)


class TinyScene:
    """The person (1 m wide, 1.8 m high) stands at the origin and looks at the camera; a box is in a hand, another behind the person."""

    duration_s, yfov = 2.0, 0.8

    def __init__(self, seed: int = 0, split: str = "train") -> None:
        del split
        self.room = TinyRoom()
        red = float(np.random.default_rng(seed).uniform(0.3, 0.9))
        self._person = self.room.box([0.0, 0.9, 0.0], [1.0, 1.8, 0.3], (red, 0.2, 0.2))
        self._near = self.room.box([0.55, 1.0, 0.3], [0.4, 0.4, 0.2], (0.2, 0.7, 0.3))
        self._hidden = self.room.box([0.0, 0.5, -1.0], [0.3, 0.3, 0.3], (0.2, 0.3, 0.9))

    def at(self, time_s: float) -> Moment:
        pose = np.eye(4)
        pose[:3, 3] = [0.55 + 0.1 * time_s, 1.0, 0.3]
        self.room.scene.set_pose(self._near, pose)
        palms_H3 = np.array([[0.55, 1.0, 0.35], [-0.4, 1.0, -0.4]])
        body = PosedBody("standing", np.array([0.0, 1.65, 0.15]), np.array([0.0, 0.0, 1.0]), palms_H3, (NEAR_BOX, -1))
        actors = (
            Actor(PERSON, "person", (self._person,), body),
            Actor(NEAR_BOX, "box", (self._near,)),
            Actor(HIDDEN_BOX, "book", (self._hidden,)),
        )
        relations = (
            (PERSON, "looking_at", NEAR_BOX),
            (NEAR_BOX, "in_front_of", PERSON),
            (PERSON, "holding", NEAR_BOX),
            (PERSON, "not_looking_at", HIDDEN_BOX),
        )
        return Moment(actors, relations)

    def camera(self, time_s: float) -> Matrix:
        del time_s
        return look_at([0.0, 1.2, 4.0], [0.0, 1.0, 0.0])
