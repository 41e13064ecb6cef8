"""A real Prometheus on loopback with the rules that are deployed, hurried: rules every second, and an alert fires at once."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
import yaml

from tests.servers.process import end_process, free_port, is_listening, require_binary, wait_until

SCRAPE_EVERY, JUDGE_EVERY = "2s", "1s"


class Prometheus:
    """`with Prometheus(folder, target_urls=[...], rules=FOLDER) as prometheus:` scrapes what each of the URLs lists (http_sd)."""

    def __init__(self, folder: Path, *, target_urls: Sequence[str], rules: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._port = free_port()
        (folder / "prometheus.yml").write_text(yaml.safe_dump(_config(target_urls, hurried(rules, folder / "rules"))))

    @property
    def url(self) -> str:
        """Where its HTTP API is."""
        return f"http://127.0.0.1:{self._port}"

    def query(self, expr: str) -> list[dict[str, Any]]:
        """The series of an instant query, now. ValueError with Prometheus' own words where it refuses."""
        return self._ask("query", query=expr)

    def query_range(self, expr: str, start_s: float, end_s: float, step_s: float) -> list[dict[str, Any]]:
        """The series of a range query."""
        return self._ask("query_range", query=expr, start=str(start_s), end=str(end_s), step=str(step_s))

    def healthy_targets(self) -> int:
        """How many targets answered their last scrape."""
        found = self._client.get("/api/v1/targets").json()["data"]["activeTargets"]
        return sum(target["health"] == "up" for target in found)

    def broken_rules(self) -> list[str]:
        """Rules that Prometheus could not evaluate, and why."""
        groups = self._client.get("/api/v1/rules").json()["data"]["groups"]
        return [f"{rule['name']}: {rule['lastError']}" for group in groups for rule in group["rules"] if rule["health"] == "err"]

    def _ask(self, what: str, **parameters: str) -> list[dict[str, Any]]:
        answer = self._client.post(f"/api/v1/{what}", data=parameters).json()
        if answer["status"] != "success":
            raise ValueError(f"Prometheus refuses {parameters['query']}: {answer['error']}")
        result = answer["data"]["result"]
        return result if answer["data"]["resultType"] in ("vector", "matrix") else [{"metric": {}, "value": result}]

    def __enter__(self) -> "Prometheus":
        command = [
            require_binary("prometheus"),
            f"--config.file={self._folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
            "--log.level=warn",
        ]
        self._log = (self._folder / "prometheus.log").open("wb")
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        self._client = httpx.Client(base_url=self.url, timeout=10.0)
        wait_until(lambda: is_listening(self._port) or self._process.poll() is not None, "Prometheus", 20.0)
        assert self._process.poll() is None, (self._folder / "prometheus.log").read_text()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._client.close()
        end_process(self._process)
        self._log.close()


def hurried(rules: Path, folder: Path) -> Path:
    """The same rules, evaluated every second and without `for`, in another folder."""
    folder.mkdir()
    for path in sorted(rules.glob("*.yml")):
        content = yaml.safe_load(path.read_text())
        for group in content["groups"]:
            group["interval"] = JUDGE_EVERY
            for rule in group["rules"]:
                rule.pop("for", None)
        (folder / path.name).write_text(yaml.safe_dump(content))
    return folder


def _config(target_urls: Sequence[str], rules: Path) -> dict[str, Any]:
    sources = [{"url": url, "refresh_interval": SCRAPE_EVERY} for url in target_urls]
    return {
        "global": {"scrape_interval": SCRAPE_EVERY, "scrape_timeout": SCRAPE_EVERY, "evaluation_interval": JUDGE_EVERY},
        "rule_files": [f"{rules}/*.yml"],
        "scrape_configs": [{"job_name": "vigil", "http_sd_configs": sources}],
    }
