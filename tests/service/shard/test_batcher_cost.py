"""What a frame costs in the batcher, from one stream to sixty-four. Loose bounds: tests share their machine; `vigil bench` tells more."""

from service.cli.bench_batcher import BatcherResult, measure_batcher

STREAMS = (1, 64)
NETWORK_US = 200.0
TRIES = 3


def measured() -> dict[int, BatcherResult]:
    return {result.streams: result for result in measure_batcher(STREAMS, NETWORK_US, 0.7, lambda: None)}


def test_a_thousand_frames_a_second_pass_and_a_frame_costs_the_same_with_many_streams() -> None:
    tries = [measured() for _ in range(TRIES)]
    assert all(result.fairness < 1.2 for result in (one[64] for one in tries))
    fastest = {count: max(one[count].frames_per_s for one in tries) for count in STREAMS}
    cheapest_us = {count: NETWORK_US + min(one[count].cpu_us for one in tries) for count in STREAMS}
    assert min(fastest.values()) >= 1000.0, fastest
    assert cheapest_us[64] <= 1.4 * cheapest_us[1], cheapest_us
