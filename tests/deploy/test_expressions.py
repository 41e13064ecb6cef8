"""Every expression of every panel and rule says something about a real Vigil under load, asked of a real Prometheus."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.answers import answers, table
from tests.deploy.expressions import ask, every_expression
from tests.deploy.load import Loaded, loaded
from tests.deploy.panels import Asked, selectors

WITHIN_S = 45.0

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    with loaded(tmp_path_factory.mktemp("load")) as started:
        yield started


def test_no_expression_of_a_panel_or_rule_is_empty_under_load(running: Loaded, tmp_path: Path) -> None:
    found = ask(running, every_expression(), WITHIN_S)
    text = table(found)
    (tmp_path / "expressions.md").write_text(text)
    sys.stdout.write(f"\n{text}")
    assert [one.asked for one in found if one.is_empty] == []


def test_no_metric_with_its_labels_is_empty_behind_an_or(running: Loaded) -> None:
    found = ask(running, selectors(every_expression(), running.variables()), WITHIN_S)
    assert len(found) > 50
    assert [one.asked for one in found if one.is_empty] == []


def test_prometheus_evaluates_every_rule_and_scrapes_both_shards(running: Loaded) -> None:
    assert running.prometheus.broken_rules() == []
    assert running.prometheus.healthy_targets() == 2


def test_a_panel_with_a_typo_a_label_that_is_not_there_and_a_number_that_is_none_are_reported(running: Loaded) -> None:
    wrong = (
        Asked("typo", 'sum(rate(vigil_frames_analyzed_total{shard=~"$shard"}[$__rate_interval]))'),
        Asked("no such label", 'vigil_engine_load{shard=~"$shard", kind="gpu"}'),
        Asked("not a number", "0 * vigil_engine_load / 0"),
        *selectors([Asked("behind an or", "sum(vigil_websocket_clients) or vector(0)")], {}),
    )
    found = answers(running.prometheus.query, wrong, running.variables())
    assert [one.is_empty for one in found] == [True, True, True, True]
    assert table(found).count("**empty**") == 4
    with pytest.raises(ValueError, match="parse error"):
        running.prometheus.query("sum by (x (rate(up[1m]))")
