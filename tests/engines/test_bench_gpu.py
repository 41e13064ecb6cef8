"""The GPU benchmark on the CPU: the same stages, with the reason in words for what needs CUDA. No GPU takes part."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional as F

from engines import bench_gpu
from engines.bench_gpu import GpuReport, Run, main, table
from engines.bench_gpu_measure import Measured, Row, device_of, subject_facts, timed_ms
from engines.bench_gpu_runners import Subject, captured, worst_difference
from model.base.cost import new_network
from model.text import Prototypes
from model.vocabulary import MODERATION_V1
from tests.model.base.tiny import TINY

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")
PIXELS = str(128 * 64)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def test_every_stage_is_printed_and_written_and_no_failure_hides_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "figures" / "gpu.json"
    tried = ["--engines", "none such,onnxruntime", "--networks", "nano,no/folder", "--ways", "cuda graphs,eager,tensorrt,none such"]
    assert main(["--device", "cpu", *tried, "--batches", "1,2", "--pixels", PIXELS, "--json", str(out)]) == 0
    report = json.loads(out.read_text())
    reasons = {stage["name"]: stage["reason"] for stage in report["stages"]}
    good = {name for name, reason in reasons.items() if not reason}
    assert good == {"facts", "engine onnxruntime", "nano: make", "nano: eager", "all"}
    assert "no/folder" in reasons["no/folder: make"]
    assert "a CUDA graph needs CUDA" in reasons["nano: cuda graphs"]
    assert "tensorrt needs CUDA" in reasons["nano: tensorrt"]
    assert "no way 'none such'" in reasons["nano: none such"]
    assert [(row["network"], row["way"], row["precision"], row["batch"]) for row in report["rows"]] == [
        ("nano", "eager", "bf16", 1),
        ("nano", "eager", "bf16", 2),
    ]
    assert [(one["backend"], one["batch"]) for one in report["engines"]] == [("onnxruntime", 1), ("onnxruntime", 2)]
    printed = capsys.readouterr().out
    assert "streams at 25" in printed
    assert f"nano: cuda graphs: {reasons['nano: cuda graphs']}" in printed


def test_a_row_follows_from_its_times() -> None:
    subject = tiny_base()
    measured = Measured(subject, subject_facts(subject), CPU, peak=2.0)
    rows: list[Row] = []
    measured.measure("eager", [1, 3], rows.append)
    for row in rows:
        assert row.fps == pytest.approx(1000 * row.batch / row.p50_ms)
        assert row.peak_share == pytest.approx(measured.facts.gflop_per_frame * row.fps / 1000 / 2.0)
        assert 0.0 <= row.difference < 0.1
    assert [row.batch for row in rows] == [1, 3]


def tiny_base() -> Subject:
    """`base`, tiny, with random weights."""
    torch.manual_seed(0)
    network = new_network(TINY)
    counts = (len(MODERATION_V1.objects), len(MODERATION_V1.predicates))
    prototypes = Prototypes(*(F.normalize(torch.randn(count, TINY.dim), dim=1) for count in counts))
    return Subject("tiny", "random weights", network, prototypes, network.num_slots, 64, 128)


def test_nothing_is_started_when_the_time_is_up(tmp_path: Path) -> None:
    run, begun = Run(tmp_path / "out.json", seconds=-1.0), []
    assert not run.stage("late", lambda: begun.append(1))
    assert begun == []
    assert json.loads((tmp_path / "out.json").read_text())["stages"][0]["reason"] == "not tried: the time was up"


def test_a_row_is_on_disk_before_the_next_batch_and_none_begins_when_the_time_is_up(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    row = Row("nano", "eager", "fp16", 4, p50_ms=2.0, p95_ms=3.0, fps=2000.0, peak_share=None, memory_mib=None, difference=0.0)
    Run(out, seconds=10.0).add(row)
    assert [one["batch"] for one in json.loads(out.read_text())["rows"]] == [4]
    with pytest.raises(TimeoutError, match="the time was up after batch 4"):
        Run(out, seconds=-1.0).add(row)


def test_streams_are_whole_ones_at_25_frames_a_second() -> None:
    report = GpuReport(rows=[Row("nano", "eager", "fp16", 4, 2.0, 3.0, 2024.9, 0.125, 100.0, 0.001)])
    assert table(report)[2].split() == ["nano", "eager", "fp16", "4", "2.000", "3.000", "2024.9", "12.5%", "100", "1.0e-03", "80"]


def test_a_mistake_of_our_own_is_not_taken_for_a_missing_library() -> None:
    with pytest.raises(ZeroDivisionError):
        Run(None, seconds=10.0).stage("wrong", _divide_by_nothing)


def _divide_by_nothing() -> None:
    1 / 0  # noqa: B018


def test_a_python_without_packages_gets_their_names_and_the_way_to_them() -> None:
    done = subprocess.run([sys.executable, "-S", "-m", "engines.bench_gpu"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"this Python lacks {', '.join(bench_gpu.NEEDED)}: install them, or without a network put their wheels" in done.stderr


def test_a_missing_package_is_named_before_anything_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(bench_gpu, "NEEDED", ("torch", "no_such_package"))
    assert main(["--device", "cpu"]) == 2
    assert "this Python lacks no_such_package" in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_the_command_says_so_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 1
    assert "sees no CUDA device here" in capsys.readouterr().out
    with pytest.raises(ValueError, match="sees no CUDA device"):
        device_of("cuda")


def test_a_recording_on_the_cpu_is_refused() -> None:
    with pytest.raises(ValueError, match="a CUDA graph needs CUDA, and this runs on cpu"):
        captured(lambda: (torch.zeros(1),), CPU)


def test_times_leave_out_the_first_calls() -> None:
    calls = SimpleNamespace(count=0)

    def call() -> tuple[torch.Tensor]:
        calls.count += 1
        return (torch.zeros(1),)

    times_ms = timed_ms(call, CPU)
    assert len(times_ms) == 50
    assert calls.count == 53
    assert min(times_ms) > 0.0


def test_the_difference_is_that_of_the_scores() -> None:
    boxes, other = torch.zeros(1, 2, 4), torch.ones(1, 2, 4)
    assert worst_difference((boxes, torch.tensor([[0.9, 0.5]])), (other, torch.tensor([[0.8, 0.5]]))) == pytest.approx(0.1)
