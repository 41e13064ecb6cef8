"""What the committed dashboards and rules ask of Prometheus, read from the files that are deployed. Knows no server."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import promql_parser
import yaml

ROOT = Path(__file__).parents[2]
DASHBOARDS = ROOT / "deploy" / "grafana" / "dashboards"
RULES = ROOT / "deploy" / "prometheus" / "rules"
COMPARISONS = frozenset({">", "<", ">=", "<=", "==", "!="})
_VARIABLE = re.compile(r"\$\{?(\w+)\}?")


@dataclass(frozen=True, slots=True)
class Asked:
    """One expression and who asks it: a panel, a recording rule, or what an alert compares."""

    where: str
    expr: str


def dashboards(folder: Path = DASHBOARDS) -> dict[str, dict[str, Any]]:
    """File name -> Grafana's JSON."""
    return {path.name: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


def panels(dashboard: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every panel that asks something."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def asked_by_panels(found: Mapping[str, Mapping[str, Any]]) -> Iterator[Asked]:
    for name, dashboard in found.items():
        for panel in panels(dashboard):
            for target in panel["targets"]:
                yield Asked(f"{name.removesuffix('.json')}: {panel['title']}", target["expr"])


def rules(folder: Path = RULES) -> list[dict[str, Any]]:
    """Every recording and alert rule."""
    files = [yaml.safe_load(path.read_text()) for path in sorted(folder.glob("*.y*ml"))]
    return [rule for content in files for group in content["groups"] for rule in group["rules"]]


def recorded(found: Sequence[Mapping[str, Any]]) -> set[str]:
    """Names that recording rules make."""
    return {rule["record"] for rule in found if "record" in rule}


def asked_by_rules(found: Sequence[Mapping[str, Any]]) -> Iterator[Asked]:
    """What is recorded; and of alerts, which are empty while all is well, what they compare."""
    for rule in found:
        if "record" in rule:
            yield Asked(f"record {rule['record']}", rule["expr"])
        else:
            for expr in compared(promql_parser.parse(rule["expr"])):
                yield Asked(f"alert {rule['alert']}", expr)


def compared(expr: Any) -> list[str]:
    """The left sides of the comparisons at the top of an alert's expression; the whole where it compares nothing."""
    if isinstance(expr, promql_parser.ParenExpr):
        return compared(expr.expr)
    if isinstance(expr, promql_parser.BinaryExpr):
        if str(expr.op) in ("and", "or", "unless"):
            return [*compared(expr.lhs), *compared(expr.rhs)]
        if str(expr.op) in COMPARISONS:
            return [expr.lhs.prettify()]
    return [expr.prettify()]


def filled(expr: str, values: Mapping[str, str]) -> str:
    """The expression with Grafana's variables replaced. KeyError names one that has no value."""
    return _VARIABLE.sub(lambda match: values[match[1]], expr)


def metric_names(expr: str) -> set[str]:
    """Every metric that an expression selects."""
    return {str(selector.name) for selector in _selectors(expr) if selector.name}


def selectors(asked: Iterable[Asked], values: Mapping[str, str]) -> list[Asked]:
    """Every `metric{labels}` by itself: behind an `or`, an expression is not empty although one of them is."""
    found = {selector.prettify(): one.where for one in asked for selector in _selectors(filled(one.expr, values))}
    return [Asked(where, expr) for expr, where in found.items()]


def _selectors(expr: str) -> list[Any]:
    found: list[Any] = []

    def note(node: Any) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)

    promql_parser.walk(promql_parser.parse(expr), note)
    return found
