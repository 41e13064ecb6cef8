"""How many workers, and which cores are whose."""

import os

import pytest

from service.settings import Settings
from service.shard.children import Child, Job
from service.shard.cores import default_workers, plan_cores
from tests.service.shard import targets


@pytest.mark.parametrize(("cores", "workers"), [(1, 1), (2, 1), (3, 1), (4, 2), (16, 8), (128, 16)])
def test_there_is_a_worker_for_every_two_cores(cores: int, workers: int) -> None:
    assert Settings().workers == 0, "which means: by cores"
    assert default_workers(cores) == workers


@pytest.mark.parametrize(
    ("cores", "num_workers", "engine", "workers"),
    [
        ([], 2, set(), [set(), set()]),
        ([5], 2, set(), [set(), set()]),
        ([0, 1], 1, {0}, [{1}]),
        ([0, 1], 3, {0}, [{1}, {1}, {1}]),
        ([0, 1, 2, 3], 2, {0, 1}, [{2}, {3}]),
        ([2, 3, 4, 5, 6, 7], 2, {2, 3, 4}, [{5, 7}, {6}]),
    ],
)
def test_the_engine_has_half_of_the_cores_and_the_workers_the_others(
    cores: list[int], num_workers: int, engine: set[int], workers: list[set[int]]
) -> None:
    plan = plan_cores(cores, num_workers)
    assert (set(plan.engine), [set(own) for own in plan.workers]) == (engine, workers)


def test_a_process_runs_on_its_cores_only(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.syspath_prepend(request.config.rootpath)
    core = min(os.sched_getaffinity(0))
    child = Child(Job("beating", targets.beating, cores=frozenset({core})))
    child.start()
    try:
        assert child.pid is not None
        assert os.sched_getaffinity(child.pid) == {core}
    finally:
        child.end(0.0)
