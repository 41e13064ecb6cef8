"""What docker-compose.yml must hold, one rule a function; each yields a sentence for every place where it does not.

Rules read the tree that `compose_file.load` makes. Knows nothing of how the file is laid out.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.deploy.compose_file import ROOT, Tree, active

PROFILES = ("cpu", "gpu")
NETWORKS = {
    "vigil": {"state", "inner", "edge"},
    "vigil-gpu": {"state", "inner", "edge"},
    "redis": {"state"},
    "mediamtx": {"inner", "edge"},
    "prometheus": {"inner"},
    "grafana": {"inner", "edge"},
}
PUBLISHED = {
    "vigil": {"127.0.0.1:8000:8000"},
    "vigil-gpu": {"127.0.0.1:8000:8000"},
    "grafana": {"127.0.0.1:3000:3000"},
    "mediamtx": {"0.0.0.0:1935:1935", "0.0.0.0:8890:8890/udp", "0.0.0.0:8889:8889", "0.0.0.0:8189:8189/udp"},
}
WRITTEN = {  # the only folders besides /tmp that a service may write
    "vigil": {"/data", "/cache"},
    "vigil-gpu": {"/data", "/cache"},
    "redis": {"/data"},
    "mediamtx": set(),
    "prometheus": {"/prometheus"},
    "grafana": {"/var/lib/grafana"},
}
KEEPS_STATE = ("--appendonly yes", "--maxmemory-policy noeviction", "--appendfsync everysec")
EXACT_TAG = re.compile(r"[a-z]+/[a-z]+:v?\d+\.\d+\.\d+(-[a-z]+)?")
FULL = ("restart", "mem_limit", "stop_grace_period", "logging", "networks")
ENV_OFF = ("GF_AUTH_ANONYMOUS_ENABLED", "GF_USERS_ALLOW_SIGN_UP", "GF_USERS_ALLOW_ORG_CREATE")

Rule = Callable[[Tree], Iterator[str]]


def only_these_ports_are_published(tree: Tree) -> Iterator[str]:
    for name, service in tree["services"].items():
        if (ports := set(service.get("ports", []))) != PUBLISHED.get(name, set()):
            yield f"{name} publishes {sorted(ports)}, expected {sorted(PUBLISHED.get(name, set()))}"


def each_is_on_its_networks(tree: Tree) -> Iterator[str]:
    for name, service in tree["services"].items():
        if set(service.get("networks", [])) != NETWORKS.get(name):
            yield f"{name} is on {sorted(service.get('networks', []))}"
    internal = {name for name, network in tree["networks"].items() if (network or {}).get("internal")}
    if internal != {"state", "inner"}:
        yield f"internal networks are {sorted(internal)}, expected state and inner"


def nothing_is_privileged(tree: Tree) -> Iterator[str]:
    for name, service in tree["services"].items():
        if service.get("cap_drop") != ["ALL"] or service.get("cap_add"):
            yield f"{name} keeps capabilities"
        if "no-new-privileges:true" not in service.get("security_opt", []) or service.get("privileged"):
            yield f"{name} may gain privileges"
        if service.get("network_mode") or service.get("pid"):
            yield f"{name} shares the machine's own namespaces"
        if any("docker.sock" in mount for mount in service.get("volumes", [])):
            yield f"{name} may command the engine"


def root_file_systems_are_read_only(tree: Tree) -> Iterator[str]:
    for name, service in tree["services"].items():
        if not service.get("read_only") or service.get("tmpfs") != ["/tmp"]:
            yield f"{name} has a writable root file system, or no /tmp"
        written = {target for _, target, mode in _mounts(service) if mode != "ro"}
        if written != WRITTEN.get(name):
            yield f"{name} may write {sorted(written)}"


def every_mount_exists_and_is_read_only(tree: Tree) -> Iterator[str]:
    for name, service in tree["services"].items():
        for source, target, mode in _mounts(service):
            if not source.startswith("."):
                if source not in tree["volumes"]:
                    yield f"{name} mounts the volume {source}, which is not declared"
            elif not (ROOT / source).exists():
                yield f"{name} mounts {source}, which is not in the repository"
            elif mode != "ro":
                yield f"{name} mounts {source} at {target} writable"


def policies_are_mounted_as_a_folder(tree: Tree) -> Iterator[str]:
    for name in ("vigil", "vigil-gpu"):
        service = tree["services"][name]
        sources = [source for source, target, _ in _mounts(service) if target == service["environment"]["VIGIL_POLICIES"]]
        if not sources or not (ROOT / sources[0]).is_dir():
            yield f"{name} mounts {sources} as its policies, expected a folder: of a file, an editor's replacement is not seen"


def redis_keeps_state(tree: Tree) -> Iterator[str]:
    command = " ".join(tree["services"]["redis"]["command"])
    yield from (f"redis runs without {option}" for option in KEEPS_STATE if option not in command)
    limit = re.search(r"--maxmemory (\d+)mb", command)
    if limit is None:
        yield "redis has no limit of memory"
    elif int(limit[1]) * 2 > int(tree["services"]["redis"]["mem_limit"].removesuffix("m")):
        yield "redis may hold more than half of its container's memory, but forks to rewrite its file"


def grafana_asks_who_it_is(tree: Tree) -> Iterator[str]:
    given = tree["services"]["grafana"]["environment"]
    yield from (f"grafana: {name} is {given.get(name)!r}, expected 'false'" for name in ENV_OFF if given.get(name) != "false")
    if len(given.get("GF_SECURITY_ADMIN_PASSWORD", "")) < 16:
        yield "grafana: the administrator's password is not one that was made"


def mediamtx_asks_vigil(tree: Tree) -> Iterator[str]:
    given = tree["services"]["mediamtx"]["environment"]
    token = tree["services"]["vigil"]["environment"]["VIGIL_HOOK_TOKEN"]
    if given.get("MTX_AUTHHTTPADDRESS") != f"http://vigil:{token}@vigil:8000/v1/hooks/mediamtx/auth":
        yield f"mediamtx asks {given.get('MTX_AUTHHTTPADDRESS')} who may publish"
    if given.get("VIGIL_HOOK_TOKEN") != token:
        yield "mediamtx's hook has another token than Vigil"


def one_service_answers_as_vigil(tree: Tree) -> Iterator[str]:
    for profile in PROFILES:
        for network in ("state", "inner", "edge"):
            named = [name for name, service in active(tree, profile).items() if "vigil" in _names(name, service, network)]
            if len(named) != 1:
                yield f"with profile {profile}, {named} answer as vigil on {network}"


def the_gpu_is_reserved(tree: Tree) -> Iterator[str]:
    device = {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
    if tree["services"]["vigil-gpu"].get("deploy", {}).get("resources", {}).get("reservations", {}).get("devices") != [device]:
        yield "vigil-gpu reserves no GPU"
    targets = {name: tree["services"][name]["build"]["target"] for name in ("vigil", "vigil-gpu")}
    if targets != {"vigil": "cpu", "vigil-gpu": "gpu"}:
        yield f"targets are {targets}"
    caches = {name: [source for source, at, _ in _mounts(tree["services"][name]) if at == "/cache"] for name in targets}
    if caches["vigil"] == caches["vigil-gpu"]:
        yield "both kinds share a cache of engines"


def each_is_healthy_before_it_is_asked(tree: Tree) -> Iterator[str]:
    dockerfile = (ROOT / "Dockerfile").read_text()
    for name, service in tree["services"].items():
        in_image = "build" in service and "/readyz" in dockerfile and "HEALTHCHECK" in dockerfile
        if not service.get("healthcheck", {}).get("test") and not in_image:
            yield f"{name} has no healthcheck"
        for other, how in service.get("depends_on", {}).items():
            if how["condition"] != "service_healthy":
                yield f"{name} does not wait until {other} is healthy"
            if tree["services"][other].get("profiles"):
                yield f"{name} waits for {other}, which does not always start"


def nothing_grows_or_runs_without_a_limit(tree: Tree) -> Iterator[str]:
    for name, service in tree["services"].items():
        yield from (f"{name} has no {key}" for key in FULL if not service.get(key))
        if not {"max-size", "max-file"} <= set(service.get("logging", {}).get("options", {})):
            yield f"{name} logs without end"


def images_have_exact_tags(tree: Tree) -> Iterator[str]:
    for name, service in tree["services"].items():
        if "build" not in service and not EXACT_TAG.fullmatch(service["image"]):
            yield f"{name} takes {service['image']}, expected NAME:X.Y.Z"


def private_networks_stay_refused(tree: Tree) -> Iterator[str]:
    for name in ("vigil", "vigil-gpu"):
        given = tree["services"][name]["environment"]
        if "VIGIL_ALLOW_NETWORKS" in given:
            yield f"{name} lets stream URLs point to {given['VIGIL_ALLOW_NETWORKS']}"
        if '"vigil"' not in given["VIGIL_ALLOW_HOSTS"]:
            yield f"{name} does not answer to the name vigil"


RULES: tuple[Rule, ...] = (
    only_these_ports_are_published, each_is_on_its_networks, nothing_is_privileged, root_file_systems_are_read_only,
    every_mount_exists_and_is_read_only, policies_are_mounted_as_a_folder, redis_keeps_state, grafana_asks_who_it_is, mediamtx_asks_vigil,
    one_service_answers_as_vigil, the_gpu_is_reserved, each_is_healthy_before_it_is_asked, nothing_grows_or_runs_without_a_limit,
    images_have_exact_tags, private_networks_stay_refused,
)  # fmt: skip


def _mounts(service: Tree) -> Iterator[tuple[str, str, str]]:
    """(source, target, mode) of each; the mode is empty where nothing is said."""
    for mount in service.get("volumes", []):
        source, target, mode = (*mount.split(":"), "")[:3]
        yield source, str(Path(target)), mode


def _names(name: str, service: Tree, network: str) -> set[str]:
    networks = service.get("networks", [])
    if network not in networks:
        return set()
    return {name, *((networks[network] or {}).get("aliases", []) if isinstance(networks, dict) else [])}
