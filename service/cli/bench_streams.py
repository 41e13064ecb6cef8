"""Many streams at a sampled rate through a running service: how frame rate, age, drops, processor time and memory grow with them.

Looks from outside: the API for what each stream reached, /metrics for ages and drops, /proc for what each process took.
"""

import bisect
import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
from msgspec import Struct
from prometheus_client.parser import text_string_to_metric_families

from service.cli.bench_processes import Others, ProcessLoad, Watched

LIVE_WITHIN_S = 30.0
LIVE_WITHIN_S_PER_STREAM = 1.0
SETTLE_S = 4.0
WINDOW_S = 10.0
LOOK_EVERY_S = 1.0
AGE = "vigil_frame_age_seconds"
DROPPED = "vigil_frames_dropped"
INFER = "vigil_infer_seconds"
BATCH = "vigil_batch_size"


class LoadPoint(Struct):
    """`streams` at once for `seconds`. Rates are analysed frames a second; ages run from capture to policy decision.

    `window_fps_min` is the lowest rate that any stream had in any stretch of WINDOW_S. `engine_ms` is what one frame took in the engine.
    `other_cores` is what else ran on the machine, the source and this program left out: it should be next to nothing.
    """

    streams: int
    live: int
    refused: int
    asked_fps: float
    seconds: float
    frames: int
    fps_min: float
    fps_mean: float
    fps_max: float
    window_fps_min: float
    age_p50_ms: float
    age_p95_ms: float
    engine_ms: float
    batch_mean: float
    drops: dict[str, int]
    processes: list[ProcessLoad]
    origin_cores: float
    other_cores: float

    @property
    def spread(self) -> float:
        """Fastest over slowest stream."""
        return self.fps_max / self.fps_min if self.fps_min else float("inf")

    @property
    def cores(self) -> float:
        """All processes of the service."""
        return sum(process.cores for process in self.processes)

    @property
    def cpu_ms_per_frame(self) -> float:
        """Processor time of all processes of the service for one analysed frame."""
        return self.cores * self.seconds * 1000 / self.frames if self.frames else float("inf")

    @property
    def rss_mib(self) -> float:
        """Resident memory of all processes; what they share counts in each."""
        return sum(process.rss_end_mib for process in self.processes)


class StreamsResult(Struct):
    """One series, in the same service and with the same source. `engine` is backend and model, as the service says."""

    source: str
    engine: str
    points: list[LoadPoint]


@dataclass(frozen=True, slots=True)
class Page:
    """What of /metrics is looked at: cumulative counts by bucket, drops by cause, seconds and frames of the engine."""

    ages: Mapping[float, float]
    drops: Mapping[str, float]
    infer_s: float
    calls: float
    inferred: float


@dataclass(frozen=True, slots=True)
class Moment:
    """A reading of all streams' sequence numbers, each with the monotonic time of its own reading."""

    at_s: tuple[float, ...]
    seqs: tuple[int, ...]

    def rates_since(self, earlier: "Moment") -> list[float]:
        """Frames a second of each stream."""
        return [
            (seq - before) / (at_s - before_s)
            for seq, before, at_s, before_s in zip(self.seqs, earlier.seqs, self.at_s, earlier.at_s, strict=True)
        ]


class Crowd:
    """The streams of a series in one service. `grow_to` adds, `measure` looks."""

    def __init__(self, http: httpx.Client, url_of: Callable[[int], str], fps: float) -> None:
        self._http = http
        self._url_of = url_of
        self._fps = fps
        self._ids: list[str] = []

    def grow_to(self, count: int, on_second: Callable[[str], None]) -> int:
        """Add streams until `count` are asked for, wait until they are live; returns how many the service refused (429)."""
        refused = 0
        for number in range(len(self._ids), count):
            answer = self._http.post("/v1/streams", json={"url": self._url_of(number), "name": f"bench {number}", "fps": self._fps})
            if answer.status_code == 429:
                refused += 1
            elif answer.status_code != 201:
                raise ValueError(f"the service refused stream {number}: {answer.json().get('detail', answer.text)}")
            else:
                self._ids.append(str(answer.json()["id"]))
        if not self._ids:
            raise ValueError("the service refused every stream: it is full")
        self._wait_until_live(on_second)
        return refused

    def _wait_until_live(self, on_second: Callable[[str], None]) -> None:
        deadline_s = time.monotonic() + LIVE_WITHIN_S + LIVE_WITHIN_S_PER_STREAM * len(self._ids)
        while (live := self._num_live()) < len(self._ids) and time.monotonic() < deadline_s:
            on_second(f"{live} of {len(self._ids)} streams live")
            time.sleep(LOOK_EVERY_S / 2)
        if live == 0:
            raise ValueError(f"none of {len(self._ids)} streams became live; the first says: {self._complaint()}")

    def measure(self, seconds: float, pid: int, origin_pid: int, refused: int, on_second: Callable[[str], None]) -> LoadPoint:
        """Let it settle, then watch for `seconds`. A pid of 0 is one that is not known."""
        _sleep(min(SETTLE_S, seconds), on_second)
        page = self._page()
        service, origin, others = Watched(pid), Watched(origin_pid), Others()
        moments = [self._moment()]
        for stretch_s in _stretches(seconds):
            _sleep(stretch_s, on_second)
            moments.append(self._moment())
        took_s = moments[-1].at_s[0] - moments[0].at_s[0]
        loads, origin_loads = service.loads(), origin.loads()
        other_cores = others.cores(loads, origin_loads)
        rates = moments[-1].rates_since(moments[0])
        frames = sum(moments[-1].seqs) - sum(moments[0].seqs)
        spent = _since(page, self._page())
        return LoadPoint(
            streams=len(self._ids) + refused,
            live=self._num_live(),
            refused=refused,
            asked_fps=self._fps,
            seconds=took_s,
            frames=frames,
            fps_min=min(rates),
            fps_mean=sum(rates) / len(rates),
            fps_max=max(rates),
            window_fps_min=min(min(after.rates_since(before)) for before, after in itertools.pairwise(moments)),
            age_p50_ms=1000 * quantile(spent.ages, 0.50),
            age_p95_ms=1000 * quantile(spent.ages, 0.95),
            engine_ms=1000 * spent.infer_s / max(1.0, spent.inferred),
            batch_mean=spent.inferred / max(1.0, spent.calls),
            drops={cause: round(count) for cause, count in spent.drops.items() if count},
            processes=loads,
            origin_cores=sum(load.cores for load in origin_loads),
            other_cores=other_cores,
        )

    def engine(self) -> str:
        """What the service says that runs the network."""
        return str(self._http.get("/readyz").json().get("engine", "not ready"))

    def leave(self) -> None:
        """Delete the streams."""
        for stream_id in self._ids:
            self._http.delete(f"/v1/streams/{stream_id}")

    def _num_live(self) -> int:
        return sum(stream["state"] == "live" for stream in self._http.get("/v1/streams").json()["streams"])

    def _complaint(self) -> str:
        shown = self._http.get(f"/v1/streams/{self._ids[0]}").json()
        return f"{shown['state']} {shown['code'] or ''} {shown['message']}"

    def _moment(self) -> Moment:
        at_s, seqs = [], []
        for stream_id in self._ids:
            answer = self._http.get(f"/v1/streams/{stream_id}/graph")
            at_s.append(time.monotonic())
            seqs.append(int(answer.json()["seq"]) if answer.status_code == 200 else 0)
        return Moment(tuple(at_s), tuple(seqs))

    def _page(self) -> Page:
        return read_page(self._http.get("/metrics").text)


@contextmanager
def crowd(api: str, url_of: Callable[[int], str], fps: float) -> Iterator[Crowd]:
    """A crowd in the service at `api`; its streams are deleted at the end."""
    with httpx.Client(base_url=api, timeout=30.0, trust_env=False) as http:
        gathered = Crowd(http, url_of, fps)
        try:
            yield gathered
        finally:
            gathered.leave()


def read_page(text: str) -> Page:
    """The counters of all streams and processes together."""
    ages: defaultdict[float, float] = defaultdict(float)
    drops: defaultdict[str, float] = defaultdict(float)
    sums: defaultdict[str, float] = defaultdict(float)
    for sample in (sample for metric in text_string_to_metric_families(text) for sample in metric.samples):
        if sample.name == f"{AGE}_bucket":
            ages[float(sample.labels["le"])] += sample.value
        elif sample.name == f"{DROPPED}_total":
            drops[sample.labels["cause"]] += sample.value
        elif sample.name.startswith((INFER, BATCH)):
            sums[sample.name] += sample.value
    return Page(ages, drops, sums[f"{INFER}_sum"], sums[f"{INFER}_count"], sums[f"{BATCH}_sum"])


def quantile(buckets: Mapping[float, float], share: float) -> float:
    """Of a cumulative histogram, as Prometheus does it: straight inside a bucket, the last bound for what lies above; 0 without data."""
    bounds = sorted(buckets)
    if not bounds or not buckets[bounds[-1]]:
        return 0.0
    wanted = share * buckets[bounds[-1]]
    at = bisect.bisect_left([buckets[bound] for bound in bounds], wanted)
    if at == len(bounds) - 1:
        return bounds[-2]
    low, before = (bounds[at - 1], buckets[bounds[at - 1]]) if at else (0.0, 0.0)
    inside = buckets[bounds[at]] - before
    return low + (bounds[at] - low) * (wanted - before) / inside if inside else low


def _since(before: Page, after: Page) -> Page:
    return Page(
        {bound: count - before.ages.get(bound, 0.0) for bound, count in after.ages.items()},
        {cause: count - before.drops.get(cause, 0.0) for cause, count in after.drops.items()},
        after.infer_s - before.infer_s,
        after.calls - before.calls,
        after.inferred - before.inferred,
    )


def _stretches(seconds: float) -> list[float]:
    """Whole stretches of WINDOW_S; the last takes what is left over."""
    count = max(1, int(seconds // WINDOW_S))
    return [WINDOW_S] * (count - 1) + [seconds - WINDOW_S * (count - 1)]


def _sleep(seconds: float, on_second: Callable[[str], None]) -> None:
    end_s = time.monotonic() + seconds
    while (left_s := end_s - time.monotonic()) > 0:
        time.sleep(min(LOOK_EVERY_S, left_s))
        if left_s >= LOOK_EVERY_S:
            on_second("")
