"""Turns a scene into pictures, off screen. Knows no furniture and no file."""

from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
from OpenGL.error import Error as GLFailure

from model.render.gl import pyrender
from model.render.room import Matrix

VERTICAL_FIELD = 0.75
NEAR, FAR = 0.05, 30.0


class Renderer:
    """One off-screen surface; a second one in a process would not see the meshes of the first."""

    def __init__(self, width: int, height: int) -> None:
        try:
            self._surface = pyrender.OffscreenRenderer(width, height)
        except (OSError, ImportError, AttributeError, RuntimeError, GLFailure) as error:
            raise ValueError(f"no off-screen OpenGL here ({error}): install libegl1 and Mesa") from error
        self._camera: Any = None

    def render(self, scene: Any, camera: Matrix) -> npt.NDArray[np.uint8]:
        """The scene from the camera's pose, with shadows: height x width x 3."""
        if self._camera is None:
            self._camera = scene.add(pyrender.PerspectiveCamera(yfov=VERTICAL_FIELD, znear=NEAR, zfar=FAR), pose=camera)
        scene.set_pose(self._camera, camera)
        picture, _ = self._surface.render(scene, flags=pyrender.RenderFlags.SHADOWS_DIRECTIONAL)
        return np.asarray(picture)

    def close(self) -> None:
        """Free the surface."""
        self._surface.delete()

    def __enter__(self) -> "Renderer":
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
