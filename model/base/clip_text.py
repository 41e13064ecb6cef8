"""The text tower: CLIP's text transformer and its tokens. It runs when a checkpoint is built, to turn prompts into prototypes.

B prompts, L tokens, E width, J joint width of image and text.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from model.base.block import Block
from model.base.size import Size

PROMPTS_AT_ONCE = 128


class TextTower(nn.Module):
    """Token numbers to one vector per prompt: what the end token has gathered from those before it."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        width = size.text.width
        self.tokens = nn.Embedding(size.num_tokens, width)
        self.positions = nn.Parameter(torch.randn(size.positions, width) * 0.01)
        self.blocks = nn.ModuleList(Block(size.text, causal=True) for _ in range(size.text.layers))
        self.norm_after = nn.LayerNorm(width)
        self.projection = nn.Linear(width, size.joint, bias=False)

    def forward(self, ids_BL: Tensor, ends_B: Tensor) -> Tensor:
        """(B, J). `ends_B` is where each prompt's end token stands; what follows it is padding, which no token before it sees."""
        x_BLE = self.tokens(ids_BL) + self.positions[: ids_BL.shape[1]]
        for block in self.blocks:
            x_BLE = block(x_BLE)
        ends_B1E = ends_B[:, None, None].expand(-1, 1, x_BLE.shape[2])
        out: Tensor = self.projection(self.norm_after(x_BLE.gather(1, ends_B1E).squeeze(1)))
        return out


class ClipText(NamedTuple):
    """A text tower and its tokenizer."""

    tower: TextTower
    tokenizer: Tokenizer

    @torch.no_grad()
    def embed(self, sentences: Sequence[str]) -> Tensor:
        """Unit vectors (B, J) of sentences."""
        rows = [self._embed(sentences[start : start + PROMPTS_AT_ONCE]) for start in range(0, len(sentences), PROMPTS_AT_ONCE)]
        return F.normalize(torch.cat(rows), dim=1)

    def _embed(self, sentences: Sequence[str]) -> Tensor:
        room = len(self.tower.positions) - 1
        ids = [[*encoded.ids[:-1][:room], encoded.ids[-1]] for encoded in self.tokenizer.encode_batch(list(sentences))]
        ends_B = torch.tensor([len(row) - 1 for row in ids])
        ids_BL = nn.utils.rnn.pad_sequence([torch.tensor(row) for row in ids], batch_first=True)
        out: Tensor = self.tower(ids_BL, ends_B)
        return out
