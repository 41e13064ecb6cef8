"""How many workers a machine takes, and who runs on which core. Pure arithmetic."""

from collections.abc import Sequence
from dataclasses import dataclass

MAX_WORKERS = 16

Cores = frozenset[int]


@dataclass(frozen=True, slots=True)
class CorePlan:
    """Empty sets bind nobody."""

    engine: Cores
    workers: tuple[Cores, ...]


def default_workers(num_cores: int) -> int:
    """One for every two cores: the engine and the native decoders have threads of their own."""
    return min(MAX_WORKERS, max(1, num_cores // 2))


def plan_cores(cores: Sequence[int], num_workers: int) -> CorePlan:
    """The engine takes the first half of the cores, the workers share out the others in turn. A lone core is shared by all."""
    if len(cores) < 2:
        return CorePlan(frozenset(), (frozenset(),) * num_workers)
    half = max(1, len(cores) // 2)
    others = cores[half:]
    if num_workers >= len(others):
        return CorePlan(frozenset(cores[:half]), tuple(frozenset({others[number % len(others)]}) for number in range(num_workers)))
    return CorePlan(frozenset(cores[:half]), tuple(frozenset(others[number::num_workers]) for number in range(num_workers)))
