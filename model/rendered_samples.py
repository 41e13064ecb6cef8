"""Rendered clips as training samples: what the frozen network sees in their decoded pictures, and the truth beside it. Seen once, kept.

S frames, B batch, N entity slots, C object classes, D embedding, K predicates, V body columns.
"""

import copy
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from tqdm import tqdm

from model.annotations import Clip as Annotation
from model.annotations import Frame
from model.entities import Cues, Entities
from model.losses import Targets
from model.nano import Nano
from model.samples import Clip
from model.slot_truth import NUM_PREDICATES, PERSON, slot_truth, unpacked
from model.synth.dataset import ANNOTATION, clip_folders, clips, frames_of
from model.vocabulary import MODERATION_V1

NUM_CLASSES = len(MODERATION_V1.objects)
FIRST_DT_S = 0.2
MIN_PAIRS = 50
"""Pairs with a class below which nobody knows how often a predicate holds of it."""
CACHE_FORMAT = 1
AT_ONCE = 2
"""More frames at once cost more time a frame: activations outgrow the caches."""

Half = npt.NDArray[np.float16]
Float = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Seen:
    """All frames of all clips, clip by clip. Cue columns are those of slot_truth: hands, seen, contact, gaze, face, posture, known."""

    boxes_SN4: Float
    scores_SN: Float
    probs_SNC: Half
    appearance_SND: Half
    cues_SNV: Float
    real_SN: npt.NDArray[np.int64]
    labels_SNN: npt.NDArray[np.uint32]
    bodies_SNV: Float


class RenderedSamples:
    """The clips of a split, cut into windows of `num_frames` that do not overlap; served like `model.samples.Samples`.

    `cache` is the folder for what the network saw (`folder/seen`), one file a clip and network; `max_clips` takes the first clips only.
    """

    def __init__(
        self, folder: Path, split: str, network: Nano, num_frames: int = 8, cache: Path | None = None, max_clips: int | None = None
    ) -> None:
        folders = clip_folders(folder, split)[:max_clips]
        annotations = clips(folder, split)[:max_clips]
        lengths = {len(clip.frames) for clip in annotations}
        shapes = {(clip.width, clip.height) for clip in annotations}
        if len(lengths) != 1 or len(shapes) != 1:
            raise ValueError(f"clips of {folder / split} differ in length or size: {sorted(lengths)} frames of {sorted(shapes)}")
        (self.clip_frames,), ((width, height),) = lengths, shapes
        self._cut(len(folders), num_frames)
        self._aspect = width / height
        frames = [frame for clip in annotations for frame in clip.frames]
        times_S = np.array([frame.time_s for frame in frames], np.float32)
        self._dt_S = np.diff(times_S, prepend=times_S[0]).astype(np.float32)
        self._dt_S[:: self.clip_frames] = FIRST_DT_S
        self._blurred_S = np.array([frame.blurred for frame in frames])
        self._seen = _see_all(folders, annotations, network, cache or folder / "seen")

    def whole(self) -> "RenderedSamples":
        """The same clips, each as one window."""
        other = copy.copy(self)
        other._cut(len(self._dt_S) // self.clip_frames, self.clip_frames)
        return other

    def _cut(self, num_clips: int, num_frames: int) -> None:
        if not 1 <= num_frames <= self.clip_frames:
            raise ValueError(f"a window of {num_frames} frames does not fit into clips of {self.clip_frames}")
        self.num_frames = num_frames
        starts = range(0, self.clip_frames - num_frames + 1, num_frames)
        self._first_W = np.array([clip * self.clip_frames + start for clip in range(num_clips) for start in starts])
        self.num_clips = len(self._first_W)

    def batches(self, size: int, generator: torch.Generator | None) -> list[Tensor]:
        """Clip numbers in batches; shuffled where a generator is given."""
        order = torch.arange(self.num_clips) if generator is None else torch.randperm(self.num_clips, generator=generator)
        return [order[start : start + size] for start in range(0, self.num_clips, size)]

    def frame(self, clips_B: Tensor, index: int, generator: torch.Generator | None = None) -> Clip:
        """Frame `index` of the given windows. Nothing is drawn: the generator is there as for other samples."""
        del generator
        at, seen = self._at(clips_B, index), self._seen
        probs_BNC, appearance_BND = (torch.from_numpy(values[at]).float() for values in (seen.probs_SNC, seen.appearance_SND))
        boxes_BN4, scores_BN = torch.from_numpy(seen.boxes_SN4[at]), torch.from_numpy(seen.scores_SN[at])
        entities = Entities(boxes_BN4, scores_BN, probs_BNC, appearance_BND, _cues(seen.cues_SNV[at]))
        targets = Targets(torch.from_numpy(unpacked(seen.labels_SNN[at])).float(), torch.from_numpy(seen.real_SN[at]))
        aspect_B = torch.full((len(at),), self._aspect)
        return Clip(entities, aspect_B, torch.from_numpy(self._dt_S[at]), torch.from_numpy(self._blurred_S[at]), targets)

    def true_cues(self, clips_B: Tensor, index: int) -> Cues:
        """What is true of the people in the slots, as cues; zeros in slots that are nobody annotated."""
        return _cues(self._seen.bodies_SNV[self._at(clips_B, index)])

    def pair_frequencies(self) -> Tensor:
        """(C, K): how often each predicate holds between a reported person and a reported thing of a class; .5 where too few are seen."""
        seen = self._seen
        reported_SN = seen.scores_SN > 0
        people_SN1 = (reported_SN & (seen.real_SN == PERSON))[:, :, None]
        frame, person, slot = np.nonzero(people_SN1 & (reported_SN & (seen.real_SN > PERSON))[:, None, :])
        class_ = torch.from_numpy(seen.real_SN[frame, slot])
        holds = torch.from_numpy(unpacked(seen.labels_SNN[frame, person, slot])).float()
        hits = torch.zeros(NUM_CLASSES, NUM_PREDICATES).index_add_(0, class_, holds)
        total_C1 = torch.bincount(class_, minlength=NUM_CLASSES)[:, None]
        return torch.where(total_C1 >= MIN_PAIRS, hits / total_C1.clamp(min=1), 0.5)

    def _at(self, clips_B: Tensor, index: int) -> npt.NDArray[np.int64]:
        return np.asarray(self._first_W[clips_B.numpy()] + index)


def _cues(columns_BNV: Float) -> Cues:
    values = torch.from_numpy(columns_BNV)
    hands, seen, contact, gaze, face, posture, known = torch.split(values, [4, 2, 2, 3, 1, 4, 1], 2)
    return Cues(hands.reshape(*hands.shape[:2], 2, 2), seen, contact, gaze, face.squeeze(2), posture, known.squeeze(2))


def _see_all(folders: list[Path], annotations: list[Annotation], network: Nano, cache: Path) -> _Seen:
    """Clip by clip, kept clip by clip: what a kill leaves is not seen again, nor what was there before more clips came."""
    network.eval()
    weights = _digest_of_weights(network)
    parts = []
    for folder, clip in zip(tqdm(folders, desc="looking at rendered clips", unit="clip", disable=None), annotations, strict=True):
        key = hashlib.sha256((weights + clip.sha256).encode() + (folder / ANNOTATION).read_bytes()).hexdigest()[:16]
        path = cache / f"{clip.name}-{key}.npz"
        kept = _load(path)
        parts.append(_see(folder, clip, network, path) if kept is None else kept)
    return _Seen(**{field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(_Seen)})


def _load(path: Path) -> _Seen | None:
    if not path.is_file():
        return None
    try:
        with np.load(path) as arrays:
            return _Seen(**{field.name: arrays[field.name] for field in fields(_Seen)})
    except (OSError, KeyError, ValueError, BadZipFile) as error:
        raise ValueError(f"{path} is torn ({error}): delete it, it is made again") from error


def _digest_of_weights(network: Nano) -> str:
    """Of all that entities depend on."""
    total = hashlib.sha256(str(CACHE_FORMAT).encode())
    for part in (network.detector, network.image_heads):
        for name, value in [] if part is None else sorted(part.state_dict().items()):
            total.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return total.hexdigest()


@torch.no_grad()
def _see(folder: Path, clip: Annotation, network: Nano, path: Path) -> _Seen:
    """One clip through the network; about 60 ms a frame on an idle core."""
    images_SHW3, parts = torch.from_numpy(frames_of(folder)), range(0, len(clip.frames), AT_ONCE)
    found = ((network.entities(images_SHW3[at : at + AT_ONCE], NUM_CLASSES), clip.frames[at : at + AT_ONCE]) for at in parts)
    rows = [row for entities, frames in found for row in _rows(entities, frames)]
    seen = _Seen(**{field.name: np.stack([row[field.name] for row in rows]) for field in fields(_Seen)})
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.{os.getpid()}.npz")
    np.savez(part, **{field.name: getattr(seen, field.name) for field in fields(_Seen)})
    part.rename(path)
    return seen


def _rows(found: Entities, frames: Sequence[Frame]) -> list[dict[str, Any]]:
    cues = found.cues
    columns = [cues.hands_BNH2.flatten(2), cues.hand_seen_BNH, cues.contact_BNH, cues.gaze_BN3, cues.face_BN.unsqueeze(2)]
    columns_BNV = torch.cat([*columns, cues.posture_BN4, cues.known_BN.unsqueeze(2)], 2).numpy()
    classes_BN = found.class_probs_BNC.argmax(2).numpy()
    out = []
    for row, frame in enumerate(frames):
        boxes_N4, scores_N = found.boxes_BN4[row].numpy(), found.scores_BN[row].numpy()
        truth = slot_truth(frame, boxes_N4, scores_N, classes_BN[row])
        out.append({
            "boxes_SN4": boxes_N4, "scores_SN": scores_N, "probs_SNC": found.class_probs_BNC[row].half().numpy(),
            "appearance_SND": found.appearance_BND[row].half().numpy(), "cues_SNV": columns_BNV[row].astype(np.float32),
            "real_SN": truth.real_N, "labels_SNN": truth.labels_NN, "bodies_SNV": truth.bodies_NV,
        })  # fmt: skip
    return out
