"""PyTorch's engine, as far as it shows without a GPU: padding, plans, the bank, precisions, and that nothing is made on the host."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from engines.cuda_graphs import BUCKETS, MAX_PLANS, Inputs, Plans, bucket_of
from engines.factory import SHIPPED
from engines.protocol import Engine, Memory
from engines.torch_bank import TorchBank
from engines.torch_cuda import open_engine, open_on
from model.assemble import describe, load_network
from model.base.assemble import write_untrained
from tests.model.base.tiny import TINY
from tests.pictures import photograph

CPU = torch.device("cpu")
SPARE = 9
HEIGHT, WIDTH = 128, 192


@pytest.mark.parametrize(("num_images", "bucket"), [(1, 1), (2, 2), (3, 4), (4, 4), (5, 8), (8, 8), (9, 16), (16, 16)])
def test_a_batch_goes_into_the_smallest_bucket_that_holds_it(num_images: int, bucket: int) -> None:
    assert bucket_of(num_images) == bucket


def step(inputs: Inputs) -> torch.Tensor:
    """Row, dt and mean of each frame."""
    return torch.stack([inputs.rows_B.float(), inputs.dt_B, inputs.images_BHW3.float().mean((1, 2, 3))], 1)


def grey(lumas: Sequence[int], side: int = 64) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.stack([np.full((side, side, 3), luma, np.uint8) for luma in lumas])


def test_padding_reads_and_writes_the_spare_row_and_is_cut_off() -> None:
    seen: list[list[int]] = []

    def watched(inputs: Inputs) -> torch.Tensor:
        seen.append(inputs.rows_B.tolist())
        return step(inputs)

    plans = Plans(watched, CPU, SPARE)
    results = plans.run(grey([10, 20, 30]), [4, 0, 2], [0.1, 0.2, 0.3])
    np.testing.assert_allclose(results, [[4, 0.1, 10], [0, 0.2, 20], [2, 0.3, 30]], rtol=1e-6)
    assert seen == [[SPARE] * 4, [4, 0, 2, SPARE]]
    plans.run(grey([50]), [1], [0.0])
    plans.run(grey([60, 70, 80, 90]), [0, 1, 2, 3], [0.0] * 4)
    assert seen[2:] == [[SPARE], [1], [0, 1, 2, 3]]


def test_results_are_copies_that_the_next_batch_does_not_touch() -> None:
    plans = Plans(step, CPU, SPARE)
    first = plans.run(grey([10]), [1], [0.0])
    plans.run(grey([200]), [2], [0.5])
    np.testing.assert_allclose(first, [[1, 0.0, 10]])


def test_plans_are_made_once_and_the_one_not_used_for_longest_makes_room() -> None:
    made: list[tuple[int, ...]] = []

    def watched(inputs: Inputs) -> torch.Tensor:
        made.append(tuple(inputs.images_BHW3.shape))
        return step(inputs)

    plans = Plans(watched, CPU, SPARE)
    sides = [32 * factor for factor in range(2, MAX_PLANS + 3)]
    for side in sides:
        plans.prepare(1, side, 64)
    assert len(plans) == MAX_PLANS
    made.clear()
    for side in sides[-MAX_PLANS:]:
        plans.prepare(1, side, 64)
    assert made == []
    plans.prepare(1, sides[0], 64)
    assert made == [(1, sides[0], 64, 3)]
    assert len(plans) == MAX_PLANS


def test_rows_of_the_bank_come_and_go_in_the_order_asked_for() -> None:
    bank = TorchBank(3, 2, 4, CPU)
    for slot in range(3):
        bank.write(slot, Memory(np.full((2, 4), slot + 1, np.float32), np.full(2, slot + 1, np.float32)))
    prototypes_BPD, counts_BP = bank.gather(torch.tensor([2, 0, bank.spare]))
    assert prototypes_BPD[:, 0, 0].tolist() == [3, 1, 0]
    bank.scatter(torch.tensor([2, 0, bank.spare]), prototypes_BPD + 10, counts_BP + 10)
    assert [bank.read(slot).counts_P[0] for slot in range(3)] == [11, 2, 13]
    with pytest.raises(ValueError, match="slots are 0 to 2, got 3"):
        bank.read(bank.spare)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    torch.set_num_threads(1)
    engine = open_on(CPU, SHIPPED, precision="fp32", num_streams=4, max_pixels=HEIGHT * WIDTH)
    yield engine
    engine.close()


def test_it_takes_twice_the_batch_of_the_cpu_backends_and_padding_touches_no_stream(engine: Engine) -> None:
    assert (engine.spec.max_batch, engine.spec.best_batch) == (BUCKETS[-1], BUCKETS[-1])
    pictures = np.stack([photograph(name, WIDTH, HEIGHT) for name in ("astronaut", "coffee", "chelsea")])
    engine.infer(pictures, [3, 0, 2], [0.04] * 3)
    assert [bool(engine.read_memory(slot).counts_P.any()) for slot in range(4)] == [True, False, True, True]


def test_it_also_runs_the_larger_network(tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    write_untrained(folder, TINY, None, 7)
    (folder / "tiny.onnx").write_bytes(b"not read here")
    manifest = describe(folder, "tiny", "nothing")
    engine = open_on(CPU, folder, precision="fp32", num_streams=2, max_pixels=HEIGHT * WIDTH)
    graph = engine.infer(photograph("astronaut", WIDTH, HEIGHT)[None], [1], [0.04])[0]
    assert (engine.spec.model, engine.spec.dim) == ("tiny", TINY.dim)
    assert graph.is_finite()
    assert engine.read_memory(1).prototypes_PD.shape == (manifest.num_slots, manifest.dim)
    engine.close()


def test_it_is_refused_where_there_is_no_device() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(ValueError, match=r"PyTorch 2\.\S* sees no CUDA device"):
        open_engine(model_dir=SHIPPED, num_streams=1, max_pixels=64 * 64, threads=0)


def test_an_unknown_precision_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="precisions are fp16, bf16, fp32, got 'int4'"):
        open_on(CPU, SHIPPED, precision="int4", num_streams=1, max_pixels=64 * 64)


class HostTensors(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Remembers every operation that reads or makes a tensor on the host."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: list[str] = []
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        result = func(*args, **(kwargs or {}))
        self.count += 1
        results = result if isinstance(result, tuple | list) else (result,)
        if any(isinstance(one, torch.Tensor) and one.device.type == "cpu" for one in (*args, *results)):
            self.found.append(str(func))
        return result


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_the_whole_network_runs_where_its_inputs_are(dtype: torch.dtype) -> None:
    """A tensor made on the host fails beside CUDA tensors, and a copy from it cannot be recorded. "meta" stands for the device."""
    network, prototypes = load_network(SHIPPED)
    network = network.to("meta")
    network.detector.to(dtype)
    tables = [table.to("meta") for table in prototypes]
    B, P, D = 2, network.num_slots, tables[0].shape[1]
    images_BHW3 = torch.empty(B, HEIGHT, WIDTH, 3, dtype=torch.uint8, device="meta")
    memory = torch.empty(B, P, D, device="meta"), torch.empty(B, P, device="meta"), torch.empty(B, device="meta")
    with torch.no_grad(), HostTensors() as host:
        outputs = network(images_BHW3, *memory, *tables)
    assert host.found == []
    assert host.count > 1000
    assert {output.device.type for output in outputs} == {"meta"}
    assert {name: output.dtype for name, output in outputs._asdict().items() if output.dtype != torch.float32} == {"pairs_BR2": torch.int64}
