"""A temporary folder that goes with its owner. What a killed owner leaves, the next one sweeps: nobody holds its lock any more."""

import contextlib
import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

PREFIX = "vigil-run-"


@contextlib.contextmanager
def run_folder() -> Iterator[Path]:
    """Private to this user; gone at the end of the block."""
    sweep()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    with (folder / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def sweep() -> None:
    """Remove the folders of owners that were killed."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/lock"):
        with contextlib.suppress(OSError), path.open("r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path.parent, ignore_errors=True)
