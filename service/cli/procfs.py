"""Memory and processor time of a process and all below it, from Linux's /proc. Knows no process by name but what /proc calls it."""

import os
from pathlib import Path

from msgspec import Struct

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class ProcessUse(Struct):
    """Resident bytes now and processor seconds since the process began."""

    pid: int
    name: str
    rss_bytes: int
    cpu_s: float


def family(pid: int) -> list[ProcessUse]:
    """The process and its descendants that live; empty without /proc."""
    own = _read(pid)
    if own is None:
        return []
    return [own, *(use for child in _children(pid) for use in family(child))]


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for task in Path(f"/proc/{pid}/task").iterdir() for word in (task / "children").read_text().split()]
    except OSError:
        return []


def _read(pid: int) -> ProcessUse | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return None
    name = stat[stat.index("(") + 1 : stat.rindex(")")]
    fields = stat[stat.rindex(")") + 2 :].split()
    return ProcessUse(pid, name, pages * PAGE_BYTES, (int(fields[11]) + int(fields[12])) / TICKS_PER_S)
