"""Built engines on this machine's disk, in a folder that only we may write to. Knows no engine's inside and no library.

    <digest of the key>.engine   what the builder made
    <digest of the key>.json     its card: the key in words, sha256 and size of the file above

An engine is loaded only when its card has exactly the asked key and the file exactly the card's sha256; anything else is built again.
Each file is written beside its place, flushed and renamed; the card comes last, so an engine without a card is an unfinished one.
"""

import fcntl
import hashlib
import logging
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from model.checkpoint import digest

FORMAT = "vigil-engine-1"
ENGINE_SUFFIX, CARD_SUFFIX, LOCK_SUFFIX, PART_SUFFIX = ".engine", ".json", ".lock", ".part"
log = logging.getLogger(__name__)


class EngineKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that an engine file depends on. `batches` is (smallest, tuned for, largest); `device` and `driver` are in words."""

    backend: str
    model: str
    model_hash: str
    graph_sha256: str
    height: int
    width: int
    batches: tuple[int, int, int]
    precision: str
    device: str
    capability: str
    driver: str
    libraries: tuple[str, ...]

    @property
    def digest(self) -> str:
        return hashlib.sha256(msgspec.json.encode((FORMAT, self))).hexdigest()[:32]


class Card(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What lies beside an engine file."""

    format: str
    key: EngineKey
    sha256: str
    size_bytes: int
    built_unix_s: float
    build_s: float


@dataclass(frozen=True, slots=True)
class Entry:
    """One engine of the store as it lies there. `fault` says in words why it would not be loaded; None: it is whole."""

    path: Path
    card: Card | None
    fault: str | None


class EngineStore:
    """The folder; None is `vigil/engines` in the user's cache ($XDG_CACHE_HOME). Raises ValueError when others may write to it."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = (folder or _default_folder()).absolute()
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except FileExistsError as error:
            raise ValueError(f"the engine store {self.folder} is not a folder") from error
        except OSError as error:
            raise ValueError(f"the engine store {self.folder} cannot be made: {error.strerror}") from error
        _check_private(self.folder)

    def fetch(self, key: EngineKey, build: Callable[[Path], None]) -> Path:
        """The whole engine file of this key, built by `build(path)` where there is none. One process builds a key, others wait for it.

        Raises what `build` raises, and ValueError when the folder cannot be written.
        """
        found = self.find(key)
        if found is not None:
            return found
        try:
            with self._lock(key.digest):
                return self.find(key) or self._build(key, build)
        except OSError as error:
            raise ValueError(f"the engine store {self.folder} cannot be written: {error.strerror}") from error

    def find(self, key: EngineKey) -> Path | None:
        """The engine file of this key, its digest checked; None where it is missing, torn or foreign (the log says which)."""
        path = self.folder / f"{key.digest}{ENGINE_SUFFIX}"
        if not path.exists():
            return None
        entry = _inspect(path)
        if entry.fault is None and entry.card is not None and entry.card.key == key:
            return path
        log.warning("engine %s is not loaded: %s", path.name, entry.fault or "its card has another key")
        return None

    def entries(self) -> list[Entry]:
        """All that the store holds, oldest first; every byte is read."""
        engines = [_inspect(path) for path in self.folder.glob(f"*{ENGINE_SUFFIX}")]
        parts = [Entry(path, None, "a build that did not end") for path in self.folder.glob(f"*{PART_SUFFIX}")]
        return sorted(engines + parts, key=lambda entry: entry.card.built_unix_s if entry.card else 0.0)

    def _build(self, key: EngineKey, build: Callable[[Path], None]) -> Path:
        part = self.folder / f"{key.digest}{PART_SUFFIX}"
        engine, card = part.with_suffix(ENGINE_SUFFIX), part.with_suffix(CARD_SUFFIX)
        part.unlink(missing_ok=True)
        card.unlink(missing_ok=True)
        started_s = time.monotonic()
        try:
            build(part)
            build_s = time.monotonic() - started_s
            written = Card(FORMAT, key, digest(part), part.stat().st_size, time.time(), build_s)
            _settle(part, engine)
            part.write_bytes(msgspec.json.format(msgspec.json.encode(written), indent=1))
            _settle(part, card)
        finally:
            part.unlink(missing_ok=True)
        return engine

    @contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        """Held by one process at a time; a process that dies lets go of it."""
        with (self.folder / f"{name}{LOCK_SUFFIX}").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                log.info("another process builds engine %s: waiting for it", name)
                fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _default_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vigil" / "engines"


def _check_private(folder: Path) -> None:
    """An engine is code: whoever may write it runs what they like as us."""
    state = folder.stat()
    if state.st_uid != os.geteuid():
        raise ValueError(f"the engine store {folder} belongs to user {state.st_uid}, not to us ({os.geteuid()}): name another folder")
    if state.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ValueError(f"others may write to the engine store {folder}: run chmod go-w on it, or name another folder")
    for parent in folder.resolve().parents:
        mode = parent.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise ValueError(f"others may rename the engine store {folder}: {parent} is writable by all and has no sticky bit")


def _inspect(path: Path) -> Entry:
    """Read an engine and its card, and say what is wrong with them."""
    card_path = path.with_suffix(CARD_SUFFIX)
    try:
        card = msgspec.json.decode(card_path.read_bytes(), type=Card)
    except FileNotFoundError:
        return Entry(path, None, "it has no card: its build did not end")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Entry(path, None, f"its card cannot be read: {error}")
    if card.format != FORMAT or card.key.digest != path.stem:
        return Entry(path, card, "its card is that of another engine")
    if path.stat().st_size != card.size_bytes:
        return Entry(path, card, f"torn: {path.stat().st_size} bytes of {card.size_bytes}")
    if digest(path) != card.sha256:
        return Entry(path, card, "damaged: its sha256 is not that of its card")
    return Entry(path, card, None)


def _settle(part: Path, place: Path) -> None:
    """Flush a file to the disk, then give it its name at once."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(place)
    folder = os.open(place.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
