"""The shipped ONNX file is the shipped weights: ONNX Runtime and PyTorch, each on its own carried memory, say the same."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import pytest
import torch

from model.assemble import load_network
from model.checkpoint import read_manifest
from model.commands.export import DEFAULT_FOLDER
from model.episodes import NUM_ROWS
from model.nano import Nano, Outputs
from model.text import Prototypes
from tests.pictures import photograph

NUM_FRAMES = 200
HEIGHT, WIDTH = 96, 128
TOLERANCE, EPISODE_TOLERANCE = 2e-4, 1e-3
"""What an episode inherits is a softmax over distances, which makes more of a rounding."""

Floats = npt.NDArray[np.float32]


def session(folder: Path = DEFAULT_FOLDER) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    path = folder / read_manifest(folder).onnx_file
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def moving(count: int) -> list[npt.NDArray[np.uint8]]:
    """A window that wanders over a photograph, so that things come and go."""
    scene_HW3 = photograph("astronaut", WIDTH + 64, HEIGHT + 64)
    steps = [(int(32 + 32 * np.sin(t / 9)), int(32 + 32 * np.cos(t / 13))) for t in range(count)]
    return [scene_HW3[y : y + HEIGHT, x : x + WIDTH] for y, x in steps]


def unlike(eager: Outputs, exported: list[Floats], num_prototypes: int) -> list[str]:
    """Outputs that differ, evidence (which grows to 30) in proportion. Rows of episodes are sets: near ties may lie in another order."""
    outputs = dict(zip(Outputs._fields, zip((part.numpy() for part in eager), exported, strict=True), strict=True))
    rows = [np.concatenate([memory_BPD, counts_BP[..., None]], 2) for memory_BPD, counts_BP in zip(
        outputs.pop("memory_BPD"), outputs.pop("counts_BP"), strict=True
    )]  # fmt: skip
    different = [name for name, pair in outputs.items() if not apart(*pair).max() < TOLERANCE]
    ours_BPV, theirs_BPV = rows
    if not apart(ours_BPV[:, :num_prototypes], theirs_BPV[:, :num_prototypes]).max() < TOLERANCE:
        different.append("prototypes")
    for start in range(num_prototypes, ours_BPV.shape[1], NUM_ROWS):
        block = slice(start, start + NUM_ROWS)
        nearest_BE = apart(ours_BPV[:, block, None], theirs_BPV[:, None, block]).max(3).min(2)
        different += [] if nearest_BE.max() < EPISODE_TOLERANCE else [f"episodes from row {start}"]
    return different


def apart(ours: Floats, theirs: Floats) -> Floats:
    return np.asarray(np.abs(ours - theirs) / np.maximum(1.0, np.abs(theirs)))


@pytest.mark.parametrize("name", ["nano-v0", "nano-v1"])
def test_onnx_runtime_equals_pytorch_over_200_frames_of_carried_memory(name: str) -> None:
    network, prototypes = load_network(DEFAULT_FOLDER.with_name(name))
    network.requires_grad_(False)
    onnx, rng = session(DEFAULT_FOLDER.with_name(name)), np.random.default_rng(0)
    memory_BPD, counts_BP = torch.zeros(1, network.num_slots, 128), torch.zeros(1, network.num_slots)
    onnx_memory_BPD, onnx_counts_BP = memory_BPD.numpy(), counts_BP.numpy()
    seen = 0
    for image_HW3 in moving(NUM_FRAMES):
        dt_B = rng.uniform(0.0, 0.2, 1).astype(np.float32)
        eager: Outputs = network(torch.from_numpy(image_HW3)[None], memory_BPD, counts_BP, torch.from_numpy(dt_B), *prototypes)
        exported = onnx.run(None, {
            "images": image_HW3[None], "memory": onnx_memory_BPD, "counts": onnx_counts_BP, "dt": dt_B,
            "object_prototypes": prototypes.objects_CD.numpy(), "predicate_prototypes": prototypes.predicates_KD.numpy(),
        })  # fmt: skip
        assert unlike(eager, exported, network.head.num_prototypes) == []
        memory_BPD, counts_BP = eager.memory_BPD, eager.counts_BP
        onnx_memory_BPD, onnx_counts_BP = exported[-2], exported[-1]
        seen += int((eager.scores_BN > 0.3).sum())
    assert seen > NUM_FRAMES / 2
    assert counts_BP.max() > 0.1


@pytest.mark.parametrize(("batch", "height", "width"), [(1, 64, 64), (3, 96, 160), (2, 160, 96), (1, 256, 448)])
def test_one_file_serves_every_canvas_and_batch(shipped: tuple[Nano, Prototypes], batch: int, height: int, width: int) -> None:
    network, prototypes = shipped
    images_BHW3 = np.stack([photograph(name, width, height) for name in ("astronaut", "coffee", "chelsea")[:batch]])
    memory_BPD, counts_BP, dt_B = torch.zeros(batch, network.num_slots, 128), torch.zeros(batch, network.num_slots), torch.zeros(batch)
    eager: Outputs = network(torch.from_numpy(images_BHW3), memory_BPD, counts_BP, dt_B, *prototypes)
    feeds = {"images": images_BHW3, "memory": memory_BPD.numpy(), "counts": counts_BP.numpy(), "dt": dt_B.numpy()}
    feeds |= {"object_prototypes": prototypes.objects_CD.numpy(), "predicate_prototypes": prototypes.predicates_KD.numpy()}
    assert unlike(eager, session().run(None, feeds), network.head.num_prototypes) == []


def test_the_file_stores_basic_operators_in_the_default_domain_only() -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(DEFAULT_FOLDER / read_manifest(DEFAULT_FOLDER).onnx_file)
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}
    assert not model.functions
    assert 17 <= model.opset_import[0].version <= 20
