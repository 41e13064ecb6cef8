"""Real photographs for tests: those that travel in scikit-image's wheel, read as files."""

import importlib.util
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image


def photograph(name: str, width: int, height: int) -> npt.NDArray[np.uint8]:
    """A photograph, stretched to a size, uint8 (H, W, 3). Skips the test where scikit-image is not installed."""
    found = importlib.util.find_spec("skimage")
    if found is None or found.origin is None:
        pytest.skip("scikit-image is not installed: its photographs are what this test looks at")
    with Image.open(Path(found.origin).parent / "data" / f"{name}.png") as picture:
        return np.asarray(picture.convert("RGB").resize((width, height), Image.Resampling.BOX)).copy()
