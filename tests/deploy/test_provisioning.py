"""deploy/grafana/provisioning: documented keys only, and paths and addresses that the compose file has."""

import json
from copy import deepcopy
from typing import Any

import pytest
import yaml

from tests.deploy.compose_file import COMPOSE, ROOT, Tree
from tests.deploy.documented import KEYS, faults

FOLDER = ROOT / "deploy" / "grafana" / "provisioning"
DOCUMENTED = KEYS["grafana"]
FILES = {"datasources": "datasources/prometheus.yaml", "dashboards": "dashboards/vigil.yaml"}
LISTS = {"datasources": "datasources", "dashboards": "providers"}
INSIDE = {"datasources": ("jsonData", "prometheus"), "dashboards": ("options", "options")}


def read(kind: str) -> Tree:
    return dict(yaml.safe_load((FOLDER / FILES[kind]).read_text()))


def all_faults(kind: str, config: Tree) -> list[str]:
    documented, (inner, inner_keys) = DOCUMENTED[kind], INSIDE[kind]
    found = list(faults(config, documented["file"]))
    for entry in config[LISTS[kind]]:
        found += [f"{key} is missing" for key in documented["required"].split() if key not in entry]
        found += faults(entry, documented["entry"], documented["choices"])
        found += faults(entry.get(inner, {}), documented[inner_keys])
    return found


def compose() -> dict[str, Any]:
    return dict(yaml.safe_load(COMPOSE.read_text())["services"])


def test_there_are_no_other_provisioning_files() -> None:
    assert sorted(str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.is_file()) == sorted(FILES.values())


@pytest.mark.parametrize("kind", FILES)
def test_every_key_is_documented_and_of_its_kind(kind: str) -> None:
    config = read(kind)
    assert all_faults(kind, config) == []
    assert config["apiVersion"] == 1


@pytest.mark.parametrize(
    ("kind", "where", "key", "value", "sentence"),
    [
        ("datasources", "entry", "readOnly", True, "readOnly is not documented"),
        ("datasources", "entry", "access", "server", "access is 'server', expected one of"),
        ("datasources", "entry", "isDefault", "yes", "isDefault is 'yes', expected boolean"),
        ("datasources", "jsonData", "interval", "5s", "interval is not documented"),
        ("datasources", "file", "apiVersion", "1", "apiVersion is '1', expected integer"),
        ("dashboards", "entry", "updateInterval", 10, "updateInterval is not documented"),
        ("dashboards", "options", "folder", "/x", "folder is not documented"),
    ],
)
def test_a_key_that_is_not_documented_or_of_another_kind_is_refused(kind: str, where: str, key: str, value: object, sentence: str) -> None:
    config = deepcopy(read(kind))
    entry = config[LISTS[kind]][0]
    {"file": config, "entry": entry}.get(where, entry.get(where))[key] = value
    assert any(sentence in fault for fault in all_faults(kind, config))


@pytest.mark.parametrize("kind", FILES)
def test_an_entry_without_a_required_key_is_refused(kind: str) -> None:
    config = read(kind)
    del config[LISTS[kind]][0]["name"]
    assert all_faults(kind, config) == ["name is missing"]


def test_the_data_source_is_the_prometheus_beside_it_and_cannot_be_edited() -> None:
    (source,) = read("datasources")["datasources"]
    assert (source["type"], source["uid"], source["isDefault"], source["editable"]) == ("prometheus", "prometheus", True, False)
    services = compose()
    assert source["url"] == "http://prometheus:9090"
    assert set(services["prometheus"]["networks"]) & set(services["grafana"]["networks"])
    scraped = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())["global"]["scrape_interval"]
    assert source["jsonData"]["timeInterval"] == scraped


def test_dashboards_are_looked_for_where_they_are_mounted() -> None:
    (provider,) = read("dashboards")["providers"]
    mounts = dict(mount.split(":")[1::-1] for mount in compose()["grafana"]["volumes"])
    assert mounts[provider["options"]["path"]] == "./deploy/grafana/dashboards"
    assert {mounts[f"/etc/grafana/provisioning/{kind}"] for kind in FILES} == {f"./deploy/grafana/provisioning/{kind}" for kind in FILES}
    assert (provider["allowUiUpdates"], provider["disableDeletion"]) == (False, True)


def test_dashboards_name_no_data_source_that_is_not_provisioned() -> None:
    uids = {source["uid"] for source in read("datasources")["datasources"]}
    named = {
        source["uid"]
        for path in (ROOT / "deploy" / "grafana" / "dashboards").glob("*.json")
        for source in _sources(json.loads(path.read_text()))
        if not source["uid"].startswith(("${", "-- "))
    }
    assert named <= uids | {"grafana"}


def _sources(node: Any) -> list[dict[str, str]]:
    """Every `datasource` of a dashboard that names one."""
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    own = node.get("datasource") if isinstance(node, dict) else None
    found = [own] if isinstance(own, dict) and "uid" in own else []
    return found + [source for child in children for source in _sources(child)]
