"""What the page of the whole-method table says: hand-made runs, sums by hand."""

import math
from pathlib import Path

import msgspec
import pytest

from model.assemble import load_network
from model.commands.export import DEFAULT_FOLDER
from model.evaluation.intervals import Interval
from model.machine import Machine
from model.rivals import adds, set_report
from model.rivals.cost import Cost, costs, pace
from model.rivals.kept_sets import Counted, SetAt
from model.rivals.over_time_section import newest, section
from model.rivals.page import page
from model.rivals.report import Report, figures, markdown
from model.rivals.set_report import all_figures, set_figures
from model.rivals.table import At, Result, Setup, untrained

SETS = [Counted("realmini", 16, 78, 1377)]


def made(row: str, seed: int, f1: float) -> Result:
    """R .1 above F1 and mR .1 below, on the row's own clips and on RealMini; clips leave .05 to either side."""
    at = [At(constraint, k, f1 + 0.1, f1 - 0.1, f1) for constraint in ("with", "no", "semi") for k in (10, 20, 50)]
    recall, mean_recall = (Interval(f1 + by, f1 + by - 0.05, f1 + by + 0.05) for by in (0.1, -0.1))
    judged = [SetAt("realmini", task, k, recall, mean_recall, f1) for task in ("sgdet", "predcls") for k in (10, 20, 50)]
    return Result(row, seed, 10, 1.0, at, 0.5, 327_000, 35_400_000, 12.0, judged)


def test_a_row_on_a_judged_set_has_its_mean_and_spread_over_seeds_and_the_mean_ends_of_its_clips_intervals() -> None:
    (row,) = set_figures([made("plain", 0, 0.2), made("plain", 1, 0.4)], "realmini", "sgdet")
    at_20 = row.recall[1]
    assert [at_20.mean, at_20.deviation, at_20.low, at_20.high] == pytest.approx([0.4, 0.02**0.5, 0.35, 0.45])
    assert list(row.f1[1]) == pytest.approx([0.3, 0.02**0.5])
    assert "| plain head, AdamW | 40.0 ± 14.1 [35.0, 45.0] |" in set_report.markdown([row])
    assert set_figures([made("plain", 0, 0.2)], "elsewhere", "sgdet") == []


@pytest.mark.parametrize(
    ("gains", "half", "says"),
    [
        ((0.02, 0.03, 0.04), 4.3027 * 0.01 / math.sqrt(3), "adds"),
        ((-0.02, -0.03, -0.04), 4.3027 * 0.01 / math.sqrt(3), "takes away"),
        ((0.02, 0.04), 12.7062 * 0.01, "nothing that these seeds show"),
        ((0.02,), math.inf, "one seed says nothing"),
    ],
)
def test_a_part_adds_where_students_interval_over_seeds_leaves_zero_out(gains: tuple[float, ...], half: float, says: str) -> None:
    runs = [made("plain", seed, 0.3) for seed in range(len(gains))]
    runs += [made("proxvp", seed, 0.3 + gain) for seed, gain in enumerate(gains)]
    rows = adds.parts(runs)
    assert [(one.part, one.place.set) for one in rows] == [
        ("ProxVP, to plain AdamW", name) for name in ("realmini",) * 2 + (adds.OWN_TEST,)
    ]
    assert rows[0].f1[0] == pytest.approx(sum(gains) / len(gains))
    assert rows[0].half == pytest.approx(half, rel=1e-3)
    assert rows[0].says == says


def test_a_part_is_compared_seed_by_seed_and_only_where_both_rows_were_run() -> None:
    rows = adds.parts([made("cosine", 1, 0.2), made("cosine", 2, 0.4), made("episodes", 2, 0.5), made("episodes", 3, 0.9)])
    assert {(one.part, one.seeds, round(one.f1[0], 6)) for one in rows} == {("episode memory, to AdamW + cosine", 1, 0.1)}
    assert "| episode memory, to AdamW + cosine | realmini, sgdet | +10.0 ± 0.0 | +10.0 ± 0.0 | +10.0 ± 0.0 |" in adds.markdown(rows)


def test_the_pace_is_the_median_ratio_over_rounds() -> None:
    """2, 1/2 and 2 frames for one of the base."""
    assert pace([1.0, 4.0, 3.0], [2.0, 2.0, 6.0]) == 2.0


def test_the_whole_network_costs_what_its_parts_do_and_the_plain_row_is_the_measure_of_paces() -> None:
    network, prototypes = load_network(DEFAULT_FOLDER)
    heads = {name: untrained(name) for name in ("plain", "episodes")}
    plain, episodes = costs(heads, "plain", network, prototypes, 1)
    sizes = {name: sum(one.numel() for one in head.parameters()) for name, head in heads.items()}
    assert network.image_heads is not None
    tower = sum(one.numel() for part in (network.detector, network.image_heads) for one in part.parameters())
    assert plain.parameters == tower + sizes["plain"]
    assert episodes.parameters - plain.parameters == sizes["episodes"] - sizes["plain"]
    assert episodes.flops > plain.flops > 10**9
    assert plain.pace == 1.0


def test_the_table_shows_what_was_not_timed_as_not_timed_and_sends_the_online_part_elsewhere() -> None:
    table = figures([made("plain", 0, 0.2), made("gcl", 0, 0.2)], "with")
    lines = markdown(table, [Cost("plain", 3_770_000, 2_420_000_000, 1.0, 60.0)]).splitlines()
    assert lines[2].endswith("| 3.77 M | 2.420 | 1.00 | 60 |")
    assert lines[3].endswith("| - | - | - | - |")
    assert lines[4].startswith("| + association and relation filter (over time, above) | - |")


def tracks(switches: int, flicker: float) -> dict[str, object]:
    held = {"switches": switches, "idf1": 0.5, "duplicate_rate": 0.01, "true": 3, "tracked": 2}
    edges = {"flicker": flicker, "false_edge_minutes_per_hour": 2.0, "delay_median_s": None}
    rest = {"identities": held, "edges": edges, "covered": 0.25, "merges": 4}
    names = (("as shipped", "as shipped"), ("as shipped", "raw threshold"), ("no merging", "as shipped"))
    variants = [{"identities_by": one, "relations_by": other, **rest} for one, other in names]
    return {"checkpoint": "nano-v1", "sets": [{"name": "realmini", "clips": 16, "judged": 78, "variants": variants, "curves": []}]}


def test_what_happens_over_time_is_read_from_the_newest_results_with_parts_taken_out(tmp_path: Path) -> None:
    assert section(newest(tmp_path)).startswith("Not measured")
    for day, switches in ((24, 1), (25, 8)):
        (tmp_path / f"tracks-2026-11-{day}T100000-2core.json").write_bytes(msgspec.json.encode(tracks(switches, 0.5)))
    text = section(newest(tmp_path))
    assert "tracks-2026-11-25T100000-2core.json" in text
    relations = [line for line in text.splitlines() if line.endswith("| 0.500 | 2.00 | 25.00 | - |")]
    assert [line.split(" | ")[0] for line in relations] == ["| raw threshold", "| as shipped"]
    assert "| no merging | 8 | 0.500 | 1.00 | 4 |\n| as shipped | 8 |" in text


def report_of(results: list[Result], setup: Setup, counts: list[Counted]) -> Report:
    machine = Machine("2026-01-01T00:00:00+00:00", "made", 2, 0.0, "none", "3.11", {})
    tables = {constraint: figures(results, constraint) for constraint in ("with", "no", "semi")}
    return Report(machine, setup, tables, counts, all_figures(results, counts), adds.parts(results), [], 1, "", results)


def test_the_page_has_counts_gaps_and_every_section() -> None:
    results = [made(row, seed, 0.3) for row in ("plain", "proxvp", "st_sgg") for seed in (0, 1)]
    text = page(report_of(results, Setup(), SETS), 2, "Nothing over time.")
    for words in ("## realmini, sgdet: 16 clips, 78 frames, 1377 true triplets", "## What each part adds", "Nothing over time.", "## semi"):
        assert words in text
    assert "self-training is plain training" in text
    hidden = page(report_of(results, Setup(hidden=0.5), []), 2, "")
    assert "50% of training pairs without labels" in hidden
    assert "self-training is plain training" not in hidden
    assert "No judged set" in hidden
