"""Metrics of several processes on one page, and series that end with their stream."""

from service.metrics import Metrics, merge, read_gauge


def test_the_pages_of_all_processes_become_one_and_each_sample_names_its_process() -> None:
    first, second = Metrics(), Metrics()
    first.frames.labels("s1").inc(3)
    second.frames.labels("s2").inc(4)
    page = merge({"worker-1": first.expose(), "worker-2": second.expose()}).decode()
    assert 'vigil_frames_analysed_total{process="worker-1",stream="s1"} 3.0' in page
    assert 'vigil_frames_analysed_total{process="worker-2",stream="s2"} 4.0' in page
    assert page.count("# TYPE vigil_frames_analysed_total counter") == 1


def test_exactly_one_state_of_a_stream_is_one() -> None:
    metrics = Metrics()
    metrics.set_stream_state("s1", "connecting")
    metrics.set_stream_state("s1", "live")
    lines = [line for line in metrics.expose().decode().splitlines() if line.startswith("vigil_stream_state{")]
    assert [line for line in lines if line.endswith(" 1.0")] == ['vigil_stream_state{state="live",stream="s1"} 1.0']
    assert len(lines) == 7


def test_a_forgotten_stream_leaves_no_series_and_others_stay() -> None:
    metrics = Metrics()
    for stream in ("s1", "s2"):
        metrics.set_stream_state(stream, "live")
        metrics.frames_dropped.labels(stream, "late").inc()
        metrics.decode_s.labels(stream).observe(0.01)
        metrics.alerts.labels(stream, "knife", "high").inc()
    metrics.forget_stream("s1")
    page = metrics.expose().decode()
    assert 'stream="s1"' not in page
    assert page.count('stream="s2"') > 10


def test_a_gauge_is_read_back_from_a_page() -> None:
    metrics = Metrics()
    assert read_gauge(metrics.expose(), "vigil_engine_capacity_fps") is None
    metrics.engine_capacity.labels("fake").set(22.5)
    assert read_gauge(metrics.expose(), "vigil_engine_capacity_fps") == 22.5
