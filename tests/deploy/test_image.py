"""The cpu image for real: built by its own steps, started read-only as its own user, against a real Redis, and asked."""

import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.deploy.image_build import Image, built_image, mounted, require_builder
from tests.deploy.image_run import REDIS_URL, Container, Pod, container, pod, redis_says, redis_server
from tests.servers.process import wait_until

pytestmark = pytest.mark.timeout(900)
MEGABYTE = 10**6
BUILD_TOOLS = ("pip", "pip3", "gcc", "cc", "g++", "make", "ld", "git", "curl", "wget")
ORIGIN_PORT = 8080
ORIGIN = f"""
import time, service
from pathlib import Path
from service.cli.live_origin import LiveOrigin
with LiveOrigin(Path(service.__file__).parent / "cli/demo_clip/room.mp4", port={ORIGIN_PORT}):
    time.sleep(600)
"""
"""The demo's own live stream, from what the image has."""
MISSING_MODULES = ("pip", "setuptools", "wheel", "torch", "pytest")


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    require_builder()
    with built_image() as image:
        yield image


@pytest.fixture(scope="module")
def root(image: Image) -> Iterator[Path]:
    with mounted(image.name) as root:
        yield root


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder that the image's user may reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="vigil-image-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


class Serving(NamedTuple):
    """A container beside a Redis in a network of their own, and every (/healthz, /readyz) that it answered until it was ready."""

    container: Container
    network: Pod
    seen: list[tuple[int, int]]


@contextlib.contextmanager
def with_redis(image: Image, root: Path, **environment: str) -> Iterator[Serving]:
    with contextlib.ExitStack() as stack:
        folder, network = stack.enter_context(scratch()), stack.enter_context(pod())
        stack.enter_context(redis_server(network, folder))
        running = stack.enter_context(container(image, root, network, folder, VIGIL_REDIS_URL=REDIS_URL, **environment))
        yield Serving(running, network, running.wait_until_ready())


@pytest.fixture(scope="module")
def serving(image: Image, root: Path) -> Iterator[Serving]:
    """One for all tests that let it live; it may read from loopback."""
    with with_redis(image, root, VIGIL_ALLOW_NETWORKS='["127.0.0.0/8"]') as serving:
        yield serving


def say(line: str) -> None:
    """`make image-check` shows it."""
    sys.stdout.write(f"\n{line}\n")


def everything(root: Path) -> dict[str, tuple[int, float]]:
    return {str(path): (path.lstat().st_size, path.lstat().st_mtime) for path in root.rglob("*")}


def test_the_steps_of_the_cpu_target_build_an_image_and_print_what_they_install(image: Image) -> None:
    added = image.size_bytes - image.base_bytes
    say(f"/opt/vigil {image.installed}; the image adds {added // MEGABYTE} MB to a base of {image.base_bytes // MEGABYTE} MB")
    assert image.installed.endswith("M")
    assert 100 * MEGABYTE < added < 900 * MEGABYTE


def test_the_image_says_how_it_is_run(image: Image) -> None:
    assert image.config["User"] == "10001:10001"
    assert image.command == ["vigil", "serve"]
    assert set(image.config["Volumes"]) == {"/data", "/cache"}
    assert image.config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"


def test_no_build_tool_is_left_in_it(image: Image, root: Path) -> None:
    places = [root / place.lstrip("/") for place in image.environment["PATH"].split(":")]
    assert any((place / "vigil").exists() for place in places)
    assert [name for name in BUILD_TOOLS if any((place / name).exists() for place in places)] == []
    packages = next((root / "opt/vigil/lib").glob("python3*/site-packages"))
    assert (packages / "service").is_dir()
    assert [name for name in MISSING_MODULES if (packages / name).exists()] == []
    assert list((packages / "service" / "__pycache__").glob("bootstrap.*.pyc")), "bytecode lies beside the source"


def test_ready_once_the_engine_is_warm_and_not_before(image: Image, serving: Serving) -> None:
    answer = serving.network.ask("/readyz")
    say(f"(/healthz, /readyz): {serving.seen}; {answer.body}")
    assert (200, 503) in serving.seen
    assert answer.body["engine"].split(",")[0] in {"openvino", "onnxruntime"}
    assert serving.container.execute(*image.health_check).returncode == 0


def test_its_state_lies_in_the_redis_that_it_was_told(serving: Serving) -> None:
    assert int(redis_says(serving.network, "DBSIZE")) > 0
    assert serving.container.files("data") == []


def test_it_runs_as_its_own_user_without_any_capability(serving: Serving) -> None:
    status = dict(line.split(":\t") for line in Path(f"/proc/{serving.container.pid}/status").read_text().splitlines())
    assert set(status["Uid"].split()) == {"10001"}
    assert set(status["Gid"].split()) == {"10001"}
    assert (status["CapEff"], status["CapBnd"], status["NoNewPrivs"]) == ("0" * 16, "0" * 16, "1")
    assert status["NSpid"].split()[-1] == "1"


def test_a_write_outside_its_volumes_is_refused(serving: Serving) -> None:
    refused = serving.container.execute("touch", "/opt/vigil/new", "/etc/new", "/new")
    assert refused.stderr.count("Read-only file system") == 3
    assert serving.container.execute("touch", "/cache/new").returncode == 0


def test_a_live_stream_is_analysed_in_it(serving: Serving) -> None:
    network = serving.network
    with serving.container.running("python", "-c", ORIGIN):
        answer = network.ask("/v1/streams", url=f"http://127.0.0.1:{ORIGIN_PORT}/live.m3u8")
        assert answer.status == 201, answer.body
        path = f"/v1/streams/{answer.body['id']}"
        wait_until(lambda: bool(network.ask(f"{path}/graph").body.get("nodes")), "a graph with a node in it", 60)
        graph, stream = network.ask(f"{path}/graph").body, network.ask(path).body
    say(f"the stream is {stream['state']}; its graph: {sorted({node['label'] for node in graph['nodes']})}")
    assert stream["state"] == "live"


def test_it_outlives_its_redis_says_so_and_leaves_nothing_behind(image: Image, root: Path) -> None:
    before = everything(root)
    with with_redis(image, root) as (running, network, _):
        redis_says(network, "SHUTDOWN", "NOSAVE")
        assert network.ask("/healthz").status == 200
        assert network.ask("/readyz").status == 503
        assert running.execute(*image.health_check).returncode != 0
        assert running.stop() == 0
        say(f"in /cache: {running.files('cache')}, in /tmp: {running.files('tmp')}, in /data: {running.files('data')}")
        assert running.files("tmp") == []
        assert {name.split("/")[0] for name in running.files("cache")} == {"vigil"}, "the engine store and nothing else"
        assert everything(root) == before
        lines = [line for line in running.output.read_text().splitlines() if not line.startswith("vigil serves")]
        assert all("event" in json.loads(line) for line in lines), "JSON for a log collector"


def test_without_a_redis_its_state_lies_in_the_volume(image: Image, root: Path) -> None:
    with scratch() as folder, pod() as network, container(image, root, network, folder) as running:
        running.wait_until_ready()
        assert running.stop() == 0
        assert any(name.startswith("appendonlydir/") for name in running.files("data"))
        assert running.files("tmp") == []
