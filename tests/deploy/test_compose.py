"""docker-compose.yml keeps to the Compose specification and to every rule, and each rule refuses a file that breaks it."""

import copy
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import compose_spec
import pytest
import redis
import yaml

from service.settings import Settings
from tests.deploy import compose_rules as rules
from tests.deploy.compose_file import COMPOSE, EXAMPLE, Tree, active, interpolate, load, read_env
from tests.servers.process import end_process, free_port, is_listening, require_binary, wait_until

SECRETS = {"GRAFANA_PASSWORD": "c0ffee" * 8, "VIGIL_HOOK_TOKEN": "5eed" * 12}
Break = Callable[[dict[str, Tree]], object]


@pytest.fixture(scope="module")
def whole() -> Tree:
    return load(COMPOSE.read_text(), read_env(EXAMPLE.read_text()) | SECRETS)


@pytest.fixture
def tree(whole: Tree) -> Tree:
    return copy.deepcopy(whole)


def test_the_file_keeps_to_the_compose_specification(tree: Tree) -> None:
    read = compose_spec.PyCompose.from_yaml(yaml.safe_dump(tree))
    read.validate()
    read.to_spec()
    assert sorted(read.service_names()) == sorted(rules.NETWORKS)


def test_the_specification_refuses_an_unknown_key_and_an_undeclared_network(tree: Tree) -> None:
    tree["services"]["redis"]["memory_limit"] = "1g"
    with pytest.raises(ValueError, match="memory_limit"):
        compose_spec.PyCompose.from_yaml(yaml.safe_dump(tree))
    del tree["services"]["redis"]["memory_limit"]
    tree["services"]["redis"]["networks"] = ["nowhere"]
    with pytest.raises(ValueError, match="nowhere"):
        compose_spec.PyCompose.from_yaml(yaml.safe_dump(tree)).validate()


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_the_file_keeps_to(rule: rules.Rule, tree: Tree) -> None:
    assert list(rule(tree)) == []


BROKEN: list[tuple[rules.Rule, Break, str]] = [
    (rules.only_these_ports_are_published, lambda s: s["redis"].update(ports=["6379:6379"]), "redis publishes"),
    (rules.only_these_ports_are_published, lambda s: s["vigil"].update(ports=["0.0.0.0:8000:8000"]), "vigil publishes"),
    (rules.each_is_on_its_networks, lambda s: s["redis"].update(networks=["state", "edge"]), "redis is on"),
    (rules.nothing_is_privileged, lambda s: s["grafana"].update(privileged=True), "grafana may gain"),
    (rules.nothing_is_privileged, lambda s: s["redis"].update(cap_drop=[]), "redis keeps capabilities"),
    (rules.nothing_is_privileged, lambda s: s["vigil"].update(network_mode="host"), "vigil shares"),
    (rules.nothing_is_privileged, lambda s: s["vigil"]["volumes"].append("/var/run/docker.sock:/d.sock:ro"), "vigil may command"),
    (rules.root_file_systems_are_read_only, lambda s: s["mediamtx"].pop("read_only"), "mediamtx has a writable"),
    (rules.root_file_systems_are_read_only, lambda s: s["redis"]["volumes"].append("grafana-data:/etc"), "redis may write"),
    (rules.every_mount_exists_and_is_read_only, lambda s: s["vigil"]["volumes"].append("./gone:/gone:ro"), "not in the repository"),
    (rules.every_mount_exists_and_is_read_only, lambda s: s["vigil"]["volumes"].append("gone:/gone"), "not declared"),
    (rules.every_mount_exists_and_is_read_only, lambda s: s["vigil"].update(volumes=["./deploy/policies:/p"]), "writable"),
    (
        rules.policies_are_mounted_as_a_folder,
        lambda s: s["vigil"].update(volumes=["./deploy/policies/default.yaml:/etc/vigil/policies:ro"]),
        "expected a folder",
    ),
    (rules.redis_keeps_state, lambda s: s["redis"]["command"].remove("noeviction"), "noeviction"),
    (rules.redis_keeps_state, lambda s: s["redis"]["command"].remove("yes"), "--appendonly yes"),
    (rules.redis_keeps_state, lambda s: s["redis"].update(mem_limit="600m"), "more than half"),
    (rules.grafana_asks_who_it_is, lambda s: s["grafana"]["environment"].update(GF_AUTH_ANONYMOUS_ENABLED="true"), "ANONYMOUS"),
    (rules.grafana_asks_who_it_is, lambda s: s["grafana"]["environment"].update(GF_SECURITY_ADMIN_PASSWORD="admin"), "password"),
    (rules.mediamtx_asks_vigil, lambda s: s["mediamtx"]["environment"].pop("MTX_AUTHHTTPADDRESS"), "asks None"),
    (rules.mediamtx_asks_vigil, lambda s: s["mediamtx"]["environment"].update(VIGIL_HOOK_TOKEN="other"), "another token"),
    (rules.one_service_answers_as_vigil, lambda s: s["vigil"].pop("profiles"), "with profile gpu, ['vigil', 'vigil-gpu']"),
    (rules.one_service_answers_as_vigil, lambda s: s["vigil-gpu"].update(networks=["state"]), "with profile gpu, []"),
    (rules.the_gpu_is_reserved, lambda s: s["vigil-gpu"].pop("deploy"), "reserves no GPU"),
    (rules.the_gpu_is_reserved, lambda s: s["vigil-gpu"]["build"].update(target="cpu"), "targets are"),
    (rules.the_gpu_is_reserved, lambda s: s["vigil-gpu"].update(volumes=["vigil-cache:/cache"]), "share a cache"),
    (rules.each_is_healthy_before_it_is_asked, lambda s: s["redis"].pop("healthcheck"), "redis has no healthcheck"),
    (rules.each_is_healthy_before_it_is_asked, lambda s: s["vigil"].pop("build"), "vigil has no healthcheck"),
    (
        rules.each_is_healthy_before_it_is_asked,
        lambda s: s["grafana"].update(depends_on={"vigil": {"condition": "service_started"}}),
        "grafana waits for vigil",
    ),
    (rules.nothing_grows_or_runs_without_a_limit, lambda s: s["prometheus"].pop("mem_limit"), "no mem_limit"),
    (rules.nothing_grows_or_runs_without_a_limit, lambda s: s["vigil"].update(logging={"driver": "json-file"}), "without end"),
    (rules.images_have_exact_tags, lambda s: s["redis"].update(image="valkey/valkey:8"), "valkey/valkey:8"),
    (rules.private_networks_stay_refused, lambda s: s["vigil"]["environment"].update(VIGIL_ALLOW_NETWORKS="[]"), "point to"),
    (rules.private_networks_stay_refused, lambda s: s["vigil"]["environment"].update(VIGIL_ALLOW_HOSTS="[]"), "the name vigil"),
]


@pytest.mark.parametrize(("rule", "damage", "sentence"), BROKEN)
def test_a_rule_refuses_a_broken_file(rule: rules.Rule, damage: Break, sentence: str, tree: Tree) -> None:
    damage(tree["services"])
    assert sentence in "\n".join(rule(tree))


def test_every_rule_was_seen_to_refuse_something() -> None:
    assert {rule for rule, _, _ in BROKEN} == set(rules.RULES)


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_nothing_starts_without_the_secrets(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is not set, see the top of .env.example"):
        load(COMPOSE.read_text(), read_env(EXAMPLE.read_text()) | SECRETS | {name: ""})


def test_the_profile_of_the_example_starts_all_but_the_gpu_service(tree: Tree) -> None:
    profile = read_env(EXAMPLE.read_text())["COMPOSE_PROFILES"]
    assert set(tree["services"]) - set(active(tree, profile)) == {"vigil-gpu"}
    assert set(tree["services"]) - set(active(tree, "gpu")) == {"vigil"}


@pytest.mark.parametrize("service", ["vigil", "vigil-gpu"])
def test_vigil_takes_every_setting_and_reads_what_it_is_given(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = yaml.safe_load(COMPOSE.read_text())["services"][service]["environment"]
    assert {name.removeprefix("VIGIL_").lower() for name in given} == set(Settings.model_fields)
    chosen = read_env(EXAMPLE.read_text()) | SECRETS | {"PUBLIC_NAME": "cam.example.com", "VIGIL_MAX_STREAMS": "40"}
    for name, value in load(COMPOSE.read_text(), chosen)["services"][service]["environment"].items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert (settings.max_streams, settings.log_json, settings.allow_networks) == (40, True, ())
    assert settings.allow_hosts == ("vigil", "cam.example.com")
    assert (settings.push_url, settings.push_play_url) == ("rtmp://cam.example.com:1935/live", "rtmp://mediamtx:1935/live")
    assert settings.advertise == "vigil:8000"


def test_a_real_server_takes_redis_command_and_evicts_nothing(tree: Tree, tmp_path: Path) -> None:
    _, *options = tree["services"]["redis"]["command"]
    binary, port = require_binary("redis-server"), free_port()
    process = subprocess.Popen(
        [binary, *options, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(tmp_path)], stdout=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: is_listening(port), "redis-server to listen")
        with redis.Redis(port=port) as client:
            kept = client.config_get("appendonly", "appendfsync", "maxmemory", "maxmemory-policy")
            client.set("state", "kept")
    finally:
        end_process(process)
    assert kept == {"appendonly": "yes", "appendfsync": "everysec", "maxmemory": str(512 * 2**20), "maxmemory-policy": "noeviction"}
    assert any(b"kept" in path.read_bytes() for path in tmp_path.rglob("*.aof"))


def test_variables_are_filled_in_as_the_engine_does() -> None:
    known = {"A": "1", "EMPTY": ""}
    text = "$A ${A} ${EMPTY:-x} ${GONE:-y ${A}} $$A ${GONE}."
    assert interpolate(text, known) == "1 1 x y 1 $A ."
    for broken in ("${A", "$", "${A+b}", "${EMPTY:?is empty}"):
        with pytest.raises(ValueError, match=r"brace|lone|expected|is empty"):
            interpolate(broken, known)


def test_docker_compose_reads_the_file_the_same_way() -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("there is no docker client with compose on this machine")
    variables = read_env(EXAMPLE.read_text()) | SECRETS
    command = [docker, "compose", "--env-file", str(EXAMPLE), "-f", str(COMPOSE), "--profile", "gpu", "config", "--format", "json"]
    told = subprocess.run(command, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", "HOME": "/tmp", **SECRETS}, check=True)
    wanted = active(load(COMPOSE.read_text(), variables), "gpu")
    got = json.loads(told.stdout)["services"]
    assert {name: service["environment"] for name, service in got.items() if service.get("environment")} == {
        name: service["environment"] for name, service in wanted.items() if service["environment"]
    }
