"""Which worker owns which stream. Pure book-keeping."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping


def assign(owners: Mapping[str, str], streams: Iterable[str], workers: Collection[str]) -> dict[str, str]:
    """Stream -> worker: who owns a stream keeps it, a new stream goes to the least loaded worker (the first of equals)."""
    wanted = list(streams)
    result = {stream: owners[stream] for stream in wanted if owners.get(stream) in workers}
    load = Counter(result.values())
    for stream in wanted:
        if stream not in result:
            worker = min(workers, key=lambda name: load[name])
            result[stream] = worker
            load[worker] += 1
    return result
