"""Policy files that change under a running service."""

import os
from pathlib import Path

import pytest

from service.policy import PolicyError
from service.policy.watch import PolicyWatcher

GOOD = "- name: a\n  when: {zone: {name: door}}\n"


def write(path: Path, text: str, at_ns: int) -> None:
    path.write_text(text)
    os.utime(path, ns=(at_ns, at_ns))


def test_a_good_change_is_taken_and_a_bad_one_keeps_the_last_good_set(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    write(file, GOOD, 1)
    watcher = PolicyWatcher(file)
    assert not watcher.poll()
    write(file, GOOD.replace("name: a", "name: b"), 2)
    assert watcher.poll()
    assert [policy.name for policy in watcher.policies.policies] == ["b"]
    write(file, GOOD.replace("door", "'#'"), 3)
    assert watcher.poll()
    assert watcher.problem == f"{file}:2: zone name '#' must not contain #"
    assert [policy.name for policy in watcher.policies.policies] == ["b"]
    assert not watcher.poll()
    write(file, GOOD, 4)
    assert watcher.poll()
    assert watcher.problem == ""
    assert [policy.name for policy in watcher.policies.policies] == ["a"]


def test_a_file_that_vanishes_keeps_its_policies(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(GOOD)
    watcher = PolicyWatcher(file)
    file.unlink()
    assert watcher.poll()
    assert "cannot be read: No such file" in watcher.problem
    assert len(watcher.policies.policies) == 1


def test_a_new_file_in_a_watched_folder_is_seen(tmp_path: Path) -> None:
    (tmp_path / "1.yaml").write_text(GOOD)
    watcher = PolicyWatcher(tmp_path)
    (tmp_path / "2.yaml").write_text(GOOD.replace("name: a", "name: b"))
    assert watcher.poll()
    assert [policy.name for policy in watcher.policies.policies] == ["a", "b"]


def test_there_must_be_something_good_to_begin_with(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("- name: a\n")
    with pytest.raises(PolicyError, match="policy needs when"):
        PolicyWatcher(tmp_path)
