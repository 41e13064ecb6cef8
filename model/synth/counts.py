"""How much of what a SynthHome folder holds: frames, people, Action Genome's classes and predicates. Knows no picture."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from model.annotations import Clip
from model.vocabulary import ACTION_GENOME_OBJECTS, MODERATION_V1


@dataclass(frozen=True, slots=True)
class Counts:
    """Totals of one split. `classes` are Action Genome's 36, `predicates` the 26, each in its official order."""

    split: str
    clips: int
    frames: int
    blurred: int
    people: int
    classes: dict[str, int]
    predicates: dict[str, int]


def count(split: str, clips: Sequence[Clip]) -> Counts:
    """Every appearance counts: one thing in twelve frames is twelve."""
    frames = [frame for clip in clips for frame in clip.frames]
    labels = Counter(entity.label for frame in frames for entity in frame.entities)
    predicates = Counter(relation.predicate for frame in frames for relation in frame.relations)
    return Counts(
        split=split,
        clips=len(clips),
        frames=len(frames),
        blurred=sum(frame.blurred for frame in frames),
        people=labels["person"],
        classes={name: sum(labels[label] for label in members) for name, members in ACTION_GENOME_OBJECTS.items()},
        predicates={name: predicates[name] for name in MODERATION_V1.predicates},
    )


def table(counts: Sequence[Counts]) -> str:
    """One column a split."""
    lines = [_row("", [one.split for one in counts])]
    for name in ("clips", "frames", "blurred", "people"):
        lines.append(_row(name, [getattr(one, name) for one in counts]))
    lines.append(_row("classes of 36", [sum(number > 0 for number in one.classes.values()) for one in counts]))
    lines.append(_row("predicates of 26", [sum(number > 0 for number in one.predicates.values()) for one in counts]))
    lines += ["", *_section("Action Genome class", [one.classes for one in counts])]
    lines += ["", *_section("predicate", [one.predicates for one in counts])]
    return "\n".join(lines)


def _section(title: str, columns: Sequence[dict[str, int]]) -> list[str]:
    return [title, *(_row(f"  {name}", [column[name] for column in columns]) for name in columns[0])]


def _row(name: str, values: Iterable[object]) -> str:
    return f"{name:24}" + "".join(f"{value!s:>10}" for value in values)
