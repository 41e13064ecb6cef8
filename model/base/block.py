"""The transformer block of both CLIP towers (Radford et al. 2021): norms first, quick GELU, one product for queries, keys and values.

B batch, L tokens, E width, X heads, Y width of a head.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.base.size import TowerSize

QUICK_GELU = 1.702


class Block(nn.Module):
    """Tokens to tokens; `causal` lets each see only itself and those before it."""

    def __init__(self, size: TowerSize, *, causal: bool = False) -> None:
        super().__init__()
        self.heads, self.causal = size.heads, causal
        self.norm_attention, self.norm_inner = nn.LayerNorm(size.width), nn.LayerNorm(size.width)
        self.qkv, self.out = nn.Linear(size.width, 3 * size.width), nn.Linear(size.width, size.width)
        self.widen, self.narrow = nn.Linear(size.width, size.inner), nn.Linear(size.inner, size.width)

    def forward(self, x_BLE: Tensor) -> Tensor:
        q_BXLY, k_BXLY, v_BXLY = (split_heads(part, self.heads) for part in self.qkv(self.norm_attention(x_BLE)).chunk(3, 2))
        mixed_BXLY = F.scaled_dot_product_attention(q_BXLY, k_BXLY, v_BXLY, is_causal=self.causal)
        x_BLE = x_BLE + self.out(join_heads(mixed_BXLY))
        inner = self.widen(self.norm_inner(x_BLE))
        out: Tensor = x_BLE + self.narrow(inner * torch.sigmoid(QUICK_GELU * inner))
        return out


def split_heads(x_BLE: Tensor, heads: int) -> Tensor:
    """(B, X, L, Y)."""
    return x_BLE.reshape(*x_BLE.shape[:2], heads, -1).transpose(1, 2)


def join_heads(x_BXLY: Tensor) -> Tensor:
    """(B, L, E)."""
    return x_BXLY.transpose(1, 2).flatten(2)
