"""Policy files watched for changes: by modification time and size, no extra dependency. Keeps the last good set."""

from collections.abc import Callable
from pathlib import Path

from service.policy.load import load_policies
from service.policy.rules import PolicyError, PolicySet

Marks = tuple[tuple[str, int, int], ...]


class PolicyWatcher:
    """`policies` are in force; `problem` says what is wrong with the files as they are now, empty when nothing is."""

    def __init__(self, path: Path, load: Callable[[Path], PolicySet] = load_policies) -> None:
        """PolicyError or OSError when there is nothing good to begin with."""
        self._path = path
        self._load = load
        self._marks = self._look()
        self.policies = load(path)
        self.problem = ""

    def poll(self) -> bool:
        """Look again (a stat per file): True when `policies` or `problem` changed."""
        marks = self._look()
        if marks == self._marks:
            return False
        self._marks = marks
        before = (self.policies, self.problem)
        try:
            self.policies, self.problem = self._load(self._path), ""
        except PolicyError as error:
            self.problem = str(error)
        except OSError as error:
            self.problem = f"{self._path} cannot be read: {error.strerror}"
        return (self.policies, self.problem) != before

    def _look(self) -> Marks:
        files = sorted(self._path.glob("*.yaml")) if self._path.is_dir() else [self._path]
        marks = []
        for file in files:
            try:
                found = file.stat()
            except OSError:
                continue
            marks.append((str(file), found.st_mtime_ns, found.st_size))
        return tuple(marks)
