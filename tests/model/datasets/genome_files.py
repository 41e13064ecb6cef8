"""Writes Action Genome's official files for tests: the same layout, fields and types as the published ones."""

import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np


def thing(name: str, box_xywh: tuple[float, ...] | None, video: str, number: int, **instead: Any) -> dict[str, Any]:
    """One annotated thing; without a box it is not visible and has no relations, as in the published file."""
    seen = box_xywh is not None
    return {
        "class": name,
        "bbox": box_xywh,
        "attention_relationship": ["unsure"] if seen else None,
        "spatial_relationship": ["in_front_of"] if seen else None,
        "contacting_relationship": ["not_contacting"] if seen else None,
        "metadata": {"tag": f"{video}/{name.replace('/', '_')}/{number:06d}", "set": "train"},
        "visible": seen,
        **instead,
    }


def person(*boxes_xyxy: tuple[float, float, float, float], size: tuple[int, int] = (480, 270)) -> dict[str, Any]:
    """A frame's people as the published detector's output has them."""
    count = len(boxes_xyxy)
    return {
        "bbox": np.array(boxes_xyxy, np.float32).reshape(count, 4),
        "bbox_score": np.linspace(0.9, 0.5, count).astype(np.float32),
        "bbox_size": size,
        "bbox_mode": "xyxy",
        "keypoints": np.zeros((count, 17, 3), np.float32),
        "keypoints_logits": np.zeros((count, 17), np.float32),
    }


@dataclass
class GenomeFiles:
    """What the three files will say."""

    things: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    people: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, video: str, number: int, people: dict[str, Any], *things: dict[str, Any]) -> None:
        """One frame."""
        key = f"{video}/{number:06d}.png"
        self.things[key], self.people[key] = list(things), people

    def write(self, root: Path) -> Path:
        """All three files; returns the folder `annotations`."""
        folder = root / "annotations"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "frame_list.txt").write_text("".join(f"{key}\n" for key in self.things))
        (folder / "object_bbox_and_relationship.pkl").write_bytes(pickle.dumps(self.things, protocol=3))
        (folder / "person_bbox.pkl").write_bytes(pickle.dumps(self.people, protocol=3))
        return folder
