"""What a machine can run, and the sentence for each thing that it lacks."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from engines.probe import BACKENDS, THIS_MACHINE, Capability, Machine, NotUsable, _driver_device, probe

GPU = "NVIDIA RTX 6000 Ada Generation"


def machine(
    packages: tuple[str, ...] = ("torch", "tensorrt", "tensorrt_rtx", "openvino", "onnxruntime"),
    driver_lacks: str = "",
    torch_lacks: str = "",
) -> Machine:
    """A machine with these packages and one GPU, unless something is said to be missing."""

    def require(package: str) -> None:
        if package not in packages:
            raise NotUsable(f"{package} is not installed")

    def lacking(why: str) -> Callable[[], str]:
        def device() -> str:
            if why:
                raise NotUsable(why)
            return GPU

        return device

    def torch_device() -> None:
        lacking(torch_lacks)()

    return Machine(require, lacking(driver_lacks), torch_device)


def test_a_machine_with_everything_runs_every_backend() -> None:
    devices = {backend: probe(backend, machine()).device for backend in BACKENDS}
    assert devices == {
        "tensorrt": GPU,
        "tensorrt_rtx": GPU,
        "torch_cuda": GPU,
        "openvino": "cpu",
        "onnxruntime": "cpu",
        "fake": "cpu",
    }


@pytest.mark.parametrize(
    ("backend", "lacking", "why"),
    [
        ("tensorrt", machine(packages=("torch",)), "tensorrt is not installed"),
        ("tensorrt_rtx", machine(packages=("torch", "tensorrt")), "tensorrt_rtx is not installed"),
        ("tensorrt", machine(packages=("tensorrt",)), "torch is not installed"),
        ("torch_cuda", machine(packages=()), "torch is not installed"),
        ("torch_cuda", machine(driver_lacks="the NVIDIA driver sees no device"), "the NVIDIA driver sees no device"),
        ("torch_cuda", machine(torch_lacks="torch 2.13 is built without CUDA"), "torch 2.13 is built without CUDA"),
        ("openvino", machine(packages=()), "openvino is not installed"),
        ("onnxruntime", machine(packages=()), "onnxruntime is not installed"),
    ],
)
def test_what_is_missing_is_said(backend: str, lacking: Machine, why: str) -> None:
    assert probe(backend, lacking) == Capability(backend, usable=False, why=why, device="")


def test_a_fake_engine_needs_nothing() -> None:
    assert probe("fake", machine(packages=(), driver_lacks="none")) == Capability("fake", usable=True, why="", device="cpu")


def test_an_unknown_backend_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no engine 'abacus'; known: tensorrt, tensorrt_rtx, torch_cuda, openvino, onnxruntime, fake"):
        probe("abacus")


def test_a_machine_without_a_driver_says_so() -> None:
    with pytest.raises(NotUsable, match=r"there is no NVIDIA driver: libnothing\.so\.1 cannot be loaded"):
        _driver_device("libnothing.so.1")


def test_a_torch_without_cuda_says_so() -> None:
    torch = pytest.importorskip("torch")
    if torch.version.cuda is not None:
        pytest.skip("this torch is built with CUDA")
    with pytest.raises(NotUsable, match=r"torch 2\..* is built without CUDA"):
        THIS_MACHINE.torch_device()


def test_asking_loads_no_library() -> None:
    program = (
        "import sys; import engines.factory; from engines.probe import *; "
        "[probe(backend) for backend in BACKENDS if backend != 'torch_cuda' or not probe(backend).usable]; "
        "print(sorted({'torch', 'openvino', 'onnxruntime', 'tensorrt', 'tensorrt_rtx', 'torch_tensorrt'} & sys.modules.keys()))"
    )
    if probe("torch_cuda").usable:
        pytest.skip("there is a CUDA device, so torch is asked for it")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr
