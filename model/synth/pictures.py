"""Procedural pictures for surfaces: cloth, pages, covers, screens, scenery, wood. Every one is drawn from the generator it is given.

Legend: H W picture rows and columns.
"""

import colorsys

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

Texture = npt.NDArray[np.uint8]
Colour = tuple[float, float, float]
PATTERNS = ("plain", "stripe", "plaid", "denim", "dots", "check")


def any_colour(rng: np.random.Generator, saturation: tuple[float, float] = (0.1, 0.8), value: tuple[float, float] = (0.25, 0.9)) -> Colour:
    """A colour, 0..1."""
    return colorsys.hsv_to_rgb(float(rng.random()), float(rng.uniform(*saturation)), float(rng.uniform(*value)))


def smooth_noise(rng: np.random.Generator, height: int, width: int, cells: int) -> npt.NDArray[np.float64]:
    """About -1..1, blurred from `cells` x `cells` random values."""
    small = Image.fromarray(rng.uniform(-1, 1, (cells, cells)).astype(np.float32))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC), np.float64)


def cloth(rng: np.random.Generator, pattern: str, colour: Colour, other: Colour, size: int = 128) -> Texture:
    """A woven patch; `pattern` is one of PATTERNS. Colours are 0..1."""
    picture = np.ones((size, size, 3)) * np.array(colour) * 255
    second = np.array(other) * 255
    at = np.arange(size)
    if pattern == "stripe":
        picture[(at // (size // 16)) % 2 == 0] = second
    elif pattern == "plaid":
        for step, share in ((size // 5, 0.45), (size // 11, 0.25)):
            line = (at // step) % 3 == 0
            picture[line] = (1 - share) * picture[line] + share * second
            picture[:, line] = (1 - share) * picture[:, line] + share * second
    elif pattern == "check":
        picture[((at[:, None] // (size // 8)) + (at[None] // (size // 8))) % 2 == 0] = second
    elif pattern == "dots":
        cell = size // 8
        y, x = np.mgrid[:size, :size] % cell - cell / 2 + 0.5
        picture[np.hypot(x, y) < cell * 0.24] = second
    elif pattern == "denim":
        picture *= 0.9 + 0.2 * rng.random((size, 1, 1))
    picture += rng.normal(0, 5, (size, size, 1)) + smooth_noise(rng, size, size, 10)[..., None] * 7
    return _bytes(picture)


def any_cloth(rng: np.random.Generator, size: int = 128) -> Texture:
    """Cloth in any pattern and colours."""
    return cloth(rng, str(rng.choice(PATTERNS)), any_colour(rng), any_colour(rng), size)


def page(rng: np.random.Generator, size: tuple[int, int] = (128, 176), ruled: bool = False) -> Texture:
    """Paper with lines of print, or ruled lines partly written on."""
    width, height = size
    picture = Image.new("RGB", size, (246, 244, 236))
    pen = ImageDraw.Draw(picture)
    for y in range(14, height - 10, 8):
        if ruled:
            pen.line((4, y + 2, width - 4, y + 2), fill=(175, 190, 215))
        if not ruled or y < height * 0.6:
            pen.line((10, y, 10 + int(rng.integers(width // 3, width - 18)), y), fill=(70, 70, 95), width=2)
    return np.asarray(picture).copy()


def cover(rng: np.random.Generator) -> Texture:
    """A book's front: title block and a figure."""
    picture = Image.new("RGB", (128, 176), _rgb(any_colour(rng)))
    pen = ImageDraw.Draw(picture)
    pen.rectangle((14, 20, 114, 62), fill=_rgb(any_colour(rng, (0.0, 0.4), (0.7, 1.0))))
    for y in (30, 41, 52):
        pen.line((24, y, 24 + int(rng.integers(35, 80)), y), fill=(25, 25, 30), width=4)
    x, y = int(rng.integers(20, 60)), int(rng.integers(76, 110))
    pen.ellipse((x, y, x + 50, y + 50), fill=_rgb(any_colour(rng)))
    return np.asarray(picture).copy()


def phone_screen(rng: np.random.Generator) -> Texture:
    """Rows of icons."""
    picture = Image.new("RGB", (72, 152), _rgb(any_colour(rng, (0.2, 0.7), (0.25, 0.6))))
    pen = ImageDraw.Draw(picture)
    for i in range(4):
        for j in range(6):
            pen.rounded_rectangle((6 + i * 17, 14 + j * 22, 18 + i * 17, 26 + j * 22), 3, fill=_rgb(any_colour(rng)))
    return np.asarray(picture).copy()


def desktop(rng: np.random.Generator) -> Texture:
    """A window of text before a wallpaper."""
    picture = Image.fromarray(scenery(rng, 160, 100))
    pen = ImageDraw.Draw(picture)
    x, y = int(rng.integers(8, 40)), int(rng.integers(8, 22))
    pen.rectangle((x, y, x + 100, y + 62), fill=(244, 245, 248))
    pen.rectangle((x, y, x + 100, y + 7), fill=_rgb(any_colour(rng)))
    for row in range(y + 14, y + 58, 6):
        pen.line((x + 6, row, x + 6 + int(rng.integers(20, 86)), row), fill=(90, 95, 110), width=2)
    return np.asarray(picture).copy()


def scenery(rng: np.random.Generator, width: int = 160, height: int = 120) -> Texture:
    """Sky, hills and a sun; or blobs of colour."""
    rows = np.linspace(0, 1, height)[:, None, None]
    sky, low = np.array(any_colour(rng, (0.2, 0.6), (0.7, 1.0))), np.array(any_colour(rng, (0.0, 0.4), (0.8, 1.0)))
    picture = (sky * (1 - rows) + low * rows) * np.ones((height, width, 3))
    for layer in range(3):
        ridge = height * (0.5 + 0.16 * layer) + smooth_noise(rng, 1, width, 6)[0] * height * 0.12
        picture[np.arange(height)[:, None] > ridge[None]] = any_colour(rng, (0.3, 0.7), (0.25, 0.65))
    image = Image.fromarray(_bytes(picture * 255))
    x, y, r = int(rng.integers(width // 8, width)), int(rng.integers(0, height // 3)), int(rng.integers(6, 18))
    ImageDraw.Draw(image).ellipse((x - r, y - r, x + r, y + r), fill=_rgb(any_colour(rng, (0.2, 0.7), (0.8, 1.0))))
    return np.asarray(image).copy()


def keys(rng: np.random.Generator) -> Texture:
    """A keyboard from above."""
    dark = int(rng.integers(25, 70))
    picture = Image.new("RGB", (220, 90), (dark, dark, dark + 4))
    pen = ImageDraw.Draw(picture)
    for row in range(5):
        for column in range(14):
            pen.rectangle((5 + column * 15, 5 + row * 16, 17 + column * 15, 18 + row * 16), fill=(dark + 60, dark + 60, dark + 64))
    return np.asarray(picture).copy()


def reflection(rng: np.random.Generator) -> Texture:
    """What a mirror shows of a bright room: a pale gradient with streaks."""
    y, x = np.mgrid[:96, :64]
    picture = np.ones((96, 64, 3)) * (165 + 45 * (x + y) / 160)[..., None] + np.array([0.0, 4.0, 9.0])
    picture[(x - y + int(rng.integers(0, 40))) % 44 < 5] += 24
    return _bytes(picture + smooth_noise(rng, 96, 64, 4)[..., None] * 14)


def label_strip(rng: np.random.Generator) -> Texture:
    """A printed band round a bottle or box."""
    picture = Image.new("RGB", (128, 48), _rgb(any_colour(rng, (0.0, 0.6), (0.7, 1.0))))
    pen = ImageDraw.Draw(picture)
    for x in (8, 72):
        pen.rectangle((x, 8, x + 44, 22), fill=_rgb(any_colour(rng)))
        pen.line((x, 30, x + 40, 30), fill=(40, 40, 45), width=3)
        pen.line((x, 38, x + 26, 38), fill=(40, 40, 45), width=3)
    return np.asarray(picture).copy()


def cardboard(rng: np.random.Generator) -> Texture:
    """Brown board with tape."""
    shade = float(rng.uniform(0.8, 1.1))
    picture = np.ones((96, 96, 3)) * np.array([184.0, 142.0, 96.0]) * shade + rng.normal(0, 4, (96, 96, 1))
    picture += smooth_noise(rng, 96, 96, 12)[..., None] * 6
    picture[:, 42:54] = picture[:, 42:54] * 0.5 + np.array([216.0, 190.0, 150.0]) * 0.5
    return _bytes(picture)


def _rgb(colour: Colour) -> tuple[int, int, int]:
    return int(colour[0] * 255), int(colour[1] * 255), int(colour[2] * 255)


def _bytes(picture: npt.NDArray[np.float64]) -> Texture:
    return np.clip(picture, 0, 255).astype(np.uint8)
