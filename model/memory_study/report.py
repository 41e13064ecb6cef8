"""The memory study for people: mean and spread over seeds as markdown, and the gain over no memory as a picture."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from msgspec import Struct

from model.machine import Machine
from model.memory_study.measure import ALL, GROUPS, Group
from model.memory_study.study import Run, Setup
from model.memory_study.variants import BASELINE, VARIANTS

FIGURES: dict[str, Callable[[Group], float]] = {
    "mAP": lambda group: group.mean_average_precision,
    "loss": lambda group: group.loss,
    "names": lambda group: group.names_right,
}
SHOWN = ("mAP", "names")


class Figure(Struct, frozen=True):
    """One figure of one row in one group over its seeds, and how far it is from the row without memory, seed by seed."""

    variant: str
    group: str
    name: str
    seeds: int
    mean: float
    spread: float
    gain: float | None
    gain_spread: float | None


class Report(Struct, frozen=True):
    """What the JSON holds: the table, and every run behind it."""

    machine: Machine
    setup: Setup
    table: list[Figure]
    runs: list[Run]


def table(runs: list[Run]) -> list[Figure]:
    """Every figure, in the order of VARIANTS, GROUPS and FIGURES."""
    own = {name: {run.seed: run.groups for run in runs if run.variant == name} for name in VARIANTS}
    return [
        _figure(name, group, figure, own[name], own[BASELINE]) for name in VARIANTS if own[name] for group in GROUPS for figure in FIGURES
    ]


def _figure(variant: str, group: str, name: str, own: dict[int, dict[str, Group]], base: dict[int, dict[str, Group]]) -> Figure:
    value = FIGURES[name]
    values = [value(groups[group]) for groups in own.values()]
    gains = [value(own[seed][group]) - value(base[seed][group]) for seed in own if seed in base]
    gain, gain_spread = _spread(gains) if gains else (None, None)
    return Figure(variant, group, name, len(values), *_spread(values), gain, gain_spread)


def _spread(values: list[float]) -> tuple[float, float]:
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def markdown(figures: list[Figure], runs: list[Run]) -> str:
    """One table a figure: rows are variants, columns groups; the mean, and in brackets the gain over no memory with its spread."""
    any_run = runs[0].groups
    lines = ["pairs (entities) measured: " + ", ".join(f"{name} {group.pairs} ({group.names})" for name, group in any_run.items())]
    lines.append(
        "names right by the detector alone: " + ", ".join(f"{name} {one.detector_names_right:.3f}" for name, one in any_run.items())
    )
    for name in FIGURES:
        lines += ["", f"{name} | seeds | " + " | ".join(GROUPS), "---|" * (len(GROUPS) + 1) + "---"]
        for variant in dict.fromkeys(one.variant for one in figures):
            row = [one for one in figures if one.variant == variant and one.name == name]
            lines.append(f"{variant} | {row[0].seeds} | " + " | ".join(_cell(one) for one in row))
    return "\n".join(lines)


def _cell(one: Figure) -> str:
    if one.gain is None or one.gain_spread is None or one.variant == BASELINE:
        return f"{one.mean:.3f} ± {one.spread:.3f}"
    return f"{one.mean:.3f} ({one.gain:+.3f} ± {one.gain_spread:.3f})"


def draw_gains(figures: list[Figure], path: Path) -> None:
    """What each way of remembering adds to none, group by group, with its spread over seeds."""
    from matplotlib.figure import Figure as Sheet

    variants = [name for name in dict.fromkeys(one.variant for one in figures) if name != BASELINE]
    sheet = Sheet(figsize=(13, 4.5), layout="constrained")
    axes = sheet.subplots(1, len(SHOWN))
    for axis, name in zip(axes, SHOWN, strict=True):
        for index, variant in enumerate(variants):
            row = [one for one in figures if one.variant == variant and one.name == name]
            gains, spreads = (
                [value or 0.0 for value in values] for values in ([one.gain for one in row], [one.gain_spread for one in row])
            )
            at = np.arange(len(GROUPS)) + (index - (len(variants) - 1) / 2) * 0.8 / len(variants)
            axis.bar(at, gains, 0.8 / len(variants), yerr=spreads, label=variant, error_kw={"lw": 0.7})
        axis.axhline(0.0, color="black", lw=0.7)
        axis.set_xticks(np.arange(len(GROUPS)), GROUPS, rotation=25, ha="right")
        axis.set_title(f"{name}: gain over a head without memory")
    axes[0].legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.savefig(path, dpi=100)


def headline(figures: list[Figure]) -> list[str]:
    """Where a gain over all pairs is beyond its spread over seeds, and where it is not."""
    shown = [
        one for one in figures if one.group == ALL and one.gain is not None and one.gain_spread is not None and one.variant != BASELINE
    ]
    return [
        f"{one.variant}: {one.name} {one.gain:+.4f}, {_verdict(one)}" for one in shown if one.name != "loss"
    ]  # fmt: skip


def _verdict(one: Figure) -> str:
    if one.seeds < 2:
        return "one seed says nothing of the spread"
    gain, spread = one.gain or 0.0, one.gain_spread or 0.0
    return "beyond its spread" if abs(gain) > spread else "within its spread"
