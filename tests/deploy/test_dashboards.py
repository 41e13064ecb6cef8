"""The committed dashboards: what the code makes, laid out cleanly, and about metrics that exist."""

from itertools import combinations
from typing import Any

import promql_parser
import pytest

from deploy.grafana.build import FOLDER, dashboards, to_json
from service.metrics import Metrics
from tests.deploy import panels as files

VALUES = {"shard": "main", "stream": "s1", "__rate_interval": "15s", "__range": "1h"}
PROMETHEUS_MAKES = {"ALERTS", "up"}
OF_HISTOGRAMS = ("_bucket", "_sum", "_count")

FOUND = files.dashboards()
EACH = pytest.mark.parametrize("name", sorted(FOUND))


def exported() -> set[str]:
    """Every metric as it is scraped, histograms by their stem."""
    metrics = Metrics(of_engine=True)
    return {family.name + ("_total" if family.type == "counter" else "") for family in metrics.registry.collect()}


def stem(metric: str, known: set[str]) -> str:
    """`vigil_queue_seconds` of vigil_queue_seconds_bucket."""
    for suffix in OF_HISTOGRAMS:
        if metric.endswith(suffix) and metric.removesuffix(suffix) in known:
            return metric.removesuffix(suffix)
    return metric


def test_the_committed_json_is_what_the_code_makes() -> None:
    made = {name: to_json(dashboard) for name, dashboard in dashboards().items()}
    assert made == {path.name: path.read_text() for path in FOLDER.glob("*.json")}, "run `make dashboards`"


def test_dashboards_are_told_apart_and_lead_to_each_other() -> None:
    assert {dashboard["uid"] for dashboard in FOUND.values()} == {"vigil-overview", "vigil-stream", "vigil-engine", "vigil-delivery"}
    assert len({dashboard["title"] for dashboard in FOUND.values()}) == 4
    for dashboard in FOUND.values():
        assert dashboard["tags"] == ["vigil"]
        assert [link["tags"] for link in dashboard["links"] if link["includeVars"] and link["keepTime"]] == [["vigil"]]
        assert (dashboard["time"]["from"], dashboard["refresh"]) == ("now-1h", "10s")


@EACH
def test_variables_are_a_data_source_shards_and_one_stream_where_it_is_about_one(name: str) -> None:
    variables = {variable["name"]: variable for variable in FOUND[name]["templating"]["list"]}
    assert list(variables) == ["datasource", "shard", *(["stream"] if name == "vigil-stream.json" else [])]
    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["current"]["value"] == "prometheus"
    assert variables["shard"]["multi"]
    assert not variables.get("stream", {}).get("multi")


@EACH
def test_panel_ids_are_unique(name: str) -> None:
    ids = [panel["id"] for panel in FOUND[name]["panels"]]
    assert len(set(ids)) == len(ids) > 10


@EACH
def test_panels_fill_the_grid_without_overlap(name: str) -> None:
    def cells(panel: dict[str, Any]) -> set[tuple[int, int]]:
        grid = panel["gridPos"]
        return {(x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])}

    taken = [(panel["title"], cells(panel)) for panel in FOUND[name]["panels"]]
    assert [(first, second) for (first, one), (second, other) in combinations(taken, 2) if one & other] == []
    every = set().union(*(one for _, one in taken))
    assert every == {(x, y) for x in range(24) for y in range(max(y for _, y in every) + 1)}


@EACH
def test_every_panel_says_how_it_is_read_and_asks_the_chosen_source(name: str) -> None:
    for panel in files.panels(FOUND[name]):
        assert len(panel["description"]) > 10, panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"], panel["title"]


@pytest.mark.parametrize("asked", [*files.asked_by_panels(FOUND), *files.asked_by_rules(files.rules())], ids=lambda asked: asked.where)
def test_every_expression_parses_and_asks_for_metrics_that_exist(asked: files.Asked) -> None:
    known = exported() | files.recorded(files.rules()) | PROMETHEUS_MAKES
    names = files.metric_names(files.filled(asked.expr, VALUES))
    assert names
    assert {stem(name, known) for name in names} <= known


def test_a_variable_without_a_value_and_a_broken_expression_are_noticed() -> None:
    with pytest.raises(KeyError, match="nobody"):
        files.filled("up{shard=~'$nobody'}", VALUES)
    with pytest.raises(ValueError, match="unclosed left parenthesis"):
        promql_parser.parse("sum by (x (rate(up[1m]))")


@pytest.mark.parametrize(
    ("expr", "left"),
    [
        ("sum(up) / 2 > 0.5", ["sum(up) / 2"]),
        ("(up{a='b'} == 0) and on (x) rate(z[5m]) > 1", ["up{a=\"b\"}", "rate(z[5m])"]),
        ("absent(up)", ["absent(up)"]),
    ],
)  # fmt: skip
def test_an_alert_is_asked_for_what_it_compares(expr: str, left: list[str]) -> None:
    assert files.compared(promql_parser.parse(expr)) == left
