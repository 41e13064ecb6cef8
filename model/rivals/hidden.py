"""Training data as annotators leave it: a share of the pairs whose relations nobody wrote down. For every row of a comparison alike.

B batch, N entity slots, K predicates.
"""

import torch
from torch import Tensor

from model.rollout import ClipSource
from model.samples import Clip
from model.scene_head import FIRST_SPATIAL

UNSURE = FIRST_SPATIAL - 1


class HiddenLabels:
    """A source whose pairs lose all places and contacts with the given chance, and look at "unsure": as background, not as unknown.

    Which pairs is drawn once for each clip, frame and pair of slots, so that every method and epoch meets the same gaps.
    """

    def __init__(self, source: ClipSource, share: float, seed: int) -> None:
        if not 0.0 <= share <= 1.0:
            raise ValueError(f"a share of hidden labels is 0..1, got {share}")
        self._source, self._share, self._seed = source, share, seed
        self.num_clips, self.num_frames = source.num_clips, source.num_frames

    def batches(self, size: int, generator: torch.Generator | None) -> list[Tensor]:
        """As the source's."""
        return self._source.batches(size, generator)

    def pair_frequencies(self) -> Tensor:
        """As the source's: of the complete labels, which no trained part uses."""
        return self._source.pair_frequencies()

    def frame(self, clips_B: Tensor, index: int, generator: torch.Generator) -> Clip:
        """The source's frame with its gaps."""
        clip = self._source.frame(clips_B, index, generator)
        labels_BNNK = clip.targets.labels_BNNK
        hidden_BNN = torch.stack([self._draw(int(number), index, labels_BNNK.shape[1:3]) for number in clips_B])
        background_K = torch.zeros(labels_BNNK.shape[3])
        background_K[UNSURE] = 1.0
        kept_BNNK = torch.where(hidden_BNN.unsqueeze(3), background_K, labels_BNNK)
        return Clip(clip.entities, clip.aspect_B, clip.dt_B, clip.blurred_B, clip.targets._replace(labels_BNNK=kept_BNNK))

    def _draw(self, clip: int, index: int, shape: tuple[int, ...]) -> Tensor:
        generator = torch.Generator().manual_seed((self._seed * 1_000_003 + clip) * 64 + index)
        return torch.rand(shape, generator=generator) < self._share


def is_background(labels_BQK: Tensor) -> Tensor:
    """(B, Q): pairs of which no place and no contact is annotated, not even that they do not touch."""
    return labels_BQK[..., FIRST_SPATIAL:].sum(-1) == 0
