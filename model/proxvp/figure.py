"""The loss-curve figure: the probe loss of every method over steps, each seed a thin line, their mean a thick one. Draws with Pillow."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from model.proxvp.compare import Run

SCALE = 2
WIDTH, HEIGHT = 620, 460
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 48, 58
COLOURS = ((214, 69, 65), (230, 145, 36), (120, 120, 120), (64, 145, 108), (38, 84, 168), (140, 86, 170))
INK, GRID, PAPER = (40, 40, 40), (228, 228, 228), (255, 255, 255)
TITLES = {
    "adamw": "AdamW", "adamw_cosine": "AdamW + cosine", "adamw_ema": "AdamW + EMA", "schedule_free": "Schedule-Free AdamW",
    "proxvp": "ProxVP",
}  # fmt: skip

Colour = tuple[int, int, int]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Panel:
    """One pair of axes: where it lies on the sheet and what it shows. The loss axis is logarithmic."""

    left: int
    title: str
    steps: tuple[float, float]
    losses: tuple[float, float]

    def place(self, step: float, loss: float) -> tuple[float, float]:
        """A point of the curve in sheet pixels."""
        across = (step - self.steps[0]) / (self.steps[1] - self.steps[0])
        low, high = (math.log(value) for value in self.losses)
        up = (math.log(loss) - low) / (high - low)
        x = self.left + LEFT + across * (WIDTH - LEFT - RIGHT)
        return x * SCALE, (HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)) * SCALE


def draw_curves(runs: list[Run], path: Path) -> None:
    """Two panels, the whole run and its second half, as one PNG."""
    methods = list(dict.fromkeys(run.method for run in runs))
    sheet = Image.new("RGB", (2 * WIDTH * SCALE, HEIGHT * SCALE), PAPER)
    pen = ImageDraw.Draw(sheet)
    last = float(runs[0].steps[-1])
    for panel in (_panel(runs, 0, "probe loss", 0.0, last), _panel(runs, WIDTH, "second half", last / 2, last)):
        _axes(pen, panel)
        for index, method in enumerate(methods):
            _method(pen, panel, [run for run in runs if run.method == method], COLOURS[index % len(COLOURS)])
    _legend(pen, methods)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.resize((2 * WIDTH, HEIGHT), Image.Resampling.LANCZOS).save(path, optimize=True)


def _panel(runs: list[Run], left: int, title: str, start: float, last: float) -> Panel:
    shown = np.concatenate([np.asarray(run.losses)[np.asarray(run.steps) >= start] for run in runs])
    return Panel(left, title, (start, last), (float(shown.min()) * 0.98, float(shown.max()) * 1.02))


def _axes(pen: ImageDraw.ImageDraw, panel: Panel) -> None:
    font, title = ImageFont.load_default(12 * SCALE), ImageFont.load_default(15 * SCALE)
    low, high = panel.losses
    for loss in np.geomspace(low, high, 6):
        start, end = panel.place(panel.steps[0], float(loss)), panel.place(panel.steps[1], float(loss))
        pen.line([start, end], GRID, SCALE)
        pen.text((start[0] - 8 * SCALE, start[1]), f"{loss:.2f}", INK, font, anchor="rm")
    for step in np.linspace(*panel.steps, 5):
        x, y = panel.place(float(step), low)
        pen.text((x, y + 8 * SCALE), f"{step:.0f}", INK, font, anchor="mt")
    corner, end = panel.place(panel.steps[0], low), panel.place(panel.steps[1], low)
    pen.line([panel.place(panel.steps[0], high), corner, end], INK, SCALE)
    pen.text(((corner[0] + end[0]) / 2, corner[1] + 28 * SCALE), "steps", INK, font, anchor="mt")
    pen.text(((corner[0] + end[0]) / 2, 14 * SCALE), panel.title, INK, title, anchor="mt")


def _method(pen: ImageDraw.ImageDraw, panel: Panel, runs: list[Run], colour: Colour) -> None:
    faint = (blend(colour[0]), blend(colour[1]), blend(colour[2]))
    for run in runs:
        _line(pen, panel, np.asarray(run.steps, float), np.asarray(run.losses, float), faint, SCALE)
    mean = np.mean([run.losses for run in runs], axis=0)
    _line(pen, panel, np.asarray(runs[0].steps, float), mean, colour, 3 * SCALE)


def blend(channel: int, share: float = 0.65) -> int:
    """A colour channel part of the way to white."""
    return round(channel + share * (255 - channel))


def _line(pen: ImageDraw.ImageDraw, panel: Panel, steps: Floats, losses: Floats, colour: Colour, width: int) -> None:
    shown = steps >= panel.steps[0]
    points = [panel.place(float(step), float(loss)) for step, loss in zip(steps[shown], losses[shown], strict=True)]
    pen.line(points, colour, width, joint="curve")


def _legend(pen: ImageDraw.ImageDraw, methods: list[str]) -> None:
    font = ImageFont.load_default(13 * SCALE)
    for index, method in enumerate(methods):
        x, y = (WIDTH - 210) * SCALE, (TOP + 14 + 20 * index) * SCALE
        pen.line([(x, y), (x + 26 * SCALE, y)], COLOURS[index % len(COLOURS)], 3 * SCALE)
        pen.text((x + 34 * SCALE, y), TITLES.get(method, method), INK, font, anchor="lm")
