"""`vigil fit-filter`: how fast belief in each predicate comes and goes, fitted on box-world clips and compared with simpler filters."""

import argparse
from pathlib import Path

import msgspec
import numpy as np

from model.appearance import DIM
from model.belief import BeliefFilter, Bools, Pace
from model.checkpoint import write_paces
from model.fit_paces import FilterFigures, Followed, averaged, beliefs, compare, fit_paces, follow, switched
from model.head_file import LoadedHead, load_head
from model.machine import Machine, this_machine
from model.samples import Plan, Samples
from model.vocabulary import MODERATION_V1

DEFAULT_FOLDER = Path(__file__).parents[1] / "checkpoints" / "nano-v1"
FRAMES = 40
HELD_OUT_SEED = 2_000_003
EMA_S = 0.3
SWEEP = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
RAW, EMA, PLAIN, FITTED = "raw threshold", "exponential average", "filter, one pace for all", "filter, fitted"


class Row(msgspec.Struct, frozen=True):
    """One filter on the held-out clips, all published predicates pooled."""

    name: str
    figures: FilterFigures


class Report(msgspec.Struct, frozen=True):
    """What `bench/results/filter-*.json` holds."""

    machine: Machine
    checkpoint: str
    clips: int
    frames: int
    seed: int
    aimed_precision: float
    paces: dict[str, Pace]
    rows: list[Row]
    sweep: dict[str, list[FilterFigures]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `vigil fit-filter`."""
    parser.add_argument(
        "folder", type=Path, nargs="?", default=DEFAULT_FOLDER, help="checkpoint folder; its head is asked, its paces written"
    )
    parser.add_argument("--clips", type=int, default=800, help=f"clips of {FRAMES} frames to fit on, and half as many to compare on (800)")
    parser.add_argument("--precision", type=float, default=0.85, help="precision that published relations should have (.85)")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--compare-only", action="store_true", help="keep the paces that are there")
    parser.add_argument("--out", type=Path, default=None, metavar="FOLDER", help="also write filter.json and filter.png there")


def run(args: argparse.Namespace) -> int:
    """Fit, write paces.json and the manifest, print the comparison."""
    if args.clips < 2 or not 0 < args.precision < 1:
        raise ValueError(f"clips are at least 2 and the precision lies between 0 and 1, got {args.clips} and {args.precision}")
    loaded = load_head(args.folder)
    if args.compare_only:
        from model.checkpoint import read_paces

        by_name = read_paces(args.folder)
    else:
        thresholds = [score.threshold for score in loaded.scores]
        fitted = fit_paces(_followed(loaded, args.clips, args.seed), thresholds, args.precision)
        by_name = dict(zip(MODERATION_V1.predicates, fitted, strict=True))
        write_paces(args.folder, by_name)
    held_out = _followed(loaded, args.clips // 2, args.seed + HELD_OUT_SEED)
    rows, sweep = _compared(loaded, held_out, by_name)
    report = Report(this_machine(), args.folder.name, args.clips, FRAMES, args.seed, args.precision, by_name, rows, sweep)
    for name in (score.name for score in loaded.scores if score.published):
        pace = by_name.get(name, Pace())
        print(f"{name:20} holds {pace.on_s:5.1f} s, away {pace.off_s:5.1f} s, evidence {pace.evidence_s:.2f} s")
    print(f"{'held-out clips':26} precision  recall   F1    flicker  delay p50/p95 s   found")
    for row in rows:
        figures = row.figures
        delays = f"{figures.delay_median_s:6.2f} {figures.delay_p95_s:6.2f}"
        print(f"{row.name:26} {figures.precision:8.3f} {figures.recall:8.3f} {figures.f1:7.3f} {figures.flicker:7.2f}   {delays}   "
              f"{figures.found}/{figures.spells}")  # fmt: skip
    if args.out is not None:
        _write(args.out, report)
    return 0


def _followed(loaded: LoadedHead, clips: int, seed: int) -> Followed:
    return follow(loaded.head, loaded.prototypes, Samples(Plan(clips, FRAMES, seed), 2, DIM, "drawing clips"))


def _compared(loaded: LoadedHead, held_out: Followed, by_name: dict[str, Pace]) -> tuple[list[Row], dict[str, list[FilterFigures]]]:
    """The four filters at their operating points, and each swept over thresholds."""
    published = [k for k, score in enumerate(loaded.scores) if score.published]
    seen = Followed(held_out.probs_SFK[..., published], held_out.seen_SF, held_out.true_SFK[..., published], held_out.dt_SF)
    thresholds = [loaded.scores[k].threshold for k in published]
    paces = [by_name.get(loaded.scores[k].name, Pace()) for k in published]
    mean_SFK = averaged(seen, EMA_S)

    def filtered(chosen: list[Pace], centres: list[float]) -> Bools:
        return switched(beliefs(seen, BeliefFilter(centres, chosen)))

    states = {
        RAW: seen.probs_SFK >= np.array(thresholds),
        EMA: mean_SFK >= np.array(thresholds),
        PLAIN: filtered([Pace()] * len(published), thresholds),
        FITTED: filtered(paces, thresholds),
    }
    sweep = {
        RAW: [compare(seen, seen.probs_SFK >= value) for value in SWEEP],
        EMA: [compare(seen, mean_SFK >= value) for value in SWEEP],
        PLAIN: [compare(seen, filtered([Pace()] * len(published), [value] * len(published))) for value in SWEEP],
        FITTED: [compare(seen, filtered(paces, [value] * len(published))) for value in SWEEP],
    }
    return [Row(name, compare(seen, state)) for name, state in states.items()], sweep


def _write(folder: Path, report: Report) -> None:
    """The numbers, and delay and recall against flicker as a picture."""
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "filter.json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    figure = Figure(figsize=(10, 4), layout="constrained")
    late, found = figure.subplots(1, 2)
    for name, points in report.sweep.items():
        flicker = [point.flicker for point in points]
        late.plot(flicker, [point.delay_p95_s for point in points], marker="o", label=name)
        found.plot(flicker, [point.f1 for point in points], marker="o", label=name)
    late.set(xlabel="published changes per true change (flicker)", ylabel="delay of found relations, 95 % (s)")
    found.set(xlabel="published changes per true change (flicker)", ylabel="F1 over frames")
    found.legend()
    figure.suptitle(
        f"{report.checkpoint}: relation filters on {report.clips // 2} held-out box-world clips, thresholds {SWEEP[0]} to {SWEEP[-1]}"
    )
    figure.savefig(folder / "filter.png", dpi=110)
