"""A user's labelled clips as training samples: what the frozen network sees in their annotated frames, once, and the truth by slot.

Unlike rendered clips they may differ in length, size and aspect, and their annotated frames may lie apart in the video.
S frames, W windows, B batch, N entity slots, C object classes, K predicates.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from tqdm import tqdm

from model.annotations import Entity, Frame
from model.datasets.lgsd import Labelled, pictures
from model.entities import Cues, Entities
from model.evaluation.canvas import paint
from model.losses import Targets
from model.nano import Nano
from model.samples import Clip
from model.scene_head import PERSON
from model.slot_truth import NUM_PREDICATES, slot_truth, unpacked
from model.vocabulary import MODERATION_V1

NUM_CLASSES = len(MODERATION_V1.objects)
MAX_WINDOW = 8
FIRST_DT_S = 0.2
MIN_PAIRS = 50


class LabelledSamples:
    """Clips cut into windows of equal length that cover every annotated frame; served like `model.samples.Samples`."""

    def __init__(self, labelled: Sequence[Labelled], network: Nano, num_frames: int, title: str) -> None:
        self._dt_S, self._first_W = _windows(labelled, num_frames)
        self.num_frames, self.num_clips = num_frames, len(self._first_W)
        self._blurred_S = np.array([frame.blurred for one in labelled for frame in one.clip.frames])
        seen = _see(labelled, network, title)
        self._entities = _joined(seen.entities)
        self._aspect_S, self._real_SN = torch.tensor(seen.aspects), torch.from_numpy(np.stack(seen.real))
        self._labels_SNN = np.stack(seen.labels)

    def batches(self, size: int, generator: torch.Generator | None) -> list[Tensor]:
        """Window numbers in batches; shuffled where a generator is given."""
        order = torch.arange(self.num_clips) if generator is None else torch.randperm(self.num_clips, generator=generator)
        return [order[start : start + size] for start in range(0, self.num_clips, size)]

    def frame(self, clips_B: Tensor, index: int, generator: torch.Generator | None = None) -> Clip:
        """Frame `index` of the given windows; nothing is drawn."""
        del generator
        at_B = torch.from_numpy(self._first_W[clips_B.numpy()] + index)
        boxes_SN4, scores_SN, probs_SNC, appearance_SND, cues = self._entities
        cues_B = Cues(*(part[at_B] for part in cues))
        entities = Entities(boxes_SN4[at_B], scores_SN[at_B], probs_SNC[at_B], appearance_SND[at_B], cues_B)
        targets = Targets(torch.from_numpy(unpacked(self._labels_SNN[at_B.numpy()])).float(), self._real_SN[at_B])
        dt_B, blurred_B = (torch.from_numpy(values[at_B.numpy()]) for values in (self._dt_S, self._blurred_S))
        return Clip(entities, self._aspect_S[at_B], dt_B, blurred_B, targets)

    def pair_frequencies(self) -> Tensor:
        """(C, K): how often each predicate holds between a reported person and a reported thing of a class; .5 where too few are seen."""
        reported_SN = self._entities.scores_BN > 0
        pairs_SNN = (reported_SN & (self._real_SN == PERSON))[:, :, None] & (reported_SN & (self._real_SN > PERSON))[:, None]
        frame, person, thing = pairs_SNN.nonzero(as_tuple=True)
        class_ = self._real_SN[frame, thing]
        holds = torch.from_numpy(unpacked(self._labels_SNN[frame.numpy(), person.numpy(), thing.numpy()])).float()
        hits = torch.zeros(NUM_CLASSES, NUM_PREDICATES).index_add_(0, class_, holds)
        total_C1 = torch.bincount(class_, minlength=NUM_CLASSES)[:, None]
        return torch.where(total_C1 >= MIN_PAIRS, hits / total_C1.clamp(min=1), 0.5)

    def people_and_pairs(self) -> tuple[int, int]:
        """How many annotated people, and pairs of a person and a thing, the detector reports."""
        reported_SN = self._entities.scores_BN > 0
        people_SN, things_SN = reported_SN & (self._real_SN == PERSON), reported_SN & (self._real_SN > PERSON)
        return int(people_SN.sum()), int((people_SN.sum(1) * things_SN.sum(1)).sum())


def window_length(labelled: Sequence[Labelled]) -> int:
    """Eight frames, or the length of the shortest clip."""
    return min(MAX_WINDOW, min(len(one.clip.frames) for one in labelled))


class _Seen(msgspec.Struct):
    """What the network has seen so far, frame by frame."""

    entities: list[Entities] = msgspec.field(default_factory=list)
    aspects: list[float] = msgspec.field(default_factory=list)
    real: list[npt.NDArray[np.int64]] = msgspec.field(default_factory=list)
    labels: list[npt.NDArray[np.uint32]] = msgspec.field(default_factory=list)


def _joined(seen: list[Entities]) -> Entities:
    """All frames along the first axis."""
    columns = [torch.cat([one[part] for one in seen]) for part in range(4)]  # type: ignore[misc]
    cues = Cues(*(torch.cat(part) for part in zip(*(one.cues for one in seen), strict=True)))
    boxes_SN4, scores_SN, probs_SNC, appearance_SND = columns
    return Entities(boxes_SN4, scores_SN, probs_SNC, appearance_SND, cues)


def _windows(labelled: Sequence[Labelled], num_frames: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Seconds since the frame before, of all frames, and the first frame of every window: in steps, the last one flush with the end."""
    gaps, firsts, start = [], [], 0
    for one in labelled:
        times = np.array([frame.time_s for frame in one.clip.frames], np.float32)
        if len(times) < num_frames or (np.diff(times) <= 0).any():
            raise ValueError(f"{one.clip.name}: {len(times)} frames at {times[:4].tolist()} s ..., expected {num_frames} or more, in order")
        gaps.append(np.concatenate([[FIRST_DT_S], np.diff(times)]))
        last = len(times) - num_frames
        firsts += [start + first for first in sorted({*range(0, last + 1, num_frames), last})]
        start += len(times)
    return np.concatenate(gaps).astype(np.float32), np.array(firsts)


@torch.no_grad()
def _see(labelled: Sequence[Labelled], network: Nano, title: str) -> _Seen:
    """Every annotated frame through the network; about 60 ms a frame on one core."""
    network.eval()
    seen = _Seen()
    with tqdm(total=sum(len(one.clip.frames) for one in labelled), desc=title, unit="frame", leave=False) as bar:
        for one in labelled:
            if not one.clip.complete:
                raise ValueError(f"{one.clip.name} is not complete: a pair without a relation would be learned as one that has none")
            for frame, picture in pictures(one):
                painted = paint(picture)
                found = network.entities(torch.from_numpy(np.ascontiguousarray(painted.image_HW3))[None], NUM_CLASSES)
                boxes_N4, scores_N = found.boxes_BN4[0].numpy(), found.scores_BN[0].numpy()
                truth = slot_truth(_placed(frame, painted.filled_2), boxes_N4, scores_N, found.class_probs_BNC[0].argmax(1).numpy())
                seen.entities.append(found)
                seen.aspects.append(painted.image_HW3.shape[1] / painted.image_HW3.shape[0])
                seen.real.append(truth.real_N)
                seen.labels.append(truth.labels_NN)
                bar.update()
    return seen


def _placed(frame: Frame, filled_2: tuple[float, float]) -> Frame:
    """The frame's boxes as fractions of the canvas."""
    across, down = filled_2

    def moved(entity: Entity) -> Entity:
        x0, y0, x1, y1 = entity.box
        return msgspec.structs.replace(entity, box=(x0 * across, y0 * down, x1 * across, y1 * down))

    return msgspec.structs.replace(frame, entities=tuple(moved(entity) for entity in frame.entities))
