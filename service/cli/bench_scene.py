"""The picture and the scene that `vigil bench` sends down a frame's way: three people who walk, with cups and furniture. Pure."""

import time

import numpy as np

from engines.canvas import fit_canvas
from engines.fake import make_scene
from engines.protocol import SceneGraph
from service.types import Frame

STREAM_ID = "bench"
FPS = 25.0
SOURCE_HW = (720, 1280)


def frame_at(number: int, max_pixels: int) -> Frame:
    """A grey picture: the fake engine looks at none."""
    canvas = fit_canvas(*SOURCE_HW, max_pixels)
    image_HW3 = np.full((canvas.height, canvas.width, 3), 120, np.uint8)
    content_hw = (canvas.content_height, canvas.content_width)
    return Frame(STREAM_ID, number, number / FPS, number / FPS, time.time(), image_HW3, content_hw, SOURCE_HW)


def scene_at(number: int) -> SceneGraph:
    """Nine things and eight relations; one cup is put down every few seconds."""
    rng = np.random.default_rng(number)
    shift = 0.1 * np.sin(number / FPS)
    things = []
    for person in range(3):
        x, jitter = 0.1 + 0.3 * person + shift, 0.004 * rng.standard_normal()
        things.append(("person", 0.9 - 0.01 * person, (x + jitter, 0.2, x + 0.15 + jitter, 0.9)))
        things.append(("cup", 0.7 - 0.01 * person, (x + 0.1 + jitter, 0.5, x + 0.15 + jitter, 0.6)))
    things += [
        ("chair", 0.6, (0.05, 0.5, 0.25, 0.95)),
        ("dining table", 0.65, (0.4, 0.6, 0.9, 0.95)),
        ("bottle", 0.5, (0.6, 0.5, 0.64, 0.6)),
    ]
    hold = 0.9 if number % 150 < 100 else 0.05
    relations = [
        (0, "holding", 1, hold),
        (2, "holding", 3, 0.9),
        (4, "holding", 5, 0.9),
        (0, "looking_at", 1, 0.8),
        (2, "looking_at", 8, 0.8),
    ]
    relations += [(7, "in_front_of", 2, 0.8), (6, "beneath", 0, 0.7), (0, "sitting_on", 6, 0.7)]
    return make_scene(things, relations)
