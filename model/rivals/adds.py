"""What each part adds: differences between two rows with the same seed, over seeds, with spread; and whether the seeds show anything."""

import math
from collections.abc import Callable, Sequence

from msgspec import Struct
from scipy import stats

from model.rivals.table import Result, over_seeds

AT_K = 20
OWN_TEST = "reported entities"
"""The row's own test clips, whose truth is that of reported entities; the other places are sets of judged clips, all truth counting."""
PARTS: tuple[tuple[str, str, str], ...] = (
    ("ProxVP, to plain AdamW", "proxvp", "plain"),
    ("prototype memory, to AdamW + cosine", "memory", "cosine"),
    ("episode memory, to AdamW + cosine", "episodes", "cosine"),
    ("prototype memory, to ProxVP", "proxvp_memory", "proxvp"),
    ("episode memory, to ProxVP", "proxvp_episodes", "proxvp"),
    ("ProxVP and episode memory, to plain AdamW", "proxvp_episodes", "plain"),
)
"""Words, the row with the part, the row without it."""


class Place(Struct, frozen=True, order=True):
    """A set of clips and the task on it."""

    set: str
    task: str


class Adds(Struct, frozen=True):
    """What one part adds at one place: (mean, standard deviation) over seeds of R, mR and F1 at 20, in shares. `half` is half of the 95 %
    interval of F1's mean by Student's t; infinite for one seed."""

    part: str
    place: Place
    seeds: int
    recall: tuple[float, float]
    mean_recall: tuple[float, float]
    f1: tuple[float, float]
    half: float

    @property
    def says(self) -> str:
        """In one word, by F1@20."""
        if self.seeds < 2:
            return "one seed says nothing"
        if abs(self.f1[0]) <= self.half:
            return "nothing that these seeds show"
        return "adds" if self.f1[0] > 0 else "takes away"


class _Three(Struct, frozen=True):
    recall: float
    mean_recall: float
    f1: float


def parts(results: Sequence[Result]) -> list[Adds]:
    """Every part whose two rows were run, at every place that both were measured at."""
    by_run = {(one.row, one.seed): places(one) for one in results}
    out = []
    for words, with_it, without in PARTS:
        seeds = sorted(seed for row, seed in by_run if row == with_it and (without, seed) in by_run)
        pairs = [(by_run[with_it, seed], by_run[without, seed]) for seed in seeds]
        for place in pairs[0][0] if pairs else ():
            out.append(_adds(words, place, [(own[place], base[place]) for own, base in pairs]))
    return out


def places(result: Result) -> dict[Place, _Three]:
    """R, mR and F1 at 20 with constraint, place by place, judged sets first."""
    found = {Place(at.set, at.task): _Three(at.recall.value, at.mean_recall.value, at.f1) for at in result.judged if at.k == AT_K}
    own = next(at for at in result.at if (at.constraint, at.k) == ("with", AT_K))
    return {**found, Place(OWN_TEST, "sgdet"): _Three(own.recall, own.mean_recall, own.f1)}


def markdown(rows: Sequence[Adds]) -> str:
    """In per cent points."""
    lines = [f"| part | measured on | R@{AT_K} | mR@{AT_K} | F1@{AT_K} | it |", "|" + "---|" * 6]
    for one in rows:
        cells = [f"{100 * mean:+.1f} ± {100 * spread:.1f}" for mean, spread in (one.recall, one.mean_recall, one.f1)]
        lines.append(f"| {one.part} | {one.place.set}, {one.place.task} | " + " | ".join(cells) + f" | {one.says} |")
    return "\n".join(lines)


def _adds(words: str, place: Place, pairs: Sequence[tuple[_Three, _Three]]) -> Adds:
    def over(figure: Callable[[_Three], float]) -> tuple[float, float]:
        return over_seeds([figure(own) - figure(base) for own, base in pairs])

    count, f1 = len(pairs), over(lambda one: one.f1)
    half = float(stats.t.ppf(0.975, count - 1)) * f1[1] / math.sqrt(count) if count > 1 else math.inf
    return Adds(words, place, count, over(lambda one: one.recall), over(lambda one: one.mean_recall), f1, half)
