"""The table of 3-D models that our scenes use: sizes, support heights, hands, authors. Reads no model file.

The numbers were measured on the models once; lengths are centimetres in the table and metres in `Asset`.
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).with_name("assets.csv")
Point = tuple[float, float, float]

SOURCE = (
    "3-D models: Debian package sweethome3d-furniture 1.8 (Sweet Home 3D, http://www.sweethome3d.com/importModels.jsp).\n"
    "The models were scaled, placed in rooms and rendered; the pictures are adaptations of them. Their authors do not endorse this project."
)
CREDITS = {
    "Reallusion": (
        "People: (C) Copyright 2008-2016 Reallusion, http://www.reallusion.com/ - CC BY 3.0 US, http://creativecommons.org/licenses/by/3.0/us/"
    ),
    "KatorLegaz": (
        "Kator Legaz: (C) Copyright 2003-2008 Andrew Kator & Jennifer Legaz - CC BY 3.0 US, http://creativecommons.org/licenses/by/3.0/us/"
    ),
    "Scopia": (
        "Scopia: (C) Copyright 2006-2020 Scopia Visual Interfaces Systems, s.l. (http://www.scopia.es) and"
        " (C) Copyright 2014-2020 Emmanuel PUYBARET / eTeks <info@eteks.com> - CC BY 3.0, http://creativecommons.org/licenses/by/3.0/"
    ),
    "BlendSwap-CC-BY": (
        "Blend Swap (http://www.blendswap.com), cleaned and converted to OBJ by Emmanuel Puybaret / eTeks,"
        " CC BY 3.0, http://creativecommons.org/licenses/by/3.0/"
    ),
    "BlendSwap-CC-0": "Blend Swap, CC0 (credit not required, given with thanks)",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One model. After loading it is y-up, looks along +z, and its base centre is the origin. Metres.

    `label` is a word of moderation-v1, or empty for dressing that nobody annotates; `group` is Action Genome's class, or what it dresses.
    `split` is train, test or both. Of a person: `posture` (standing, holding, sitting, lying), `identity` (a face), `grip` (hands that can
    hold a thing, and whether they hang or are at the ear).
    """

    id: str
    archive: str
    member: str
    title: str
    creator: str
    label: str
    split: str
    group: str
    faces: int
    size: Point
    mount: float
    rotation: tuple[float, ...]
    support: float | None
    support_region: tuple[float, ...]
    seat: float | None
    pelvis_z: float | None
    posture: str
    identity: str
    head: Point | None
    hands: Mapping[str, Point]
    grip: tuple[str, ...]

    @property
    def library(self) -> str:
        """Name of the library, as in CREDITS."""
        return self.archive.removesuffix(".sh3f")


def load_assets(table: Path = TABLE) -> dict[str, Asset]:
    """Every model of the table by id."""
    with table.open(newline="", encoding="utf-8") as file:
        return {row["id"]: _asset(row) for row in csv.DictReader(file)}


def attribution(assets: Iterable[Asset]) -> str:
    """The text that must travel with any picture of these models: one paragraph a library, one line a model."""
    by_library: dict[str, set[str]] = {}
    for asset in assets:
        by_library.setdefault(asset.library, set()).add(f'  "{asset.title}" ({asset.id.split("/")[1]}) by {asset.creator}')
    paragraphs = [f"{CREDITS[library]}\n" + "\n".join(sorted(lines)) for library, lines in sorted(by_library.items())]
    return "\n\n".join([SOURCE, *paragraphs]) + "\n"


def _asset(row: Mapping[str, str]) -> Asset:
    hands = {side: _point(row[f"{side}_hand_cm"]) for side in ("left", "right") if row[f"{side}_hand_cm"]}
    return Asset(
        id=row["id"],
        archive=row["archive"],
        member=row["member"],
        title=row["title"],
        creator=row["creator"],
        label=row["label"],
        split=row["split"],
        group=row["group"],
        faces=int(row["faces"]),
        size=(float(row["width_cm"]) / 100, float(row["height_cm"]) / 100, float(row["depth_cm"]) / 100),
        mount=float(row["mount_cm"]) / 100,
        rotation=tuple(float(number) for number in row["rotation"].split()),
        support=_optional(row["support_cm"]),
        support_region=_metres(row["support_region_cm"]),
        seat=_optional(row["seat_cm"]),
        pelvis_z=_optional(row["pelvis_z_cm"]),
        posture=row["posture"],
        identity=row["identity"],
        head=_point(row["head_cm"]) if row["head_cm"] else None,
        hands=hands,
        grip=tuple(row["grip"].split()),
    )


def _metres(numbers: str) -> tuple[float, ...]:
    return tuple(float(number) / 100 for number in numbers.split())


def _point(numbers: str) -> Point:
    x, y, z = _metres(numbers)
    return x, y, z


def _optional(number: str) -> float | None:
    return float(number) / 100 if number else None
