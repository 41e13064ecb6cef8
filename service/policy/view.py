"""One graph laid out for rules: edges by predicate, nodes by label. Also what a rule finds in it. Knows no time but the frame's."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from service.types import Box, Edge, Node, TrackedGraph

Polygon: TypeAlias = Sequence[tuple[float, float]]
Ids: TypeAlias = frozenset[int]


class View:
    """The graph at `now_s`; `before_s` is the media time of the frame before, None at the first."""

    __slots__ = ("before_s", "by_label", "edges", "nodes", "now_s", "zones")

    def __init__(self, graph: TrackedGraph, now_s: float, before_s: float | None, zones: Mapping[str, Polygon]) -> None:
        self.now_s = now_s
        self.before_s = before_s
        self.zones = zones
        self.nodes: dict[int, Node] = {node.id: node for node in graph.nodes}
        self.edges: defaultdict[str, list[Edge]] = defaultdict(list)
        for edge in graph.edges:
            self.edges[edge.predicate].append(edge)
        self.by_label: defaultdict[str, list[Node]] = defaultdict(list)
        for node in graph.nodes:
            self.by_label[node.label].append(node)


@dataclass(frozen=True, slots=True)
class Match:
    """A condition holds. `key` names it by ids (#3), `ids` and `edges` are the proof, `anchors` what other conditions link to.

    `since_s` where the condition itself knows since when.
    """

    key: str
    says: str
    ids: tuple[int, ...] = ()
    edges: tuple[Edge, ...] = ()
    anchors: Ids = frozenset()
    since_s: float | None = None

    def join(self, other: "Match") -> "Match":
        """Both hold, as one match."""
        key = f"{self.key}+{other.key}" if self.key else other.key
        says = f"{self.says} and {other.says}" if self.says and other.says else self.says or other.says
        ids = tuple(dict.fromkeys(self.ids + other.ids))
        return Match(key, says, ids, tuple(dict.fromkeys(self.edges + other.edges)), self.anchors | other.anchors)


Check: TypeAlias = Callable[[View, Ids | None], list[Match]]
"""Finds every match; with ids, only those that share a node with them (conditions on the whole picture do not care)."""


def is_inside(box: Box, polygon: Polygon) -> bool:
    """Does the middle of the box's lower edge lie in the polygon? Ray casting (even-odd rule)."""
    x, y = (box[0] + box[2]) / 2, box[3]
    inside = False
    for (x0, y0), (x1, y1) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) / (y1 - y0) * (x1 - x0):
            inside = not inside
    return inside
