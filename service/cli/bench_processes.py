"""What processes took between two moments, and what everything else on the machine took meanwhile. From Linux's /proc."""

import time
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from service.cli.procfs import TICKS_PER_S, ProcessUse, family

IDLE_FIELDS = (3, 4)
COUNTED_FIELDS = 8  # user nice system idle iowait irq softirq steal; guests are in user already


class ProcessLoad(Struct):
    """One process over a run: its share of one core, and its resident memory at both ends."""

    name: str
    cores: float
    rss_start_mib: float
    rss_end_mib: float


class Watched:
    """A process and all below it, from the making of this object on."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._begun_s = time.monotonic()
        self._before = {use.pid: use for use in self._family()}

    def loads(self) -> list[ProcessLoad]:
        """What each took until now; one that began meanwhile counts from its own begin, one that ended is not there."""
        took_s = time.monotonic() - self._begun_s
        return [self._load(use, took_s) for use in self._family()]

    def _load(self, use: ProcessUse, took_s: float) -> ProcessLoad:
        before = self._before.get(use.pid, ProcessUse(use.pid, use.name, use.rss_bytes, 0.0))
        name = "supervisor" if use.pid == self._pid else use.name
        return ProcessLoad(name, (use.cpu_s - before.cpu_s) / took_s, before.rss_bytes / 2**20, use.rss_bytes / 2**20)

    def _family(self) -> Sequence[ProcessUse]:
        return family(self._pid) if self._pid else []


class Others:
    """What all other programs take while this program and the processes that it watches are at work."""

    def __init__(self) -> None:
        self._begun_s, self._busy_s, self._own_s = time.monotonic(), busy_s(), time.process_time()

    def cores(self, *watched: list[ProcessLoad]) -> float:
        """Until now, without the loads of what was watched for as long."""
        spent_s = busy_s() - self._busy_s - (time.process_time() - self._own_s)
        return max(0.0, spent_s / (time.monotonic() - self._begun_s) - sum(load.cores for loads in watched for load in loads))


def busy_s() -> float:
    """Processor time that the whole machine spent so far; 0 without /proc."""
    path = Path("/proc/stat")
    if not path.is_file():
        return 0.0
    ticks = [int(word) for word in path.read_text().splitlines()[0].split()[1 : 1 + COUNTED_FIELDS]]
    return sum(count for field, count in enumerate(ticks) if field not in IDLE_FIELDS) / TICKS_PER_S
