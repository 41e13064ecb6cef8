"""The comparison's table: mean and spread over seeds, and the lines that ProxVP has to pass, or the simpler row that is as good."""

from collections.abc import Callable

import numpy as np
from msgspec import Struct

from model.proxvp.compare import Run
from model.proxvp.curves import hf_energy, max_drawdown, steps_to_target, upward_variation

BASE, OURS = "adamw", "proxvp"
UP_RATIO, HF_RATIO, TEST_RATIO = 0.2, 0.5, 1.005
"""ProxVP against AdamW: at most these shares of its rises and of its fast part, and of its test loss."""
TARGET_SHARE = 0.9
"""The target of steps-to-target: this share of AdamW's whole fall, mean over seeds."""


class Row(Struct, frozen=True):
    """One method over its seeds: (mean, standard deviation) of each figure. Steps of a seed that never got there count as all steps."""

    method: str
    seeds: int
    upward_variation: tuple[float, float]
    hf_energy: tuple[float, float]
    max_drawdown: tuple[float, float]
    steps_to_target: tuple[float, float]
    test_loss: tuple[float, float]
    test_map: tuple[float, float]
    cpu_s: tuple[float, float]


class Line(Struct, frozen=True):
    """One acceptance line: what was measured, what was asked for, and whether it holds."""

    says: str
    measured: float
    at_most: float

    @property
    def holds(self) -> bool:
        """Whether the line is passed."""
        return self.measured <= self.at_most


def rows(runs: list[Run]) -> list[Row]:
    """One row a method, in the order in which they come."""
    target = _target(runs)
    return [_row([run for run in runs if run.method == method], target) for method in dict.fromkeys(run.method for run in runs)]


def lines(table: list[Row], ours: str = OURS) -> list[Line]:
    """The acceptance of one row against AdamW, ratios of means."""
    row, base = (next(one for one in table if one.method == name) for name in (ours, BASE))
    return [
        Line("upward variation against AdamW", row.upward_variation[0] / base.upward_variation[0], UP_RATIO),
        Line("fast part against AdamW", row.hf_energy[0] / base.hf_energy[0], HF_RATIO),
        Line("test loss against AdamW", row.test_loss[0] / base.test_loss[0], TEST_RATIO),
    ]


def as_good(table: list[Row]) -> list[str]:
    """Simpler rows that pass the same lines and whose test loss is no worse than ProxVP's by more than its half per cent."""
    if not {BASE, OURS} <= {row.method for row in table}:
        return []
    ours = next(one for one in table if one.method == OURS)
    return [
        row.method
        for row in table
        if row.method not in (BASE, OURS)
        and all(line.holds for line in lines(table, row.method))
        and row.test_loss[0] <= TEST_RATIO * ours.test_loss[0]
    ]


def markdown(table: list[Row]) -> str:
    """The table for people."""
    head = "| method | upward variation | hf energy x1000 | max drawdown | steps to target | test loss | test mAP | CPU s |"
    out = [head, "|" + "---|" * 8]
    for row in table:
        figures = [
            _cell(row.upward_variation, 3), _cell(row.hf_energy, 2, 1e3), _cell(row.max_drawdown, 3), _cell(row.steps_to_target, 0),
            _cell(row.test_loss, 3), _cell(row.test_map, 3), _cell(row.cpu_s, 1),
        ]  # fmt: skip
        out.append(f"| {row.method} | " + " | ".join(figures) + " |")
    return "\n".join(out)


def _cell(figure: tuple[float, float], digits: int, scale: float = 1.0) -> str:
    return f"{scale * figure[0]:.{digits}f} ± {scale * figure[1]:.{digits}f}"


def _target(runs: list[Run]) -> float:
    base = [run for run in runs if run.method == BASE] or runs
    start, low = (float(np.mean([end(run.losses) for run in base])) for end in (lambda losses: losses[0], min))
    return start - TARGET_SHARE * (start - low)


def _row(runs: list[Run], target: float) -> Row:
    def over(figure: Callable[[Run], float]) -> tuple[float, float]:
        values = np.array([figure(run) for run in runs])
        return float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else 0.0

    return Row(
        runs[0].method, len(runs), over(lambda run: upward_variation(run.losses)), over(lambda run: hf_energy(run.losses)),
        over(lambda run: max_drawdown(run.losses)), over(lambda run: steps_to_target(run.steps, run.losses, target) or run.steps[-1]),
        over(lambda run: run.test_loss), over(lambda run: run.test_map), over(lambda run: run.cpu_s),
    )  # fmt: skip
