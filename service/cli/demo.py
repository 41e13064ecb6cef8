"""`vigil demo`: a live stream, the service that watches it and the page, all on this machine, until Ctrl-C.

Without an argument the stream is our own clip, looped by our own origin. Loopback is opened for that origin only.
"""

import argparse
import contextlib
import os
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from service.bootstrap import serve
from service.cli.live_origin import LiveOrigin
from service.cli.serve import settings_from
from service.ingest.address import parse_networks
from service.settings import Settings

CLIP = Path(__file__).with_name("demo_clip") / "room.mp4"
LABEL = {"made_by": "vigil demo"}
LOOK_EVERY_S = 0.25
REQUEST_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Source:
    """What is watched; `loops` is our own clip, whose event is known."""

    url: str
    name: str
    networks: tuple[str, ...]
    loops: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to watch and where to serve; every other setting by its VIGIL_ variable."""
    parser.add_argument(
        "source", nargs="?", metavar="URL|FILE", help="rtmp:// or http(s)://...m3u8 address, or a video file; default: our test stream"
    )
    parser.add_argument("--port", type=int, help="port of the page (8000, or a free one when that is taken)")
    parser.add_argument("--data", type=Path, dest="data_dir", metavar="FOLDER", help="keep alerts and state here; default: forget them")
    parser.add_argument("--allow-network", action="append", metavar="CIDR", help="private network that the address may be in")
    parser.add_argument("--log-level", metavar="LEVEL", help="debug, info, warning or error (warning)")
    parser.add_argument("--no-browser", action="store_true", help="do not open the page")


def run(args: argparse.Namespace) -> int:
    """Until Ctrl-C; a source that can never play ends it with one sentence."""
    with _source(args.source) as source:
        settings = _settings(args, source)
        guide = Guide(source, opens_browser=not args.no_browser and _has_display())
        print(f"starting Vigil on {source.name} ...", flush=True)
        try:
            serve(settings, guide.start)
        finally:
            guide.stop()
    if guide.refusal:
        raise ValueError(guide.refusal)
    print("stopped", flush=True)
    return 0


class Guide:
    """Adds the stream once the service answers, says what there is to see, and stops everything when the source is hopeless."""

    def __init__(self, source: Source, *, opens_browser: bool) -> None:
        self.refusal = ""
        self._source = source
        self._opens_browser = opens_browser
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, url: str) -> None:
        """The service serves `url`; returns at once."""
        self._thread = threading.Thread(target=self._guide, args=(url,), name="guide", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """The service has ended."""
        self._stopping.set()
        if self._thread:
            self._thread.join(REQUEST_TIMEOUT_S + 1)

    def _guide(self, url: str) -> None:
        try:
            with httpx.Client(base_url=url, timeout=REQUEST_TIMEOUT_S, trust_env=False) as http:
                stream_id = self._add(http)
                if self._wait_until_live(http, stream_id):
                    self._say(url, stream_id)
        except _RefusedError as error:
            self.refusal = str(error)
            os.kill(os.getpid(), signal.SIGTERM)
        except httpx.HTTPError as error:
            if not self._stopping.is_set():
                print(f"the service does not answer: {error}", file=sys.stderr, flush=True)

    def _add(self, http: httpx.Client) -> str:
        for stream in _items(http.get("/v1/streams").json(), "streams"):
            if stream.get("labels") == LABEL:
                http.delete(f"/v1/streams/{stream['id']}")
        wanted: dict[str, Any] = {"url": self._source.url, "labels": LABEL}
        if self._source.networks:  # the name of an address is the service's own: without secrets
            wanted["name"] = self._source.name[:80]
        answer = http.post("/v1/streams", json=wanted)
        if answer.is_error:
            raise _RefusedError(_detail(answer))
        return str(answer.json()["id"])

    def _wait_until_live(self, http: httpx.Client, stream_id: str) -> bool:
        said = ""
        while not self._stopping.wait(LOOK_EVERY_S):
            stream = http.get(f"/v1/streams/{stream_id}").json()
            state, code, message = stream["state"], stream.get("code"), stream.get("message") or ""
            if state == "live":
                return True
            what = f"{self._source.url}: {code}: {message}" if code else ""
            if state in ("failed", "ended"):
                hint = "; --allow-network CIDR opens a private network" if code == "forbidden_address" else ""
                raise _RefusedError((what or f"{self._source.url}: {state} {message}").rstrip(": ") + hint)
            if what and what != said:
                print(f"{what} (trying again; Ctrl-C stops)", flush=True)
                said = what
        return False

    def _say(self, url: str, stream_id: str) -> None:
        event = "  about every 24 s somebody with a cup in hand comes into view (policy person-holding-cup)\n" if self._source.loops else ""
        print(
            f"\nVigil is live on {self._source.name}\n{event}\n"
            f"  page      {url}/\n"
            f"  graph     curl -s {url}/v1/streams/{stream_id}/graph\n"
            f"  alerts    curl -s {url}/v1/alerts\n"
            f"  add one   curl -s {url}/v1/streams -H 'content-type: application/json' -d '{{\"url\": \"https://...m3u8\"}}'\n"
            f"\nCtrl-C stops everything.",
            flush=True,
        )
        if self._opens_browser:
            webbrowser.open(url)


class _RefusedError(Exception):
    """The source can never play; the text says why."""


@contextlib.contextmanager
def _source(given: str | None) -> Iterator[Source]:
    if given and "://" in given:
        yield Source(given, given, (), loops=False)
        return
    path = Path(given) if given else CLIP
    with LiveOrigin(path) as origin:
        name = path.name if given else "our test stream"
        yield Source(origin.url, name, ("127.0.0.1/32",), loops=not given)


def _settings(args: argparse.Namespace, source: Source) -> Settings:
    settings = settings_from(args)
    changes: dict[str, Any] = {"allow_networks": (*settings.allow_networks, *(args.allow_network or ()), *source.networks)}
    if args.log_level is None and "VIGIL_LOG_LEVEL" not in os.environ:
        changes["log_level"] = "warning"
    if args.port is None and "VIGIL_PORT" not in os.environ and _is_taken(settings.host, settings.port):
        changes["port"] = 0
    parse_networks(changes["allow_networks"])
    return settings.model_copy(update=changes)


def _is_taken(host: str, port: int) -> bool:
    try:
        with socket.create_server((host, port)):
            return False
    except OSError:
        return True


def _has_display() -> bool:
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _items(answer: Any, key: str) -> list[dict[str, Any]]:
    return list(answer[key] if isinstance(answer, dict) else answer)


def _detail(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
    except ValueError:
        return f"the service answered {answer.status_code}"
    return str(problem.get("detail") or problem.get("title") or problem)
