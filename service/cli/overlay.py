"""The overlay video: the source's own pictures with the graph drawn on them, and what it says in words beside them. Knows no engine.

Pictures are decoded a second time, at full size and rate; each is drawn with the newest graph that is not younger than it.
"""

import colorsys
from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import av.error
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from service.types import Alert, Box, Edge, Node, TrackedGraph

Colour = tuple[int, int, int]
Point = tuple[float, float]
INK: Colour = (235, 238, 242)
FAINT: Colour = (150, 158, 170)
PANEL: Colour = (18, 22, 28)
ALARM: Colour = (214, 48, 49)
MIN_PANEL_WIDTH = 250
PANEL_SHARE = 0.32
ALERT_SHOWN_S = 4.0
GOLDEN = 0.618034


class Overlay:
    """Writes one video. Call `show` with every analysed frame in order, then `close`."""

    def __init__(self, source: Path, target: Path) -> None:
        self._source = av.open(str(source))
        stream = self._source.streams.video[0]
        self._rate = stream.average_rate or Fraction(25)
        self._pictures = self._decode()
        self._next = next(self._pictures, None)
        self._target = av.open(str(target), "w")
        self._encoder: av.VideoStream | None = None
        self._painter: GraphPainter | None = None
        self._graph = TrackedGraph((), ())
        self._alerts: list[tuple[float, Alert]] = []

    def show(self, graph: TrackedGraph, alerts: tuple[Alert, ...], pts_s: float) -> None:
        """From `pts_s` on the graph is this one, and these alerts are new."""
        self._draw_until(pts_s - 1e-6)
        self._graph = graph
        self._alerts = [(at, alert) for at, alert in self._alerts if pts_s - at < ALERT_SHOWN_S]
        self._alerts += [(pts_s, alert) for alert in alerts]

    def close(self) -> None:
        """Draw what is left of the source with the last graph, and finish the file."""
        self._draw_until(float("inf"))
        if self._encoder is not None:
            self._target.mux(self._encoder.encode(None))
        self._target.close()
        self._source.close()

    def __enter__(self) -> "Overlay":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _decode(self) -> Iterator[tuple[float, av.VideoFrame]]:
        index = 0
        for packet in self._source.demux(video=0):
            try:
                pictures = packet.decode()
            except av.error.InvalidDataError:
                continue
            for picture in pictures:
                yield (picture.time if picture.time is not None else float(index / self._rate)), picture
                index += 1

    def _draw_until(self, pts_s: float) -> None:
        while self._next is not None and self._next[0] < pts_s:
            at_s, picture = self._next
            self._encode(self._paint(at_s, Image.fromarray(picture.to_ndarray(format="rgb24"))))
            self._next = next(self._pictures, None)

    def _paint(self, at_s: float, picture: Image.Image) -> Image.Image:
        if self._painter is None:
            self._painter = GraphPainter(*picture.size)
        summaries = [alert.summary for _, alert in self._alerts]
        return self._painter.paint(picture, self._graph, at_s, summaries)

    def _encode(self, image: Image.Image) -> None:
        if self._encoder is None:
            self._encoder = self._target.add_stream("libx264", rate=self._rate, options={"preset": "veryfast", "crf": "22"})
            self._encoder.width, self._encoder.height = image.size
            self._encoder.pix_fmt = "yuv420p"
        self._target.mux(self._encoder.encode(av.VideoFrame.from_ndarray(np.asarray(image), format="rgb24")))


class GraphPainter:
    """Draws graphs on pictures of one size (width, height in pixels), with a panel of words to the right."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.panel_width = max(MIN_PANEL_WIDTH, int(width * PANEL_SHARE))
        size = max(12, height // 34)
        self.font = ImageFont.load_default(size)
        self.line = size + max(4, size // 3)
        self.stroke = max(2, height // 260)

    def paint(self, picture: Image.Image, graph: TrackedGraph, at_s: float, alerts: list[str]) -> Image.Image:
        """The picture and its panel; sides are even, as encoders want."""
        whole = Image.new("RGB", (_even(self.width + self.panel_width), _even(self.height)), PANEL)
        whole.paste(picture.resize((self.width, self.height)) if picture.size != (self.width, self.height) else picture, (0, 0))
        draw = ImageDraw.Draw(whole)
        nodes = {node.id: node for node in graph.nodes}
        for node in sorted(graph.nodes, key=lambda node: -_area(node.box)):
            draw.rectangle(self._pixels(node.box), outline=colour_of(node.id), width=self.stroke)
        self._arrows(draw, graph.edges, nodes)
        taken: list[tuple[float, float, float, float]] = []
        for node in graph.nodes:
            x0, y0, _, _ = self._pixels(node.box)
            self._tag(draw, (x0, y0 - self.line), f"{node.label} {node.id}", colour_of(node.id), taken)
        draw.rectangle((self.width, 0, *whole.size), fill=PANEL)
        self._panel(draw, graph, nodes, at_s)
        self._banner(draw, alerts)
        return whole

    def _arrows(self, draw: ImageDraw.ImageDraw, edges: tuple[Edge, ...], nodes: dict[int, Node]) -> None:
        """One arrow per ordered pair, with all its predicates; the way back runs beside it."""
        names: dict[tuple[int, int], list[str]] = defaultdict(list)
        for edge in edges:
            names[edge.subject, edge.object].append(_words(edge.predicate))
        taken: list[tuple[float, float, float, float]] = []
        for (subject, obj), predicates in names.items():
            start, end = (self._centre(nodes[node_id].box) for node_id in (subject, obj))
            start, end = _beside(start, end, self.line * 0.6)
            colour = colour_of(subject)
            draw.line((*start, *end), fill=colour, width=self.stroke)
            draw.polygon(_arrow_head(start, end, 4.0 * self.stroke + 4), fill=colour)
            middle = (0.5 * (start[0] + end[0]) - self.line, 0.5 * (start[1] + end[1]) - self.line / 2)
            self._tag(draw, middle, ", ".join(predicates), (40, 44, 52), taken)

    def _tag(self, draw: ImageDraw.ImageDraw, at: Point, text: str, fill: Colour, taken: list[tuple[float, float, float, float]]) -> None:
        """A word on a plate inside the picture, moved down until it covers no other."""
        width = draw.textlength(text, font=self.font) + 8
        x = min(max(at[0], 0), max(self.width - width, 0))
        y = min(max(at[1], 0), self.height - self.line)
        while any(x < x1 and x + width > x0 and y < y1 and y + self.line > y0 for x0, y0, x1, y1 in taken) and y < self.height - self.line:
            y += self.line / 2
        taken.append((x, y, x + width, y + self.line))
        draw.rectangle((x, y, x + width, y + self.line), fill=fill)
        draw.text((x + 4, y + 1), text, fill=_readable_on(fill), font=self.font)

    def _panel(self, draw: ImageDraw.ImageDraw, graph: TrackedGraph, nodes: dict[int, Node], at_s: float) -> None:
        rows: list[tuple[str, Colour]] = [(f"{at_s:7.2f} s", FAINT)]
        rows += [("relations" if graph.edges else "no relations", FAINT)]
        rows += [(f"{_sentence(edge, nodes)}  {edge.prob:.2f}", colour_of(edge.subject)) for edge in graph.edges]
        rows += [("", FAINT), ("things" if graph.nodes else "nothing seen", FAINT)]
        rows += [(f"{node.label} {node.id}  {node.score:.2f}", colour_of(node.id)) for node in graph.nodes]
        fitting = int((self.height - 8) // self.line)
        if len(rows) > fitting:
            rows = [*rows[: fitting - 1], (f"and {len(rows) - fitting + 1} more", FAINT)]
        for index, (text, colour) in enumerate(rows):
            draw.text((self.width + 10, 6 + index * self.line), text, fill=_bright(colour), font=self.font)

    def _banner(self, draw: ImageDraw.ImageDraw, alerts: list[str]) -> None:
        for index, text in enumerate(reversed(alerts[-3:])):
            y = self.height - (index + 1) * (self.line + 6)
            draw.rectangle((0, y, self.width, y + self.line + 6), fill=ALARM)
            draw.text((8, y + 3), f"ALERT  {text}", fill=INK, font=self.font)

    def _pixels(self, box: Box) -> tuple[float, float, float, float]:
        x0, y0, x1, y1 = box
        return x0 * self.width, y0 * self.height, max(x1 * self.width - 1, x0 * self.width), max(y1 * self.height - 1, y0 * self.height)

    def _centre(self, box: Box) -> Point:
        x0, y0, x1, y1 = self._pixels(box)
        return 0.5 * (x0 + x1), 0.5 * (y0 + y1)


def colour_of(node_id: int) -> Colour:
    """The same bright colour for an id, always; neighbours differ (golden ratio of the hue circle)."""
    red, green, blue = colorsys.hsv_to_rgb(node_id * GOLDEN % 1.0, 0.75, 1.0)
    return int(red * 255), int(green * 255), int(blue * 255)


def _sentence(edge: Edge, nodes: dict[int, Node]) -> str:
    return f"{nodes[edge.subject].label} {edge.subject} {_words(edge.predicate)} {nodes[edge.object].label} {edge.object}"


def _words(predicate: str) -> str:
    return predicate.replace("_", " ")


def _beside(start: Point, end: Point, shift: float) -> tuple[Point, Point]:
    """The line moved to its right."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = max((dx * dx + dy * dy) ** 0.5, 1.0)
    move_x, move_y = -dy / length * shift, dx / length * shift
    return (start[0] + move_x, start[1] + move_y), (end[0] + move_x, end[1] + move_y)


def _arrow_head(start: Point, end: Point, size: float) -> list[Point]:
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = max((dx * dx + dy * dy) ** 0.5, 1.0)
    ux, uy = dx / length * size, dy / length * size
    return [end, (end[0] - ux - uy / 2, end[1] - uy + ux / 2), (end[0] - ux + uy / 2, end[1] - uy - ux / 2)]


def _readable_on(fill: Colour) -> Colour:
    luma = 0.299 * fill[0] + 0.587 * fill[1] + 0.114 * fill[2]
    return (0, 0, 0) if luma > 120 else INK


def _bright(colour: Colour) -> Colour:
    """Lifted towards white, to be read on the dark panel."""
    red, green, blue = ((value * 2 + 255) // 3 for value in colour)
    return red, green, blue


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _even(value: int) -> int:
    return value + value % 2
