"""What every backend checks before it runs: a batch that fits the spec. Pure; the sentences say what came and what was expected."""

import math
from collections.abc import Sequence

import numpy as np

from engines.canvas import MIN_SIDE, STRIDE
from engines.protocol import EngineSpec, Float, UInt8


def check_batch(spec: EngineSpec, images_BHW3: UInt8, slots: Sequence[int], dt_s: Sequence[float]) -> None:
    """Raise ValueError unless images, slots and time steps fit the spec and each other."""
    _check_images(spec, images_BHW3)
    num_images = len(images_BHW3)
    if len(slots) != num_images or len(dt_s) != num_images:
        raise ValueError(f"one slot and one dt per image: got {num_images} images, {len(slots)} slots, {len(dt_s)} dt")
    if len(set(slots)) != num_images or not all(0 <= slot < spec.num_streams for slot in slots):
        raise ValueError(f"slots are distinct and from 0 to {spec.num_streams - 1}, got {list(slots)}")
    if not all(math.isfinite(dt) and dt >= 0 for dt in dt_s):
        raise ValueError(f"dt is seconds since the stream's last frame, at least 0, got {list(dt_s)}")


def check_prototypes(spec: EngineSpec, objects_CD: Float, predicates_KD: Float) -> None:
    """Raise ValueError unless there is one finite float32 prototype for each object and predicate of the spec."""
    expected = ((len(spec.vocabulary.objects), spec.dim), (len(spec.vocabulary.predicates), spec.dim))
    if (objects_CD.shape, predicates_KD.shape) != expected:
        raise ValueError(f"prototypes here are {expected[0]} and {expected[1]}, got {objects_CD.shape} and {predicates_KD.shape}")
    if objects_CD.dtype != np.float32 or predicates_KD.dtype != np.float32:
        raise ValueError(f"prototypes are float32, got {objects_CD.dtype} and {predicates_KD.dtype}")
    if not (np.isfinite(objects_CD).all() and np.isfinite(predicates_KD).all()):
        raise ValueError("prototypes are finite numbers")


def _check_images(spec: EngineSpec, images_BHW3: UInt8) -> None:
    if images_BHW3.dtype != np.uint8 or images_BHW3.ndim != 4 or images_BHW3.shape[3] != 3:
        raise ValueError(f"images are uint8 (B, H, W, 3), got {images_BHW3.dtype} {images_BHW3.shape}")
    num_images, height, width, _ = images_BHW3.shape
    if not 1 <= num_images <= spec.max_batch:
        raise ValueError(f"a batch holds 1 to {spec.max_batch} images, got {num_images}")
    if height % STRIDE or width % STRIDE or min(height, width) < MIN_SIDE or height * width > spec.max_pixels:
        expected = f"sides in multiples of {STRIDE}, from {MIN_SIDE} on, and at most {spec.max_pixels} pixels"
        raise ValueError(f"a canvas has {expected}, got {width}x{height}")
