"""`vigil bench`, each part for a moment: the figures must be there and add up; how good they are is no test."""

import os
import time
from pathlib import Path

import msgspec
import pytest

from service.cli import main
from service.cli.bench import Report
from service.cli.bench_engine import measure_engine
from service.cli.bench_service import BLOB, TO_ENGINE, measure_service
from service.cli.procfs import family
from tests.servers.publisher import make_video

PIXELS = 192 * 320


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("video") / "small.mp4", size="320x192", fps=12)


def test_every_checkpoint_and_thread_count_is_measured_in_the_same_run() -> None:
    results = measure_engine("fake", [Path("one"), Path("other")], PIXELS, 0.1, lambda: None)
    half = len(results) // 2
    assert [result.threads for result in results] == [*range(1, half + 1)] * 2
    assert [result.checkpoint for result in results] == ["one"] * half + ["other"] * half
    assert len({result.frames for result in results}) == 1
    assert results[0].ratio == 1.0
    assert all(0.0 < result.p50_ms <= result.p95_ms for result in results)


def test_the_steps_of_the_service_add_up() -> None:
    result = measure_service(None, PIXELS, 0.5, lambda: None)
    steps = {cost.step: cost for cost in result.steps}
    counted = [cost for cost in result.steps if not cost.step.startswith("of which")]
    assert sum(cost.cpu_us for cost in counted) == pytest.approx(result.total.cpu_us)
    assert {TO_ENGINE, "associate", "relations", "delta", BLOB} <= steps.keys()
    assert all(steps[name].cpu_us > 0 for name in ("associate", "relations", "delta", BLOB))
    assert result.things >= 6
    assert result.relations >= 3
    assert 0 < result.blob_bytes <= 64 * 1024


def test_measuring_leaves_the_analysis_as_it_was() -> None:
    from service.pipeline.delta import diff
    from service.shard import analysis

    measure_service(None, PIXELS, 0.1, lambda: None)
    assert vars(analysis)["diff"] is diff


def test_a_live_stream_is_measured_through_a_service_of_its_own(video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--rtmp", str(video), "--seconds", "3", "--backend", "fake", "--max-pixels", str(PIXELS)]
    assert main(["bench", *words, "--json", str(tmp_path / "results")]) == 0
    [written] = (tmp_path / "results").iterdir()
    report = msgspec.json.decode(written.read_bytes(), type=Report)
    assert report.stream is not None
    assert report.stream.lost_seqs == 0
    assert 6.0 < report.stream.analysed_fps < 14.0
    assert 0.0 < report.stream.p50_ms <= report.stream.p95_ms <= report.stream.max_ms
    assert {"vigil-engine", "vigil-worker-1", "vigil-api"} <= {use.name for use in report.stream.processes}
    assert report.machine.packages["av"] != "not installed"
    assert "capture to WebSocket: p50" in capsys.readouterr().out


def test_a_refused_stream_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--stream", "http://127.0.0.1:9/live.m3u8", "--seconds", "1", "--backend", "fake"]) == 2
    assert "the service refused the stream" in capsys.readouterr().err


def test_memory_and_processor_time_of_a_process_are_read() -> None:
    [own, *_] = family(os.getpid())
    assert own.pid == os.getpid()
    assert own.rss_bytes > 10 * 2**20
    until_s = time.process_time() + 0.1
    while time.process_time() < until_s:
        pass
    assert family(os.getpid())[0].cpu_s >= own.cpu_s + 0.05
    assert family(2**22 + 1) == []
