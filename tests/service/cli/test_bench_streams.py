"""What a series of streams is read from: sequence numbers, histograms, drops."""

import httpx
import pytest

from service.cli import bench_streams
from service.cli.bench_processes import ProcessLoad
from service.cli.bench_streams import Crowd, LoadPoint, Moment, _since, _stretches, quantile, read_page
from service.metrics import Metrics, merge


def pages() -> tuple[str, str]:
    """/metrics of a worker and an engine before and after stream b came: 8 ages and 12 drops at the end."""
    worker, engine = Metrics(), Metrics(of_engine=True)
    texts = []
    for stream, ages_s, drops in (("a", (0.015, 0.03, 0.03, 7.0), {"late": 2}), ("b", (0.03,) * 4, {"late": 3, "sampled": 7})):
        for age_s in ages_s:
            worker.frame_age_s.labels(stream).observe(age_s)
        for cause, count in drops.items():
            worker.frames_dropped.labels(stream, cause).inc(count)
        engine.infer_s.observe(0.25)
        engine.batch_size.observe(2 if stream == "a" else 3)
        texts.append(merge({"worker-1": worker.expose(), "engine": engine.expose()}).decode())
    return texts[0], texts[1]


def point(**changes: float) -> LoadPoint:
    """4 streams for 10 s, 80 frames, half a core."""
    numbers: dict[str, float] = {"fps_min": 1.9, "fps_mean": 2.0, "fps_max": 2.09, "window_fps_min": 1.8, "age_p50_ms": 20.0}
    numbers |= {
        "age_p95_ms": 40.0,
        "engine_ms": 1.0,
        "batch_mean": 1.0,
        "asked_fps": 2.0,
        "seconds": 10.0,
        "origin_cores": 0.1,
        "other_cores": 0.0,
    } | changes
    processes = [ProcessLoad("vigil-worker-1", 0.3, 90.0, 100.0), ProcessLoad("vigil-engine", 0.2, 150.0, 150.0)]
    return LoadPoint(streams=4, live=4, refused=0, frames=80, drops={"sampled": 80}, processes=processes, **numbers)


def test_a_page_is_added_up_over_streams_and_causes() -> None:
    page = read_page(pages()[1])
    assert [page.ages[bound] for bound in (0.01, 0.02, 0.03, 5.0, float("inf"))] == [0, 1, 7, 7, 8]
    assert page.drops == {"late": 5, "sampled": 7}
    assert (page.infer_s, page.calls, page.inferred) == (0.5, 2, 5)


def test_what_happened_between_two_pages_is_their_difference_and_new_series_begin_at_nothing() -> None:
    spent = _since(*map(read_page, pages()))
    assert [spent.ages[bound] for bound in (0.02, 0.03, float("inf"))] == [0, 4, 4]
    assert spent.drops == {"late": 3, "sampled": 7}
    assert (spent.infer_s, spent.calls, spent.inferred) == (0.25, 1, 3)


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.0, 0.0), (0.0625, 0.01), (0.5, 0.03), (0.875, 0.04), (0.95, 0.04)],
)
def test_a_quantile_lies_on_a_straight_line_inside_its_bucket(share: float, expected: float) -> None:
    """1 of 8 below .02, 6 between .02 and .04, 1 above .04."""
    assert quantile({0.02: 1, 0.04: 7, float("inf"): 8}, share) == pytest.approx(expected)


def test_a_quantile_of_nothing_is_nothing() -> None:
    assert quantile({}, 0.5) == 0.0
    assert quantile({0.02: 0, float("inf"): 0}, 0.95) == 0.0


def test_each_stream_has_its_own_clock() -> None:
    earlier, later = Moment((0.0, 0.5), (10, 20)), Moment((10.0, 12.5), (30, 44))
    assert later.rates_since(earlier) == [2.0, 2.0]


@pytest.mark.parametrize(("seconds", "expected"), [(3.0, [3.0]), (10.0, [10.0]), (19.0, [19.0]), (25.0, [10.0, 15.0]), (30.0, [10.0] * 3)])
def test_a_run_is_looked_at_in_stretches_of_at_least_ten_seconds(seconds: float, expected: list[float]) -> None:
    assert _stretches(seconds) == expected


def test_the_cost_of_a_frame_is_that_of_all_processes() -> None:
    """Half a core for 10 s over 80 frames."""
    assert point().cores == pytest.approx(0.5)
    assert point().cpu_ms_per_frame == pytest.approx(62.5)
    assert point().rss_mib == pytest.approx(250.0)
    assert point().spread == pytest.approx(1.1)


def test_a_stream_that_stands_still_makes_the_spread_endless() -> None:
    assert point(fps_min=0.0).spread == float("inf")


class FullAfterTwo:
    """An API that takes two streams and has `live` of them live."""

    def __init__(self, live: int) -> None:
        self.live = live
        self.taken: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            if len(self.taken) == 2:
                return httpx.Response(429, json={"detail": "the engine is full"})
            self.taken.append(f"s{len(self.taken)}")
            return httpx.Response(201, json={"id": self.taken[-1]})
        if request.method == "DELETE":
            self.taken.remove(request.url.path.rpartition("/")[2])
            return httpx.Response(204)
        states = [{"state": "live" if number < self.live else "failed"} for number in range(len(self.taken))]
        if request.url.path == "/v1/streams":
            return httpx.Response(200, json={"streams": states})
        return httpx.Response(200, json={"state": "failed", "code": "not_found", "message": "there is no such stream"})


def crowd_of(api: FullAfterTwo) -> Crowd:
    return Crowd(httpx.Client(base_url="http://service", transport=httpx.MockTransport(api)), lambda number: f"http://origin/{number}", 2.0)


def test_a_service_that_is_full_is_counted_and_left_empty() -> None:
    api = FullAfterTwo(live=2)
    streams = crowd_of(api)
    assert streams.grow_to(1, lambda _: None) == 0
    assert streams.grow_to(5, lambda _: None) == 3
    assert api.taken == ["s0", "s1"]
    streams.leave()
    assert api.taken == []


def test_streams_that_never_come_are_an_error_with_what_the_first_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_streams, "LIVE_WITHIN_S", -10.0)
    with pytest.raises(ValueError, match=r"none of 2 streams became live; the first says: failed not_found there is no such stream"):
        crowd_of(FullAfterTwo(live=0)).grow_to(2, lambda _: None)
