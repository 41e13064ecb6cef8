"""Opens a backend by name. A backend is imported only when asked for, so none is a dependency of the others."""

from pathlib import Path

import model
from engines.protocol import Engine

BACKENDS = ("onnxruntime", "fake")
SHIPPED = Path(model.__file__).parent / "checkpoints" / "nano-v1"


def open_engine(backend: str, *, model_dir: Path | None = None, num_streams: int, max_pixels: int, threads: int = 0) -> Engine:
    """A loaded, warmed-up engine with `num_streams` empty memory slots.

    `model_dir` None is the shipped nano-v1; `threads` 0 is one per core. Raises ValueError with a sentence when the backend is
    unknown or the checkpoint is missing, torn or foreign.
    """
    if backend == "fake":
        from engines.fake import open_engine as open_fake

        return open_fake(model_dir=model_dir, num_streams=num_streams, max_pixels=max_pixels, threads=threads)
    if backend == "onnxruntime":
        from engines.onnxruntime import open_engine as open_onnxruntime

        return open_onnxruntime(model_dir=model_dir or SHIPPED, num_streams=num_streams, max_pixels=max_pixels, threads=threads)
    raise ValueError(f"no engine {backend!r}; known: {', '.join(BACKENDS)}")
