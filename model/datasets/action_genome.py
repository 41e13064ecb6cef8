"""Action Genome's own files (Ji et al. 2020), field by field, as model.annotations clips. Knows no pixels.

frame_list.txt names frames `VIDEO.mp4/000089.png` (ffmpeg counts from 1; a clip's frame index counts from 0).
object_bbox_and_relationship.pkl has for each a list of {class, bbox (x, y, w, h) pixels or None, attention_relationship,
spatial_relationship, contacting_relationship (lists or None), visible, metadata {tag, set}}; person_bbox.pkl has for each
{bbox (n, 4) xyxy pixels, bbox_size (width, height), bbox_mode, ...}, of which row 0 is the person.
A frame is kept where it has a person's box and a visible thing. One instance of a class per frame, so that the class is its identity.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from model.annotations import FORMAT, Box, Clip, Entity, Frame, Relation
from model.datasets.unpickle import Array, read_pickle
from model.vocabulary import ACTION_GENOME_OBJECTS, ATTENTION, CONTACTING, SPATIAL

FRAME_LIST, OBJECTS, PEOPLE = "frame_list.txt", "object_bbox_and_relationship.pkl", "person_bbox.pkl"
SPLITS = ("train", "test")
CLASSES = tuple(ACTION_GENOME_OBJECTS)
PERSON = CLASSES.index("person")
CANONICAL = {name: "handbag" if name == "bag" else words[0] for name, words in ACTION_GENOME_OBJECTS.items()}
"""The one moderation-v1 word that a converted thing carries where Action Genome's class means several: bag -> handbag,
cup/glass/bottle -> cup, food -> banana, chair -> chair, otherwise the only one. `class_of` is the way back, from every such word."""
_CLASS_OF = {word: name for name, words in ACTION_GENOME_OBJECTS.items() for word in words}
_GROUPS = (("attention_relationship", ATTENTION), ("spatial_relationship", SPATIAL), ("contacting_relationship", CONTACTING))


@dataclass(frozen=True, slots=True)
class Tally:
    """What a reading left out, by reason."""

    frames_without_person: int
    frames_without_thing: int
    boxes_outside: int
    boxes_small: int


@dataclass(frozen=True, slots=True)
class ActionGenome:
    """All kept videos, one clip each, by split, in the order of frame_list.txt."""

    train: tuple[Clip, ...]
    test: tuple[Clip, ...]
    left_out: Tally


def class_of(word: str) -> str | None:
    """The Action Genome class that a moderation-v1 word counts as; None where it has none (car, dog)."""
    return _CLASS_OF.get(word)


def read_action_genome(annotations: Path, frame_rates: Mapping[str, float], min_side: float = 0.0) -> ActionGenome:
    """Read the three files of `annotations`. `frame_rates` gives each video's frames a second, by its name with `.mp4`.

    Things whose short side is at most `min_side` pixels are left out (16 in the published protocol of SGCLS and SGDET, 0 keeps all).
    Raises ValueError that names file, key and field, with what came and what was expected.
    """
    reader = _Reader(annotations, min_side)
    keys = read_frame_list(annotations / FRAME_LIST)
    for video, numbers in tqdm(keys.items(), desc="converting videos", unit="video", leave=False):
        if video not in frame_rates:
            raise ValueError(f"no frame rate is known of {video}: put the video where its frame rate can be read, or state one for all")
        reader.add(video, numbers, frame_rates[video])
    return reader.result()


def read_frame_list(path: Path) -> dict[str, list[int]]:
    """Frame numbers (as in the file, from 1) of every video, both in the file's order."""
    try:
        lines = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    videos: dict[str, list[int]] = {}
    for row, line in enumerate(lines, start=1):
        video, _, name = line.partition("/")
        stem = name.removesuffix(".png")
        if not (video.endswith(".mp4") and video != ".mp4" and name.endswith(".png") and stem.isascii() and stem.isdigit() and int(stem)):
            raise ValueError(f"{path}, line {row}: {line!r}, expected VIDEO.mp4/000089.png")
        videos.setdefault(video, []).append(int(stem))
    if not videos:
        raise ValueError(f"{path} names no frame")
    return {video: sorted(set(numbers)) for video, numbers in videos.items()}


@dataclass(slots=True)
class _Reader:
    """Both pickles, and the clips made of them so far."""

    annotations: Path
    min_side: float
    things: "_Table" = field(init=False)
    people: "_Table" = field(init=False)
    clips: dict[str, list[Clip]] = field(default_factory=lambda: {split: [] for split in SPLITS})
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(Tally.__dataclass_fields__, 0))

    def __post_init__(self) -> None:
        self.things, self.people = _Table(self.annotations / OBJECTS), _Table(self.annotations / PEOPLE)

    def add(self, video: str, numbers: Sequence[int], fps: float) -> None:
        """Convert one video; a video without a kept frame adds nothing."""
        frames, sizes = [], set()
        splits: set[str] = set()
        for number in numbers:
            key = f"{video}/{number:06d}.png"
            person = _Person(self.people.where(key), self.people.value(key))
            things = [_Thing(where, row) for where, row in self.things.rows(key)]
            splits |= {thing.split for thing in things}
            entities, relations = self._frame(person, things)
            if relations:
                frames.append(Frame(number - 1, round((number - 1) / fps, 4), entities, relations))
                sizes.add(person.size)
        if len(splits) > 1 or len(sizes) > 1:
            raise ValueError(f"{video} has frames of {sorted(splits)} and of sizes {sorted(sizes)} pixels, expected one of each")
        if frames:
            width, height = sizes.pop()
            name = video.removesuffix(".mp4")
            self.clips[splits.pop()].append(Clip(FORMAT, name, video, width, height, tuple(frames), source="Action Genome on Charades"))

    def _frame(self, person: "_Person", things: list["_Thing"]) -> tuple[tuple[Entity, ...], tuple[Relation, ...]]:
        visible = [thing for thing in things if thing.box_xywh is not None]
        if person.box is None or not visible:
            self.counts["frames_without_person" if person.box is None else "frames_without_thing"] += 1
            return (), ()
        entities, relations = [Entity(PERSON, "person", person.box)], []
        for thing in visible:
            box = thing.fractions(person.size)
            small = box is not None and thing.short_side <= self.min_side
            if box is None or small:
                self.counts["boxes_small" if small else "boxes_outside"] += 1
                continue
            if thing.id in [entity.id for entity in entities]:
                raise ValueError(f"{thing.where}: a second {CLASSES[thing.id]!r} in one frame, expected one instance of a class")
            entities.append(Entity(thing.id, CANONICAL[CLASSES[thing.id]], box))
            relations += thing.relations()
        self.counts["frames_without_thing"] += not relations
        return tuple(entities), tuple(relations)

    def result(self) -> ActionGenome:
        return ActionGenome(tuple(self.clips["train"]), tuple(self.clips["test"]), Tally(**self.counts))


class _Table:
    """One pickle: what it says of each frame."""

    def __init__(self, path: Path) -> None:
        content = read_pickle(path)
        if not isinstance(content, dict):
            raise ValueError(f"{path} holds a {type(content).__name__}, expected a dict by frame")
        self._path, self._content = path, content

    def where(self, key: str) -> str:
        return f"{self._path}, {key}"

    def value(self, key: str) -> object:
        if key not in self._content:
            raise ValueError(f"{self._path} has no {key!r}, which {FRAME_LIST} names")
        return self._content[key]

    def rows(self, key: str) -> list[tuple[str, object]]:
        value = self.value(key)
        if not isinstance(value, list):
            raise ValueError(f"{self.where(key)}: a {type(value).__name__}, expected a list of things")
        return [(f"{self.where(key)}, thing {index}", row) for index, row in enumerate(value)]


def _field(where: str, row: object, name: str) -> object:
    if not isinstance(row, dict) or name not in row:
        came = f"the fields {', '.join(map(str, row))}" if isinstance(row, dict) else f"a {type(row).__name__}"
        raise ValueError(f"{where}: {came}, expected a dict with {name!r}")
    value: object = row[name]
    return value


def _finite(values: object, count: int) -> tuple[float, ...] | None:
    """The values as finite numbers where they are so many, else None."""
    if not isinstance(values, tuple | list) or len(values) != count:
        return None
    return tuple(values) if all(type(value) in (int, float) and math.isfinite(value) for value in values) else None


class _Person:
    """Row 0 of a frame's people; `box` is None where nobody was found."""

    def __init__(self, where: str, row: object) -> None:
        size, boxes = _finite(_field(where, row, "bbox_size"), 2), _field(where, row, "bbox")
        if size is None or min(size) < 1:
            raise ValueError(f"{where}: bbox_size is {_field(where, row, 'bbox_size')!r}, expected (width, height) in pixels")
        mode = row.get("bbox_mode", "xyxy") if isinstance(row, dict) else "xyxy"
        if mode != "xyxy":
            raise ValueError(f"{where}: bbox_mode is {mode!r}, expected 'xyxy'")
        if not isinstance(boxes, Array) or boxes.numpy().size % 4 or (boxes.numpy().size and boxes.numpy().shape[1:] != (4,)):
            came = f"an array of shape {boxes.numpy().shape}" if isinstance(boxes, Array) else f"a {type(boxes).__name__}"
            raise ValueError(f"{where}: bbox is {came}, expected an array (n, 4)")
        self.size = (round(size[0]), round(size[1]))
        rows = boxes.numpy().reshape(-1, 4).tolist()
        if rows and _finite(rows[0], 4) is None:
            raise ValueError(f"{where}: bbox row 0 is {rows[0]}, expected finite pixels")
        self.box = _clipped(tuple(rows[0]), self.size) if rows else None


class _Thing:
    """One row of a frame's things."""

    def __init__(self, where: str, row: object) -> None:
        self.where = where
        name, visible, box = (_field(where, row, key) for key in ("class", "visible", "bbox"))
        if name not in CLASSES or name == "person":
            raise ValueError(f"{where}: class is {name!r}, expected one of Action Genome's 35 things")
        self.id = CLASSES.index(str(name))
        split = _field(where, _field(where, row, "metadata"), "set")
        if split not in SPLITS:
            raise ValueError(f"{where}: metadata set is {split!r}, expected train or test")
        self.split = str(split)
        if type(visible) is not bool:
            raise ValueError(f"{where}: visible is {visible!r}, expected True or False")
        self.box_xywh = _finite(box, 4) if visible else None
        if visible and self.box_xywh is None:
            raise ValueError(f"{where}: visible, yet bbox is {box!r}, expected (x, y, w, h) in pixels")
        self._groups = [_names(where, key, _field(where, row, key), words) if visible else () for key, words in _GROUPS]

    @property
    def short_side(self) -> float:
        assert self.box_xywh is not None
        return min(self.box_xywh[2:])

    def fractions(self, size: tuple[int, int]) -> Box | None:
        """The box inside the picture; None where nothing of it is."""
        assert self.box_xywh is not None
        x, y, width, height = self.box_xywh
        return _clipped((x, y, x + width, y + height), size)

    def relations(self) -> list[Relation]:
        """Attention and contact from the person, places of the thing."""
        attention, spatial, contacting = self._groups
        found = [Relation(PERSON, word, self.id) for word in attention]
        found += [Relation(self.id, word, PERSON) for word in spatial]
        return found + [Relation(PERSON, word, self.id) for word in contacting]


def _names(where: str, key: str, words: object, known: Sequence[str]) -> tuple[str, ...]:
    if not isinstance(words, list) or not words or not all(word in known for word in words):
        raise ValueError(f"{where}: {key} is {words!r}, expected a list of {', '.join(known)}")
    return tuple(dict.fromkeys(words))


def _clipped(box_xyxy: tuple[float, ...], size: tuple[int, int]) -> Box | None:
    width, height = size
    x0, x1 = (min(max(value / width, 0.0), 1.0) for value in box_xyxy[0::2])
    y0, y1 = (min(max(value / height, 0.0), 1.0) for value in box_xyxy[1::2])
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None
