"""deploy/mediamtx: documented keys only, the ports that are published, and a hook that really asks what Vigil serves."""

import base64
import re
import shlex
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import yaml

from tests.deploy.compose_file import COMPOSE, EXAMPLE, ROOT, Tree, load, read_env
from tests.deploy.documented import KEYS, faults, kinds_of
from tests.servers.process import require_binary

DOCUMENTED = KEYS["mediamtx"]
TOKEN = "5eed" * 12


@pytest.fixture(scope="module")
def config() -> Tree:
    return dict(yaml.safe_load((ROOT / "deploy" / "mediamtx" / "mediamtx.yml").read_text()))


@pytest.fixture(scope="module")
def service() -> Tree:
    variables = read_env(EXAMPLE.read_text()) | {"GRAFANA_PASSWORD": "x", "VIGIL_HOOK_TOKEN": TOKEN}
    return dict(load(COMPOSE.read_text(), variables)["services"]["mediamtx"])


def all_faults(config: Tree) -> list[str]:
    paths = [config["pathDefaults"], *(path or {} for path in config["paths"].values())]
    return [
        *faults(config, DOCUMENTED["global"], DOCUMENTED["choices"]),
        *(fault for path in paths for fault in faults(path, DOCUMENTED["path"])),
    ]


def test_every_key_is_documented_and_of_its_kind(config: Tree) -> None:
    assert all_faults(config) == []


@pytest.mark.parametrize(
    ("part", "key", "value", "sentence"),
    [
        (None, "rtmpPort", 1935, "rtmpPort is not documented"),
        (None, "authMethod", "https", "authMethod is 'https', expected one of"),
        (None, "hls", "on", "hls is 'on', expected boolean"),
        (None, "hlsSegmentCount", True, "hlsSegmentCount is True, expected integer"),
        ("pathDefaults", "runOnNotReady", "wget", "runOnNotReady is not documented"),
        ("pathDefaults", "record", "no", "record is 'no', expected boolean"),
    ],
)
def test_a_key_that_is_not_documented_or_of_another_kind_is_refused(
    config: Tree, part: str | None, key: str, value: object, sentence: str
) -> None:
    broken = {**config, part: {**config[part], key: value}} if part else {**config, key: value}
    assert sentence in all_faults(broken)[0]


def test_every_variable_that_compose_passes_is_a_documented_key(service: Tree) -> None:
    known = {f"MTX_{key.upper()}" for key in kinds_of(DOCUMENTED["global"])}
    passed = {name for name in service["environment"] if name.startswith("MTX_")}
    assert passed == {"MTX_AUTHHTTPADDRESS", "MTX_WEBRTCADDITIONALHOSTS"} & known


def test_what_takes_pushes_is_published_and_nothing_else(config: Tree, service: Tree) -> None:
    addresses = {key: config[key].removeprefix(":") for key in ("rtmpAddress", "srtAddress", "webrtcAddress", "webrtcLocalUDPAddress")}
    published = {mapping.rpartition(":")[2] for mapping in service["ports"]}
    udp = {"srtAddress", "webrtcLocalUDPAddress"}
    assert published == {port + ("/udp" if key in udp else "") for key, port in addresses.items()}
    assert [config[name] for name in ("rtmp", "srt", "webrtc", "hls")] == [True] * 4
    assert [config[name] for name in ("rtsp", "api", "playback", "pprof")] == [False] * 4
    assert config["hlsAddress"].removeprefix(":") not in published
    assert f"http://{config['metricsAddress']}/metrics" in service["healthcheck"]["test"]


def test_everybody_is_asked_about_and_only_the_health_page_is_not(config: Tree) -> None:
    assert (config["authMethod"], config["authHTTPExclude"]) == ("http", [{"action": "metrics"}])
    assert config["metricsAddress"].startswith("127.0.0.1:")


@pytest.mark.parametrize(
    ("path", "is_taken"),
    [
        ("live/3f9a_B-c", True),
        ("live/a&token=b", False),
        ("live/a b", False),
        ("live/a/b", False),
        ("live/", False),
        ("other/key", False),
        ("evil/live/key", False),
    ],
)
def test_only_paths_that_need_no_encoding_are_taken(config: Tree, path: str, is_taken: bool) -> None:
    patterns = [name.removeprefix("~") for name in config["paths"]]
    assert any(re.search(pattern, path) for pattern in patterns) == is_taken
    assert not is_taken or quote(path) == path


class Vigil(HTTPServer):
    """Notes every request that the hook makes."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str, bytes]] = []
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: Vigil

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append(("POST", self.path, self.headers.get("Authorization") or "", body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def vigil() -> Iterator[Vigil]:
    with Vigil() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def programs(tmp_path: Path) -> str:
    """A PATH with busybox's wget and timeout, as in the image. GNU's wget would send no password before it is asked for one."""
    for name in ("wget", "timeout"):
        (tmp_path / name).symlink_to(require_binary("busybox"))
    return str(tmp_path)


def test_a_publisher_who_leaves_is_told_to_vigil(config: Tree, programs: str, vigil: Vigil) -> None:
    told = {"MTX_PATH": "live/key_1-A", "MTX_SOURCE_ID": "6f3ea2cc-1f2b-4a07-9a77-1c1a5d5f9f10", "VIGIL_HOOK_TOKEN": TOKEN}
    line = config["pathDefaults"]["runOnUnavailable"]
    assert set(re.findall(r"\$(\w+)", line)) == set(told)
    assert set(told) - {"VIGIL_HOOK_TOKEN"} <= set(DOCUMENTED["hook_variables"].split())
    words = [re.sub(r"\$(\w+)", lambda name: told[name[1]], word) for word in shlex.split(line)]
    words = [word.replace("@vigil:8000/", f"@127.0.0.1:{vigil.server_port}/") for word in words]
    subprocess.run([Path(programs) / words[0], *words[1:]], check=True, timeout=20, env={"PATH": programs})
    ((method, target, authorization, body),) = vigil.seen
    assert authorization == "Basic " + base64.b64encode(f"vigil:{TOKEN}".encode()).decode()
    assert (method, urlsplit(target).path, body) == ("POST", "/v1/hooks/mediamtx/unpublish", b"")
    assert parse_qs(urlsplit(target).query) == {"path": ["live/key_1-A"], "id": [told["MTX_SOURCE_ID"]]}
