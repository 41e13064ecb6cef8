"""Processes that are kept alive: real ones, killed, stopped and silent."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from service.shard.assign import assign
from service.shard.children import Child, Job
from service.shard.messages import Beat, FromChild, WorkerReady
from tests.servers.process import wait_until
from tests.service.shard import targets


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Child]]:
    monkeypatch.syspath_prepend(Path(__file__).parents[3])
    children: list[Child] = []

    def start(target: Callable[..., None], silent_after_s: float = 8.0) -> Child:
        child = Child(Job(target.__name__, target), silent_after_s=silent_after_s)
        child.start()
        children.append(child)
        return child

    yield start
    for child in children:
        child.end(time.monotonic())


def hear(child: Child, enough: Callable[[list[FromChild]], bool]) -> list[FromChild]:
    heard: list[FromChild] = []

    def listen() -> bool:
        for message in child.listen():
            child.is_ready |= isinstance(message, WorkerReady)
            heard.append(message)
        child.tend()
        return enough(heard)

    wait_until(listen, "messages of a child")
    return heard


def pids(heard: list[FromChild]) -> set[int]:
    return {int(message.metrics) for message in heard if isinstance(message, Beat)}


def test_a_process_says_that_it_is_ready_and_then_beats(started: Callable[..., Child]) -> None:
    child = started(targets.beating)
    heard = hear(child, lambda heard: len(heard) > 2)
    assert isinstance(heard[0], WorkerReady)
    assert pids(heard) == {child.pid}


def test_a_killed_process_is_started_again_at_once(started: Callable[..., Child]) -> None:
    child = started(targets.beating)
    first = child.pid
    assert first is not None
    hear(child, lambda heard: len(heard) > 1)
    os.kill(first, signal.SIGKILL)
    hear(child, lambda heard: bool(pids(heard) - {first}))
    assert child.restarts == 1
    assert not psutil.pid_exists(first)


def test_a_silent_process_is_killed_and_started_again(started: Callable[..., Child]) -> None:
    child = started(targets.silent, silent_after_s=0.3)
    first = child.pid
    hear(child, lambda heard: len(heard) == 2)
    assert child.restarts == 1
    assert child.pid != first


def test_a_stopped_process_counts_as_silent(started: Callable[..., Child]) -> None:
    child = started(targets.beating, silent_after_s=0.5)
    first = child.pid
    assert first is not None
    hear(child, lambda heard: len(heard) > 1)
    os.kill(first, signal.SIGSTOP)
    hear(child, lambda heard: bool(pids(heard) - {first}))
    assert not psutil.pid_exists(first)


def test_a_process_that_dies_again_and_again_is_started_less_and_less_often(started: Callable[..., Child]) -> None:
    child = started(targets.brief)
    restarts_at_s: list[float] = []

    def watch() -> bool:
        child.listen()
        if child.tend():
            restarts_at_s.append(time.monotonic())
        return len(restarts_at_s) == 3

    wait_until(watch, "three restarts")
    assert restarts_at_s[2] - restarts_at_s[1] > 1.0


def test_a_process_that_does_not_end_is_killed_at_the_deadline(started: Callable[..., Child]) -> None:
    child = started(targets.deaf)
    hear(child, bool)
    pid = child.pid
    assert pid is not None
    child.end(time.monotonic() + 0.2)
    assert not psutil.pid_exists(pid)
    assert child.pid is None


@pytest.mark.parametrize(
    ("owners", "streams", "workers", "expected"),
    [
        ({}, ["a", "b", "c"], ["w1", "w2"], {"a": "w1", "b": "w2", "c": "w1"}),
        ({"a": "w2"}, ["a", "b"], ["w1", "w2"], {"a": "w2", "b": "w1"}),
        ({"a": "w1", "b": "w1"}, ["b"], ["w1", "w2"], {"b": "w1"}),
        ({"a": "gone"}, ["a"], ["w1"], {"a": "w1"}),
        ({"a": "w1", "b": "w1"}, ["a", "b", "c"], ["w1", "w2"], {"a": "w1", "b": "w1", "c": "w2"}),
    ],
)
def test_streams_stay_where_they_are_and_new_ones_go_where_there_is_least(
    owners: dict[str, str], streams: list[str], workers: list[str], expected: dict[str, str]
) -> None:
    assert assign(owners, streams, workers) == expected
