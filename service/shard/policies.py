"""Which policies are in force: those stored by the API, else the file or folder. A broken file changes nothing."""

from pathlib import Path

import structlog
from redis import RedisError

from service.policy import PolicyError, PolicySet, load_policies, parse_policies
from service.state.store import Store

log = structlog.get_logger()

Marks = tuple[tuple[str, int, int], ...]


class PolicySource:
    """`current` is the same object until something changed."""

    def __init__(self, store: Store, path: Path | None) -> None:
        self._store = store
        self._path = path
        self._seen: tuple[int, Marks] | None = None
        self.current = PolicySet()

    def refresh(self) -> bool:
        """Look again; True when other policies are in force now."""
        try:
            now = (self._store.policies_version(), _marks(self._path))
            if now == self._seen:
                return False
            self.current = self._load()
        except RedisError as error:
            log.info("policies_not_read", why=str(error))
            return False
        except (PolicyError, OSError) as error:
            self._seen = now
            log.warning("policies_kept_as_they_were", why=str(error))
            return False
        self._seen = now
        log.info("policies_in_force", names=[policy.name for policy in self.current.policies])
        return True

    def _load(self) -> PolicySet:
        stored = self._store.get_policies()
        if stored is not None:
            return parse_policies(stored.text, "stored policies")
        return load_policies(self._path) if self._path else PolicySet()


def _marks(path: Path | None) -> Marks:
    """Time and size of every policy file; one that is gone has none."""
    if path is None:
        return ()
    marks = []
    for file in sorted(path.glob("*.yaml")) if path.is_dir() else [path]:
        try:
            found = file.stat()
        except OSError:
            continue
        marks.append((str(file), found.st_mtime_ns, found.st_size))
    return tuple(marks)
