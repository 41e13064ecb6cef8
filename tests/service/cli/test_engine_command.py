"""`vigil engine`: what it builds, lists, checks and measures, and what it answers to bad input."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engines.fake import FakeEngine, default_scene, make_scene
from engines.protocol import Engine, SceneGraph, UInt8
from engines.store import EngineStore
from service.cli import engine as command
from service.cli import main
from tests.engines.fake_trt import FakeTrt

GENERATIONS = ("SM86", "SM89")
SMALL = ["--max-pixels", str(64 * 96)]


@pytest.fixture
def store(tmp_path: Path) -> EngineStore:
    return EngineStore(tmp_path / "store")


@pytest.fixture
def rtx(monkeypatch: pytest.MonkeyPatch) -> FakeTrt:
    """The library tensorrt_rtx, as a stand-in."""
    library = FakeTrt(GENERATIONS, name="tensorrt_rtx", version="1.7")
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", library)
    return library


def build(store: EngineStore, *words: str) -> int:
    return main(["engine", "build", "--backend", "tensorrt_rtx", "--store", str(store.folder), *SMALL, *words])


def test_engines_are_built_for_every_generation_and_canvas_and_only_once(
    rtx: FakeTrt, store: EngineStore, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--for", "SM86,SM89", "--source", "1280x720", "--source", "720x1280", "--max-batch", "4")
    assert build(store, *words) == 0
    assert [line.split(": ")[0] for line in capsys.readouterr().out.splitlines()[:-1]] == [
        f"{canvas} fp16 {generation}" for generation in GENERATIONS for canvas in ("96x64", "64x96")
    ]
    keys = {(entry.card.key.capability, entry.card.key.width, entry.card.key.batches) for entry in store.entries() if entry.card}
    assert keys == {(generation, width, (1, 4, 4)) for generation in GENERATIONS for width in (96, 64)}
    assert build(store, *words) == 0
    assert len(rtx.builds) == 4


def test_the_list_shows_the_parts_of_the_key_and_whether_the_file_is_whole(
    rtx: FakeTrt, store: EngineStore, capsys: pytest.CaptureFixture[str]
) -> None:
    build(store, "--for", "SM86,SM89", "--precision", "fp32")
    harm(next(path for path in store.folder.glob("*.engine")))
    capsys.readouterr()
    assert main(["engine", "list", "--store", str(store.folder)]) == 0
    *lines, counted = capsys.readouterr().out.splitlines()
    assert counted == f"{store.folder}: engines: 1 whole, 1 torn"
    for line, generation in zip(lines, GENERATIONS, strict=True):
        assert line.startswith("tensorrt_rtx   nano-v1 ")
        assert f"  fp32  96x64  batch 1-16  any {generation}, driver any  tensorrt_rtx 1.7" in line
        assert " MB  built in " in line
    assert sorted(line.rpartition("ago  ")[2] for line in lines) == ["damaged: its sha256 is not that of its card", "whole"]
    assert len(rtx.builds) == 2


def harm(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)


def check(store: EngineStore, *words: str) -> int:
    return main(["engine", "check", "--store", str(store.folder), *SMALL, *words])


def test_the_check_names_a_damaged_engine_and_ends_with_status_1(
    rtx: FakeTrt, store: EngineStore, capsys: pytest.CaptureFixture[str]
) -> None:
    build(store, "--for", "SM86")
    capsys.readouterr()
    assert check(store, "--backend", "onnxruntime") == 0
    out = capsys.readouterr().out
    assert f"{store.folder}: engines: 1 whole, 0 torn" in out
    assert "onnxruntime fp32: sees what it should (" in out
    assert "mean IoU 1.000, same labels 1.000" in out
    harm(next(store.folder.glob("*.engine")))
    assert check(store, "--backend", "onnxruntime") == 1
    assert ".engine: damaged: its sha256 is not that of its card; it will be built again" in capsys.readouterr().out
    assert len(rtx.builds) == 1


def blind(image_HW3: UInt8, dt_s: float) -> SceneGraph:
    """Another world: a dog in the corner."""
    del image_HW3, dt_s
    return make_scene([("dog", 0.9, (0.0, 0.0, 0.2, 0.2))], [])


@pytest.mark.parametrize(("scene", "status", "words"), [(default_scene, 0, "sees what it should"), (blind, 1, "mean IoU of boxes is 0")])
def test_the_check_fails_when_a_backend_does_not_see_what_the_reference_sees(
    store: EngineStore,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    scene: Callable[[UInt8, float], SceneGraph],
    status: int,
    words: str,
) -> None:
    def open_one(backend: str, *, num_streams: int, max_pixels: int, **_: object) -> Engine:
        seen = default_scene if backend == command.REFERENCE else scene
        return FakeEngine(num_streams=num_streams, max_pixels=max_pixels, scene=seen)

    monkeypatch.setattr(command, "open_engine", open_one)
    assert check(store, "--backend", "torch_cuda") == status
    assert f"torch_cuda fp32: {words}" in capsys.readouterr().out


def test_bench_prints_a_line_for_each_batch(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["engine", "bench", "--backend", "fake", "--batches", "1,4", "--seconds", "0.1", *SMALL]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[4] for line in lines if line.startswith("fake")] == ["1", "4"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--backend", "abacus"], "engines are built by tensorrt, tensorrt_rtx, torch_tensorrt, got 'abacus'"),
        (
            ["--backend", "tensorrt", "--for", "SM89"],
            "only tensorrt_rtx builds for other GPUs than the one here",
        ),
        (["--backend", "tensorrt_rtx", "--for", "SM35"], "TensorRT 1.7 builds for SM86, SM89, not for SM35"),
        (["--backend", "tensorrt_rtx", "--for", "SM89", "--max-batch", "7"], "the largest batch is one of 1, 2, 4, 8, 16, got 7"),
        (["--backend", "tensorrt_rtx", "--for", "SM89", "--precision", "int3"], "precisions are fp32, fp16, bf16, got 'int3'"),
        (["--backend", "tensorrt_rtx", "--for", "SM89", "--model-dir", "/nowhere"], "/nowhere is no checkpoint"),
        (["--backend", "tensorrt_rtx", "--source", "12"], "a size is WIDTHxHEIGHT, such as 1280x720; got '12'"),
        (["--backend", "no-such-library"], "engines are built by"),
    ],
)
@pytest.mark.usefixtures("rtx")
def test_bad_input_is_answered_with_a_sentence_and_status_2(
    store: EngineStore, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    try:
        status = main(["engine", "build", "--store", str(store.folder), *words])
    except SystemExit as left:
        status = int(str(left.code))
    assert status == 2
    assert sentence in capsys.readouterr().err
    assert store.entries() == []


def test_a_builder_that_is_not_installed_is_said_in_words(
    store: EngineStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    assert build(store, "--for", "SM89") == 2
    assert "tensorrt_rtx does not load here" in capsys.readouterr().err


def test_a_store_that_others_may_write_to_is_refused(store: EngineStore, capsys: pytest.CaptureFixture[str]) -> None:
    store.folder.chmod(0o777)
    assert main(["engine", "list", "--store", str(store.folder)]) == 2
    assert "others may write to the engine store" in capsys.readouterr().err
