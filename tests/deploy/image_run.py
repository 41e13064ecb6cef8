"""Runs a built image as a container engine would: its own user, environment, entrypoint and command, over a root that nobody can write.

A Pod is a network of its own, loopback only, that a container and a Redis share. All it takes are namespaces, mounts and chroot.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.deploy.image_build import Image
from tests.servers.process import end_process, require_binary, wait_until

REDIS_URL = "redis://127.0.0.1:6379/0"
PORT = 8000
VOLUMES = ("data", "cache")
ENTER = """
set -eu
root=$1 volumes=$2; shift 2
mount --make-rprivate /
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom; do touch "$root/dev/$device"; mount --bind "/dev/$device" "$root/dev/$device"; done
mkdir -m 1777 "$root/dev/shm"; mount -t tmpfs -o size=64m tmpfs "$root/dev/shm"
mount --bind "$volumes/tmp" "$root/tmp"; mount -o remount,bind,noexec,nosuid,nodev "$root/tmp"
mount --bind "$volumes/data" "$root/data"
mount --bind "$volumes/cache" "$root/cache"
exec chroot "$root" "$@"
"""
"""/tmp is a folder instead of a tmpfs, so that the test sees what is left there; /dev/shm is as small as an engine makes it."""
ASK = """
import sys, urllib.error, urllib.request
body = sys.argv[2].encode() if len(sys.argv) > 2 else None
try:
    answer = urllib.request.urlopen(urllib.request.Request(sys.argv[1], body, {"content-type": "application/json"}), timeout=5)
except urllib.error.HTTPError as error:
    answer = error
except OSError as error:
    sys.exit(str(error))
print(answer.status, answer.read().decode())
"""


class Answer(NamedTuple):
    """Of one HTTP request; status 0 when nobody answered."""

    status: int
    body: dict[str, Any]


class Pod:
    """A network of its own: nothing in it reaches anything outside."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec sleep infinity"], stdout=subprocess.PIPE
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"up\n", "a network of its own, with its loopback"

    def entering(self, *command: str) -> list[str]:
        return ["nsenter", f"--net=/proc/{self._holder.pid}/ns/net", *command]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.entering(*command), capture_output=True, text=True, check=False, timeout=30)

    def ask(self, path: str, **fields: str) -> Answer:
        """GET, or POST of the fields where there are any, at the port that the image serves."""
        posted = [json.dumps(fields)] if fields else []
        done = self.run(sys.executable, "-I", "-S", "-c", ASK, f"http://127.0.0.1:{PORT}{path}", *posted)
        status, _, body = done.stdout.partition(" ")
        return Answer(int(status), json.loads(body)) if done.returncode == 0 else Answer(0, {})

    def close(self) -> None:
        end_process(self._holder)
        if self._holder.stdout is not None:
            self._holder.stdout.close()


@contextlib.contextmanager
def pod() -> Iterator[Pod]:
    network = Pod()
    try:
        yield network
    finally:
        network.close()


@contextlib.contextmanager
def redis_server(network: Pod, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Debian's redis-server on the pod's loopback, answering."""
    command = [require_binary("redis-server"), "--bind", "127.0.0.1", "--port", "6379", "--dir", str(folder), "--save", ""]
    server = subprocess.Popen(network.entering(*command), stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: redis_says(network, "PING") == "PONG", "redis-server answers")
        yield server
    finally:
        end_process(server, kill=True)


def redis_says(network: Pod, *command: str) -> str:
    return network.run("redis-cli", *command).stdout.strip()


class Container:
    """One running container; its process 1 is the image's entrypoint. `folder` gets its volumes and what it prints."""

    def __init__(self, image: Image, root: Path, network: Pod, folder: Path, **environment: str) -> None:
        self._image, self._network = image, network
        self.volumes, self.output = folder / "volumes", folder / "output"
        self._environment = {**image.environment, **environment}
        self._make_volumes(root)
        outside = [*network.entering("unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child")]
        command = [*outside, "sh", "-c", ENTER, "sh", str(root), str(self.volumes), *self._as_user(*image.command)]
        with self.output.open("wb") as output:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=self._environment)
        wait_until(lambda: bool(_children(self._process.pid)), "the container's first process")
        self.pid = _children(self._process.pid)[0]

    def _make_volumes(self, root: Path) -> None:
        """As an engine makes new volumes: with the owner and the mode that the image's folders have."""
        for name in VOLUMES:
            folder, like = self.volumes / name, (root / name).stat()
            folder.mkdir(parents=True)
            os.chown(folder, like.st_uid, like.st_gid)
            folder.chmod(like.st_mode & 0o7777)
        (self.volumes / "tmp").mkdir()
        (self.volumes / "tmp").chmod(0o1777)

    def _as_user(self, *command: str) -> list[str]:
        """As `docker run --cap-drop ALL --security-opt no-new-privileges`."""
        user, group = self._image.config["User"].split(":")
        least = ["--clear-groups", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
        return ["setpriv", "--reuid", user, "--regid", group, *least, "env", f"--chdir={self._image.config['WorkingDir']}", *command]

    def execute(self, *command: str) -> subprocess.CompletedProcess[str]:
        """As `docker exec`, with the image's user and environment."""
        return subprocess.run(self._inside(*command), capture_output=True, text=True, check=False, timeout=30, env=self._environment)

    @contextlib.contextmanager
    def running(self, *command: str) -> Iterator[None]:
        """As `docker exec --detach`, until the block ends."""
        with self.output.open("ab") as output:
            entering = subprocess.Popen(self._inside(*command), stdout=output, stderr=output, env=self._environment)
        try:
            yield
        finally:
            for pid in _children(entering.pid):
                os.kill(pid, signal.SIGKILL)
            end_process(entering, kill=True)

    def _inside(self, *command: str) -> list[str]:
        return ["nsenter", "--target", str(self.pid), "--mount", "--pid", "--net", "--root", *self._as_user(*command)]

    def files(self, volume: str) -> list[str]:
        """What lies in a volume, or in tmp."""
        folder = self.volumes / volume
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())

    def wait_until_ready(self, within_s: float = 90) -> list[tuple[int, int]]:
        """Every (status of /healthz, status of /readyz) seen on the way."""
        seen: list[tuple[int, int]] = []

        def is_ready() -> bool:
            assert self._process.poll() is None, f"the container ended: {self.output.read_text()}"
            pair = (self._network.ask("/healthz").status, self._network.ask("/readyz").status)
            if not seen or seen[-1] != pair:
                seen.append(pair)
            return pair == (200, 200)

        wait_until(is_ready, "/readyz answers 200", within_s)
        return seen

    def stop(self, within_s: float = 20) -> int:
        """As `docker stop`: the image's own signal to process 1; the exit status that it leaves with."""
        if self._process.poll() is None:
            os.kill(self.pid, getattr(signal, self._image.config.get("StopSignal") or "SIGTERM"))
        deadline_s = time.monotonic() + within_s
        while self._process.poll() is None and time.monotonic() < deadline_s:
            time.sleep(0.02)
        end_process(self._process, kill=True)
        return int(self._process.returncode)


@contextlib.contextmanager
def container(image: Image, root: Path, network: Pod, folder: Path, **environment: str) -> Iterator[Container]:
    running = Container(image, root, network, folder, **environment)
    try:
        yield running
    finally:
        running.stop()


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
