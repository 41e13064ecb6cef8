"""Builds the Dockerfile's cpu target without a Docker engine: buildah carries out its steps, unmodified, in roots of their own.

The base image cannot be pulled here, so debootstrap's minimal Debian with a python3 stands in for it; it is kept between runs.
Everything lies in a store under data/, which git ignores.
"""

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from tests.servers.process import require_binary

ROOT = Path(__file__).parents[2]
STORE = ROOT / "data" / "images"
RELEASE = "trixie"
"""The Debian that python:*-slim-trixie is made of."""
PACKAGES = "python3,python3-venv,ca-certificates"
BASE = f"vigil-check/python:{RELEASE}"
BUILT = "vigil-check/vigil:cpu"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
"""This machine's: a proxy of its own may stand between it and the package index."""
BUILD_TIMEOUT_S = 900


@dataclass(frozen=True)
class Image:
    """A built image: what its steps printed, what it says about itself, how large it is."""

    name: str
    log: str
    config: dict[str, Any]
    size_bytes: int
    base_bytes: int

    @property
    def environment(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.config["Env"])

    @property
    def command(self) -> list[str]:
        return [*self.config["Entrypoint"], *self.config["Cmd"]]

    @property
    def health_check(self) -> list[str]:
        kind, *command = self.config["Healthcheck"]["Test"]
        assert kind == "CMD", "the exec form needs no shell"
        return list(command)

    @cached_property
    def installed(self) -> str:
        """The size of what was installed, as the build printed it."""
        return next(line.split()[0] for line in self.log.splitlines() if line.endswith("\t/opt/vigil"))


def require_builder() -> None:
    """Skips with a sentence where images cannot be built."""
    if os.geteuid() != 0:
        pytest.skip("building an image needs root: mounts and namespaces")
    for name in ("buildah", "debootstrap", "unshare", "nsenter", "ip"):
        require_binary(name)
    asked = subprocess.run(["unshare", "--mount", "--net", "--pid", "--fork", "true"], capture_output=True, text=True, check=False)
    if asked.returncode != 0:
        pytest.skip(f"this machine lets nobody make namespaces: {asked.stderr.strip()}")


@contextlib.contextmanager
def built_image() -> Iterator[Image]:
    """The image until the block ends; one process at a time. Containers and images but the base are gone afterwards."""
    STORE.mkdir(parents=True, exist_ok=True)
    with (STORE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        buildah("rm", "--all")
        if not _sizes().get(BASE):
            _make_base()
        try:
            yield _build()
        finally:
            buildah("rm", "--all")
            buildah("rmi", "--force", BUILT)
            buildah("rmi", "--prune")


@contextlib.contextmanager
def mounted(image: str) -> Iterator[Path]:
    """The image's files under a folder, over a layer of their own."""
    container = buildah("from", image).strip()
    try:
        yield Path(buildah("mount", container).strip())
    finally:
        buildah("umount", container)
        buildah("rm", container)


def buildah(*words: str, timeout_s: float = 60, with_errors: bool = False) -> str:
    """What it printed. AssertionError with its last words when it fails."""
    options = ["--root", str(STORE / "root"), "--runroot", str(STORE / "run"), "--storage-driver", "overlay"]
    return _run(["buildah", *options, *words], timeout_s, with_errors=with_errors)


def _run(command: Sequence[str], timeout_s: float, *, with_errors: bool = False) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=timeout_s, env=_environment())
    assert done.returncode == 0, f"{command[0]} failed: {done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout + done.stderr if with_errors else done.stdout


def _environment() -> dict[str, str]:
    """Nothing of the caller's but where programs and proxies are."""
    kept = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
    return {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(STORE), "LANG": "C.UTF-8"} | {
        name: os.environ[name] for name in kept if name in os.environ
    }


def _make_base() -> None:
    """Debian as debootstrap makes it, with the `python` that the python images have."""
    with tempfile.TemporaryDirectory(dir=STORE) as folder:
        root = Path(folder) / "root"
        _run(["debootstrap", "--variant=minbase", f"--include={PACKAGES}", RELEASE, str(root)], BUILD_TIMEOUT_S)
        (root / "usr/bin/python").symlink_to("python3")
        for downloads in ("var/cache/apt/archives", "var/lib/apt/lists"):
            shutil.rmtree(root / downloads)
        container = buildah("from", "scratch").strip()
        buildah("add", "--quiet", container, str(root), "/")
        buildah("commit", "--quiet", "--rm", container, BASE)


def _build() -> Image:
    certificates = ["--volume", f"{CERTIFICATES}:{CERTIFICATES}:ro"] if Path(CERTIFICATES).exists() else []
    words = ["bud", "--isolation", "chroot", "--format", "docker", "--jobs", "2", "--target", "cpu", "--tag", BUILT, *certificates]
    log = buildah(*words, "--build-arg", f"PYTHON_IMAGE=localhost/{BASE}", ".", timeout_s=BUILD_TIMEOUT_S, with_errors=True)
    sizes = _sizes()
    config = json.loads(buildah("inspect", "--type", "image", BUILT))["Docker"]["config"]
    return Image(BUILT, log, config, sizes[BUILT], sizes[BASE])


def _sizes() -> dict[str, int]:
    """Bytes by name, of every image that the store holds."""
    images = json.loads(buildah("images", "--json") or "[]") or []
    return {name.removeprefix("localhost/"): _bytes(image["size"]) for image in images for name in image["names"] or []}


def _bytes(words: str) -> int:
    number, unit = words.split()
    return int(float(number) * {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}[unit.upper()])
