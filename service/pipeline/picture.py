"""From the network's canvas to the picture: the only place that knows of the grey border. Pure."""

import dataclasses

import numpy as np

from engines.protocol import SceneGraph
from service.types import Frame


def on_picture(scene: SceneGraph, frame: Frame) -> SceneGraph:
    """The same scene with boxes as fractions of the picture, clipped to it."""
    height, width = frame.image_HW3.shape[:2]
    content_height, content_width = frame.content_hw
    x, y = width / content_width, height / content_height
    boxes_N4 = np.minimum(np.maximum(scene.boxes_N4 * np.array((x, y, x, y), np.float32), 0.0), 1.0)
    return dataclasses.replace(scene, boxes_N4=boxes_N4)
