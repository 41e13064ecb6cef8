"""Charades' own CSV files (Sigurdsson et al. 2016): one home video a row, with the actions that people were asked to act out.

Fields id, subject, scene, quality, relevance, verified, script, objects (a;b), descriptions (a;b), actions (`c092 11.90 21.20;...`),
length; further columns are ignored. Charades has no boxes: its actions say which videos to take, Action Genome annotates their frames.
"""

import csv
import math
import re
from dataclasses import dataclass
from pathlib import Path

FIELDS = (
    "id", "subject", "scene", "quality", "relevance", "verified", "script", "objects", "descriptions", "actions", "length",
)  # fmt: skip
NUM_ACTIONS = 157
ACTION = re.compile(r"c(\d{3}) (\S+) (\S+)")


@dataclass(frozen=True, slots=True)
class Action:
    """One action class (0..156) and its seconds, as the file has them."""

    number: int
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Video:
    """One row. Ratings are None where the file leaves them empty."""

    id: str
    subject: str
    scene: str
    quality: int | None
    relevance: int | None
    verified: bool
    script: str
    objects: tuple[str, ...]
    descriptions: tuple[str, ...]
    actions: tuple[Action, ...]
    length_s: float


def read_charades(path: Path) -> tuple[Video, ...]:
    """All rows of Charades_v1_train.csv or Charades_v1_test.csv. Raises ValueError that names file, row, field, and what was expected."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            missing = [name for name in FIELDS if name not in (rows.fieldnames or ())]
            if missing:
                raise ValueError(f"{path} lacks the columns {', '.join(missing)}; a Charades file has {', '.join(FIELDS)}")
            videos = tuple(_video(f"{path}, row {number}", row) for number, row in enumerate(rows, start=2))
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read as a Charades CSV: {error}") from error
    names = [video.id for video in videos]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise ValueError(f"{path} lists {', '.join(twice)} more than once")
    return videos


def _video(where: str, row: dict[str, str | None]) -> Video:
    values = {name: (row[name] or "").strip() for name in FIELDS}
    if not values["id"]:
        raise ValueError(f"{where}: id is empty")
    if values["verified"] not in ("Yes", "No"):
        raise ValueError(f"{where}: verified is {values['verified']!r}, expected Yes or No")
    return Video(
        id=values["id"],
        subject=values["subject"],
        scene=values["scene"],
        quality=_rating(f"{where}, quality", values["quality"]),
        relevance=_rating(f"{where}, relevance", values["relevance"]),
        verified=values["verified"] == "Yes",
        script=values["script"],
        objects=_list(values["objects"]),
        descriptions=_list(values["descriptions"]),
        actions=tuple(_action(where, part) for part in _list(values["actions"])),
        length_s=_seconds(f"{where}, length", values["length"]),
    )


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(";") if part.strip())


def _rating(where: str, text: str) -> int | None:
    if not text:
        return None
    if text not in ("1", "2", "3", "4", "5", "6", "7"):
        raise ValueError(f"{where}: {text!r}, expected a rating 1..7 or nothing")
    return int(text)


def _action(where: str, text: str) -> Action:
    match = ACTION.fullmatch(text)
    if match is None or int(match[1]) >= NUM_ACTIONS:
        raise ValueError(f"{where}, actions: {text!r}, expected `cNNN start end` with NNN in 000..{NUM_ACTIONS - 1}")
    return Action(int(match[1]), _seconds(f"{where}, actions", match[2]), _seconds(f"{where}, actions", match[3]))


def _seconds(where: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not (math.isfinite(seconds) and seconds >= 0.0):
        raise ValueError(f"{where}: {text!r}, expected seconds")
    return seconds
