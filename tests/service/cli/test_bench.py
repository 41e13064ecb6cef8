"""`vigil bench` as a command: each part for a moment, what it writes, what it refuses."""

import os
import sys
import time
from pathlib import Path

import pytest

from service.cli import main
from service.cli.bench_flame import flame_graph
from service.cli.bench_processes import Others, Watched, busy_s
from service.cli.bench_report import read_report
from service.cli.bench_tables import BEGIN, END
from service.cli.procfs import family
from tests.servers.publisher import make_video

PIXELS = 192 * 320
SMALL = ["--backend", "fake", "--max-pixels", str(PIXELS)]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("video") / "small.mp4", size="320x192", fps=12)


@pytest.mark.parametrize("source", ["--rtmp", "--hls"])
def test_one_stream_is_measured_through_a_service_of_its_own(
    source: str, video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", source, str(video), "--seconds", "3", *SMALL, "--json", str(tmp_path / "results")]) == 0
    [written] = (tmp_path / "results").iterdir()
    report = read_report(written)
    assert report.stream is not None
    assert report.stream.lost_seqs == 0
    assert 6.0 < report.stream.analysed_fps < 14.0
    assert 0.0 < report.stream.p50_ms <= report.stream.p95_ms <= report.stream.max_ms
    assert {"supervisor", "vigil-engine", "vigil-worker-1", "vigil-api"} <= {use.name for use in report.stream.processes}
    assert report.machine.packages["av"] != "not installed"
    said = capsys.readouterr().out
    assert "Capture to WebSocket: p50" in said
    assert "one stream: share of all cores" in said


def test_a_series_of_painted_streams_is_measured_written_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, page = tmp_path / "results" / "one.json", tmp_path / "page.md"
    page.write_text(f"{BEGIN}\n{END}\n")
    assert main(["bench", "--simulated", "1,3", "--fps", "4", "--seconds", "3", "--json", str(out), "--page", str(page)]) == 0
    series = read_report(out).simulated
    assert series is not None
    assert [(point.streams, point.live, point.refused) for point in series.points] == [(1, 1, 0), (3, 3, 0)]
    for point in series.points:
        assert 2.0 < point.fps_min <= point.fps_mean <= point.fps_max < 6.0
        assert point.frames > 5 * point.streams
        assert 0.0 < point.age_p50_ms <= point.age_p95_ms
        assert point.engine_ms > 0.0
        assert point.drops["sampled"] > 0
        assert point.cpu_ms_per_frame > 0.0
        assert point.rss_mib > 100.0
    assert (tmp_path / "results" / "one-simulated.png").is_file()
    assert "one-simulated.png" in page.read_text()
    assert "painted HLS" in capsys.readouterr().out


def test_an_earlier_report_is_shown_without_measuring(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "one.json"
    assert main(["bench", "--batcher", "--seconds", "0.2", "--json", str(out)]) == 0
    first = capsys.readouterr().out
    began_s = time.monotonic()
    assert main(["bench", "--from", str(out)]) == 0
    assert time.monotonic() - began_s < 5.0
    [table] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| 64 ")]
    assert table in first


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--stream", "http://127.0.0.1:9/live.m3u8", "--seconds", "1", "--backend", "fake"], "the service refused the stream"),
        (["--hls", "nowhere.mp4"], "there is no such file"),
        (["--page", "page.md"], "--page shows a report that is a file"),
        (["--from", "pyproject.toml"], "not a report of this version"),
    ],
)
def test_what_cannot_be_is_one_sentence(words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", *words]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("numbers", ["4,2", "0,1", "1,1"])
def test_numbers_of_streams_must_grow(numbers: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bench", "--streams", numbers])
    assert "growing numbers of streams" in capsys.readouterr().err


def test_a_flame_graph_without_its_program_is_refused_before_anything_runs(
    video: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert main(["bench", "--hls", str(video), "--flame", "flame.svg"]) == 2
    assert "pip install py-spy" in capsys.readouterr().err


FAKE_PY_SPY = """#!{python}
import pathlib, sys
words = dict(zip(sys.argv[2::1], sys.argv[3::1]))
if words["--pid"] == "1":
    print("no such process")
    sys.exit(1)
pathlib.Path(words["--output"]).write_text(" ".join(sys.argv[1:]))
"""


@pytest.fixture
def py_spy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "py-spy"
    program.parent.mkdir()
    program.write_text(FAKE_PY_SPY.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))


@pytest.mark.usefixtures("py_spy")
def test_a_flame_graph_looks_at_the_service_and_all_below_it(tmp_path: Path) -> None:
    file = tmp_path / "made" / "flame.svg"
    with flame_graph(file, 4711, 2.0):
        pass
    assert file.read_text().startswith("record --pid 4711 --subprocesses")
    assert "--duration 2" in file.read_text()


@pytest.mark.usefixtures("py_spy")
def test_a_flame_graph_that_fails_says_what_the_program_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such process"), flame_graph(tmp_path / "flame.svg", 1, 2.0):
        pass


def test_memory_and_processor_time_of_a_process_and_of_the_machine_are_read() -> None:
    [own, *_] = family(os.getpid())
    assert own.pid == os.getpid()
    assert own.rss_bytes > 10 * 2**20
    watched, others, busy_before_s = Watched(os.getpid()), Others(), busy_s()
    until_s = time.process_time() + 0.2
    while time.process_time() < until_s:
        pass
    assert family(os.getpid())[0].cpu_s >= own.cpu_s + 0.15
    [load, *_] = watched.loads()
    assert load.name == "supervisor"
    assert 0.02 < load.cores < 1.1
    assert 0.0 <= others.cores() < (os.cpu_count() or 1) + 0.1
    assert busy_s() >= busy_before_s + 0.15
    assert family(2**22 + 1) == []
    assert Watched(0).loads() == []
