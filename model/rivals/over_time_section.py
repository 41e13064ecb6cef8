"""The row that frame recall cannot see: what association and relation filter change over time, from the newest file of `vigil eval-tracks`.

Reads the results file by its field names only, since the service that writes it stands above this package.
"""

from pathlib import Path

import msgspec
from msgspec import Struct

SHIPPED = "as shipped"
ORDER = ("raw threshold", "exponential average", "one pace for all", SHIPPED)


class Held(Struct, frozen=True):
    """Identities of one variant."""

    switches: int
    idf1: float
    duplicate_rate: float


class Said(Struct, frozen=True):
    """Relations of one variant; there is no delay where nothing was found."""

    flicker: float
    false_edge_minutes_per_hour: float
    delay_median_s: float | None


class Variant(Struct, frozen=True):
    """The pipeline with one part as named."""

    identities_by: str
    relations_by: str
    identities: Held
    edges: Said
    covered: float
    merges: int


class TracksSet(Struct, frozen=True):
    """One set of clips."""

    name: str
    clips: int
    judged: int
    variants: list[Variant]


class Tracks(Struct, frozen=True):
    """What is read of a results file."""

    checkpoint: str
    sets: list[TracksSet]


def newest(folder: Path) -> Path | None:
    """The last results file by its date."""
    return max(folder.glob("tracks-*.json"), default=None)


def section(path: Path | None) -> str:
    """Markdown: relations by filter, identities by association, for each set of clips."""
    if path is None:
        return "Not measured: `vigil eval-tracks` has left no results here."
    tracks = msgspec.json.decode(path.read_bytes(), type=Tracks)
    lines = [
        f"Association and relation filter change what is published over time, not what is said of a frame: figures of {tracks.checkpoint} "
        f"from {path.name} (`vigil eval-tracks`), one part replaced at a time. Flicker: published changes per true change."
    ]
    for one in tracks.sets:
        lines += ["", f"{one.name}, {one.clips} clips, {one.judged} frames judged", "", *_filters(one), "", *_associations(one)]
    return "\n".join(lines)


def _filters(one: TracksSet) -> list[str]:
    rows = {variant.relations_by: variant for variant in one.variants if variant.identities_by == SHIPPED}
    lines = ["| relations by | flicker | false edge minutes an hour | true edges' time covered % | delay s |", "|" + "---|" * 5]
    for name in (known for known in ORDER if known in rows):
        said = rows[name].edges
        delay = "-" if said.delay_median_s is None else f"{said.delay_median_s:.2f}"
        lines.append(f"| {name} | {said.flicker:.3f} | {said.false_edge_minutes_per_hour:.2f} | {100 * rows[name].covered:.2f} | {delay} |")
    return lines


def _associations(one: TracksSet) -> list[str]:
    rows = [variant for variant in one.variants if variant.relations_by == SHIPPED]
    lines = ["| identities | switches | IDF1 | duplicates % | merges |", "|" + "---|" * 5]
    for row in sorted(rows, key=lambda variant: variant.identities_by == SHIPPED):
        held = row.identities
        lines.append(f"| {row.identities_by} | {held.switches} | {held.idf1:.3f} | {100 * held.duplicate_rate:.2f} | {row.merges} |")
    return lines
