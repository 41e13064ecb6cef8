"""How much was labelled: what every figure on RealMini must be read beside. Pure."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from model.annotations import Clip


class Counts(NamedTuple):
    """Frames, people seen in frames, identities over clips, pairs with relations, things per class, relations per predicate."""

    num_clips: int
    num_frames: int
    num_people: int
    num_identities: int
    num_pairs: int
    things: Counter[str]
    relations: Counter[str]


def count(clips: Sequence[Clip]) -> Counts:
    """Sums over all key frames."""
    frames = [frame for clip in clips for frame in clip.frames]
    labels = Counter(entity.label for frame in frames for entity in frame.entities)
    return Counts(
        num_clips=len(clips),
        num_frames=len(frames),
        num_people=labels.pop("person", 0),
        num_identities=sum(len({entity.id for frame in clip.frames for entity in frame.entities}) for clip in clips),
        num_pairs=sum(len({frozenset((one.subject, one.object)) for one in frame.relations}) for frame in frames),
        things=labels,
        relations=Counter(one.predicate for frame in frames for one in frame.relations),
    )
