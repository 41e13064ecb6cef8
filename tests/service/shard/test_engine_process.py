"""What the engine process says of the engine it opened."""

import pytest

from engines.factory import Chosen, PassedOver
from engines.fake import FakeEngine
from service.metrics import Metrics, read_gauge
from service.shard.capacity import Capacity
from service.shard.engine_process import _ready


@pytest.mark.parametrize(
    ("passed_over", "gpu_idles", "fell_back"),
    [
        ((), False, 0.0),
        ((PassedOver("tensorrt", "there is no NVIDIA driver"),), False, 0.0),
        ((PassedOver("tensorrt", "tensorrt does not open nano-v1", was_usable=True),), False, 1.0),
        ((PassedOver("tensorrt", "torch is not installed"),), True, 1.0),
    ],
    ids=["the best", "the best that can run here", "a better one did not open", "a GPU that idles"],
)
def test_an_engine_that_fell_back_shows(passed_over: tuple[PassedOver, ...], gpu_idles: bool, fell_back: float) -> None:
    metrics = Metrics(of_engine=True)
    chosen = Chosen(FakeEngine(num_streams=1, max_pixels=64 * 64), passed_over, gpu_idles)
    ready = _ready(chosen, Capacity(best_batch=1), metrics, 1.0)
    page = metrics.expose()
    assert read_gauge(page, "vigil_engine_fell_back") == fell_back
    assert ready.passed_over == tuple((one.backend, one.why) for one in passed_over)
    assert b'vigil_engine_swaps_total{outcome="rolled_back"} 0.0' in page
