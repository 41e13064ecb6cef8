"""Clips torn apart for the test that must fail, and which things of a frame are seen worse than before.

S clips, F frames, N entity slots, B batch.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from model.rollout import ClipSource
from model.samples import Clip

STRIDE = 37
"""How many clips on the next frame of a torn clip is taken from."""
FAINT, FAINTER_BY = 0.5, 0.15
"""Half hidden, small or smeared: a score below the first, and below the best one so far by the second."""
BORDER = 0.02


def clips_at(clips_B: Tensor, index: int, num_clips: int, *, torn: bool) -> Tensor:
    """Which clip frame `index` is taken from; torn clips never take two frames from the same one."""
    return (clips_B + STRIDE * index) % num_clips if torn else clips_B


class Torn:
    """A source whose clips are put together from frames of different clips: there is nothing to remember."""

    def __init__(self, source: ClipSource) -> None:
        self._source = source
        self.num_clips, self.num_frames = source.num_clips, source.num_frames

    def batches(self, size: int, generator: torch.Generator | None) -> list[Tensor]:
        """As the source does."""
        return self._source.batches(size, generator)

    def frame(self, clips_B: Tensor, index: int, generator: torch.Generator) -> Clip:
        """The frame at this place of another clip."""
        return self._source.frame(clips_at(clips_B, index, self.num_clips, torn=True), index, generator)

    def pair_frequencies(self) -> Tensor:
        """As the source does."""
        return self._source.pair_frequencies()


@dataclass(frozen=True, slots=True)
class Worse:
    """Reported things that were seen better earlier in their clip: by score, whole rather than cut by the canvas, with cues."""

    faint_SFN: Tensor
    cut_SFN: Tensor
    cueless_SFN: Tensor


def worse_than_before(source: ClipSource) -> Worse:
    """Of all clips of a source; slots must mean the same thing in all frames of a clip, as in the box world."""
    rows_S, generator = torch.arange(source.num_clips), torch.Generator().manual_seed(0)
    frames = [source.frame(rows_S, index, generator).entities for index in range(source.num_frames)]
    scores_SFN = torch.stack([one.scores_BN for one in frames], 1)
    seen_SFN = scores_SFN > 0
    best_SFN = _before(scores_SFN)
    faint_SFN = seen_SFN & (scores_SFN < FAINT) & (scores_SFN < best_SFN - FAINTER_BY)
    boxes_SFN4 = torch.stack([one.boxes_BN4 for one in frames], 1)
    cut_SFN = ((boxes_SFN4[..., :2] < BORDER) | (boxes_SFN4[..., 2:] > 1.0 - BORDER)).any(3)
    whole_before_SFN = _before((seen_SFN & ~cut_SFN).float()) > 0
    known_SFN = torch.stack([one.cues.known_BN for one in frames], 1)
    return Worse(faint_SFN, seen_SFN & cut_SFN & whole_before_SFN, seen_SFN & (known_SFN == 0) & (_before(known_SFN) > 0))


def _before(values_SFN: Tensor) -> Tensor:
    """The largest value of all earlier frames; 0 in the first."""
    return torch.cat([torch.zeros_like(values_SFN[:, :1]), values_SFN.cummax(1).values[:, :-1]], 1)
