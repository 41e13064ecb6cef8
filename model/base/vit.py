"""The image tower: CLIP's vision transformer on any canvas, a feature for every patch in the space that text shares. Knows no weights file.

B batch, H W canvas, h w patches, L tokens (1 + h w), E width, J joint width of image and text, g side of the trained grid in patches.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.base.block import Block
from model.base.size import Size

MEAN, SPREAD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Of the colours that CLIP was trained on, as it was published."""


class ImageTower(nn.Module):
    """Pixels to patch features. The position embedding is stretched to the canvas by bicubic interpolation."""

    mean_311: Tensor
    spread_311: Tensor

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.patch, self.grid, self.shrink = size.patch, size.grid, size.shrink
        width = size.image.width
        self.patches = nn.Conv2d(3, width, size.patch, stride=size.patch, bias=False)
        self.whole = nn.Parameter(torch.randn(width) * width**-0.5)
        self.positions = nn.Parameter(torch.randn(1 + size.grid**2, width) * width**-0.5)
        self.norm_before, self.norm_after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.blocks = nn.ModuleList(Block(size.image) for _ in range(size.image.layers))
        self.projection = nn.Linear(width, size.joint, bias=False)
        self.register_buffer("mean_311", 255.0 * torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("spread_311", 255.0 * torch.tensor(SPREAD)[:, None, None], persistent=False)

    def forward(self, images_BHW3: Tensor) -> Tensor:
        """Features (B, J, h, w) of uint8 images whose sides are multiples of patch x shrink."""
        rows, columns = (side // (self.patch * self.shrink) for side in images_BHW3.shape[1:3])
        patches_BJL = self.tokens(images_BHW3)[:, 1:].transpose(1, 2)
        return patches_BJL.reshape(*patches_BJL.shape[:2], rows, columns)

    def tokens(self, images_BHW3: Tensor) -> Tensor:
        """All tokens (B, L, J): the whole picture first, as CLIP compares it with text, then the patches row by row."""
        pixels_B3HW = F.avg_pool2d(images_BHW3.permute(0, 3, 1, 2).to(self.mean_311.dtype), self.shrink)
        features_BEhw = self.patches((pixels_B3HW - self.mean_311) / self.spread_311)
        whole_B1E = self.whole.expand(features_BEhw.shape[0], 1, -1)
        x_BLE = torch.cat([whole_B1E, features_BEhw.flatten(2).transpose(1, 2)], 1)
        x_BLE = self.norm_before(x_BLE + self._positions(*features_BEhw.shape[2:]))
        for block in self.blocks:
            x_BLE = block(x_BLE)
        out: Tensor = self.projection(self.norm_after(x_BLE))
        return out

    def _positions(self, rows: int, columns: int) -> Tensor:
        trained_1Egg = self.positions[1:].T.reshape(1, -1, self.grid, self.grid)
        stretched = F.interpolate(trained_1Egg, size=(rows, columns), mode="bicubic", align_corners=False)
        return torch.cat([self.positions[:1], stretched[0].flatten(1).T])
