"""Which policies are in force, and what changes them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.shard.policies import PolicySource
from service.state.embedded import EmbeddedServer
from service.state.store import Store

RULE = """\
- name: {name}
  when: {{relation: {{subject: person, predicate: holding, object: cup}}}}
"""


@pytest.fixture
def store() -> Iterator[Store]:
    with EmbeddedServer.start() as server:
        store = Store.connect(server.url)
        yield store
        store.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "one.yaml").write_text(RULE.format(name="one"))
    return tmp_path


def names(source: PolicySource) -> list[str]:
    return [policy.name for policy in source.current.policies]


def test_files_are_read_and_read_again_only_when_they_change(store: Store, folder: Path) -> None:
    source = PolicySource(store, folder)
    assert source.refresh()
    assert names(source) == ["one"]
    assert not source.refresh()
    (folder / "two.yaml").write_text(RULE.format(name="two"))
    assert source.refresh()
    assert names(source) == ["one", "two"]


def test_a_broken_file_leaves_the_policies_as_they_were(store: Store, folder: Path) -> None:
    source = PolicySource(store, folder)
    source.refresh()
    (folder / "one.yaml").write_text("- name: [")
    os.utime(folder / "one.yaml", ns=(1, 1))
    assert not source.refresh()
    assert names(source) == ["one"]


def test_a_file_that_vanishes_keeps_its_policies_and_comes_back(store: Store, folder: Path) -> None:
    source = PolicySource(store, folder / "one.yaml")
    source.refresh()
    (folder / "one.yaml").unlink()
    assert not source.refresh()
    assert names(source) == ["one"]
    (folder / "one.yaml").write_text(RULE.format(name="again"))
    assert source.refresh()
    assert names(source) == ["again"]


def test_stored_policies_go_before_files(store: Store, folder: Path) -> None:
    source = PolicySource(store, folder)
    source.refresh()
    store.put_policies(RULE.format(name="stored"))
    assert source.refresh()
    assert names(source) == ["stored"]


def test_without_files_nothing_is_in_force(store: Store) -> None:
    source = PolicySource(store, None)
    source.refresh()
    assert names(source) == []


def test_redis_being_away_changes_nothing(folder: Path) -> None:
    with EmbeddedServer.start() as server:
        store = Store.connect(server.url, timeout_s=0.2)
        source = PolicySource(store, folder)
        source.refresh()
    assert not source.refresh()
    assert names(source) == ["one"]
    store.close()
