"""The image tower: EfficientDet-Lite0 (Tan et al. 2020) with batch norm folded. Knows no weights file and no suppression.

B batch, H W canvas (multiples of 32) or a level of it, F features, C object classes of the detector, A anchors of all levels.
Every pad is TensorFlow's SAME: at stride 2 it depends on parity, and above stride 32 a level may have any parity.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.anchors import SHAPES, all_anchors

NUM_CLASSES = 80
NUM_FEATURES = 64
NUM_LEVELS = 5
NUM_CELLS = 3
HEAD_DEPTH = 3
TRUNK: tuple[tuple[int, int, int, int, int], ...] = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
"""EfficientNet-Lite0's stages: kernel, stride, expansion, channels, repeats."""
TAPS = (4, 10, 15)
"""The trunk blocks that feed pyramid levels 3, 4 and 5."""
TAP_CHANNELS = (40, 112, 320)


class Detections(NamedTuple):
    """Raw output: class logits (B, C, A), box deltas (B, 4, A), their anchors (4, A), pyramid and trunk features for sampling."""

    logits_BCA: Tensor
    deltas_B4A: Tensor
    anchors_4A: Tensor
    pyramid: tuple[Tensor, ...]
    taps: tuple[Tensor, ...]

    def float(self) -> "Detections":
        """The same in float32, whatever the detector computes in."""
        logits_BCA, deltas_B4A, anchors_4A = self.logits_BCA.float(), self.deltas_B4A.float(), self.anchors_4A
        return Detections(logits_BCA, deltas_B4A, anchors_4A, _all_float(self.pyramid), _all_float(self.taps))


def _all_float(levels: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(level.float() for level in levels)


def same_conv(in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Module:
    """A convolution with SAME padding; the input has even sides where the stride is 2."""
    if stride == 1:
        return nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, groups=groups)
    before = (kernel - stride) // 2
    after = kernel - stride - before
    pad = nn.ZeroPad2d((before, after, before, after))
    return nn.Sequential(pad, nn.Conv2d(in_channels, out_channels, kernel, stride, groups=groups))


def halve(features_BFHW: Tensor) -> Tensor:
    """Max pooling 3x3 at stride 2, SAME, for any parity: windows sit on even cells of an odd side and on odd cells of an even one."""
    height, width = features_BFHW.shape[2:]
    pooled = F.max_pool2d(features_BFHW, 3, stride=1, padding=1)
    return pooled[:, :, (height + 1) % 2 :: 2, (width + 1) % 2 :: 2]


def double(features_BFHW: Tensor, like_BFHW: Tensor) -> Tensor:
    """Nearest upsampling to the size of `like`, which is twice as large or one less."""
    height, width = like_BFHW.shape[2:]
    return F.interpolate(features_BFHW, scale_factor=2.0, mode="nearest")[:, :, :height, :width]


class InvertedResidual(nn.Module):
    """MobileNetV2's block without squeeze-and-excite, ReLU6."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = in_channels * expansion
        self.expand = nn.Conv2d(in_channels, hidden, 1) if expansion > 1 else None
        self.depthwise = same_conv(hidden, hidden, kernel, stride, groups=hidden)
        self.project = nn.Conv2d(hidden, out_channels, 1)
        self.is_residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        hidden = x if self.expand is None else F.relu6(self.expand(x))
        out: Tensor = self.project(F.relu6(self.depthwise(hidden)))
        return x + out if self.is_residual else out


class Trunk(nn.Module):
    """EfficientNet-Lite0 up to stride 32; returns the features of `TAPS`."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = same_conv(3, 32, 3, 2)
        blocks: list[nn.Module] = []
        channels = 32
        for kernel, stride, expansion, out_channels, repeats in TRUNK:
            for repeat in range(repeats):
                blocks.append(InvertedResidual(channels, out_channels, kernel, stride if repeat == 0 else 1, expansion))
                channels = out_channels
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        x = F.relu6(self.stem(x))
        taps = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in TAPS:
                taps.append(x)
        return tuple(taps)


class Node(nn.Module):
    """Where pyramid levels meet: ReLU6 of their sum, then a separable convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(NUM_FEATURES, NUM_FEATURES, 3, padding=1, groups=NUM_FEATURES, bias=False)
        self.pointwise = nn.Conv2d(NUM_FEATURES, NUM_FEATURES, 1)

    def forward(self, summed_BFHW: Tensor) -> Tensor:
        out: Tensor = self.pointwise(self.depthwise(F.relu6(summed_BFHW)))
        return out


class Cell(nn.Module):
    """One pass of the BiFPN: down from level 7 to 3, up again. `up_in` stands beside `levels` where a level enters twice."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(Node() for _ in range(NUM_LEVELS - 1))
        self.up = nn.ModuleList(Node() for _ in range(NUM_LEVELS - 1))

    def forward(self, down_in: tuple[Tensor, ...], up_in: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Levels 3 to 7 in both tuples; `up_in` holds what the upward pass adds (level 3 is not used there)."""
        downs = [down_in[-1]]
        for node, level in zip(self.down, reversed(down_in[:-1]), strict=True):
            downs.insert(0, node(level + double(downs[0], level)))
        outs = [downs[0]]
        for index, node in enumerate(self.up[:-1], start=1):
            outs.append(node(up_in[index] + downs[index] + halve(outs[-1])))
        outs.append(self.up[-1](up_in[-1] + halve(outs[-1])))
        return tuple(outs)


class Pyramid(nn.Module):
    """BiFPN over three taps: five levels (strides 8 to 128) of 64 features."""

    def __init__(self) -> None:
        super().__init__()
        self.down_lateral = nn.ModuleList(nn.Conv2d(channels, NUM_FEATURES, 1) for channels in TAP_CHANNELS)
        self.up_lateral = nn.ModuleList(nn.Conv2d(channels, NUM_FEATURES, 1) for channels in TAP_CHANNELS[1:])
        self.level6 = nn.Conv2d(TAP_CHANNELS[-1], NUM_FEATURES, 1)
        self.cells = nn.ModuleList(Cell() for _ in range(NUM_CELLS))

    def forward(self, taps: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        level6 = halve(self.level6(taps[-1]))
        coarse = (level6, halve(level6))
        down_in = (*(lateral(tap) for lateral, tap in zip(self.down_lateral, taps, strict=True)), *coarse)
        up_in = (down_in[0], *(lateral(tap) for lateral, tap in zip(self.up_lateral, taps[1:], strict=True)), *coarse)
        for cell in self.cells:
            down_in = up_in = cell(down_in, up_in)
        return down_in


def shape_major(rows: Tensor, num_values: int) -> Tensor:
    """Rows in the order (value, shape) in the order (shape, value)."""
    return rows.reshape(num_values, len(SHAPES), *rows.shape[1:]).transpose(0, 1).reshape(rows.shape)


class Head(nn.Module):
    """Separable convolutions over each level; depthwise kernels are shared, the rest is one per level (folded batch norm).

    Stored weights are value-major (value * 9 + shape). They are used shape-major and the channels moved last, so that the values of an
    anchor lie together: runtimes that keep channels last then copy nothing, and the best class of an anchor is one short row.
    """

    def __init__(self, num_values: int) -> None:
        super().__init__()
        self.num_values = num_values
        self.depthwise = nn.ModuleList(
            nn.Conv2d(NUM_FEATURES, NUM_FEATURES, 3, padding=1, groups=NUM_FEATURES, bias=False) for _ in range(HEAD_DEPTH + 1)
        )
        self.pointwise = nn.ModuleList(
            nn.ModuleList(nn.Conv2d(NUM_FEATURES, NUM_FEATURES, 1) for _ in range(HEAD_DEPTH)) for _ in range(NUM_LEVELS)
        )
        self.predict_weight = nn.Parameter(torch.zeros(num_values * len(SHAPES), NUM_FEATURES, 1, 1))
        self.predict_bias = nn.Parameter(torch.zeros(NUM_LEVELS, num_values * len(SHAPES)))

    def forward(self, pyramid: tuple[Tensor, ...]) -> Tensor:
        """Values (B, num_values, A)."""
        values_BAV = torch.cat([self._level(index, level) for index, level in enumerate(pyramid)], dim=1)
        return values_BAV.transpose(1, 2)

    def _level(self, index: int, x: Tensor) -> Tensor:
        *hidden, last = self.depthwise
        pointwise = self.pointwise[index]
        assert isinstance(pointwise, nn.ModuleList)
        for depthwise, mix in zip(hidden, pointwise, strict=True):
            x = F.relu6(mix(depthwise(x)))
        weight, bias = shape_major(self.predict_weight, self.num_values), shape_major(self.predict_bias[index], self.num_values)
        x = F.conv2d(last(x), weight, bias)
        return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, self.num_values)


class Detector(nn.Module):
    """Images to raw detections on the nine anchors of every cell."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = Trunk()
        self.pyramid = Pyramid()
        self.class_head = Head(NUM_CLASSES)
        self.box_head = Head(4)

    def forward(self, images_BHW3: Tensor) -> Detections:
        """`images_BHW3` uint8; 127 is the grey that the network takes for nothing. Runs in its weights' precision, anchors in float32."""
        images_B3HW = (images_BHW3.permute(0, 3, 1, 2).float() - 127.0) * (1 / 128)
        taps = self.trunk(images_B3HW.to(self.box_head.predict_bias.dtype))
        pyramid = self.pyramid(taps)
        anchors_4A = all_anchors([(level.shape[2], level.shape[3]) for level in pyramid], images_BHW3.device)
        return Detections(self.class_head(pyramid), self.box_head(pyramid), anchors_4A, pyramid, taps)
