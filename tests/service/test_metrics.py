"""Metrics of several processes on one page, and series that end with their stream."""

import tomllib
from pathlib import Path
from typing import get_args

from prometheus_client.parser import text_string_to_metric_families

from service import VERSION
from service.ingest.mailbox import DropCause
from service.metrics import DROP_CAUSES, Metrics, merge, read_gauge


def test_the_pages_of_all_processes_become_one_and_each_sample_names_its_process() -> None:
    first, second = Metrics(), Metrics()
    first.frames.labels("s1").inc(3)
    second.frames.labels("s2").inc(4)
    page = merge({"worker-1": first.expose(), "worker-2": second.expose()}).decode()
    assert 'vigil_frames_analysed_total{process="worker-1",stream="s1"} 3.0' in page
    assert 'vigil_frames_analysed_total{process="worker-2",stream="s2"} 4.0' in page
    assert page.count("# TYPE vigil_frames_analysed_total counter") == 1


def test_whatever_a_label_holds_the_joined_page_says_the_same_as_the_pages() -> None:
    odd = 'a "b" \\ {c="d",e} \n\x0b\u2028 f'
    first, second = Metrics(of_engine=True), Metrics()
    first.engine_passed_over.labels("tensorrt", odd).set(1)
    first.queue_s.observe(0.02)
    second.alerts.labels("s1", odd, "high").inc(2)
    joined = list(text_string_to_metric_families(merge({"engine": first.expose(), "worker-1": second.expose()}).decode()))
    found = {(sample.name, *sorted(sample.labels.items())): sample.value for family in joined for sample in family.samples}
    apart = {
        (sample.name, *sorted({**sample.labels, "process": process}.items())): sample.value
        for process, page in (("engine", first), ("worker-1", second))
        for family in text_string_to_metric_families(page.expose().decode())
        for sample in family.samples
    }
    steady = {key for key in apart if not str(key[0]).startswith("process_")}
    assert {key: value for key, value in found.items() if key in steady} == {key: apart[key] for key in steady}
    assert found.keys() == apart.keys()
    assert len(joined) == len({family.name for family in joined})


def test_exactly_one_state_of_a_stream_is_one() -> None:
    metrics = Metrics()
    metrics.set_stream_state("s1", "connecting")
    metrics.set_stream_state("s1", "live")
    lines = [line for line in metrics.expose().decode().splitlines() if line.startswith("vigil_stream_state{")]
    assert [line for line in lines if line.endswith(" 1.0")] == ['vigil_stream_state{state="live",stream="s1"} 1.0']
    assert len(lines) == 7


def test_of_policies_that_a_stream_has_no_more_only_what_was_counted_stays() -> None:
    metrics = Metrics()
    metrics.begin_alerts("s2", [("knife", "high")])
    metrics.begin_alerts("s1", [("knife", "high"), ("fire", "critical")])
    metrics.alerts.labels("s1", "fire", "critical").inc()
    for number in range(3):
        metrics.begin_alerts("s1", [(f"p{number}", "low")])
    lines = [line for line in metrics.expose().decode().splitlines() if line.startswith("vigil_alerts_total{")]
    assert sorted(lines) == [
        'vigil_alerts_total{policy="fire",severity="critical",stream="s1"} 1.0',
        'vigil_alerts_total{policy="knife",severity="high",stream="s2"} 0.0',
        'vigil_alerts_total{policy="p2",severity="low",stream="s1"} 0.0',
    ]


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


def test_a_stream_begins_with_noughts_for_all_that_rules_watch() -> None:
    metrics = Metrics()
    metrics.begin_stream("s1")
    page = metrics.expose().decode()
    assert set(get_args(DropCause)) < set(DROP_CAUSES)
    begun = [f'vigil_frames_dropped_total{{cause="{cause}",stream="s1"}} 0.0' for cause in DROP_CAUSES]
    begun += [f'vigil_{name}{{stream="s1"}} 0.0' for name in ("stalls_total", "alerts_lost_total", "blind_seconds_total", "stream_risk")]
    assert [line for line in begun if line not in page] == []
    assert 'vigil_stream_state{state="pending",stream="s1"} 1.0' in page
    metrics.forget_stream("s1")
    assert "s1" not in metrics.expose().decode()


def test_what_processes_count_begins_with_noughts_and_only_the_engine_shows_its_own() -> None:
    worker, api, engine = Metrics(), Metrics(), Metrics(of_engine=True)
    worker.begin_worker()
    api.begin_api()
    assert 'vigil_state_writes_total{outcome="failed"} 0.0' in worker.expose().decode()
    assert 'vigil_redis_seconds_count{call="save"} 0.0' in worker.expose().decode()
    assert 'vigil_ws_clients_dropped_total{kind="graph"} 0.0' in api.expose().decode()
    assert "vigil_engine_fell_back 0.0" in engine.expose().decode()
    assert "fell_back" not in worker.expose().decode()


def test_every_process_tells_its_version_memory_and_processor_time() -> None:
    page = merge({"api": Metrics().expose(), "engine": Metrics(of_engine=True).expose()}).decode()
    assert f'vigil_build_info{{process="api",version="{VERSION}"}} 1.0' in page
    for name in ("process_resident_memory_bytes", "process_cpu_seconds_total"):
        assert page.count(f"\n{name}{{process=") == 2
    assert "_created" not in page


def test_the_version_is_that_of_the_package() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION


def test_a_stream_has_one_name_the_last() -> None:
    metrics = Metrics()
    metrics.name_stream("s1", "Lobby")
    metrics.name_stream("s2", "Hall")
    metrics.name_stream("s1", "Lobby, north")
    names = [line for line in metrics.expose().decode().splitlines() if line.startswith("vigil_stream_info{")]
    assert names == ['vigil_stream_info{name="Hall",stream="s2"} 1.0', 'vigil_stream_info{name="Lobby, north",stream="s1"} 1.0']


def test_a_gauge_is_read_back_from_a_page() -> None:
    metrics = Metrics()
    assert read_gauge(metrics.expose(), "vigil_engine_capacity_fps") is None
    metrics.engine_capacity.labels("fake").set(22.5)
    assert read_gauge(metrics.expose(), "vigil_engine_capacity_fps") == 22.5
