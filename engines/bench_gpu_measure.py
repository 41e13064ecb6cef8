"""The measuring inside `engines.bench_gpu`: what the device is and can do at most, and one network on it, way by way.

B batch, H W canvas, C object classes, K predicates, D width.
"""

import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from engines.bench_gpu_runners import PRECISION_NAMES, WAYS, Call, Subject, worst_difference
from engines.canvas import fit_canvas
from model.checkpoint import read_manifest
from model.text import Prototypes
from model.vocabulary import MODERATION_V1

if TYPE_CHECKING:
    from engines.bench import EngineReport

CALLS = 50
LONGEST_S = 3.0
WARM_CALLS = 3
PEAK_SIDE = {"cuda": 8192, "cpu": 512}
UPLOAD_BYTES = 64 * 2**20
NANO_PIXELS, BASE_PIXELS = 448 * 256, 608 * 384
SOURCE_HW = (720, 1280)
SMI_FIELDS = "name,driver_version,clocks.sm,clocks.max.sm,memory.total,pcie.link.gen.current,pcie.link.width.current"


@dataclass(frozen=True, slots=True)
class Facts:
    """The device as it names itself, what torch was built with, and the most that was measured: TFLOP/s, GB/s."""

    device: str
    smi: str
    torch: str
    cuda: str
    peak_fp16: float
    peak_bf16: float
    upload_gb_s: float | None


@dataclass(frozen=True, slots=True)
class SubjectFacts:
    """A network that is measured."""

    name: str
    weights: str
    height: int
    width: int
    parameters_m: float
    gflop_per_frame: float


@dataclass(frozen=True, slots=True)
class Row:
    """One network, one way, one batch. `peak_share` is of the measured matrix peak in its precision; `memory_mib` the most allocated by
    torch since the way began; `difference` the worst of the sorted scores against float32."""

    network: str
    way: str
    precision: str
    batch: int
    p50_ms: float
    p95_ms: float
    fps: float
    peak_share: float | None
    memory_mib: float | None
    difference: float


class Measured:
    """A network on the device, in half precision, with its float32 answers to compare."""

    def __init__(self, subject: Subject, facts: SubjectFacts, device: torch.device, peak: float | None) -> None:
        self.facts = facts
        self._device, self._peak = device, peak
        self._dtype = torch.float16 if device.type == "cuda" else torch.bfloat16
        self._exact = subject.on(device, torch.float32)
        self._low = subject.on(device, self._dtype)

    @classmethod
    def of(cls, name: str, device: torch.device, facts: Facts | None, pixels: int | None) -> "Measured":
        """`name` is nano, base or a checkpoint's folder. ValueError or ImportError when it cannot be had."""
        subject = subject_of(name, pixels)
        peak = None if facts is None else (facts.peak_fp16 if device.type == "cuda" else facts.peak_bf16)
        return cls(subject, subject_facts(subject), device, peak)

    @torch.no_grad()
    def measure(self, way: str, batches: Sequence[int], on_row: Callable[[Row], None]) -> None:
        """A row for each batch as it is measured, so that a failure at a large one leaves the smaller."""
        if way not in WAYS:
            raise ValueError(f"no way {way!r}; known: {', '.join(WAYS)}")
        make = WAYS[way](self._low, self._device, self._dtype)
        for batch in batches:
            _forget_peak_memory(self._device)
            call = make(batch)
            times_ms = timed_ms(call, self._device)
            difference = worst_difference(call(), self._exact.network(*self._exact.inputs(batch, self._device)))
            on_row(self._row(way, batch, times_ms, difference))

    def _row(self, way: str, batch: int, times_ms: list[float], difference: float) -> Row:
        p50_ms = statistics.median(times_ms)
        fps = 1000 * batch / p50_ms
        return Row(
            network=self.facts.name,
            way=way,
            precision=PRECISION_NAMES[self._dtype],
            batch=batch,
            p50_ms=p50_ms,
            p95_ms=float(np.percentile(times_ms, 95)),
            fps=fps,
            peak_share=None if self._peak is None else self.facts.gflop_per_frame * fps / 1000 / self._peak,
            memory_mib=torch.cuda.max_memory_allocated() / 2**20 if self._device.type == "cuda" else None,
            difference=difference,
        )


def engines(backend: str, batches: Sequence[int], pixels: int | None, seconds: float) -> "EngineReport":
    """A backend of the product with the shipped network: pictures in host memory in, scene graphs out. ValueError: why it cannot run."""
    from engines.bench import Setting, measure_engines
    from engines.factory import SHIPPED

    return measure_engines([Setting(backend, SHIPPED, pixels or NANO_PIXELS, 1)], batches, seconds)


def subject_of(name: str, pixels: int | None) -> Subject:
    """nano: the shipped checkpoint; base: random weights at the paper's size; else the checkpoint in that folder."""
    if name == "base":
        return _random_base(pixels or BASE_PIXELS)
    from engines.factory import SHIPPED
    from model.assemble import load_network

    folder = SHIPPED if name == "nano" else Path(name)
    network, prototypes = load_network(folder)
    canvas = fit_canvas(*SOURCE_HW, pixels or NANO_PIXELS)
    onnx = folder / read_manifest(folder).onnx_file
    return Subject(
        "nano" if name == "nano" else folder.name, folder.name, network, prototypes, network.num_slots, canvas.height, canvas.width, onnx
    )


def subject_facts(subject: Subject) -> SubjectFacts:
    """Parameters and operations (products and convolutions, two a multiply-add), counted on the CPU."""
    cpu = subject.on(torch.device("cpu"), torch.float32)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        cpu.network(*cpu.inputs(1, torch.device("cpu")))
    parameters = sum(one.numel() for one in cpu.network.parameters())
    gflop = int(counter.get_total_flops()) / 1e9
    return SubjectFacts(subject.name, subject.weights, subject.height, subject.width, parameters / 1e6, gflop)


def device_of(name: str) -> torch.device:
    """ValueError when CUDA is asked for and not there."""
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"torch {torch.__version__} sees no CUDA device here")
    return torch.device(name)


def facts(device: torch.device) -> Facts:
    """Takes a few seconds."""
    return Facts(
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        smi=_smi(),
        torch=torch.__version__,
        cuda=torch.version.cuda or "none",
        peak_fp16=peak_tflops(device, torch.float16) if device.type == "cuda" else 0.0,
        peak_bf16=peak_tflops(device, torch.bfloat16),
        upload_gb_s=_upload_gb_s(device) if device.type == "cuda" else None,
    )


def peak_tflops(device: torch.device, dtype: torch.dtype) -> float:
    """The best of several products of large square matrices."""
    side = PEAK_SIDE[device.type]
    one, other = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    return 2 * side**3 / min(timed_ms(lambda: (one @ other,), device)) / 1e9


def timed_ms(call: Call, device: torch.device) -> list[float]:
    """Milliseconds of single calls after a few that do not count: CALLS of them, or as many as LONGEST_S allows, two at least."""
    for _ in range(WARM_CALLS):
        call()
    one = _cuda_ms if device.type == "cuda" else _cpu_ms
    times_ms: list[float] = []
    deadline_s = time.perf_counter() + LONGEST_S
    while len(times_ms) < CALLS and (time.perf_counter() < deadline_s or len(times_ms) < 2):
        times_ms.append(one(call))
    return times_ms


def facts_lines(found: Facts) -> list[str]:
    """For a terminal."""
    upload = "" if found.upload_gb_s is None else f", upload {found.upload_gb_s:.1f} GB/s"
    peaks = f"measured peak: fp16 {found.peak_fp16:.2f}, bf16 {found.peak_bf16:.2f} TFLOP/s{upload}"
    return [f"{found.device}, torch {found.torch}, CUDA {found.cuda}", found.smi, peaks]


def subject_line(found: SubjectFacts) -> str:
    """For a terminal."""
    cost = f"{found.parameters_m:.2f} M parameters, {found.gflop_per_frame:.2f} GFLOP a frame"
    return f"{found.name}: {found.weights}, {found.width}x{found.height}, {cost}"


def _random_base(pixels: int) -> Subject:
    from model.base.cost import new_network
    from model.base.size import BASE

    torch.manual_seed(0)
    network, canvas = new_network(BASE), fit_canvas(*SOURCE_HW, pixels)
    counts = (len(MODERATION_V1.objects), len(MODERATION_V1.predicates))
    prototypes = Prototypes(*(F.normalize(torch.randn(count, BASE.dim), dim=1) for count in counts))
    return Subject("base", "random weights", network, prototypes, network.num_slots, canvas.height, canvas.width)


def _cuda_ms(call: Callable[[], object]) -> float:
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    begin.record()
    call()
    end.record()
    end.synchronize()
    return float(begin.elapsed_time(end))


def _cpu_ms(call: Callable[[], object]) -> float:
    begun_s = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - begun_s)


def _upload_gb_s(device: torch.device) -> float:
    """From pinned memory."""
    host = torch.empty(UPLOAD_BYTES, dtype=torch.uint8, pin_memory=True)
    there = torch.empty_like(host, device=device)
    return UPLOAD_BYTES / min(timed_ms(lambda: (there.copy_(host, non_blocking=True),), device)) / 1e6


def _smi() -> str:
    program = shutil.which("nvidia-smi")
    if program is None:
        return "no nvidia-smi here"
    done = subprocess.run([program, f"--query-gpu={SMI_FIELDS}", "--format=csv,noheader"], capture_output=True, text=True, timeout=20)
    return f"{SMI_FIELDS}: {done.stdout.strip() or done.stderr.strip()}"


def _forget_peak_memory(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
