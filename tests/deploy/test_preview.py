"""The preview draws what a dashboard's JSON says: words, colours, units, tables, from a server that speaks Prometheus' API."""

import http.server
import json
import math
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from matplotlib.figure import Figure

from deploy.grafana.build import to_json
from deploy.grafana.look import RISKS, Column, Query, figure, framed, lines, rows
from deploy.grafana.panel_data import Source, Span, colour_of, table_of, worded, written
from deploy.grafana.preview import NOTE, draw, save

SPAN = Span(0.0, 60.0, 30.0)
SERIES = {
    "risk": [({"stream": "calm"}, 0.0), ({"stream": "wild"}, 4.0)],
    "fps": [({"stream": "calm"}, 25.0), ({"stream": "wild"}, 2.0)],
    "speed": [({"stream": "calm"}, 25.0)],
}
PNG = b"\x89PNG"


class _Prometheus(http.server.BaseHTTPRequestHandler):
    """Answers SERIES by the expression's first word, instant or over time."""

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        result = []
        for labels, value in SERIES.get(form["query"][0].split("{")[0], []):
            values = [[time_s, str(value)] for time_s in (0, 30, 60)]
            result.append({"metric": labels, **({"values": values} if "step" in form else {"value": values[-1]})})
        refused = form["query"][0] == "wrong("
        body = {"status": "error", "error": "no"} if refused else {"status": "success", "data": {"result": result}}
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def url() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Prometheus)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="prometheus")
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def source(url: str) -> Iterator[Source]:
    made = Source(url, {"shard": "main"}, SPAN)
    yield made
    made.close()


def dashboard() -> dict[str, Any]:
    """One panel of some kinds."""
    columns = (Column("stream", "Stream"), Column("Value #A", "Risk", words=RISKS), Column("Value #B", "FPS", unit="fps"))
    panels = (
        rows("Streams", "Worst first.", (Query("risk"), Query("fps")), columns, sort="Risk"),
        figure("Risk", "Each.", Query("risk", "{{stream}}"), words=RISKS, named=True),
        figure("Nothing", "There is none.", Query("nothing"), none="all quiet"),
        lines("Speed", "Frames.", Query('speed{shard=~"$shard"}', "{{stream}}"), unit="fps"),
    )
    return dict(json.loads(to_json(framed("test", "Test", "For a test.", (("Row", panels),)))))


def words_of(drawn: Figure) -> list[str]:
    return [text.get_text() for text in (*drawn.texts, *(text for axes in drawn.axes for text in axes.texts))]


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0.0123, "s", "12.3 ms"),
        (2.5, "s", "2.5 s"),
        (0.25, "percentunit", "25 %"),
        (25.04, "fps", "25 fps"),
        (26_300_000_000.0, "bytes", "26.3 GB"),
        (12.0, "short", "12"),
        (math.nan, "short", "-"),
    ],
)
def test_numbers_are_written_with_their_unit(value: float, unit: str, said: str) -> None:
    assert written(value, unit) == said


@pytest.mark.parametrize(("value", "colour"), [(0.0, "green"), (0.3, "orange"), (0.99, "orange"), (1.0, "red")])
def test_a_colour_begins_at_its_threshold(value: float, colour: str) -> None:
    steps: list[dict[str, Any]] = [{"value": None, "color": "green"}, {"value": 0.3, "color": "orange"}, {"value": 1, "color": "red"}]
    assert colour_of(steps, value) == colour
    assert worded({"unit": "short", "thresholds": {"steps": steps}}, value)[1] == colour


def test_a_table_joins_its_queries_on_labels_and_is_sorted(source: Source) -> None:
    panel = next(panel for panel in dashboard()["panels"] if panel["type"] == "table")
    headings, found = table_of(panel, source)
    assert headings == ["Stream", "Risk", "FPS"]
    assert [[text for text, _ in row] for row in found] == [["wild", "high", "2 fps"], ["calm", "none", "25 fps"]]
    assert [row[1][1] for row in found] == ["red", "green"]


def test_a_drawing_has_every_panel_and_says_what_it_is(source: Source) -> None:
    said = words_of(draw(dashboard(), source))
    assert {"Test", NOTE, "▾ Row", "Streams", "Risk", "Nothing", "Speed"} <= set(said)
    assert {"all quiet", "high", "wild", "━ calm", "25 fps", "max 25 fps"} <= set(said)


def test_a_picture_is_written(url: str, tmp_path: Path) -> None:
    (tmp_path / "test.json").write_text(json.dumps(dashboard()))
    save(tmp_path / "test.json", tmp_path / "test.png", url, {"shard": "main"}, SPAN)
    assert (tmp_path / "test.png").read_bytes().startswith(PNG)


def test_an_expression_that_prometheus_refuses_is_named(source: Source) -> None:
    with pytest.raises(ValueError, match=r"Prometheus refuses wrong\(: no"):
        source.lines({"targets": [{"expr": "wrong(", "legendFormat": "", "instant": True}]})
