"""Notices another checkpoint in the model's folder: its manifest or any file of it changed, or a link was pointed elsewhere.

Says so once, when the folder has been quiet for a look: a checkpoint that is still being copied is not opened over and over.
"""

from pathlib import Path

from model.checkpoint import MANIFEST

LOOK_EVERY_S = 1.0

Marks = tuple[tuple[str, int, int, int], ...]


class ModelWatch:
    """The folder as it is now is the one in use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._in_use = self._last = self._marks()
        self._next_look_s = 0.0

    def look(self, now_s: float) -> Path | None:
        """The folder that another whole-looking checkpoint lies in, links followed; None when there is nothing new."""
        if now_s < self._next_look_s:
            return None
        self._next_look_s = now_s + LOOK_EVERY_S
        before, self._last = self._last, self._marks()
        if self._last != before or self._last == self._in_use or not (self._folder / MANIFEST).is_file():
            return None
        self._in_use = self._last
        return self._folder.resolve()

    def _marks(self) -> Marks:
        """What tells a file from another: inode, time and size. Empty while the folder cannot be read."""
        try:
            found = [(path.name, path.stat()) for path in sorted(self._folder.iterdir())]
        except OSError:
            return ()
        return tuple((name, stat.st_ino, stat.st_mtime_ns, stat.st_size) for name, stat in found)
