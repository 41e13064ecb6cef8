"""A report: judged, printed, drawn and put into the page. All figures here are made up."""

import re
from pathlib import Path

import msgspec
import pytest

from engines.bench import EngineReport, EngineResult
from engines.bench_ceiling import Ceiling
from service.cli.bench_batcher import BatcherResult
from service.cli.bench_peers import PeerResult, PeersResult, PublishedResult
from service.cli.bench_plots import draw
from service.cli.bench_processes import ProcessLoad
from service.cli.bench_report import Report, judge, new_report, read_report, write_report
from service.cli.bench_stages import StageCost, StagesResult, StepCost
from service.cli.bench_stream import StreamResult
from service.cli.bench_streams import LoadPoint, StreamsResult
from service.cli.bench_tables import BEGIN, END, fill_page, number, sections, table

STAGES = StagesResult(
    "fake",
    "room.mp4",
    frames=100,
    things=9,
    relations=8,
    blob_bytes=2048,
    stages=[
        StageCost("decode", 2600.0, floor="libavcodec", floor_us=2000.0),
        StageCost("resize", 500.0, floor="swscale", floor_us=400.0),
        StageCost("queue", 100.0, engine_us=50.0, floor="copy", floor_us=30.0),
        StageCost("infer", 0.0, engine_us=20_000.0, floor="the engine alone", floor_us=19_000.0),
        StageCost("publish", 100.0, redis_us=60.0, floor="SET", floor_us=40.0),
        StageCost("rest", 40.0),
    ],
    steps=[StepCost("publish", 100.0, 300.0)],
)
STREAM = StreamResult(
    "http://127.0.0.1:1/0/live.m3u8",
    0.3,
    0.4,
    seconds=60.0,
    messages=1500,
    analysed_fps=25.0,
    p50_ms=20.0,
    p95_ms=40.0,
    max_ms=90.0,
    longest_gap_ms=80.0,
    lost_seqs=0,
    state="live",
    processes=[ProcessLoad("vigil-worker-1", 0.25, 100.0, 101.0), ProcessLoad("vigil-engine", 0.75, 150.0, 151.0)],
    other_cores=0.1,
)


PEERS = PeersResult(
    "room.mp4",
    1280,
    720,
    contenders=[
        PeerResult("vigil", 2, 448, 256, None, 900, 10.0, 90.0, 20.0, 4.5),
        PeerResult("plain loop", 2, 448, 256, 3.9, 200, 10.0, 20.0, 90.0, 1.0),
        PeerResult("RelTR at its own size", 2, 1333, 750, 64.0, 2, 10.0, 0.2, 9000.0, 0.01),
    ],
    published=PublishedResult("RelTR", 63.7, 64.0, 16.1, "one GPU", "its authors"),
    over_plain=4.5,
    over_best_plain=4.0,
    many_over_best_plain=3.9,
)


def point(streams: int, asked_fps: float = 2.0, slowest: float = 1.95, fastest: float = 2.0) -> LoadPoint:
    rates = {"fps_min": slowest, "fps_mean": (slowest + fastest) / 2, "fps_max": fastest, "window_fps_min": slowest}
    ages = {
        "age_p50_ms": 20.0 * streams,
        "age_p95_ms": 40.0 * streams,
        "engine_ms": 2.0,
        "batch_mean": 1.2,
        "origin_cores": 0.1,
        "other_cores": 0.0,
    }
    processes = [ProcessLoad("vigil-worker-1", 0.1 * streams, 90.0, 100.0), ProcessLoad("vigil-engine", 0.05 * streams, 150.0, 150.0)]
    counts = {"streams": streams, "live": streams, "refused": 0, "frames": 20 * streams, "drops": {"sampled": 20}}
    return LoadPoint(asked_fps=asked_fps, seconds=10.0, processes=processes, **counts, **rates, **ages)  # type: ignore[arg-type]


@pytest.fixture
def report() -> Report:
    whole = new_report("fake")
    row = EngineResult("fake", "fake", "cpu", "fp32", 2, 4, 448, 256, 80, 0.1, 40.0, 44.0, 100.0, 1.0, 1.1, 110.0, 0.6, 55.0)
    whole.engine = EngineReport(
        [row],
        [Ceiling(2, 180.0, None, None)],
        ["openvino, 448x256: openvino cannot run here", "openvino, 2 threads: openvino cannot run here"],
    )
    whole.stages = STAGES
    whole.batcher = [BatcherResult(count, 3000.0, 20.0 + count / 32, 1.0, 0.1 * count, 1.0) for count in (1, 8, 64)]
    whole.streams = StreamsResult("HLS of room.mp4", "fake", [point(count) for count in (1, 4, 16)])
    whole.stream = STREAM
    whole.peers = PEERS
    whole.verdicts = judge(whole)
    return whole


def verdict(report: Report, begins: str) -> tuple[str, bool]:
    [found] = [one for one in judge(report) if one.what.startswith(begins)]
    return found.found, found.holds


def test_both_sums_of_the_stages_are_judged(report: Report) -> None:
    """500 + 150 + 160 + 40 us, and the same without the resize."""
    assert verdict(report, "CPU a frame without network and decode") == ("0.85 ms", True)
    assert verdict(report, "CPU a frame without network, decode and resize") == ("0.35 ms", True)
    slower = msgspec.structs.replace(STAGES, stages=[*STAGES.stages, StageCost("associate", 200.0)])
    report.stages = slower
    assert verdict(report, "CPU a frame without network and decode") == ("1.05 ms", False)


def test_one_stream_is_judged_by_rate_age_and_share_of_the_machine(report: Report) -> None:
    report.machine = msgspec.structs.replace(report.machine, cores=2)
    assert verdict(report, "one stream: analysed FPS") == ("25.0", True)
    assert verdict(report, "one stream: p95") == ("40 ms", True)
    assert verdict(report, "one stream: share of all cores") == ("50%", True)
    report.machine = msgspec.structs.replace(report.machine, cores=1)
    assert verdict(report, "one stream: share of all cores") == ("100%", False)


@pytest.mark.parametrize(
    ("slowest", "fastest", "spread", "share"),
    [(1.95, 2.0, ("1.03", True), ("98%", True)), (1.6, 2.0, ("1.25", False), ("80%", False)), (1.7, 1.8, ("1.06", True), ("85%", False))],
)
def test_sixteen_streams_are_judged_by_spread_and_by_what_the_slowest_got(
    report: Report, slowest: float, fastest: float, spread: tuple[str, bool], share: tuple[str, bool]
) -> None:
    report.streams = StreamsResult("HLS", "fake", [point(4, slowest=0.5), point(16, slowest=slowest, fastest=fastest)])
    assert verdict(report, "16 streams at 2 FPS, 10 s of the 300 asked, fake: fastest over slowest") == spread
    assert verdict(report, "16 streams at 2 FPS, 10 s of the 300 asked, fake: slowest") == share


def test_nothing_is_said_of_what_was_not_measured() -> None:
    assert judge(new_report("fake")) == []


def test_a_batcher_that_grows_dearer_or_is_slow_is_found_out(report: Report) -> None:
    """20.03 us at one stream, 22 us at 64."""
    assert verdict(report, "batcher: dearest frame over the first") == ("1.10", True)
    report.batcher[-1] = msgspec.structs.replace(report.batcher[-1], cpu_us=25.0, frames_per_s=1900.0)
    assert verdict(report, "batcher: dearest frame over the first") == ("1.25", False)
    assert verdict(report, "batcher, a network of") == ("1900", False)


def test_the_pace_over_the_plain_loops_is_judged(report: Report) -> None:
    assert verdict(report, "vigil over the plain loop") == ("4.5 x", True)
    assert verdict(report, "vigil over the faster plain loop") == ("4.0 x", True)
    assert verdict(report, "vigil, 2 streams a core") == ("3.9 x", False)


def test_a_report_is_read_as_it_was_written(report: Report, tmp_path: Path) -> None:
    file = write_report(report, tmp_path / "results")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d{6}-bench-\d+core\.json", file.name)
    assert read_report(file) == report


def test_a_file_of_another_kind_is_refused_in_a_sentence(tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text('{"machine": 1}')
    with pytest.raises(ValueError, match="not a report of this version"):
        read_report(other)


def test_a_table_has_even_columns() -> None:
    assert table(("a", "long"), [("text", "1"), ("b", "22")]) == [
        "| a    | long |",
        "| ---- | ---: |",
        "| text |    1 |",
        "| b    |   22 |",
    ]
    assert number(None) == "-"


def test_every_part_that_was_measured_has_a_section(report: Report) -> None:
    found = {section.name: "\n".join(section.lines) for section in sections(report)}
    assert list(found) == ["engine", "stages", "batcher", "streams", "stream", "peers", "verdicts"]
    assert found["engine"].count("Not run: openvino cannot run here") == 1
    assert "- 16 at once: frames not analysed: 20 sampled. Cores: vigil-worker-1 1.60, vigil-engine 0.80." in found["streams"]
    assert "All processes: 1.00 cores" in found["stream"]
    assert found["verdicts"].count("holds") + found["verdicts"].count("MISSED") == len(report.verdicts)


def test_the_page_gets_tables_and_pictures_between_its_marks_and_keeps_the_rest(report: Report, tmp_path: Path) -> None:
    page, results = tmp_path / "docs" / "benchmark.md", tmp_path / "bench" / "results" / "one.json"
    page.parent.mkdir()
    page.write_text(f"# Before\n\n{BEGIN}\nold figures\n{END}\n\nafter\n")
    results.parent.mkdir(parents=True)
    plots = {"stages": results.with_name("one-stages.png")}
    for _ in range(2):
        fill_page(page, report, results, plots)
    text = page.read_text()
    assert text.startswith(f"# Before\n\n{BEGIN}\n")
    assert text.endswith(f"{END}\n\nafter\n")
    assert "old figures" not in text
    assert text.count("![Stages](../bench/results/one-stages.png)") == 1
    assert "[one.json](../bench/results/one.json)" in text


def test_a_page_without_marks_is_left_alone(report: Report, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("no marks")
    with pytest.raises(ValueError, match="two marks"):
        fill_page(page, report, tmp_path / "one.json", {})
    assert page.read_text() == "no marks"


def test_every_part_is_drawn(report: Report, tmp_path: Path) -> None:
    files = draw(report, tmp_path / "one.json")
    assert set(files) == {"engine", "stages", "batcher", "streams", "peers"}
    for name, file in files.items():
        assert file.name == f"one-{name}.png"
        assert file.read_bytes().startswith(b"\x89PNG")
