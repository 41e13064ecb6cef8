"""The TensorRT backends but for CUDA: store, builder calls, contexts, addresses, plans and memory bank, with ONNX Runtime inside a
stand-in for the library (tests/engines/fake_trt.py). It passes the contract that every backend passes."""

import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pytest
import torch

from engines import tensorrt, tensorrt_rtx, torch_trt
from engines.accuracy import measure, record
from engines.build import build_plan
from engines.cuda_graphs import BUCKETS
from engines.device_engine import DeviceEngine
from engines.factory import SHIPPED, open_engine
from engines.fake import FakeEngine
from engines.gpu import Gpu, driver_version
from engines.protocol import Engine
from engines.store import EngineStore
from engines.trt_engine import open_plans
from engines.trt_network import INPUTS, OUTPUTS, Binding, TrtNetwork, read_bindings
from engines.trt_plans import BATCH_SIZES, Target, generation_target, plans_of, rtx_target, target_of
from model import export
from tests.engines.fake_trt import Engine as FakePlan
from tests.engines.fake_trt import FakeRtx, FakeTrt, HostDevice
from tests.engines.test_contract import *  # noqa: F403
from tests.engines.test_contract import MAX_PIXELS, NUM_STREAMS, test_a_backend_is_held_to_this_contract_where_it_can_run
from tests.pictures import photograph

del test_a_backend_is_held_to_this_contract_where_it_can_run  # the one test there that opens backends by name
L4 = Gpu("NVIDIA L4", (8, 9), "580.65.06")
GENERATIONS = ("SM86", "SM89", "SM120", "CURRENT")


def open_fake(trt: FakeTrt, folder: Path, *, precision: str = "fp32", max_pixels: int = MAX_PIXELS) -> DeviceEngine:
    plans = replace(plans_of(trt, SHIPPED, target_of(L4), EngineStore(folder), precision), max_batch=8)
    return open_plans(plans, "tensorrt", HostDevice(), L4.name, num_streams=NUM_STREAMS, max_pixels=max_pixels)


@pytest.fixture(scope="module")  # type: ignore[no-redef]
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = open_fake(FakeTrt(), tmp_path_factory.mktemp("engines") / "store")
    yield engine
    engine.close()


def test_the_spec_says_what_runs_where(loaded: Engine) -> None:
    spec = loaded.spec
    assert (spec.backend, spec.precision, spec.device, spec.max_batch) == ("tensorrt", "fp32", "NVIDIA L4", 8)


def test_names_of_inputs_and_outputs_are_those_of_the_export() -> None:
    assert (INPUTS, OUTPUTS) == (export.INPUTS, export.OUTPUTS)


def test_batches_of_plans_are_those_that_cuda_graphs_pad_to() -> None:
    assert BATCH_SIZES == BUCKETS


def test_a_plan_built_ahead_for_smaller_batches_is_taken_where_there_is_no_larger(tmp_path: Path) -> None:
    plans = plans_of(FakeTrt(), SHIPPED, target_of(L4), EngineStore(tmp_path / "store"))
    assert plans.largest_stored(64, 64).max_batch == 16
    replace(plans, max_batch=4).fetch(64, 64)
    assert plans.largest_stored(64, 64).max_batch == 4
    assert plans.largest_stored(64, 96).max_batch == 16


def test_a_second_opening_finds_the_plan_and_builds_nothing(tmp_path: Path) -> None:
    trts = [FakeTrt(), FakeTrt(), FakeTrt(version="10.16")]
    for trt in trts:
        open_fake(trt, tmp_path / "store", max_pixels=64 * 64).close()
    assert [len(trt.builds) for trt in trts] == [1, 0, 1]


def test_the_builder_is_told_the_batches_and_nothing_else_may_vary(tmp_path: Path) -> None:
    trt = FakeTrt()
    open_fake(trt, tmp_path / "store", max_pixels=64 * 64).close()
    ((profile,),) = (build.profiles for build in trt.builds)
    assert profile.shapes["images"] == ((1, 64, 64, 3), (4, 64, 64, 3), (8, 64, 64, 3))
    assert profile.shapes["dt"] == ((1,), (4,), (8,))
    assert sorted(profile.shapes) == ["counts", "dt", "images", "memory"]


def test_when_a_fifth_canvas_comes_graphs_and_networks_make_room(tmp_path: Path) -> None:
    trt = FakeTrt()
    engine = open_fake(trt, tmp_path / "store", max_pixels=64 * 192)
    pictures = [photograph("coffee", width, 64) for width in (64, 96, 128, 160, 192, 64)]
    graphs = [engine.infer(picture[None], [slot % 4], [0.04])[0] for slot, picture in enumerate(pictures)]
    engine.write_memory(0, None)
    np.testing.assert_allclose(engine.infer(pictures[0][None], [0], [0.04])[0].boxes_N4, graphs[0].boxes_N4, atol=2e-4)
    assert len(trt.builds) == 5
    engine.close()


def test_half_precision_where_the_graph_says_so_passes_the_accuracy_gate(tmp_path: Path) -> None:
    pictures = np.stack([photograph(name, 448, 256) for name in ("astronaut", "coffee", "chelsea")])
    reference = open_engine("onnxruntime", model_dir=SHIPPED, num_streams=3, max_pixels=448 * 256, threads=1)
    candidate = open_fake(FakeTrt(), tmp_path / "store", precision="fp16", max_pixels=448 * 256)
    accuracy = measure(record(reference, pictures), candidate)
    assert accuracy.verdict() == ""
    assert accuracy.num_things >= 9
    assert 0 < accuracy.probability_gap < 0.05
    candidate.close()
    reference.close()


def test_a_builder_that_fails_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"TensorRT 10\.15 cannot build this network: no implementation for node 7"):
        open_fake(FakeTrt(refuses=True), tmp_path / "store")
    assert EngineStore(tmp_path / "store").entries() == []


def test_a_graph_that_cannot_be_read_is_refused_in_the_parsers_words() -> None:
    with pytest.raises(ValueError, match="cannot read the graph: no graph at all"):
        build_plan(FakeTrt(), b"junk", (1, 4, 8))


def test_a_plan_that_the_library_does_not_take_is_refused_in_its_words() -> None:
    with pytest.raises(ValueError, match=r"does not load this engine here: serialization assertion failed: magic tag"):
        TrtNetwork(FakeTrt(), b"another library's plan", HostDevice())


def test_generations_are_passed_on_and_unknown_ones_refused_with_the_known(tmp_path: Path) -> None:
    trt = FakeTrt(GENERATIONS)
    plans = plans_of(trt, SHIPPED, generation_target("SM89"), EngineStore(tmp_path / "store"))
    plans.fetch(64, 64)
    assert [build.capabilities for build in trt.builds] == [["SM89"]]
    with pytest.raises(ValueError, match="builds for CURRENT, SM120, SM86, SM89, not for SM90"):
        plans_of(trt, SHIPPED, generation_target("SM90"), EngineStore(tmp_path / "store")).fetch(64, 64)


def test_rtx_looks_for_the_plan_of_the_generation_that_any_machine_can_build() -> None:
    assert rtx_target(FakeTrt(GENERATIONS), L4) == generation_target("SM89") == Target("any", "SM89", "any", ("SM89",))
    hopper = Gpu("NVIDIA H100", (9, 0), "580.65.06")
    assert rtx_target(FakeTrt(GENERATIONS), hopper) == Target("NVIDIA H100", "9.0", "580.65.06", ("CURRENT",))


def test_phases_of_a_build_are_told_as_steps_of_a_number(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    plans = plans_of(FakeTrt(), SHIPPED, target_of(L4), EngineStore(tmp_path / "store"))
    plans.fetch(64, 64, lambda *step: told.append(step))
    assert told == [("Building", 0, 2), ("Building", 1, 2), ("Building", 2, 2)]


def test_what_a_plan_reads_and_writes_is_read_back_and_a_foreign_one_refused(tmp_path: Path) -> None:
    plan = plans_of(FakeTrt(), SHIPPED, target_of(L4), EngineStore(tmp_path / "store")).fetch(64, 96).read_bytes()
    bindings = read_bindings(FakePlan(plan))
    assert bindings["images"] == Binding("images", (-1, 64, 96, 3), torch.uint8)
    assert bindings["pairs"] == Binding("pairs", (-1, 64, 2), torch.int64)
    assert bindings["object_prototypes"].at(4) == (101, 128)
    assert bindings["memory_out"].at(4) == (4, *bindings["memory"].shape[1:])
    with pytest.raises(ValueError, match=r"not one of this product's networks: it reads and writes images$"):
        read_bindings(OnlyImages(plan))


class OnlyImages(FakePlan):
    """The plan of a network with one input."""

    num_io_tensors = 1


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine whose GPU is an L4, as far as the doors can see; its work is done by the CPU."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for door in (tensorrt, tensorrt_rtx):
        monkeypatch.setattr(door, "this_gpu", lambda: L4)
        monkeypatch.setattr(door, "CudaDevice", HostDevice)


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(
    ("door", "library", "capability"), [(tensorrt, FakeTrt(), "8.9"), (tensorrt_rtx, FakeRtx(GENERATIONS), "SM89")], ids=["tensorrt", "rtx"]
)
def test_a_door_opens_an_engine_on_a_plan_in_the_users_store(
    monkeypatch: pytest.MonkeyPatch, door: types.ModuleType, library: FakeTrt, capability: str
) -> None:
    monkeypatch.setitem(sys.modules, library.__name__, library)
    engine = door.open_engine(model_dir=SHIPPED, num_streams=1, max_pixels=64 * 64, threads=0)
    assert len(engine.infer(photograph("coffee", 64, 64)[None], [0], [0.04])) == 1
    assert (engine.spec.backend, engine.spec.precision, engine.spec.max_batch) == (library.__name__, "fp16", 16)
    assert [entry.card.key.capability for entry in EngineStore().entries() if entry.card] == [capability]
    engine.close()


@pytest.mark.usefixtures("gpu")
def test_when_tensorrt_refuses_the_graph_torch_tensorrt_takes_over_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", FakeTrt(refuses=True))
    with pytest.raises(ValueError, match="no implementation for node 7"):
        tensorrt.open_engine(model_dir=SHIPPED, num_streams=1, max_pixels=64 * 64, threads=0)
    installed = types.ModuleType("torch_tensorrt")
    installed.__spec__ = ModuleSpec("torch_tensorrt", None)
    monkeypatch.setitem(sys.modules, "torch_tensorrt", installed)
    other: object = FakeEngine(num_streams=1, max_pixels=64 * 64)
    monkeypatch.setattr(torch_trt, "open_engine", lambda **_: other)
    assert tensorrt.open_engine(model_dir=SHIPPED, num_streams=1, max_pixels=64 * 64, threads=0) is other


@pytest.mark.parametrize("door", [tensorrt.open_engine, tensorrt_rtx.open_engine, torch_trt.open_engine])
@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_every_door_says_so(door: Callable[..., DeviceEngine]) -> None:
    with pytest.raises(ValueError, match=r"PyTorch .* sees no CUDA device"):
        door(model_dir=SHIPPED, num_streams=1, max_pixels=64 * 64, threads=0)


def test_the_driver_is_named_by_the_kernel_or_else_unknown(tmp_path: Path) -> None:
    told = tmp_path / "version"
    told.write_text("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build\nGCC version: 13.3.0\n")
    assert driver_version(told, "no-such-library.so") == "580.65.06"
    assert driver_version(tmp_path / "none", "no-such-library.so") == "unknown"
