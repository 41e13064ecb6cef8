"""How grave a stream is, and how many relations of each kind its graph holds."""

import pytest

from service.metrics import Metrics
from service.shard.gauges import EVERY_S, GraphGauges, risk_of
from service.types import Edge, Incident, Mode, Severity


def incident(severity: Severity, mode: Mode = "flag") -> Incident:
    return Incident(f"in_{severity}", "key", "policy", severity, mode, "open", 0.0, 0.0, 0.0, 0.0, 0.0, None)


def edge(predicate: str, target: int) -> Edge:
    return Edge(1, predicate, target, 0.9, 0.0)


@pytest.mark.parametrize(
    ("incidents", "risk"),
    [
        ([], 0),
        ([incident("info")], 1),
        ([incident("low"), incident("critical", "enforce"), incident("medium")], 5),
        ([incident("high", "shadow"), incident("low")], 2),
        ([incident("critical", "shadow")], 0),
    ],
)
def test_the_gravest_open_incident_counts_and_what_is_only_tried_out_does_not(incidents: list[Incident], risk: int) -> None:
    assert risk_of(incidents) == risk


def shown(metrics: Metrics) -> dict[str, float]:
    lines = metrics.expose().decode().splitlines()
    found = [line.rpartition(" ") for line in lines if line.startswith(("vigil_relations{", "vigil_stream_risk{"))]
    return {name.replace(',stream="s"', "").replace('{stream="s"}', ""): float(value) for name, _, value in found}


def test_relations_are_counted_and_a_predicate_that_no_longer_occurs_is_zero() -> None:
    metrics = Metrics()
    gauges = GraphGauges("s", metrics)
    assert gauges.is_due(0.0)
    gauges.show([edge("holding", 2), edge("holding", 3), edge("beneath", 4)], [incident("high")], 10.0)
    assert shown(metrics) == {'vigil_relations{predicate="holding"}': 2, 'vigil_relations{predicate="beneath"}': 1, "vigil_stream_risk": 4}
    assert [gauges.is_due(10.0 + after_s) for after_s in (0.0, EVERY_S - 0.01, EVERY_S)] == [False, False, True]
    gauges.show([edge("beneath", 4)], [], 11.0)
    assert shown(metrics) == {'vigil_relations{predicate="holding"}': 0, 'vigil_relations{predicate="beneath"}': 1, "vigil_stream_risk": 0}


def test_of_a_stream_that_is_over_nothing_stands() -> None:
    metrics = Metrics()
    gauges = GraphGauges("s", metrics)
    gauges.show([edge("holding", 2)], [incident("critical")], 10.0)
    gauges.rest()
    assert set(shown(metrics).values()) == {0.0}
