"""`base` in a tiny size: the contract of every size, on any device and precision, and its exported twin."""

import msgspec
import numpy as np
import pytest
import torch
from torch import Tensor

from model.base.cost import PAPER_FLOPS, PAPER_PARAMETERS, frame, new_network, parts
from model.base.network import Base, BaseDetector
from model.base.size import BASE, Size, TowerSize
from model.nano import Outputs
from model.text import Prototypes
from tests.model.base.lively import lively_network
from tests.model.base.tiny import TINY
from tests.pictures import photograph


def pictures(height: int, width: int) -> Tensor:
    return torch.from_numpy(np.stack([photograph(name, width, height) for name in ("astronaut", "coffee", "chelsea")]))


@pytest.fixture(scope="module")
def lively() -> tuple[Base, Prototypes]:
    return lively_network(pictures(96, 128))


def seen(network: Base, images_BHW3: Tensor, prototypes: Prototypes) -> Outputs:
    """One frame of each image on an empty memory."""
    batch = len(images_BHW3)
    memory = torch.zeros(batch, network.num_slots, TINY.dim), torch.zeros(batch, network.num_slots)
    out: Outputs = network(images_BHW3, *memory, torch.full((batch,), 0.1), *prototypes)
    return out


def test_the_shipped_size_is_the_papers_within_three_percent() -> None:
    found = parts(BASE)
    assert sum(part.parameters for part in found) == pytest.approx(PAPER_PARAMETERS, rel=0.03)
    assert sum(part.flops for part in found) == pytest.approx(PAPER_FLOPS, rel=0.03)


def test_operations_are_those_of_the_formula() -> None:
    width, tokens, inner = 32, 1 + (384 // 16) * (608 // 16), 64
    block = tokens * (4 * width * width + 2 * width * inner) + 2 * tokens * tokens * width
    patches, projection = (tokens - 1) * 3 * TINY.patch**2 * width, tokens * width * TINY.joint
    assert parts(TINY)[0].flops == 2 * (TINY.image.layers * block + patches + projection)


def test_outputs_have_the_shapes_of_the_contract(lively: tuple[Base, Prototypes]) -> None:
    out = seen(lively[0], pictures(96, 128), lively[1])
    slots, dim = lively[0].num_slots, TINY.dim
    expected = [(3, 32, 4), (3, 32), (3, 32, 101), (3, 32, dim), (3, 64, 2), (3, 64, 26), (3, slots, dim), (3, slots)]
    assert [tuple(part.shape) for part in out] == expected


def test_people_and_things_are_found_paired_and_remembered(lively: tuple[Base, Prototypes]) -> None:
    out = seen(lively[0], pictures(96, 128)[:1], lively[1])
    assert (out.class_probs_BNC[0, :, 0] > 0.5).any()
    assert 3 <= int((out.scores_BN > 0).sum()) < 32
    assert (out.pairs_BR2[0].sum(1) > 0).any()
    assert out.predicate_probs_BRK.max() > 0.05
    assert out.counts_BP.max() > 0.1


def test_slots_are_sorted_and_unused_ones_are_all_zeros(lively: tuple[Base, Prototypes]) -> None:
    out = seen(lively[0], pictures(96, 128), lively[1])
    assert (out.scores_BN.diff(dim=1) <= 0).all()
    unused_BN = out.scores_BN == 0
    assert unused_BN.any()
    assert not out.boxes_BN4[unused_BN].any()
    assert not out.embeddings_BND[unused_BN].any()
    norms = out.embeddings_BND[~unused_BN].norm(dim=1)
    torch.testing.assert_close(norms, torch.ones_like(norms))
    assert (out.boxes_BN4[..., :2] <= out.boxes_BN4[..., 2:]).all()


def test_a_frame_in_a_batch_is_the_frame_alone(lively: tuple[Base, Prototypes]) -> None:
    images_BHW3 = pictures(96, 128)
    together = seen(lively[0], images_BHW3, lively[1])
    for row in range(3):
        for ours, alone in zip(together, seen(lively[0], images_BHW3[row : row + 1], lively[1]), strict=True):
            torch.testing.assert_close(ours[row : row + 1], alone, rtol=1e-4, atol=1e-4)


def test_the_whole_runs_on_one_foreign_device_without_a_constant_of_the_cpu() -> None:
    with torch.device("meta"):
        network = new_network(TINY)
        inputs = frame(network, TINY)
    assert {part.device.type for part in network(*inputs)} == {"meta"}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_towers_in_half_precision_find_the_same_things(dtype: torch.dtype) -> None:
    images_BHW3 = pictures(96, 128)[:1]
    network, prototypes = lively_network(images_BHW3)
    whole = seen(network, images_BHW3, prototypes)
    network.detector.to(dtype)
    halved = seen(network, images_BHW3, prototypes)
    assert {part.dtype for part in halved if part.is_floating_point()} == {torch.float32}
    best = int((whole.scores_BN[0] > 0.2).sum())
    assert best >= 3
    torch.testing.assert_close(halved.scores_BN[0, :best], whole.scores_BN[0, :best], rtol=0.0, atol=0.1)


def test_the_whole_computes_in_the_precision_of_its_weights_and_inputs() -> None:
    images_BHW3 = pictures(96, 128)[:1]
    network, prototypes = lively_network(images_BHW3)
    network.bfloat16()
    image, *rest = frame(network, TINY)
    out = network(image, *(part.bfloat16() for part in rest[:3]), *(part.bfloat16() for part in prototypes))
    assert {part.dtype for part in out} == {torch.bfloat16, torch.int64}
    assert all(part.isfinite().all() for part in out)


def test_a_size_that_fits_no_canvas_or_no_slot_is_refused() -> None:
    with pytest.raises(ValueError, match=r"divides 32: got 16 x 3"):
        msgspec.structs.replace(BASE, shrink=3)
    with pytest.raises(ValueError, match=r"multiple of its heads, got 30 and 4"):
        msgspec.structs.replace(BASE, decoder=TowerSize(width=30, layers=1, heads=4, inner=8))
    few: Size = msgspec.structs.replace(TINY, queries=31)
    with pytest.raises(ValueError, match="at least 32 queries, one for each entity slot, got 31"):
        BaseDetector(few)
