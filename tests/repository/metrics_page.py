"""`make files` writes docs/metrics.md: every metric as it is scraped, and the panels and rules that show it. Tests keep it true."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from service.metrics import Metrics

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "metrics.md"
DASHBOARDS = ROOT / "deploy" / "grafana" / "dashboards"
RULES = ROOT / "deploy" / "prometheus" / "rules"
NAME = re.compile(r"(?<![\w:])(?:vigil|process)_\w+(?![\w:])")
SUFFIXES = {Counter: ("_total",), Gauge: ("",), Histogram: ("_bucket", "_sum", "_count")}

ENGINE, WORKER, API, SUPERVISOR, EACH = "engine", "worker", "api", "supervisor", "each"
"""The process that exports a metric; those with the label `stream` are the worker's."""
EXPORTED_BY = {
    "vigil_build_info": EACH,
    "vigil_decoder": WORKER,
    "vigil_redis_seconds": WORKER,
    "vigil_state_writes": WORKER,
    "vigil_pressure_level": WORKER,
    "vigil_pressure_fps": WORKER,
    "vigil_worker_restarts": SUPERVISOR,
    "vigil_queue_seconds": ENGINE,
    "vigil_infer_seconds": ENGINE,
    "vigil_batch_size": ENGINE,
    "vigil_engine_capacity_fps": ENGINE,
    "vigil_engine_load": ENGINE,
    "vigil_engine_swaps": ENGINE,
    "vigil_engine_passed_over": ENGINE,
    "vigil_engine_ready": ENGINE,
    "vigil_engine_fell_back": ENGINE,
    "vigil_device_memory_bytes": ENGINE,
    "vigil_publishes": API,
    "vigil_http_seconds": API,
    "vigil_ws_messages": API,
    "vigil_ws_clients": API,
    "vigil_ws_clients_dropped": API,
    "vigil_webhook_deliveries": API,
    "vigil_webhook_seconds": API,
    "vigil_webhook_backlog": API,
}
OF_PROCESSES = {
    "process_cpu_seconds_total": ("counter", "Processor time of the process"),
    "process_resident_memory_bytes": ("gauge", "Memory that the process holds"),
    "process_virtual_memory_bytes": ("gauge", "Addresses that the process has taken"),
    "process_start_time_seconds": ("gauge", "When the process began, Unix time"),
    "process_open_fds": ("gauge", "Files and sockets that the process has open"),
    "process_max_fds": ("gauge", "As many as it may have open"),
}
UNUSED = {
    "process_virtual_memory_bytes": "says little where libraries map much; resident memory is on the engine's board",
    "process_start_time_seconds": "for a look by hand: restarts are counted",
    "process_open_fds": "for a look by hand when a process says that it has too many files open",
    "process_max_fds": "the same",
}
"""On no panel and in no rule, and why."""

HEAD = """# Metrics

One page, `/metrics`, of every process of a shard; each sample has the label `process` (engine, worker-1, api, ...), and `shard` where
Prometheus found the address by `/v1/metrics/targets`. A counter is scraped as `..._total`, a histogram as `..._bucket`, `..._sum` and
`..._count`. Every series of a stream ends when the stream is deleted.

Generated from service/metrics.py, deploy/grafana/dashboards and deploy/prometheus/rules by `make files`.
"""


def collectors() -> list[MetricWrapperBase]:
    """All of the house's metrics, in the order of the code."""
    return [one for one in vars(Metrics(of_engine=True)).values() if isinstance(one, Counter | Gauge | Histogram)]


def scraped_names(metric: MetricWrapperBase) -> tuple[str, ...]:
    """As they stand on the page."""
    return tuple(f"{metric._name}{suffix}" for suffix in SUFFIXES[type(metric)])


def names_by_label(label: str) -> set[str]:
    """Every scraped name of the metrics that have a label."""
    return {name for metric in collectors() if label in metric._labelnames for name in scraped_names(metric)}


def uses() -> dict[str, list[str]]:
    """Scraped name -> the panels and rules whose expressions name it."""
    found: dict[str, list[str]] = {}
    for place, expression in (*_panels(), *_rules()):
        for name in NAME.findall(expression):
            places = found.setdefault(name, [])
            if place not in places:
                places.append(place)
    return found


def _panels() -> Iterator[tuple[str, str]]:
    for path in sorted(DASHBOARDS.glob("*.json")):
        board = json.loads(path.read_text())
        for panel in _nested(board.get("panels", [])):
            for target in panel.get("targets", []):
                yield f"{board['title'].removeprefix('Vigil: ')}: {panel.get('title', '')}", str(target.get("expr", ""))


def _nested(panels: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows hold panels of their own."""
    for panel in panels:
        yield panel
        yield from _nested(panel.get("panels", []))


def _rules() -> Iterator[tuple[str, str]]:
    for path in sorted(RULES.glob("*.yml")):
        for group in (yaml.safe_load(path.read_text()) or {}).get("groups", []):
            for rule in group["rules"]:
                yield f"rule {rule.get('alert') or rule.get('record')}", str(rule["expr"])


def _row(name: str, kind: str, labels: tuple[str, ...], process: str, meaning: str, places: list[str]) -> str:
    shown = "; ".join(places) or f"none: {UNUSED.get(name, 'no reason given')}"
    cells = (f"`{name}`", kind, ", ".join(labels), process, meaning.replace("|", "\\|"), shown.replace("|", "\\|"))
    return f"| {' | '.join(cells)} |\n"


def metrics_page() -> str:
    """The page as it should be now."""
    used = uses()
    text = f"{HEAD}\n| metric | kind | labels | process | meaning | panel or rule |\n|---|---|---|---|---|---|\n"
    for metric in collectors():
        process = WORKER if "stream" in metric._labelnames else EXPORTED_BY[metric._name]
        names = scraped_names(metric)
        places = list(dict.fromkeys(place for name in names for place in used.get(name, [])))
        text += _row(names[0], str(metric._type), metric._labelnames, process, metric._documentation, places)
    for name, (kind, meaning) in OF_PROCESSES.items():
        text += _row(name, kind, (), EACH, meaning, used.get(name, []))
    return text


def scraped() -> dict[str, tuple[str, ...]]:
    """First scraped name -> all scraped names, of every metric on the page."""
    own = {names[0]: names for names in map(scraped_names, collectors())}
    return own | {name: (name,) for name in OF_PROCESSES}


if __name__ == "__main__":
    PAGE.write_text(metrics_page())
