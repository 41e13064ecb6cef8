"""What a frame costs in the batcher, from one stream to sixty-four. Loose bounds: tests share their machine; `vigil bench` tells more."""

from service.cli.bench_batcher import measure_batcher

STREAMS = (1, 64)
NETWORK_US = 200.0
SECONDS = 2.1


def test_a_thousand_frames_a_second_pass_and_a_frame_costs_the_same_with_many_streams() -> None:
    one, many = measure_batcher(STREAMS, NETWORK_US, SECONDS, lambda: None)
    assert many.fairness < 1.2
    assert min(one.frames_per_s, many.frames_per_s) >= 1000.0, (one, many)
    assert NETWORK_US + many.cpu_us <= 1.4 * (NETWORK_US + one.cpu_us), (one, many)
