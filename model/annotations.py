"""What is true of a clip: entities with boxes and ids, what is known of each person, relations, frame by frame. No torch, no pixels.

One format for everything with truth: rendered clips (SynthHome), hand-labelled key frames (RealMini), converted public data sets.
Boxes are (x0, y0, x1, y1) and points (x, y) as fractions of the picture; labels and predicates are moderation-v1's words.
Relations read as sentences: (person, holding, cup), (person, looking_at, cup), and spatial ones of the thing: (bed, beneath, person).
"""

from pathlib import Path

import msgspec

from model.vocabulary import MODERATION_V1

FORMAT = "vigil-clip-1"
POSTURES = ("standing", "sitting", "lying", "other")

Box = tuple[float, float, float, float]
Point = tuple[float, float]


class Hand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One hand (palm centre). `touches` is the id of the entity that it grasps or touches, None for none; a hidden hand has seen=False."""

    point: Point
    seen: bool
    touches: int | None = None


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of a person beyond the box. `gaze` is the unit direction of the head (x right, y down, z away from the camera)."""

    posture: str
    head: Point
    head_seen: bool
    face_seen: bool
    gaze: tuple[float, float, float]
    left: Hand
    right: Hand


class Entity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing or person in one frame; `id` is its identity over the clip, `visible` the share of it that shows."""

    id: int
    label: str
    box: Box
    visible: float = 1.0
    body: Body | None = None


class Relation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """`subject` and `object` are entity ids of the same frame."""

    subject: int
    predicate: str
    object: int


class Frame(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One annotated frame: its number in the video, and seconds since the video's start."""

    index: int
    time_s: float
    entities: tuple[Entity, ...]
    relations: tuple[Relation, ...]
    blurred: bool = False


class Clip(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A video file and what is true of its frames. `video` is a file name beside the annotation, or a name in another folder;
    `complete` says that every pair of a person and a listed thing carries all relations that hold."""

    format: str
    name: str
    video: str
    width: int
    height: int
    frames: tuple[Frame, ...]
    sha256: str = ""
    source: str = ""
    licence: str = ""
    complete: bool = True


def read_clip(path: Path) -> Clip:
    """Read and check one annotation. Raises ValueError that names the file, what came and what was expected."""
    try:
        clip = msgspec.json.decode(path.read_bytes(), type=Clip)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a clip annotation: {error}") from error
    if clip.format != FORMAT:
        raise ValueError(f"{path} has format {clip.format!r}, this version reads {FORMAT!r}")
    for frame in clip.frames:
        _check_frame(path, frame)
    return clip


def write_clip_annotation(path: Path, clip: Clip) -> None:
    """Store an annotation, one line."""
    path.write_bytes(msgspec.json.encode(clip) + b"\n")


def _check_frame(path: Path, frame: Frame) -> None:
    where = f"{path}, frame {frame.index}"
    ids = [entity.id for entity in frame.entities]
    if len(ids) != len(set(ids)):
        raise ValueError(f"{where}: two entities have the same id")
    for entity in frame.entities:
        if entity.label not in MODERATION_V1.objects:
            raise ValueError(f"{where}: {entity.label!r} is no object of {MODERATION_V1.name}")
        x0, y0, x1, y1 = entity.box
        if not (0.0 <= x0 < x1 <= 1.0 and 0.0 <= y0 < y1 <= 1.0):
            raise ValueError(f"{where}: entity {entity.id} has box {entity.box}, expected fractions x0 < x1, y0 < y1 in 0..1")
    for relation in frame.relations:
        if relation.predicate not in MODERATION_V1.predicates:
            raise ValueError(f"{where}: {relation.predicate!r} is no predicate of {MODERATION_V1.name}")
        if relation.subject not in ids or relation.object not in ids:
            raise ValueError(f"{where}: relation {relation.predicate!r} names an entity that the frame does not list")
