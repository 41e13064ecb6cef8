"""What a panel of a dashboard's JSON shows, asked of a Prometheus: named series, table rows, words and colours. Draws nothing."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

_VARIABLE = re.compile(r"\$\{?(\w+)\}?")
_LABEL = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_SCALES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True, slots=True)
class Line:
    """One series: its name, its labels and (time, value) pairs; an instant answer has one pair."""

    name: str
    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]

    @property
    def last(self) -> float:
        """The newest number; NaN when there is none."""
        return next((value for _, value in reversed(self.points) if not math.isnan(value)), math.nan)


@dataclass(frozen=True, slots=True)
class Span:
    """The time that is shown."""

    start_s: float
    end_s: float
    step_s: float


class Source:
    """A Prometheus, and the values of the dashboard's variables."""

    def __init__(self, url: str, variables: Mapping[str, str], span: Span) -> None:
        self._client = httpx.Client(base_url=url, timeout=10.0)
        self._variables = variables
        self.span = span

    def close(self) -> None:
        """Ends the connection."""
        self._client.close()

    def lines(self, panel: Mapping[str, Any]) -> list[Line]:
        """The series of all targets of a panel."""
        return [line for target in panel["targets"] for line in self._ask(target)]

    def by_target(self, panel: Mapping[str, Any]) -> dict[str, list[Line]]:
        """refId -> series."""
        return {target["refId"]: self._ask(target) for target in panel["targets"]}

    def _ask(self, target: Mapping[str, Any]) -> list[Line]:
        expr = _VARIABLE.sub(lambda match: self._variables[match[1]], target["expr"])
        if target.get("instant"):
            answer = self._client.post("/api/v1/query", data={"query": expr, "time": str(self.span.end_s)})
        else:
            times = {"start": str(self.span.start_s), "end": str(self.span.end_s), "step": str(self.span.step_s)}
            answer = self._client.post("/api/v1/query_range", data={"query": expr, **times})
        body = answer.json()
        if body["status"] != "success":
            raise ValueError(f"Prometheus refuses {expr}: {body['error']}")
        return [_line(series, str(target["legendFormat"])) for series in body["data"]["result"]]


def _line(series: Mapping[str, Any], legend: str) -> Line:
    labels = series["metric"]
    points = series["values"] if "values" in series else [series["value"]]
    name = ", ".join(labels.values()) if legend == "__auto" else _LABEL.sub(lambda match: labels.get(match[1], ""), legend)
    return Line(name, labels, tuple((float(time_s), float(value)) for time_s, value in points))


def table_of(panel: Mapping[str, Any], source: Source) -> tuple[list[str], list[list[tuple[str, str]]]]:
    """Headings, and rows of (text, colour), after the panel's transformations. As in Grafana's merge, what all queries have joins them."""
    found = {ref_id: lines for ref_id, lines in source.by_target(panel).items() if lines}
    shared = set.intersection(*(set(line.labels) for lines in found.values() for line in lines)) if found else set()
    joined: dict[tuple[str, ...], dict[str, Any]] = {}
    for ref_id, lines in found.items():
        field = "Value" if len(panel["targets"]) == 1 else f"Value #{ref_id}"
        for line in lines:
            key = tuple(line.labels[name] for name in sorted(shared if len(found) > 1 else line.labels))
            joined.setdefault(key, {}).update({**line.labels, field: line.last})
    organize = next(one["options"] for one in panel["transformations"] if one["id"] == "organize")
    order = sorted(organize["indexByName"], key=organize["indexByName"].__getitem__)
    headings = [organize["renameByName"][field] for field in order]
    rows = [[one.get(field, "") for field in order] for one in joined.values()]
    for sort in (panel.get("options") or {}).get("sortBy", ()):
        at = headings.index(sort["displayName"])
        rows.sort(key=lambda row, at=at: (not isinstance(row[at], str), row[at]), reverse=bool(sort["desc"]))  # type: ignore[misc]
    return headings, [[_cell(panel, heading, value) for heading, value in zip(headings, row, strict=True)] for row in rows]


def _cell(panel: Mapping[str, Any], heading: str, value: Any) -> tuple[str, str]:
    if isinstance(value, str):
        return value, "black"
    return worded(field_config(panel, heading), value)


def field_config(panel: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The panel's defaults under the overrides of one field."""
    config = dict(panel["fieldConfig"]["defaults"])
    for override in panel["fieldConfig"]["overrides"] or []:
        if override["matcher"]["options"] == name:
            config.update({one["id"]: one["value"] for one in override["properties"]})
    return config


def worded(config: Mapping[str, Any], value: float) -> tuple[str, str]:
    """A number as the panel writes it, and its colour."""
    for mapping in config.get("mappings") or []:
        if not math.isnan(value) and (word := mapping["options"].get(f"{value:.0f}")):
            return word["text"], word["color"]
    return written(value, config["unit"]), colour_of(config.get("thresholds", {}).get("steps", []), value)


def colour_of(steps: Sequence[Mapping[str, Any]], value: float) -> str:
    """Of the last threshold that the value has reached."""
    reached = [step["color"] for step in steps if step["value"] is None or value >= step["value"]]
    return str(reached[-1]) if reached else "black"


def written(value: float, unit: str) -> str:
    """A number with its unit, three digits of it."""
    if math.isnan(value):
        return "-"
    if unit == "percentunit":
        return f"{100 * value:.3g} %"
    if unit == "s" and abs(value) < 1 and value:
        return f"{1000 * value:.3g} ms"
    suffix = {"s": " s", "fps": " fps", "bytes": "B", "reqps": " req/s", "wps": " wr/s"}.get(unit, "")
    for size, letter in _SCALES:
        if abs(value) >= size:
            return f"{value / size:.3g} {letter}{suffix.strip()}"
    return f"{value:.3g}{suffix}"
