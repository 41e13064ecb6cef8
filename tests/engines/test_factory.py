"""Opening a backend by name or the best there is, and what is said when one cannot be opened."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engines.factory import AUTO, PREFERRED, SHIPPED, choose_engine, open_engine
from engines.probe import BACKENDS, Machine, NotUsable, probe

PIXELS = 64 * 64


def test_an_unknown_backend_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=f"no engine 'abacus'; known: {', '.join(BACKENDS)}"):
        open_engine("abacus", num_streams=1, max_pixels=PIXELS)


@pytest.mark.parametrize("backend", ["onnxruntime", AUTO])
def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path: Path, backend: str) -> None:
    with pytest.raises(ValueError, match=r"^\S+ is no checkpoint: it has no manifest\.json"):
        open_engine(backend, model_dir=tmp_path, num_streams=1, max_pixels=PIXELS)


def test_a_torn_network_is_refused_before_it_is_loaded(tmp_path: Path) -> None:
    folder = tmp_path / "nano-v1"
    shutil.copytree(SHIPPED, folder)
    network = folder / "nano-v1.onnx"
    network.write_bytes(network.read_bytes()[:100_000])
    with pytest.raises(ValueError, match=r"nano-v1\.onnx is not the file of this checkpoint"):
        open_engine("onnxruntime", model_dir=folder, num_streams=1, max_pixels=PIXELS)


def test_the_same_checkpoint_has_the_same_hash_wherever_it_lies(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    shutil.copytree(SHIPPED, folder)
    specs = [open_engine("onnxruntime", model_dir=where, num_streams=1, max_pixels=PIXELS, threads=1).spec for where in (None, folder)]
    assert specs[0] == specs[1]
    assert len(specs[0].model_hash) == 16


@pytest.mark.parametrize("backend", PREFERRED)
def test_a_backend_that_cannot_run_here_says_why(backend: str) -> None:
    capability = probe(backend)
    if capability.usable:
        pytest.skip(f"{backend} can run here, on {capability.device}")
    with pytest.raises(ValueError, match=f"^{backend} cannot run here: {capability.why}$"):
        open_engine(backend, num_streams=1, max_pixels=PIXELS)


def test_the_best_usable_backend_is_opened_and_the_better_ones_say_why_not() -> None:
    chosen = choose_engine(AUTO, num_streams=1, max_pixels=PIXELS, threads=1)
    backend = chosen.engine.spec.backend
    chosen.engine.close()
    usable = [name for name in PREFERRED if probe(name).usable]
    assert backend == usable[0]
    assert [one.backend for one in chosen.passed_over] == list(PREFERRED[: PREFERRED.index(backend)])
    assert all(one.why == f"{one.backend} cannot run here: {probe(one.backend).why}" for one in chosen.passed_over)


def machine(packages: tuple[str, ...], gpu: str = "") -> Machine:
    """A machine with these packages, and a GPU of this name as its driver says."""

    def require(package: str) -> None:
        if package not in packages:
            raise NotUsable(f"{package} is not installed")

    def driver_device() -> str:
        if not gpu:
            raise NotUsable("there is no NVIDIA driver")
        return gpu

    return Machine(require, driver_device, lambda: None)


@pytest.mark.parametrize(
    ("backend", "there", "was_usable", "gpu_idles"),
    [
        (AUTO, machine(("onnxruntime",)), [], False),
        (AUTO, machine(("onnxruntime",), "NVIDIA L4"), [], True),
        (AUTO, machine(("onnxruntime", "torch", "tensorrt_rtx"), "NVIDIA L4"), ["tensorrt_rtx", "torch_cuda"], True),
        ("onnxruntime", machine(("onnxruntime",), "NVIDIA L4"), [], False),
    ],
    ids=["no GPU", "a GPU and nothing to use it with", "GPU engines that do not open", "asked for by name"],
)
def test_an_engine_fell_back_when_a_better_one_should_have_run(
    backend: str, there: Machine, was_usable: list[str], gpu_idles: bool
) -> None:
    if was_usable and probe("torch_cuda").usable:
        pytest.skip("there is a GPU, on which they open")
    chosen = choose_engine(backend, num_streams=1, max_pixels=PIXELS, threads=1, machine=there)
    chosen.engine.close()
    assert chosen.engine.spec.backend == "onnxruntime"
    assert [one.backend for one in chosen.passed_over if one.was_usable] == was_usable
    assert (chosen.gpu_idles, chosen.fell_back) == (gpu_idles, gpu_idles or bool(was_usable))


def test_when_no_backend_opens_the_network_every_reason_is_told() -> None:
    with pytest.raises(ValueError, match=r"no engine opens .*onnxruntime: onnxruntime computes in fp32, got 'fp8'") as refused:
        choose_engine(AUTO, num_streams=1, max_pixels=PIXELS, precision="fp8")
    assert all(f"{backend}: " in str(refused.value) for backend in PREFERRED)


def test_a_backend_asked_for_by_name_passes_nothing_over() -> None:
    chosen = choose_engine("fake", num_streams=1, max_pixels=PIXELS)
    assert (chosen.engine.spec.backend, chosen.passed_over) == ("fake", ())


@pytest.mark.parametrize("backend", ["onnxruntime", "fake"])
def test_a_backend_of_one_precision_refuses_another(backend: str) -> None:
    with pytest.raises(ValueError, match=f"{backend} computes in fp32, got 'fp16'"):
        open_engine(backend, num_streams=1, max_pixels=PIXELS, precision="fp16")


def test_openvino_names_the_precisions_it_has() -> None:
    if not probe("openvino").usable:
        pytest.skip(probe("openvino").why)
    with pytest.raises(ValueError, match="OpenVINO computes in fp32 or bf16 on a CPU, got 'fp16'"):
        open_engine("openvino", num_streams=1, max_pixels=PIXELS, precision="fp16")


def test_the_default_backend_runs_without_torch() -> None:
    program = (
        "import sys; sys.modules['torch'] = None; from engines.factory import open_engine; "
        "print(open_engine('onnxruntime', num_streams=1, max_pixels=64 * 64, threads=1).spec.backend)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("onnxruntime", 0), done.stderr
