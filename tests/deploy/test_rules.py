"""Recording and alert rules: promtool finds no fault, each alert is shown to fire and to stay silent, and a changed rule is noticed."""

import functools
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from service.metrics import DROP_CAUSES, STREAM_STATES
from service.shard.swapper import GOOD
from tests.deploy.panels import COMPARISONS, RULES, metric_names, recorded, rules
from tests.repository.metrics_page import collectors, scraped_names
from tests.servers.process import require_binary

ROOT = Path(__file__).parents[2]
UNIT_TESTS = RULES.parent / "tests"
RUNBOOK = ROOT / "docs" / "alerts.md"
OF_SCRAPING = {"job", "instance", "shard"}
OF_EVERY_SAMPLE = OF_SCRAPING | {"process"}
OF_PROMETHEUS = {"up": OF_SCRAPING}


def promtool(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([require_binary("promtool"), *map(str, arguments)], capture_output=True, text=True, check=False)


@functools.cache
def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def alerts() -> list[dict[str, Any]]:
    return [rule for group in read(RULES / "alerts.yml")["groups"] for rule in group["rules"]]


def names(found: list[dict[str, Any]]) -> list[str]:
    return [rule["alert"] for rule in found]


def unit_tests() -> list[dict[str, Any]]:
    return [test for path in sorted(UNIT_TESTS.glob("*.yml")) for test in read(path)["tests"]]


def cases() -> list[dict[str, Any]]:
    """What the unit tests say of alerts: at which time which of them fire."""
    return [case for test in unit_tests() for case in test.get("alert_rule_test", [])]


def labels_by_name() -> dict[str, set[str]]:
    """Every scraped name, with the labels that its samples have in Prometheus."""
    known = dict(OF_PROMETHEUS)
    for metric in collectors():
        for name in scraped_names(metric):
            known[name] = {*metric._labelnames, *OF_EVERY_SAMPLE} | ({"le"} if name.endswith("_bucket") else set())
    return known


def selectors(expr: str) -> Iterator[Any]:
    found: list[Any] = []
    promql_parser.walk(promql_parser.parse(expr), found.append)
    yield from (node for node in found if isinstance(node, promql_parser.VectorSelector))


def labels_of(selector: Any) -> dict[str, str]:
    return {matcher.name: matcher.value for matcher in selector.matchers.matchers}


# ---- promtool ---------------------------------------------------------------------------------------------------------------


def test_promtool_finds_no_fault_in_the_rules() -> None:
    checked = promtool("check", "rules", "--lint=all", "--lint-fatal", *sorted(RULES.glob("*.yml")))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout.count("SUCCESS") == 2


def test_the_rules_pass_their_unit_tests() -> None:
    files = sorted(UNIT_TESTS.glob("*.yml"))
    tested = promtool("test", "rules", *files)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert tested.stdout.count("SUCCESS") == len(files)


# ---- a changed rule is noticed: the negative control of the unit tests ------------------------------------------------------


def is_noticed(folder: Path, alert: str, change: dict[str, Any]) -> bool:
    """Whether the unit tests of an alert fail when its rule is changed. All else is left out, to be quick."""
    (folder / "rules").mkdir(parents=True)
    shutil.copy(RULES / "recording.yml", folder / "rules")
    changed = {
        "groups": [
            {"name": group["name"], "rules": [{**rule, **change} for rule in group["rules"] if rule["alert"] == alert]}
            for group in read(RULES / "alerts.yml")["groups"]
        ]
    }
    (folder / "rules" / "alerts.yml").write_text(json.dumps(changed))
    return promtool("test", "rules", *copied_unit_tests(folder / "tests", alert)).returncode != 0


def copied_unit_tests(folder: Path, alert: str) -> list[Path]:
    """Only what they say of one alert."""
    folder.mkdir()
    copies = []
    for path in UNIT_TESTS.glob("*.yml"):
        kept = [of_alert(test, alert) for test in read(path)["tests"]]
        kept = [test for test in kept if test["alert_rule_test"]]
        if kept:
            copies.append(folder / path.name)
            copies[-1].write_text(json.dumps({**read(path), "tests": kept}))
    assert copies
    return copies


def of_alert(test: dict[str, Any], alert: str) -> dict[str, Any]:
    said = [case for case in test.get("alert_rule_test", []) if case["alertname"] == alert]
    return {**test, "promql_expr_test": [], "alert_rule_test": said}


def other_thresholds(threshold: float) -> tuple[float, float]:
    """The next whole numbers of a count; a fifth more and less of a share or a time."""
    return (threshold + 1, threshold - 1) if threshold.is_integer() else (1.2 * threshold, 0.8 * threshold)


@pytest.mark.parametrize("alert", alerts(), ids=names(alerts()))
def test_another_threshold_is_noticed(alert: dict[str, Any], tmp_path: Path) -> None:
    left, _, threshold = alert["expr"].rpartition(" ")
    for other in other_thresholds(float(threshold)):
        expr = f"{left} {other:g}"
        assert is_noticed(tmp_path / f"{other:g}", alert["alert"], {"expr": expr}), f"{expr} passes too"


@pytest.mark.parametrize("alert", [alert for alert in alerts() if "for" in alert], ids=lambda alert: alert["alert"])
def test_more_or_less_patience_is_noticed(alert: dict[str, Any], tmp_path: Path) -> None:
    for other in ("0s", f"{2 * int(alert['for'].removesuffix('m'))}m"):
        assert is_noticed(tmp_path / other, alert["alert"], {"for": other}), f"for: {other} passes too"


def test_an_unchanged_rule_passes_in_the_same_surroundings(tmp_path: Path) -> None:
    """Else the tests above would show nothing."""
    assert not any(is_noticed(tmp_path / alert["alert"], alert["alert"], {}) for alert in alerts()[::5])


@pytest.mark.parametrize(
    ("written", "changed", "noticed_by"),
    [
        ('{cause!="sampled"}', "{}", "frames.yml"),
        (" and stream:vigil_stream_state:live", "", "streams.yml"),
        ('{state=~"stalled|reconnecting"}', '{state="stalled"}', "streams.yml"),
        ("(stream:vigil_frames_due:rate5m > 0)", "stream:vigil_frames_due:rate5m", "frames.yml"),
        (" >= 0", "", "frames.yml"),
        ("[5m]", "[30s]", "frames.yml"),
        (" and on (shard, instance, process, backend) vigil_engine_ready == 1", "", "engine.yml"),
        ("switched|switched_model|kept", "switched|switched_model", "engine.yml"),
        ("by (shard, instance, le)", "by (le)", "engine.yml"),
        ('{call="publish"}', "{}", "delivery.yml"),
        (
            "clamp_max(sum by (shard, instance, stream) (rate(vigil_blind_seconds_total[5m])), 1)",
            "sum by (shard, instance, stream) (rate(vigil_blind_seconds_total[5m]))",
            "streams.yml",
        ),
        (" unless stream:vigil_stream_state:failed == 1", "", "streams.yml"),
        ("(webhook:vigil_webhook_backlog:max > bool 0)", "(webhook:vigil_webhook_backlog:max >= bool 0)", "delivery.yml"),
        ("wrong_key|wrong_token", "wrong_key", "delivery.yml"),
        ('outcome!="delivered"', 'outcome="failed"', "delivery.yml"),
        ("(instance:vigil_up:min == 1)", "(instance:vigil_up:min)", "service.yml"),
        (" or vector(0)", "", "service.yml"),
    ],
)
def test_a_changed_recording_rule_is_noticed(written: str, changed: str, noticed_by: str, tmp_path: Path) -> None:
    shutil.copytree(RULES, tmp_path / "rules")
    path = tmp_path / "rules" / "recording.yml"
    text = path.read_text()
    assert written in text
    path.write_text(text.replace(written, changed))
    assert promtool("check", "rules", path).returncode == 0, "the change is no valid rule, so it shows nothing"
    (tmp_path / "tests").mkdir()
    assert promtool("test", "rules", shutil.copy(UNIT_TESTS / noticed_by, tmp_path / "tests")).returncode != 0


# ---- what each alert has ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alert", names(alerts()))
def test_each_alert_has_a_case_in_which_it_fires_and_one_in_which_it_is_silent(alert: str) -> None:
    of_this = [case["exp_alerts"] for case in cases() if case["alertname"] == alert]
    assert any(of_this), "no case in which it fires"
    assert not all(of_this), "no case in which it is silent"


@pytest.mark.parametrize("alert", alerts(), ids=names(alerts()))
def test_each_alert_compares_one_value_with_a_number(alert: dict[str, Any]) -> None:
    expr = promql_parser.parse(alert["expr"])
    assert isinstance(expr, promql_parser.BinaryExpr)
    assert str(expr.op) in COMPARISONS
    assert isinstance(expr.rhs, promql_parser.NumberLiteral)
    assert not isinstance(expr.lhs, promql_parser.BinaryExpr)


@pytest.mark.parametrize("alert", alerts(), ids=names(alerts()))
def test_each_alert_says_how_grave_it_is_what_it_is_and_where_to_read_on(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in ("warning", "critical")
    assert set(alert["annotations"]) == {"summary", "description", "runbook"}
    page, _, anchor = alert["annotations"]["runbook"].partition("#")
    assert ROOT / page == RUNBOOK
    assert anchor == alert["alert"].lower()


def test_the_runbook_has_a_section_of_each_alert_with_its_severity_and_no_other() -> None:
    sections = re.findall(r"^## (\w+)\n\n(\w+)", RUNBOOK.read_text(), re.MULTILINE)
    assert sorted(sections) == sorted((alert["alert"], alert["labels"]["severity"]) for alert in alerts())


def test_the_links_of_the_runbook_lead_to_its_sections() -> None:
    links = re.findall(r"\[(\w+)\]\(#(\w+)\)", RUNBOOK.read_text())
    assert links
    assert {anchor for _, anchor in links} <= {name.lower() for name in names(alerts())}
    assert all(anchor == name.lower() for name, anchor in links)


# ---- names ------------------------------------------------------------------------------------------------------------------


def test_every_metric_of_a_rule_exists_and_has_the_labels_it_is_asked_for() -> None:
    known, own = labels_by_name(), recorded(rules())
    for rule in rules():
        for selector in selectors(rule["expr"]):
            assert selector.name in own or selector.name in known, f"{selector.name} in {rule['expr']}"
            if selector.name in known:
                assert set(labels_of(selector)) <= known[selector.name], f"{selector.name} has other labels than {rule['expr']} asks for"


def test_every_series_of_a_unit_test_is_one_that_prometheus_would_have() -> None:
    known = labels_by_name()
    for test in unit_tests():
        for series in test["input_series"]:
            [selector] = selectors(series["series"])
            labels = labels_of(selector)
            if labels["job"] == "vigil":
                assert set(labels) == known[selector.name], series["series"]


def test_every_recording_rule_is_used_and_its_numbers_are_worked_out_by_hand_in_a_unit_test() -> None:
    used = {name for rule in rules() for name in metric_names(rule["expr"])}
    tested = {name for test in unit_tests() for one in test.get("promql_expr_test", []) for name in metric_names(one["expr"])}
    assert recorded(rules()) <= used
    assert recorded(rules()) <= tested


def test_values_of_labels_in_the_rules_are_those_of_the_code() -> None:
    found: dict[tuple[str, str], set[str]] = {}
    for rule in rules():
        for selector in selectors(rule["expr"]):
            for label, value in labels_of(selector).items():
                found.setdefault((selector.name, label), set()).update(value.split("|"))
    assert found["vigil_stream_state", "state"] <= set(STREAM_STATES)
    assert found["vigil_frames_dropped_total", "cause"] <= set(DROP_CAUSES)
    assert found["vigil_engine_swaps_total", "outcome"] == {outcome.name.lower() for outcome in GOOD}
