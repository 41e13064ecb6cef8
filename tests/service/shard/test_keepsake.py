"""What is stored of a stream's model memory comes back: every slot with evidence, in half precision, as many as there is room for."""

import dataclasses

import numpy as np
import pytest

from engines.fake import FakeEngine
from engines.protocol import EngineSpec, Memory
from service.shard.analysis import AnalysisState
from service.shard.keepsake import MAX_STORED_BYTES, make_blob, unpack_memory

STATE = AnalysisState(7, 1.5, b"a", b"p", b"i")


def spec(num_slots: int) -> EngineSpec:
    return dataclasses.replace(FakeEngine(num_streams=1, max_pixels=64 * 64).spec, num_slots=num_slots)


def memory(counts_P: np.ndarray, dim: int) -> Memory:
    prototypes_PD = np.random.default_rng(0).normal(size=(len(counts_P), dim)).astype(np.float16).astype(np.float32)
    return Memory(prototypes_PD, counts_P.astype(np.float32))


def test_slots_with_evidence_come_back_and_empty_ones_take_no_room() -> None:
    one = spec(6)
    held = memory(np.array([0.0, 2.0, 0.0, 0.5, 30.0, 0.0]), one.dim)
    blob = make_blob("m", 1, STATE, held)
    back = unpack_memory(blob, one)
    assert len(blob.prototypes) == 3 * one.dim * 2
    assert back is not None
    np.testing.assert_array_equal(back.counts_P, held.counts_P)
    np.testing.assert_array_equal(back.prototypes_PD[held.counts_P > 0], held.prototypes_PD[held.counts_P > 0])
    assert not back.prototypes_PD[held.counts_P == 0].any()


@pytest.mark.parametrize(("dim", "room"), [(128, 129), (256, 64)])
def test_of_more_slots_than_there_is_room_for_the_weakest_start_empty(dim: int, room: int) -> None:
    one = dataclasses.replace(spec(room + 3), dim=dim)
    counts_P = np.linspace(1.0, 2.0, one.num_slots)
    blob = make_blob("m", 1, STATE, memory(counts_P, one.dim))
    back = unpack_memory(blob, one)
    assert room * dim * 2 == len(blob.prototypes) <= MAX_STORED_BYTES
    assert back is not None
    assert back.counts_P[:3].tolist() == [0.0, 0.0, 0.0]
    np.testing.assert_array_equal(back.counts_P[3:], counts_P[3:].astype(np.float32))


def test_no_memory_is_none_and_one_of_another_size_is_refused() -> None:
    assert unpack_memory(make_blob("m", 1, STATE, None), spec(6)) is None
    held = make_blob("m", 1, STATE, memory(np.ones(6), spec(6).dim))
    with pytest.raises(ValueError, match="reshape"):
        unpack_memory(held, spec(7))
