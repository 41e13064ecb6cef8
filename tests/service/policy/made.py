"""Small graphs for the tests of policies."""

from collections.abc import Mapping, Sequence

from service.policy import PolicyEvaluator, parse_policies
from service.types import Box, Edge, Node, TrackedGraph, Violation

BOX: Box = (0.4, 0.2, 0.6, 0.5)


def graph(
    nodes: Mapping[int, str], *edges: tuple[int, str, int], prob: float = 0.9, boxes: Mapping[int, Box] | None = None
) -> TrackedGraph:
    """graph({3: "person", 7: "knife"}, (3, "holding", 7))"""
    boxes = boxes or {}
    return TrackedGraph(
        tuple(Node(number, label, 0.9, boxes.get(number, BOX), 0.0) for number, label in sorted(nodes.items())),
        tuple(Edge(subject, predicate, thing, prob, 0.0) for subject, predicate, thing in sorted(edges)),
    )


EMPTY = graph({})
PERSON = graph({3: "person"})
PERSON_WITH_KNIFE = graph({3: "person", 7: "knife"})
KNIFE_IN_HAND = graph({3: "person", 7: "knife"}, (3, "holding", 7))


class Scene:
    """A stream of graphs through the policies of one YAML text."""

    def __init__(
        self, yaml_text: str, *, labels: Mapping[str, str] | None = None, zones: Mapping[str, Sequence[tuple[float, float]]] | None = None
    ) -> None:
        self.evaluator = PolicyEvaluator(parse_policies(yaml_text))
        self.labels = labels or {}
        self.zones = zones or {}

    def at(self, media_s: float, shown: TrackedGraph) -> tuple[Violation, ...]:
        return self.evaluator.evaluate(shown, media_s, self.labels, self.zones)

    def summaries(self, media_s: float, shown: TrackedGraph) -> list[str]:
        return [violation.summary for violation in self.at(media_s, shown)]

    def fires(self, media_s: float, shown: TrackedGraph) -> bool:
        return bool(self.at(media_s, shown))
