"""Waits and budgets, with a clock turned by hand."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.ingest.backoff import Backoff, ConnectBudget


class HighDraws(random.Random):
    def uniform(self, a: float, b: float) -> float:  # noqa: ARG002
        return b


def test_the_ceiling_doubles_up_to_the_longest_wait_and_a_steady_source_starts_over() -> None:
    backoff = Backoff(0.5, 4.0, HighDraws())
    assert [backoff.next_wait_s() for _ in range(5)] == [0.5, 1.0, 2.0, 4.0, 4.0]
    backoff.reset()
    assert backoff.next_wait_s() == 0.5


@given(seed=st.integers(), failures=st.integers(1, 200))
def test_every_wait_lies_between_nothing_and_the_longest(seed: int, failures: int) -> None:
    backoff = Backoff(0.5, 15.0, random.Random(seed))
    waits = [backoff.next_wait_s() for _ in range(failures)]
    assert all(0.0 <= wait <= min(15.0, 0.5 * 2.0**index) for index, wait in enumerate(waits))


def test_a_hundred_streams_that_fail_together_come_back_apart() -> None:
    waits = [Backoff(8.0, 8.0, random.Random(seed)).next_wait_s() for seed in range(100)]
    assert max(sum(second <= wait < second + 1 for wait in waits) for second in range(8)) < 30


def test_connects_beyond_the_burst_wait_for_their_turn() -> None:
    budget = ConnectBudget(120, now=lambda: 0.0)  # 2 a second, 30 at once
    waits = [budget.reserve() for _ in range(33)]
    assert waits[:30] == [0.0] * 30
    assert waits[30:] == pytest.approx([0.5, 1.0, 1.5])


def test_the_budget_fills_again_with_time() -> None:
    now_s = 0.0
    budget = ConnectBudget(4, now=lambda: now_s)  # one at once, one each 15 s
    assert [budget.reserve(), budget.reserve()] == [0.0, 15.0]
    now_s = 45.0
    assert budget.reserve() == 0.0
