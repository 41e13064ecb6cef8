"""Makes rendered pictures look filmed: light and colour of the day, a hand that shakes, a sensor's noise, a lens. Knows no scene.

The looks of a clip are drawn once, shaking frame by frame. Compression comes after, by really encoding. H W picture.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from model.render.sight import Pixels

SHAKY_CLIPS, SHAKEN_FRAMES = 0.5, 0.25
"""Share of clips whose camera shakes, and of their frames that it blurs."""
BLURRED_FROM = 0.012
"""From this length on, as a share of the picture's width, a frame counts as blurred."""
SOFT_CLIPS = 0.35
AIMED_MEAN, EXPOSURE_BOUNDS = 0.42, (0.75, 1.8)
"""Brightness that the camera's exposure aims at, and how far it can correct."""
Image = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Looks:
    """How a clip's camera sees: gains of red, green, blue, gamma, vignette, lens blur, noise in pixel values, share of shaken frames."""

    gains_3: tuple[float, float, float]
    gamma: float
    vignette: float
    soft_px: float
    noise: float
    shaken: float
    crf: int


def draw_looks(rng: np.random.Generator, picture_HW3: Pixels) -> Looks:
    """The looks of one clip; its camera has set its exposure by the first picture, more or less."""
    mean = float(picture_HW3.mean()) / 255.0
    exposure = float(np.clip(AIMED_MEAN / max(mean, 0.01), *EXPOSURE_BOUNDS)) * math.exp(rng.normal(0.0, 0.2))
    warm, green = rng.normal(0.0, 0.05), rng.normal(0.0, 0.02)
    return Looks(
        gains_3=(exposure * (1 + warm), exposure * (1 + green), exposure * (1 - warm)),
        gamma=math.exp(rng.normal(0.0, 0.14)),
        vignette=float(rng.uniform(0.0, 0.35)),
        soft_px=float(rng.uniform(0.4, 1.0)) if rng.random() < SOFT_CLIPS else 0.0,
        noise=float(rng.uniform(0.5, 6.0)),
        shaken=SHAKEN_FRAMES if rng.random() < SHAKY_CLIPS else 0.0,
        crf=int(rng.integers(20, 39)),
    )


def degrade(picture_HW3: Pixels, looks: Looks, rng: np.random.Generator) -> tuple[Pixels, bool]:
    """The picture as that camera sees it, and whether it is blurred by motion."""
    height, width, _ = picture_HW3.shape
    image_HW3 = picture_HW3.astype(np.float32) / 255.0
    length = float(rng.uniform(0.004, 0.04)) if rng.random() < looks.shaken else 0.0
    if length:
        image_HW3 = _shaken(image_HW3, length * width, float(rng.uniform(0.0, math.pi)))
    if looks.soft_px:
        image_HW3 = ndimage.gaussian_filter(image_HW3, (looks.soft_px, looks.soft_px, 0.0), truncate=2.5)
    image_HW3 = image_HW3 ** np.float32(looks.gamma) * np.asarray(looks.gains_3, np.float32) * _vignette(height, width, looks.vignette)
    image_HW3 = image_HW3 + rng.standard_normal(image_HW3.shape, np.float32) * np.float32(looks.noise / 255.0)
    return (image_HW3.clip(0.0, 1.0) * 255.0 + 0.5).astype(np.uint8), length >= BLURRED_FROM


def _shaken(image_HW3: Image, length_px: float, angle: float) -> Image:
    """The mean of the picture moved along a short line."""
    steps = max(2, round(length_px) + 1)
    reach = math.ceil(length_px / 2) + 1
    padded = np.pad(image_HW3, ((reach, reach), (reach, reach), (0, 0)), mode="edge")
    height, width, _ = image_HW3.shape
    total = np.zeros_like(image_HW3)
    for along in np.linspace(-length_px / 2, length_px / 2, steps):
        x, y = reach + round(along * math.cos(angle)), reach + round(along * math.sin(angle))
        total += padded[y : y + height, x : x + width]
    return total / np.float32(steps)


def _vignette(height: int, width: int, strength: float) -> Image:
    y_H, x_W = np.linspace(-1, 1, height, dtype=np.float32), np.linspace(-1, 1, width, dtype=np.float32)
    return (1.0 - np.float32(strength) * (y_H[:, None] ** 2 + x_W**2) / 2.0)[..., None]
