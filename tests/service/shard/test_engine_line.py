"""Frames to the engine and graphs back: the shared slot, batching, memory, and what happens when either side dies."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from engines.fake import FakeEngine, make_scene
from engines.protocol import EngineSpec, Memory, SceneGraph, UInt8
from service.metrics import Metrics
from service.shard.engine_client import EngineClient, EngineFrameError, EngineLostError, EngineStaleError
from service.shard.engine_server import EngineServer
from service.shard.frames import Slot, SlotLayout, create_region

PIXELS = 64 * 96


class RecordingEngine(FakeEngine):
    """Keeps what it was given; `hold` makes it wait, `spoil` makes it answer NaN."""

    def __init__(self, num_streams: int = 4) -> None:
        super().__init__(num_streams=num_streams, max_pixels=PIXELS, scene=self._see, best_batch=4)
        self.batches: list[list[int]] = []
        self.pictures: list[UInt8] = []
        self.free = threading.Event()
        self.entered = threading.Event()
        self.free.set()
        self.spoil = False

    def infer(self, images_BHW3: UInt8, slots: Sequence[int], dt_s: Sequence[float]) -> list[SceneGraph]:
        self.entered.set()
        self.free.wait(5.0)
        self.batches.append(list(slots))
        self.pictures.extend(image.copy() for image in images_BHW3)
        return super().infer(images_BHW3, slots, dt_s)

    def _see(self, image_HW3: UInt8, _dt_s: float) -> SceneGraph:
        graph = make_scene([("person", 0.9, (0.0, 0.0, 1.0, 1.0))], [])
        graph.boxes_N4[0, 0] = image_HW3[0, 0, 0] / 255
        if self.spoil:
            graph.scores_N[0] = np.nan
        return graph


@contextmanager
def serving(engine: FakeEngine, address: Path, stale_after_s: float = 10.0) -> Iterator[EngineServer]:
    server = EngineServer(engine, address, Metrics(), stale_after_s=stale_after_s)
    stop = threading.Event()

    def loop() -> None:
        while not stop.is_set():
            server.gather(0.02)
            server.step()

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield server
    finally:
        stop.set()
        thread.join()
        server.close()


@pytest.fixture
def address(tmp_path: Path) -> Path:
    return tmp_path / "engine.sock"


def picture(value: int, height: int = 64, width: int = 96) -> UInt8:
    image = np.full((height, width, 3), value, np.uint8)
    image[-1, -1] = 7
    return image


def run_all(calls: Sequence[Callable[[], object]]) -> list[threading.Thread]:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    return threads


def test_a_picture_reaches_the_engine_unchanged_and_its_graph_comes_back_unchanged(address: Path) -> None:
    engine = RecordingEngine()
    sent = np.random.default_rng(3).integers(0, 256, (64, 96, 3), np.uint8)
    with serving(engine, address), EngineClient(address) as client:
        graph = client.infer(sent, 0.04)
    assert np.array_equal(engine.pictures[0], sent)
    expected = engine._see(sent, 0.04)
    for name in SceneGraph.__slots__:
        assert np.array_equal(getattr(graph, name), getattr(expected, name)), name


def test_the_client_learns_the_whole_spec(address: Path) -> None:
    engine = RecordingEngine()
    with serving(engine, address), EngineClient(address) as client:
        assert client.spec == engine.spec


def test_two_streams_never_get_each_others_graph_or_memory(address: Path) -> None:
    with serving(RecordingEngine(), address), EngineClient(address) as one, EngineClient(address) as two:
        for value in range(0, 250, 10):
            assert one.infer(picture(value), 0.04).boxes_N4[0, 0] == np.float32(value / 255)
            assert two.infer(picture(255 - value), 0.04).boxes_N4[0, 0] == np.float32((255 - value) / 255)
        two.write_memory(None)
        one.infer(picture(0), 0.04, want_memory=True)
        two.infer(picture(0), 0.04, want_memory=True)
    assert one.memory is not None
    assert two.memory is not None
    assert (one.memory.counts_P.max(), two.memory.counts_P.max()) == (26, 1)


def test_frames_that_wait_together_on_one_canvas_share_a_batch(address: Path) -> None:
    engine = RecordingEngine()
    with serving(engine, address):
        clients = [EngineClient(address) for _ in range(4)]
        engine.free.clear()
        threads = run_all([lambda: clients[0].infer(picture(1), 0.04)])
        assert engine.entered.wait(5.0)
        shapes = [(64, 96), (96, 64), (64, 96)]
        threads += run_all([lambda c=c, s=s: c.infer(picture(2, *s), 0.04) for c, s in zip(clients[1:], shapes, strict=True)])  # type: ignore[misc]
        while engine.entered.is_set():
            engine.entered.clear()
        threading.Event().wait(0.2)
        engine.free.set()
        for thread in threads:
            thread.join()
        for client in clients:
            client.close()
    assert sorted(len(batch) for batch in engine.batches) == [1, 1, 2]


def test_a_frame_that_waited_too_long_is_not_analysed_and_a_fresh_one_is(address: Path) -> None:
    engine = RecordingEngine()
    with serving(engine, address, stale_after_s=0.1), EngineClient(address) as busy, EngineClient(address) as late:
        engine.free.clear()
        [holding] = run_all([lambda: busy.infer(picture(1), 0.04)])
        assert engine.entered.wait(5.0)
        threading.Timer(0.3, engine.free.set).start()
        with pytest.raises(EngineStaleError, match="waited 0"):
            late.infer(picture(2), 0.04)
        holding.join()
        late.infer(picture(3), 0.04, want_memory=True)
        assert late.memory is not None
        assert late.memory.counts_P.max() == 1
    assert [int(image[0, 0, 0]) for image in engine.pictures] == [1, 3]


def test_every_answer_says_how_busy_the_engine_is(address: Path) -> None:
    engine = FakeEngine(num_streams=1, max_pixels=PIXELS, frame_s=0.02)
    with serving(engine, address) as server, EngineClient(address) as client:
        for _ in range(80):
            client.infer(picture(1), 0.04)
        assert 0.5 < client.last_answer.engine_load <= 1.0
        assert 20.0 < server.capacity.frames_per_s < 50.0


def test_a_stored_memory_survives_the_way_through_the_engine(address: Path) -> None:
    engine = RecordingEngine()
    rng = np.random.default_rng(1)
    spec = engine.spec
    stored = Memory(rng.random((spec.num_slots, spec.dim), np.float32), rng.random(spec.num_slots, np.float32))
    with serving(engine, address), EngineClient(address) as client:
        client.write_memory(stored)
        in_bank = engine.read_memory(0)
    assert np.array_equal(in_bank.prototypes_PD, stored.prototypes_PD)
    assert np.array_equal(in_bank.counts_P, stored.counts_P)


def test_a_slot_is_empty_for_its_next_stream(address: Path) -> None:
    engine = RecordingEngine(num_streams=1)
    with serving(engine, address):
        with EngineClient(address) as client:
            client.infer(picture(1), 0.04)
        with reconnect(address) as client:
            client.infer(picture(1), 0.04, want_memory=True)
            assert client.memory is not None
            assert client.memory.counts_P.max() == 1


def reconnect(address: Path) -> EngineClient:
    """The engine sees a hang-up a moment later."""
    for _ in range(100):
        try:
            return EngineClient(address)
        except EngineLostError:
            threading.Event().wait(0.02)
    raise AssertionError("no slot became free")


def test_a_full_engine_says_so_and_harms_nobody(address: Path) -> None:
    with serving(RecordingEngine(num_streams=1), address), EngineClient(address) as client:
        with pytest.raises(EngineLostError, match="no slot"):
            EngineClient(address)
        client.infer(picture(1), 0.04)


def test_numbers_that_are_not_finite_cost_one_frame_and_the_last_good_memory_stays(address: Path) -> None:
    engine = RecordingEngine()
    with serving(engine, address), EngineClient(address) as client:
        client.infer(picture(1), 0.04, want_memory=True)
        engine.spoil = True
        with pytest.raises(EngineFrameError, match="broken"):
            client.infer(picture(1), 0.04)
        engine.spoil = False
        client.infer(picture(1), 0.04, want_memory=True)
    assert client.memory is not None
    assert client.memory.counts_P.max() == 2


@pytest.mark.parametrize(("height", "width", "dt_s"), [(64, 65, 0.04), (32, 96, -1.0), (32, 96, float("nan"))])
def test_a_frame_that_does_not_fit_is_refused_alone(address: Path, height: int, width: int, dt_s: float) -> None:
    with serving(RecordingEngine(), address), EngineClient(address) as client:
        with pytest.raises(EngineFrameError, match="refused"):
            client.infer(picture(1, height, width), dt_s)
        client.infer(picture(1), 0.04)


def test_a_picture_larger_than_the_slot_is_a_value_error(address: Path) -> None:
    with serving(RecordingEngine(), address), EngineClient(address) as client, pytest.raises(ValueError, match="does not fit a slot"):
        client.infer(picture(1, 640, 640), 0.04)


def test_a_dead_engine_is_seen_at_the_next_frame(address: Path) -> None:
    with serving(RecordingEngine(), address):
        client = EngineClient(address)
    with pytest.raises(EngineLostError):
        client.infer(picture(1), 0.04)
    client.close()


def test_no_engine_at_all_is_a_sentence(address: Path) -> None:
    with pytest.raises(EngineLostError, match="does not answer"):
        EngineClient(address)


def test_the_layout_keeps_every_array_apart() -> None:
    spec: EngineSpec = RecordingEngine().spec
    layout = SlotLayout.of(spec)
    spans = [layout.image, *layout.graph.values(), *layout.memory.values()]
    for before, after in pairwise(spans):
        assert before.end <= after.offset
    assert spans[-1].end == layout.size_bytes


def test_shared_memory_has_no_name() -> None:
    layout = SlotLayout.of(RecordingEngine().spec)
    slot = Slot(create_region(layout.size_bytes), layout)
    slot.image(64, 96)[:] = 3
    mapped = Path("/proc/self/maps").read_text()
    assert "/memfd:" in mapped
    assert "/dev/shm/vigil" not in mapped
