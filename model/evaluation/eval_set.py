"""What a network's image tower made of judged clips, beside their truth: numbers without pixels, kept in one small file.

With it a scene head is measured in seconds and without the clips. It holds for one image tower only (`tower`). Everything is rounded to
what the file holds before it is used, so that figures do not depend on where the numbers come from. Appearance is left out: no relation
is read from it. Coordinates are fractions of the canvas.

F frames, N entities of a frame, E entities of all frames, T triplets of all frames, C object classes, X kept classes, V cue columns.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from model.checkpoint import DETECTOR, IMAGE_HEADS, Manifest
from model.evaluation.frames import Bool, Float, Int, TruthFrame
from model.vocabulary import MODERATION_V1

FOLDER = Path(__file__).parent / "data"
FORMAT = "vigil-eval-1"
KEPT_CLASSES = 6
NUM_CUES = 17
FULL = 65535

Array = npt.NDArray[Any]
Single = npt.NDArray[np.float32]


class Things(NamedTuple):
    """Entities of one frame: boxes, scores, independent class probabilities, cues in the order of entities.Cues."""

    boxes_N4: Single
    scores_N: Single
    probs_NC: Single
    cues_NV: Single


@dataclass(frozen=True, slots=True)
class EvalSet:
    """Frames of clips in order. `found` is what the tower detects, `given` what it says of the true boxes; frames that only lead up to a
    judged one have no truth."""

    name: str
    tower: str
    clips: tuple[str, ...]
    clip_F: Int
    time_F: Float
    aspect_F: Float
    judged_F: Bool
    truths: tuple[TruthFrame, ...]
    found: tuple[Things, ...]
    given: tuple[Things, ...]


def tower_of(manifest: Manifest) -> str:
    """Names the weights between pixels and entities: the same for checkpoints that differ only in their scene head."""
    files = "".join(manifest.files.get(name, "") for name in (DETECTOR, IMAGE_HEADS))
    return hashlib.sha256(files.encode()).hexdigest()[:12]


def path_for(name: str, tower: str, folder: Path = FOLDER) -> Path:
    """Where the numbers of a set for a tower lie."""
    return folder / f"{name}-{tower}.npz"


def write_set(eval_set: EvalSet, path: Path) -> None:
    """Store a set, rounded."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **_packed(eval_set))  # type: ignore[arg-type]


def read_set(path: Path) -> EvalSet:
    """Raises ValueError where the file is absent or of another format."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is no set of judged clips: {error}") from error
    if "format" not in arrays or str(arrays["format"]) != FORMAT:
        raise ValueError(f"{path} is not of format {FORMAT!r}: write it again with `vigil eval --keep`")
    return _unpacked(arrays)


def rounded(eval_set: EvalSet) -> EvalSet:
    """The set as it would be read back."""
    return _unpacked(_packed(eval_set))


def _packed(eval_set: EvalSet) -> dict[str, Array]:
    truths = eval_set.truths
    words = {"format": FORMAT, "name": eval_set.name, "tower": eval_set.tower}
    arrays: dict[str, Array] = {name: np.array(word) for name, word in words.items()}
    arrays |= {
        "clips": np.array(eval_set.clips),
        "clip": eval_set.clip_F.astype(np.uint16),
        "time": eval_set.time_F.astype(np.float32),
        "aspect": eval_set.aspect_F.astype(np.float32),
        "judged": eval_set.judged_F,
        "truth_count": _counts([truth.ids_N for truth in truths]),
        "truth_box": _shares(np.concatenate([truth.boxes_N4 for truth in truths])),
        "truth_class": np.concatenate([truth.classes_N for truth in truths]).astype(np.uint8),
        "truth_id": np.concatenate([truth.ids_N for truth in truths]).astype(np.uint32),
        "triplet_count": _counts([truth.triplets_T3 for truth in truths]),
        "triplet": np.concatenate([truth.triplets_T3 for truth in truths]).astype(np.uint8),
    }
    return arrays | _packed_things("found", eval_set.found) | _packed_things("given", eval_set.given)


def _packed_things(name: str, frames: Sequence[Things]) -> dict[str, Array]:
    boxes_E4, scores_E, probs_EC, cues_EV = (np.concatenate(parts) for parts in zip(*frames, strict=True))
    class_EX = np.argsort(-probs_EC, axis=1, kind="stable")[:, :KEPT_CLASSES]
    return {
        f"{name}_count": _counts([frame.scores_N for frame in frames]),
        f"{name}_box": _shares(boxes_E4),
        f"{name}_score": _shares(scores_E),
        f"{name}_class": class_EX.astype(np.uint8),
        f"{name}_prob": _shares(np.take_along_axis(probs_EC, class_EX, 1)),
        f"{name}_cue": cues_EV.astype(np.float16),
    }


def _unpacked(arrays: dict[str, Array]) -> EvalSet:
    triplets = _split(arrays["triplet"].astype(np.int64), arrays["triplet_count"])
    boxes, classes, ids = (
        _split(column, arrays["truth_count"])
        for column in (_values(arrays["truth_box"]), arrays["truth_class"].astype(np.int64), arrays["truth_id"].astype(np.int64))
    )
    return EvalSet(
        name=str(arrays["name"]),
        tower=str(arrays["tower"]),
        clips=tuple(str(clip) for clip in arrays["clips"]),
        clip_F=arrays["clip"].astype(np.int64),
        time_F=arrays["time"].astype(np.float64),
        aspect_F=arrays["aspect"].astype(np.float64),
        judged_F=arrays["judged"].astype(bool),
        truths=tuple(TruthFrame(*columns) for columns in zip(boxes, classes, ids, triplets, strict=True)),
        found=_unpacked_things("found", arrays),
        given=_unpacked_things("given", arrays),
    )


def _unpacked_things(name: str, arrays: dict[str, Array]) -> tuple[Things, ...]:
    class_EX = arrays[f"{name}_class"].astype(np.int64)
    probs_EC = np.zeros((len(class_EX), len(MODERATION_V1.objects)), np.float32)
    np.put_along_axis(probs_EC, class_EX, _values(arrays[f"{name}_prob"]).astype(np.float32), 1)
    columns = (_values(arrays[f"{name}_box"]), _values(arrays[f"{name}_score"]), probs_EC, arrays[f"{name}_cue"])
    parts = (_split(column.astype(np.float32), arrays[f"{name}_count"]) for column in columns)
    return tuple(Things(*frame) for frame in zip(*parts, strict=True))


def _counts(frames: Sequence[Array]) -> Array:
    return np.array([len(frame) for frame in frames], np.uint16)


def _shares(values: Array) -> Array:
    """Numbers in 0..1 in sixteen bits."""
    sixteen: Array = np.rint(values.astype(np.float64).clip(0.0, 1.0) * FULL).astype(np.uint16)
    return sixteen


def _values(shares: Array) -> Float:
    return shares.astype(np.float64) / FULL


def _split(column: Array, counts_F: Array) -> list[Array]:
    parts: list[Array] = np.split(column, np.cumsum(counts_F.astype(np.int64))[:-1])
    return parts
