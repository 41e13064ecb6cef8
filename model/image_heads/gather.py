"""Frozen features of annotated clips with the truth beside them: grids of people for cues, pyramids of frames for classes. No training.

S frames, X people, M listed things of a frame (padded), F features, R x G the cue grid, H two hands, L pyramid levels.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from tqdm import tqdm

from model.annotations import POSTURES, Body, Clip, Entity
from model.appearance import TAP
from model.detector import Detector
from model.image_heads.cue_head import box_columns, grids, widen
from model.image_heads.extra_classes import FIRST_LEVEL
from model.vocabulary import ACTION_GENOME_ONLY

MAX_THINGS = 40
PEOPLE_EVERY = 2
"""Every second frame is looked at, and every second of those teaches classes: neighbours are near copies."""
SIGHTS_EVERY = 2
JITTER = 0.04
MIN_VISIBLE = 0.3
"""A person who shows less teaches no cues."""
SMALLEST_THING = 0.02
"""Things narrower and lower than this share of the picture teach the class head nothing at its strides."""

Pictures = npt.NDArray[np.uint8]


class People(NamedTuple):
    """Grids and truth of X people; palms as fractions of the grid's region."""

    grids_XFRG: Tensor
    columns_XC: Tensor
    palms_XH2: Tensor
    seen_XH: Tensor
    contact_XH: Tensor
    gaze_X3: Tensor
    head_X: Tensor
    face_X: Tensor
    posture_X: Tensor


class Sights(NamedTuple):
    """Pyramids of S frames (half precision, one tensor a level, from FIRST_LEVEL on) and the extra-class things in them; class -1 pads."""

    levels: tuple[Tensor, ...]
    boxes_SM4: Tensor
    classes_SM: Tensor


def flipped(people: People) -> People:
    """The same people in a mirror: left and right hands change places."""
    palms_XH2 = torch.stack([1.0 - people.palms_XH2[..., 0], people.palms_XH2[..., 1]], 2)
    columns_XC = people.columns_XC[:, [0, 1, 2, 5, 4, 3, 6]]
    return people._replace(
        grids_XFRG=people.grids_XFRG.flip(3), columns_XC=columns_XC, palms_XH2=palms_XH2.flip(1), seen_XH=people.seen_XH.flip(1),
        contact_XH=people.contact_XH.flip(1), gaze_X3=people.gaze_X3 * torch.tensor([-1.0, 1.0, 1.0]),
    )  # fmt: skip


@torch.no_grad()
def gather(
    detector: Detector, clips: Iterable[tuple[Clip, Callable[[], Pictures]]], seed: int, *, title: str = "features"
) -> tuple[People, Sights]:  # fmt: skip
    """One pass of the detector over some frames. `clips` pairs annotations with a call that decodes their annotated frames in order.

    Raises ValueError where no frame shows a person whose body is known.
    """
    generator = torch.Generator().manual_seed(seed)
    people: list[People] = []
    sights: list[Sights] = []
    for clip, pictures in tqdm(list(clips), desc=title, unit="clip"):
        raw = detector(torch.from_numpy(pictures()[::PEOPLE_EVERY]))
        frames = clip.frames[::PEOPLE_EVERY]
        features = (raw.pyramid[0], raw.taps[TAP])
        people += [
            _people(entities, (features[0][row : row + 1], features[1][row : row + 1]), clip.width / clip.height, generator)
            for row, entities in enumerate(frame.entities for frame in frames)
            if any(_teaches(entity) for entity in entities)
        ]
        levels = [level[::SIGHTS_EVERY] for level in raw.pyramid[FIRST_LEVEL:]]
        sights.append(_sights([frame.entities for frame in frames[::SIGHTS_EVERY]], levels))
    if not people:
        raise ValueError("no frame of these clips shows a person whose hands, head and posture are annotated")
    joined = Sights(
        tuple(torch.cat(parts) for parts in zip(*(sight.levels for sight in sights), strict=True)),
        torch.cat([sight.boxes_SM4 for sight in sights]),
        torch.cat([sight.classes_SM for sight in sights]),
    )
    return People(*(torch.cat(parts) for parts in zip(*people, strict=True))), joined


def _teaches(entity: Entity) -> bool:
    return entity.body is not None and entity.visible >= MIN_VISIBLE


def _people(entities: tuple[Entity, ...], features: tuple[Tensor, Tensor], aspect: float, generator: torch.Generator) -> People:
    """The people of one frame, their boxes shaken as a detector's are."""
    shown = [(entity.box, entity.body) for entity in entities if _teaches(entity) and entity.body is not None]
    bodies = [body for _, body in shown]
    boxes_X4 = torch.tensor([box for box, _ in shown])
    size_X4 = (boxes_X4[:, 2:] - boxes_X4[:, :2]).repeat(1, 2)
    rois_1X4 = widen((boxes_X4 + JITTER * size_X4 * torch.randn(boxes_X4.shape, generator=generator))[None].clamp(0.0, 1.0))
    size_X12 = (rois_1X4[0, :, 2:] - rois_1X4[0, :, :2]).clamp(min=1e-3).unsqueeze(1)
    palms_XH2 = (torch.tensor([[body.left.point, body.right.point] for body in bodies]) - rois_1X4[0, :, None, :2]) / size_X12
    inside_XH = ((palms_XH2 > 0.0) & (palms_XH2 < 1.0)).all(2).float()
    return People(
        grids(features, rois_1X4)[0].half(),
        box_columns(rois_1X4, torch.tensor([aspect]))[0],
        palms_XH2,
        _of_hands(bodies, lambda body: (body.left.seen, body.right.seen)) * inside_XH,
        _of_hands(bodies, lambda body: (body.left.touches is not None, body.right.touches is not None)),
        torch.tensor([body.gaze for body in bodies]),
        torch.tensor([float(body.head_seen) for body in bodies]),
        torch.tensor([float(body.face_seen) for body in bodies]),
        torch.tensor([POSTURES.index(body.posture) for body in bodies]),
    )


def _of_hands(bodies: list[Body], read: Callable[[Body], tuple[bool, bool]]) -> Tensor:
    return torch.tensor([read(body) for body in bodies]).float()


def _sights(frames: list[tuple[Entity, ...]], levels: list[Tensor]) -> Sights:
    boxes_SM4 = torch.zeros(len(frames), MAX_THINGS, 4)
    classes_SM = torch.full((len(frames), MAX_THINGS), -1)
    for row, entities in enumerate(frames):
        wanted = [entity for entity in entities if entity.label in ACTION_GENOME_ONLY and _large(entity)][:MAX_THINGS]
        if wanted:
            boxes_SM4[row, : len(wanted)] = torch.tensor([entity.box for entity in wanted])
            classes_SM[row, : len(wanted)] = torch.tensor([ACTION_GENOME_ONLY.index(entity.label) for entity in wanted])
    return Sights(tuple(level.half() for level in levels), boxes_SM4, classes_SM)


def _large(entity: Entity) -> bool:
    x0, y0, x1, y1 = entity.box
    return max(x1 - x0, y1 - y0) > SMALLEST_THING
