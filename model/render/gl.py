"""The one door to pyrender: off-screen by EGL, and on numpy 2. Import `pyrender` from here, never from itself."""

import importlib
import os
from typing import Any

import numpy as np


def _import_pyrender() -> Any:
    os.environ.setdefault("PYOPENGL_PLATFORM", "egl")
    if not hasattr(np, "infty"):
        np.infty = np.inf  # type: ignore[attr-defined]  # pyrender 0.1.45 still says np.infty
    return importlib.import_module("pyrender")


pyrender = _import_pyrender()
