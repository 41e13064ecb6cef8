"""Small worlds for the pipeline's tests: things at places become scenes, scenes become tracks."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from engines.fake import OBJECTS, Relation, Thing, make_scene
from engines.protocol import SceneGraph
from service.pipeline.types import Tracked

FPS = 25.0


def box(x: float, y: float, w: float = 0.1, h: float = 0.2) -> tuple[float, float, float, float]:
    """From the centre."""
    return x - w / 2, y - h / 2, x + w / 2, y + h / 2


def look(seed: int, dim: int = 128) -> npt.NDArray[np.float32]:
    """A fixed unit vector."""
    vector = np.random.default_rng(1000 + seed).standard_normal(dim).astype(np.float32)
    return np.asarray(vector / np.linalg.norm(vector))


def scene(things: Sequence[Thing], relations: Sequence[Relation] = (), looks: Sequence[int] | None = None) -> SceneGraph:
    """`looks` gives each thing an appearance of its own; else it is that of its class. Things are given by falling score."""
    made = make_scene(list(things), list(relations))
    if looks is not None:
        embeddings_ND = made.embeddings_ND.copy()
        embeddings_ND[: len(looks)] = [look(seed) for seed in looks]
        made = dataclasses.replace(made, embeddings_ND=embeddings_ND)
    return made


def tracked(media_s: float, rows: Iterable[tuple[int, str, tuple[float, float, float, float], int]], **changes: Any) -> Tracked:
    """Tracks (id, label, box, look) as the tracker would hand them on; all seen now since 0 s unless `changes` says else."""
    listed = sorted(rows)
    count = len(listed)
    plain = Tracked(
        media_s=media_s,
        ids_T=np.array([row[0] for row in listed], np.int64),
        labels_T=np.array([OBJECTS.index(row[1]) for row in listed], np.int64),
        scores_T=np.full(count, 0.8),
        boxes_T4=np.array([row[2] for row in listed]).reshape(count, 4),
        embeddings_TD=np.array([look(row[3]) for row in listed]).reshape(count, 128),
        first_seen_T=np.zeros(count),
        last_seen_T=np.full(count, media_s),
        rows_T=np.arange(count),
        visible_T=np.ones(count, np.bool_),
        removed=(),
    )
    return dataclasses.replace(plain, **changes)
