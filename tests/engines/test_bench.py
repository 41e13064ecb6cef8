"""The engine benchmark: its arithmetic, its reasons in words, and that it runs alone. How fast anything is, is no test."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from engines.bench import Setting, measure_engines, table
from engines.bench_ceiling import Ceiling, best_rate, cpu_ceiling, gflop_per_frame
from engines.factory import SHIPPED
from model.assemble import load_network
from model.rivals.cost import HEIGHT, WIDTH, network_flops

PIXELS = 128 * 64
ALONE = """
import runpy, sys
for name in ("service", "av", "redis"):
    sys.modules[name] = None
sys.argv = ["bench", *{words!r}]
runpy.run_module("engines.bench", run_name="__main__")
"""


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def test_every_setting_and_batch_is_measured_in_turns() -> None:
    settings = [Setting("fake", Path(name), PIXELS, threads) for name in ("one", "other") for threads in (1, 2)]
    report = measure_engines(settings, [1, 4], 0.2)
    found = [(one.checkpoint, one.threads, one.batch) for one in report.results]
    assert found == [(name, threads, batch) for name in ("one", "other") for threads in (1, 2) for batch in (1, 4)]
    assert len({one.frames for one in report.results if one.batch == 1}) == 1
    assert report.results[0].ratio == 1.0
    for one in report.results:
        assert 0.0 < one.p50_ms <= one.p95_ms
        assert one.fps == pytest.approx(1000 * one.batch / one.p50_ms)
        assert one.ratio == pytest.approx(report.results[0].fps / one.fps)
        assert (one.width, one.height) == (128, 64)


def test_what_cannot_run_is_said_and_the_rest_is_measured() -> None:
    settings = [Setting("none such", SHIPPED, PIXELS, 1), Setting("fake", SHIPPED, PIXELS, 1)]
    report = measure_engines(settings, [1, 4096], 0.05)
    assert [one.backend for one in report.results] == ["fake"]
    unknown, too_many = report.skipped
    assert "none such, nano-v1, 128x64, 1 threads: " in unknown
    assert "batch 4096: this engine takes at most" in too_many
    assert table(report)[-2:] == [f"skipped: {unknown}", f"skipped: {too_many}"]


def test_nothing_that_can_run_is_an_error_with_the_reasons() -> None:
    with pytest.raises(ValueError, match="no engine could be opened: none such"):
        measure_engines([Setting("none such", SHIPPED, PIXELS, 1)], [1], 0.05)


def test_a_real_network_is_held_against_the_ceiling_of_as_many_threads() -> None:
    report = measure_engines([Setting("onnxruntime", SHIPPED, PIXELS, 1)], [1], 0.1, ceiling_seconds=0.05)
    [one], [ceiling] = report.results, report.ceilings
    gflop = gflop_per_frame(SHIPPED, 64, 128)
    assert gflop is not None
    assert one.gflop_per_frame == gflop
    assert one.gflops == pytest.approx(gflop * one.fps)
    assert one.ceiling_share == pytest.approx(gflop * one.fps / ceiling.best)
    assert ceiling.threads == 1
    assert one.memory_mib is not None


def test_operations_are_those_of_the_network() -> None:
    network, prototypes = load_network(SHIPPED)
    assert gflop_per_frame(SHIPPED, HEIGHT, WIDTH) == network_flops(network.requires_grad_(False), prototypes) / 1e9


def test_no_operations_are_known_without_weights(tmp_path: Path) -> None:
    assert gflop_per_frame(tmp_path, 64, 128) is None


def test_the_ceiling_is_the_best_that_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    found = cpu_ceiling(1, 0.05)
    assert found.onnxruntime_matmul is not None
    assert found.onnxruntime_conv is not None
    assert found.best == max(found.numpy_matmul, found.onnxruntime_matmul, found.onnxruntime_conv) > 0.0
    monkeypatch.setitem(sys.modules, "onnx", None)
    bare = cpu_ceiling(1, 0.05)
    assert bare == Ceiling(1, bare.numpy_matmul, None, None)
    assert bare.best == bare.numpy_matmul > 0.0


def test_a_rate_is_that_of_the_fastest_call() -> None:
    calls = []
    rate = best_rate(lambda: calls.append(len(calls)), 1.0, 0.0)
    assert rate > 0.0
    assert len(calls) == 2


def test_it_runs_alone_as_a_command(tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    words = ["--backends", "fake", "--pixels", str(PIXELS), "--threads", "1", "--batches", "1,2", "--seconds", "0.1", "--json", str(out)]
    done = subprocess.run([sys.executable, "-c", ALONE.format(words=words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "p95 ms" in done.stdout
    assert [one["batch"] for one in json.loads(out.read_text())["results"]] == [1, 2]
