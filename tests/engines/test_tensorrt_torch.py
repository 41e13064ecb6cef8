"""The way to TensorRT by torch.export: the real export with an open batch, then a stand-in for torch_tensorrt that saves and loads."""

import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from engines.factory import SHIPPED
from engines.gpu import Gpu
from engines.store import EngineStore
from engines.torch_trt import TorchPrograms, open_programs
from engines.trt_network import INPUTS
from engines.trt_plans import target_of
from model.checkpoint import read_manifest, read_prototypes
from tests.pictures import photograph

SIDE = 64
CPU = torch.device("cpu")
L4 = Gpu("NVIDIA L4", (8, 9), "580.65.06")


class Still(nn.Module):
    """What stands for the compiled network: outputs of its shapes, scores are the mean pixel, the evidence grows by dt."""

    def forward(self, images: Tensor, memory: Tensor, counts: Tensor, dt: Tensor, things: Tensor, relations: Tensor) -> tuple[Tensor, ...]:
        batch, num_things = images.shape[0], 32
        scores = images.mean((1, 2, 3))[:, None].expand(-1, num_things)
        classes = images.new_zeros(batch, num_things, things.shape[0])
        embeddings, pairs = images.new_zeros(batch, num_things, 128), torch.zeros(batch, 64, 2, dtype=torch.int64)
        predicates = images.new_zeros(batch, 64, relations.shape[0])
        return images.new_zeros(batch, num_things, 4), scores, classes, embeddings, pairs, predicates, memory + 0, counts + dt[:, None]


class FakeTorchTensorrt:
    """The module torch_tensorrt. It keeps what it was given to compile."""

    __version__ = "2.11.0"

    def __init__(self) -> None:
        self.programs: list[ExportedProgram] = []
        self.arg_inputs: Sequence[Any] = ()
        self.settings: dict[str, object] = {}
        self.dynamo = types.SimpleNamespace(compile=self._compile)

    def Input(self, **facts: object) -> dict[str, object]:  # noqa: N802
        return facts

    def save(self, module: nn.Module, path: str, *, arg_inputs: list[Tensor], dynamic_shapes: Any) -> None:
        torch.export.save(torch.export.export(module, tuple(arg_inputs), dynamic_shapes=dynamic_shapes), path)

    def _compile(
        self, program: ExportedProgram, *, arg_inputs: Sequence[Any], min_block_size: int, require_full_compilation: bool,
        decompose_attention: bool, cache_built_engines: bool,
    ) -> nn.Module:  # fmt: skip
        self.programs.append(program)
        self.arg_inputs = arg_inputs
        self.settings = {
            "least": min_block_size,
            "whole": require_full_compilation,
            "plain": decompose_attention,
            "cache": cache_built_engines,
        }
        return Still()


@pytest.mark.timeout(300)
def test_a_program_is_exported_compiled_saved_found_again_and_served(tmp_path: Path) -> None:
    library, store = FakeTorchTensorrt(), EngineStore(tmp_path / "store")
    programs = TorchPrograms(library, SHIPPED, target_of(L4), store, CPU, "fp32")
    pictures = np.stack([photograph(name, SIDE, SIDE) for name in ("astronaut", "coffee", "chelsea")])
    for _ in range(2):
        engine = open_programs(programs, L4.name, num_streams=3, max_pixels=SIDE * SIDE)
        graphs = engine.infer(pictures, [2, 0, 1], [0.5, 0.25, 0.0])
        np.testing.assert_allclose([graph.scores_N[0] for graph in graphs], pictures.mean((1, 2, 3)), rtol=1e-4)
        assert [engine.read_memory(slot).counts_P[0] for slot in range(3)] == [0.25, 0.0, 0.5]
        engine.close()
    assert len(library.programs) == len(store.entries()) == 1
    assert library.settings == {"least": 1, "whole": True, "plain": True, "cache": False}
    assert [given["min_shape"][0] for given in library.arg_inputs[:4]] == [1] * 4
    assert [given["max_shape"][0] for given in library.arg_inputs[:4]] == [16] * 4
    assert [given["shape"] for given in library.arg_inputs[4:]] == [(101, 128), (26, 128)]
    check_program(library.programs[0], pictures)


def check_program(program: ExportedProgram, pictures: np.ndarray[Any, Any]) -> None:
    """Exported with two frames, it runs with three, and gives what the ONNX graph gives."""
    manifest = read_manifest(SHIPPED)
    memory = (np.zeros((3, manifest.num_slots, manifest.dim), np.float32), np.zeros((3, manifest.num_slots), np.float32))
    given = (pictures, *memory, np.zeros(3, np.float32), *read_prototypes(SHIPPED, manifest))
    session = ort.InferenceSession(str(SHIPPED / manifest.onnx_file), providers=["CPUExecutionProvider"])
    expected = session.run(None, dict(zip(INPUTS, given, strict=True)))
    outputs = program.module()(*(torch.from_numpy(value).float() for value in given))
    for ours, theirs in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), theirs, atol=2e-4)
