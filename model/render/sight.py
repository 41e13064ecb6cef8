"""What a renderer saw of one frame. Knows no OpenGL. H W picture, A actors."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Sight:
    """The picture; the actor at each pixel (1 is the first, 0 none); depth in metres (0 where nothing is); how many pixels each actor
    would cover in the picture if nothing stood before it."""

    picture_HW3: Pixels
    actor_HW: Pixels
    depth_HW: npt.NDArray[np.float32]
    amodal_A: npt.NDArray[np.int64]
