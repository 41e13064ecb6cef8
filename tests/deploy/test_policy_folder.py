"""The policies that docker-compose.yml mounts: they are sound, and a running worker takes what an editor puts in a file's place."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.policy import load_policies
from service.state.embedded import EmbeddedServer
from tests.deploy.compose_file import ROOT
from tests.servers.process import wait_until
from tests.service.shard.shard_process import ShardProcess, running_shard

RULE = """\
- name: {name}
  when: {{relation: {{subject: person, predicate: holding, object: cup}}}}
"""


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mounted")
    (folder / "default.yaml").write_text(RULE.format(name="before"))
    return folder


@pytest.fixture(scope="module")
def shard(policies: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShardProcess]:
    with (
        EmbeddedServer.start() as server,
        running_shard(tmp_path_factory.mktemp("shard"), server.url, policies=str(policies), spare_worker="false") as shard,
    ):
        wait_until(lambda: in_force(shard) == ["before"], "the first policies", 30.0)
        yield shard


def in_force(shard: ShardProcess) -> object:
    """Names of the policies that the worker took last; none before the first."""
    taken = [event["names"] for event in shard.events() if event["event"] == "policies_in_force"]
    return taken[-1] if taken else []


def renamed_over(path: Path, text: str) -> None:
    """As sed -i and most editors do: written beside it, then renamed over it."""
    beside = path.with_suffix(".tmp")
    beside.write_text(text)
    os.replace(beside, path)


def put_aside(path: Path, text: str) -> None:
    """As vim with a backup does: the old file is renamed away, a new one is made."""
    os.replace(path, path.with_suffix(".yaml~"))
    path.write_text(text)


def unlinked(path: Path, text: str) -> None:
    """As git does."""
    path.unlink()
    path.write_text(text)


def written_into(path: Path, text: str) -> None:
    """As nano and a shell's > do."""
    path.write_text(text)


@pytest.mark.parametrize("replace", [renamed_over, put_aside, unlinked, written_into], ids=lambda way: way.__name__)
def test_a_running_worker_takes_a_replaced_policy_file(replace: Callable[[Path, str], None], policies: Path, shard: ShardProcess) -> None:
    assert in_force(shard) != [replace.__name__]
    replace(policies / "default.yaml", RULE.format(name=replace.__name__))
    wait_until(lambda: in_force(shard) == [replace.__name__], "the worker to take the new file", 20.0)
    assert shard.pid_of("worker-1") in [process.pid for process in shard.family()]


def test_the_mounted_policies_are_sound() -> None:
    found = load_policies(ROOT / "deploy" / "policies")
    assert len(found.policies) > 3
    assert found.warnings == ()
