"""The Dockerfile against what it promises: pinned, hashed, without root, without build tools, asked on /readyz."""

import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.deploy.image_file import DOCKERFILE, ROOT, Stage, read
from tests.repository.test_pins import pins
from tests.servers.process import require_binary

ARGUMENTS, STAGES = read()
TARGETS = {stage.name: stage for stage in STAGES if stage.name in {"cpu", "gpu"}}
NPM = Path(__file__).parent / "npm"
INSTALL_WITHIN_S = 60
BUILD_TOOLS = re.compile(r"\b(pip|ensurepip|gcc|g\+\+|build-essential|make|python3-venv|python3-dev|git|curl|wget)\b")
SECRET = re.compile(r"password|passwd|secret|token|api_?key|credential", re.IGNORECASE)
of_both = pytest.mark.parametrize("stage", TARGETS.values(), ids=TARGETS)


def test_the_targets_are_cpu_and_gpu_and_a_plain_build_makes_cpu() -> None:
    assert set(TARGETS) == {"cpu", "gpu"}
    assert STAGES[-1].name == "cpu"


def test_every_base_image_is_an_argument_with_an_exact_tag() -> None:
    assert {stage.base for stage in STAGES} == {f"${{{name}}}" for name in ARGUMENTS}
    for image in ARGUMENTS.values():
        tag = image.rpartition(":")[2]
        assert re.match(r"\d+\.\d+\.\d+-", tag), f"{image} may be another image tomorrow"


def test_the_editors_validator_finds_nothing() -> None:
    assert linted(DOCKERFILE) == []


def test_the_editors_validator_finds_what_is_wrong(tmp_path: Path) -> None:
    wrong = tmp_path / "Dockerfile"
    wrong.write_text("FROM scratch\nWORKDIR here\nCOPY a b c\nHEALTHCHECK --often=1s CMD x\n")
    assert [line.partition(":")[0] for line in linted(wrong)] == ["2", "3", "4"]


def linted(path: Path) -> list[str]:
    npm, node = require_binary("npm"), require_binary("node")
    if not (NPM / "node_modules" / ".package-lock.json").exists():
        try:
            ran = subprocess.run([npm, "ci", "--ignore-scripts"], cwd=NPM, capture_output=True, timeout=INSTALL_WITHIN_S, check=False)
        except subprocess.TimeoutExpired:
            pytest.skip("npm cannot install dockerfile-utils here: it found no registry in time")
        if ran.returncode != 0:
            pytest.skip(f"npm cannot install dockerfile-utils here: {ran.stderr.decode().splitlines()[:1]}")
    done = subprocess.run([node, "lint.js", str(path)], cwd=NPM, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


class _Ready(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Silent."""


@contextmanager
def ready() -> Iterator[int]:
    """The port of something that answers 200 on /readyz."""
    with HTTPServer(("127.0.0.1", 0), _Ready) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@of_both
def test_it_runs_as_a_numbered_user_that_is_not_root(stage: Stage) -> None:
    assert stage.last("USER").text == "10001:10001"
    after = stage.instructions[stage.instructions.index(stage.last("USER")) :]
    assert not {"RUN", "COPY", "ADD"} & {instruction.name for instruction in after}, "root owns every file"


@of_both
def test_health_is_that_of_readyz_by_the_image_s_own_python_whatever_proxy_is_set(stage: Stage) -> None:
    check = stage.last("HEALTHCHECK")
    assert check.is_json
    assert check.words[:3] == ("CMD", "python", "-c")
    with ready() as port:
        behind_a_proxy = {"VIGIL_PORT": str(port), "http_proxy": "http://127.0.0.1:1", "no_proxy": ""}
        asked = subprocess.run([sys.executable, *check.words[2:]], env=behind_a_proxy, capture_output=True, text=True, check=False)
    assert asked.returncode == 0, asked.stderr
    patience_s = {"cpu": 60, "gpu": 900}[stage.name]
    found = re.search(r"--start-period=(\d+)([sm])", " ".join(check.flags))
    assert found is not None
    assert int(found[1]) * {"s": 1, "m": 60}[found[2]] >= patience_s


@of_both
def test_process_one_is_vigil_itself_so_that_it_gets_the_signal(stage: Stage) -> None:
    assert stage.last("ENTRYPOINT").is_json
    assert stage.last("CMD").is_json
    assert (stage.last("ENTRYPOINT").words, stage.last("CMD").words) == (("vigil",), ("serve",))
    assert stage.last("STOPSIGNAL").text == "SIGTERM"


@of_both
def test_all_that_is_written_goes_to_volumes(stage: Stage) -> None:
    environment, volumes = stage.pairs("ENV"), stage.last("VOLUME").words
    assert volumes == ("/data", "/cache")
    assert {environment[name] for name in ("VIGIL_DATA_DIR", "HOME", "XDG_CACHE_HOME")} == set(volumes)
    assert environment["PYTHONDONTWRITEBYTECODE"] == "1"
    owned = [command for _, command in stage.commands() if command.startswith("install -d")]
    assert owned == ["install -d -o 10001 -g 10001 -m 0700 /data /cache"]


def test_both_images_are_run_alike() -> None:
    cpu, gpu = (TARGETS[name] for name in ("cpu", "gpu"))
    driver = {"NVIDIA_VISIBLE_DEVICES": "all", "NVIDIA_DRIVER_CAPABILITIES": "compute,utility,video"}
    assert cpu.pairs("ENV") | driver == gpu.pairs("ENV")
    for name in ("USER", "VOLUME", "EXPOSE", "ENTRYPOINT", "CMD", "WORKDIR"):
        assert cpu.last(name).words == gpu.last(name).words


@of_both
def test_labels_say_what_it_is_and_the_version_is_the_package_s(stage: Stage) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    labels = stage.pairs("LABEL")
    assert labels["org.opencontainers.image.licenses"] == project["license"]
    assert labels["org.opencontainers.image.version"] == "${VERSION}"
    assert f"VERSION={project['version']}" in [argument.text for argument in stage.all("ARG")]
    assert {"title", "description", "revision", "base.name"} <= {name.removeprefix("org.opencontainers.image.") for name in labels}


@of_both
def test_the_last_stage_installs_no_build_tool(stage: Stage) -> None:
    installing = [command for _, command in stage.commands() if re.search(r"\binstall\b", command) and not command.startswith("install -d")]
    assert [command for command in installing if BUILD_TOOLS.search(command)] == []
    copied = [copy for copy in stage.all("COPY") if any(flag.startswith("--from=") for flag in copy.flags)]
    assert [copy.words for copy in copied] == [("/opt/vigil", "/opt/vigil")]


def test_what_goes_into_an_image_never_had_pip() -> None:
    makers = [command for stage in STAGES for _, command in stage.commands() if "-m venv" in command and command.endswith("/opt/vigil")]
    assert len(makers) == len(TARGETS)
    assert all("--without-pip" in command for command in makers)


def test_every_install_checks_hashes_or_takes_only_what_was_built_before() -> None:
    commands = [command for stage in STAGES for _, command in stage.commands() if re.search(r"pip\b.* (install|wheel|download)\b", command)]
    assert len(commands) >= 6
    for command in commands:
        is_hashed = "--require-hashes" in command and re.search(r"-r requirements/[\w-]+\.txt", command)
        is_local = "--no-deps" in command and ("--no-index" in command or command.endswith(" ."))
        assert is_hashed or is_local, command
        assert "--no-cache-dir" in command
        assert "://" not in command


def test_nothing_is_added_from_an_address_and_no_secret_is_asked_for() -> None:
    assert not [instruction for stage in STAGES for instruction in stage.all("ADD")]
    names = [word for stage in STAGES for kind in ("ARG", "ENV") for instruction in stage.all(kind) for word in instruction.words]
    assert not [name for name in [*names, *ARGUMENTS] if SECRET.search(name)]
    assert "://" not in "".join(
        word for stage in STAGES for instruction in stage.instructions if instruction.name == "RUN" for word in instruction.words
    )


def test_package_lists_of_the_system_do_not_stay() -> None:
    runs = [run.text for stage in STAGES for run in stage.all("RUN") if "apt-get" in run.text]
    assert runs
    for run in runs:
        assert "--no-install-recommends" in run
        assert run.endswith("rm -rf /var/lib/apt/lists/*")


def test_everything_copied_exists_and_gets_past_the_ignore_file() -> None:
    sources = [source for stage in STAGES for copy in stage.all("COPY") if not copy.flags for source in copy.words[:-1]]
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert len(sources) >= 10
    for source in sources:
        assert (ROOT / source).exists(), source
        assert any(Path(source).match(pattern) or Path(source) == Path(pattern) for pattern in allowed), f"{source} is ignored"


def test_the_ignore_file_lets_nothing_through_that_is_not_copied() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert next(line for line in lines if line and not line.startswith("#")) == "*"
    copied = {source for stage in STAGES for copy in stage.all("COPY") if not copy.flags for source in copy.words[:-1]}
    allowed = {line[1:] for line in lines if line.startswith("!")}
    assert {pattern for pattern in allowed if not any(Path(source).match(pattern) for source in copied)} == set()


def test_each_stage_copied_from_is_one_that_comes_before() -> None:
    for number, stage in enumerate(STAGES):
        earlier = {before.name for before in STAGES[:number]}
        origins = {flag.removeprefix("--from=") for copy in stage.all("COPY") for flag in copy.flags if flag.startswith("--from=")}
        assert origins <= earlier


def test_the_gpu_set_is_hashed_names_no_address_and_serves_with_the_versions_of_the_default_set() -> None:
    for name in ("gpu", "gpu-build"):
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        assert all("--hash=sha256:" in block for block in re.split(r"\n(?=\S)", text.strip()))
        assert "://" not in text
    gpu, default = pins("gpu"), pins("default")
    assert {name: gpu[name] <= default[name] for name in default if name in gpu} == dict.fromkeys(default.keys() & gpu.keys(), True)
    assert default.keys() - gpu.keys() <= {"colorama", "async-timeout"}, "what only Windows or an older Python needs"


def test_torch_and_torch_tensorrt_are_the_version_that_the_tests_run_on() -> None:
    tested = re.search(r"^TORCH\s+\?= (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert tested is not None
    gpu = pins("gpu")
    assert {str(version) for name in ("torch", "torch-tensorrt") for version in gpu[name]} == {tested[1]}
    assert len({version for name, versions in gpu.items() if name.startswith("tensorrt") for version in versions}) == 1
