"""A flame graph of a running service: py-spy, an optional program, looks at all its processes for a while. Knows no stream."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RATE_PER_S = 100
END_WITHIN_S = 30.0


def find_py_spy() -> str:
    """The program beside this Python or on PATH. ValueError says how to get it."""
    found = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if found is None:
        raise ValueError("--flame needs the program py-spy, which is not installed: pip install py-spy")
    return found


@contextmanager
def flame_graph(file: Path, pid: int, seconds: float) -> Iterator[None]:
    """Look at `pid` and all below it for `seconds` from now; `file` (SVG) is there at the end. ValueError when py-spy could not look."""
    file.parent.mkdir(parents=True, exist_ok=True)
    command = [find_py_spy(), "record", "--pid", str(pid), "--subprocesses", "--nonblocking", "--output", str(file)]
    process = subprocess.Popen(
        [*command, "--duration", str(max(1, round(seconds))), "--rate", str(RATE_PER_S)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield
        said, _ = process.communicate(timeout=END_WITHIN_S)
    finally:
        process.kill()
        process.wait()
    if process.returncode != 0 or not file.is_file():
        raise ValueError(f"py-spy could not look at process {pid}: {said.strip().splitlines()[-1:] or 'it said nothing'}")
