"""How long things have held: bounded book-keeping by key, in media time. Knows no graph.

A condition that is missing for up to FLICKER_S between two sightings held all the while. Two looks in a row that are more than BLIND_S
apart do not tell that it held in between.
"""

import re

from msgspec import Struct

FLICKER_S = 0.3
BLIND_S = 10.0
MAX_TRACES = 64
MAX_SPANS = 16
EPSILON_S = 1e-6


class Trace(Struct, array_like=True):
    """Held from `since_s` to `last_s`; `spans` are earlier stretches, oldest first, where a window needs them."""

    since_s: float
    last_s: float
    nodes: tuple[int, ...] = ()
    says: str = ""
    spans: list[tuple[float, float]] = []

    def held_s(self, window_s: float | None) -> float:
        """How long without a break; or how long in all, out of the last `window_s`."""
        if window_s is None:
            return self.last_s - self.since_s
        start_s = self.last_s - window_s
        return sum(max(0.0, end - max(begin, start_s)) for begin, end in (*self.spans, (self.since_s, self.last_s)))


class Traces:
    """The traces of one rule. Of more than 64 the one seen longest ago goes."""

    def __init__(self, keep_s: float = FLICKER_S, *, with_spans: bool = False) -> None:
        self._keep_s = keep_s
        self._with_spans = with_spans
        self.by_key: dict[str, Trace] = {}

    def see(self, key: str, now_s: float, before_s: float | None, nodes: tuple[int, ...] = (), says: str = "") -> Trace:
        """It holds now: the trace, continued or begun afresh (then since_s is now_s)."""
        trace = self.by_key.get(key)
        if trace is None:
            trace = self.by_key[key] = Trace(now_s, now_s, nodes, says)
            if len(self.by_key) > MAX_TRACES:
                del self.by_key[min(self.by_key, key=lambda other: self.by_key[other].last_s)]
            return trace
        gap_s = now_s - trace.last_s
        was_held = gap_s <= FLICKER_S + EPSILON_S or (trace.last_s == before_s and gap_s <= BLIND_S)
        if not was_held:
            if self._with_spans:
                trace.spans = [*trace.spans, (trace.since_s, trace.last_s)][-MAX_SPANS:]
            trace.since_s = now_s
            trace.says = says
        trace.last_s = now_s
        trace.nodes = nodes
        return trace

    def forget(self, now_s: float) -> None:
        """Drop what ended too long ago to matter."""
        stale = [key for key, trace in self.by_key.items() if now_s - trace.last_s > self._keep_s + EPSILON_S]
        for key in stale:
            del self.by_key[key]

    def merged(self, kept: int, merged: int) -> None:
        """Rename a node in keys and traces; where both names had a trace, it held from the earlier to the later."""
        for key in [key for key, trace in self.by_key.items() if f"#{merged}" in key or merged in trace.nodes]:
            trace = self.by_key.pop(key)
            trace.nodes = tuple(dict.fromkeys(kept if node == merged else node for node in trace.nodes))
            key = renamed(key, kept, merged)
            other = self.by_key.get(key)
            if other is not None:
                trace.since_s, trace.last_s = min(trace.since_s, other.since_s), max(trace.last_s, other.last_s)
                trace.says = trace.says or other.says
            self.by_key[key] = trace


def renamed(key: str, kept: int, merged: int) -> str:
    """A key in which node `merged` is called `kept`."""
    return re.sub(rf"#{merged}(?!\d)", f"#{kept}", key)
